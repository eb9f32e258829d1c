#!/usr/bin/env bash
# The first thing to run: three replicas, a load generator, a summary. See usage below.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$ROOT/results/quickstart
# The cluster has a directory of its own: the data of another one is not ours to remove.
STATE=$(realpath -m "${PAXOSBENCH_STATE:-$ROOT/.cluster}")/quickstart
readonly STATE

usage() {
  cat <<'TEXT'
Build, start three replicas as processes, load them, print a summary, stop them and remove their data.

Usage: scripts/quickstart.sh [--duration D]
  --duration D   How long to measure, after a second of warm-up (default 5s).

The replicas sync every batch to disk before they answer (durability fsync). The load is closed loop: 4 connections,
4096 commands in flight on each, 8-byte keys and values. Results: results/quickstart/ with result.json, the latency
histograms and a graph; those of the last time are replaced once the new ones are whole. Nothing else stays, but logs and
data if something fails, which is said. A cluster of yours that is up is left alone: this script then refuses to run.

The exit code is that of bin/loadgen run: 0 for a valid measurement; see bin/loadgen run --help. 4 also if a cluster
is up or a port is in use.

Environment: PAXOSBENCH_PORT_BASE and PAXOSBENCH_STATE as in scripts/cluster.sh --help.
TEXT
}

cluster() { PAXOSBENCH_STATE=$STATE "$ROOT/scripts/cluster.sh" "$@"; }

measure() {
  "$ROOT/bin/loadgen" run --cluster "$STATE" --closed --window 4096 --conns 4 --clients 4 --key-size 8 --value-size 8 \
    --warmup 1s --duration "$1" --out "$OUT"
}

main() {
  local duration=5s code=0
  while (($#)); do
    case $1 in
      --duration)
        (($# > 1)) || die 2 '--duration wants a value, such as 5s'
        duration=$2 && shift 2 ;;
      -h | --help) usage && return ;;
      *) die 2 "unknown argument $1" 'see --help' ;;
    esac
  done
  ! "$ROOT/scripts/cluster.sh" status >/dev/null 2>&1 ||
    die 4 'a cluster is up, and this measurement wants the machine to itself' 'take it down: scripts/cluster.sh down'

  trap 'finish_cluster $?' EXIT
  cluster up --replicas 3 --durability fsync
  measure "$duration" || code=$?
  case $code in
    0 | [4-7] | 130) # there are results, good or bad, and a graph of earlier ones does not stay beside them
      "$ROOT/bin/loadgen" report --format svg --out "$OUT/graph.svg" "$OUT"
      printf 'results: %s\n' "${OUT#"$ROOT"/}/"
      ;;
  esac
  exit "$code"
}

main "$@"
