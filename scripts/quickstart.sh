#!/usr/bin/env bash
# The first thing to run: three replicas, a load generator, a summary. See usage below.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$ROOT/results/quickstart
readonly PORT_BASE=${PAXOSBENCH_PORT_BASE:-7000}
readonly STATE=${PAXOSBENCH_STATE:-$ROOT/.cluster}

usage() {
  cat <<'TEXT'
Build, start three replicas as processes, load them, print a summary, stop them.

Usage: scripts/quickstart.sh [--duration D]
  --duration D   How long to measure, after a second of warm-up (default 5s).

The replicas sync every batch to disk before they answer (durability fsync). The load is closed loop: 4 connections,
4096 commands in flight on each, 8-byte keys and values. Results: results/quickstart/ with result.json, the latency
histograms and a graph. A cluster of yours that is up is left alone: this script then refuses to run.

The exit code is that of bin/loadgen run: 0 for a valid measurement; see bin/loadgen run --help. 4 also if a cluster
is up or a port is in use.

Environment: PAXOSBENCH_PORT_BASE and PAXOSBENCH_STATE as in scripts/cluster.sh --help.
TEXT
}

# cluster is the script for clusters, on a state directory of our own: the data of another one is not ours to remove.
cluster() { PAXOSBENCH_STATE=$STATE/quickstart "$ROOT/scripts/cluster.sh" "$@"; }

# addresses OFFSET prints the addresses of the three replicas at the base port plus OFFSET.
addresses() {
  local first=$((PORT_BASE + $1))
  printf '127.0.0.1:%s,127.0.0.1:%s,127.0.0.1:%s\n' $((first + 1)) $((first + 2)) $((first + 3))
}

measure() {
  "$ROOT/bin/loadgen" run --addrs "$(addresses 0)" --admin "$(addresses 200)" --closed --window 4096 --conns 4 \
    --clients 4 --key-size 8 --value-size 8 --warmup 1s --duration "$1" --out "$OUT"
}

main() {
  local duration=5s
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

  cluster up --replicas 3 --durability fsync # leaves nothing behind if it fails
  trap 'cluster down' EXIT
  rm -rf "$OUT"
  measure "$duration"
  "$ROOT/bin/loadgen" report --format svg --out "$OUT/graph.svg" "$OUT"
  printf 'results: %s\n' "${OUT#"$ROOT"/}/"
}

main "$@"
