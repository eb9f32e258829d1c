#!/usr/bin/env bash
# Two configurations against each other. See usage below.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
Build, and measure two configurations against each other in interleaved pairs: A B, B A, A B..

Usage: scripts/compare.sh 'FLAGS A' 'FLAGS B' [--pairs N] [--duration D] [--warmup D] [--seed N]
  FLAGS          Flags of bin/replica and, behind --, of bin/loadgen run; --replicas N, --link-delay D and
                 --link-rate R are understood too. What is not said is as these programs have it by default.
  --pairs N      Runs of each (default 10). Fewer than eight cannot show a difference.
  --duration D   Length of each measurement (default 2s), after a warm-up of 500ms.

Every run has a cluster of its own. For throughput, latencies and CPU time of the leader: medians, the ratio with a 95 %
interval and the exact sign test that the interval is the other side of, and the test's p corrected for the number of lines
(Holm). A line whose corrected p is at most 0.05 is marked "differs". The last line is the verdict on throughput, by that
rule: "no difference", or who is faster, by how much.

Examples
  scripts/compare.sh '--batch adaptive' '--batch count:256'
  scripts/compare.sh '--pipeline 1 -- --window 64' '--pipeline 16 -- --window 64' --pairs 20
  scripts/compare.sh '' ''        # the same twice: no difference

Exit codes: 0 compared, 1 failed, 2 usage, 3 a run failed, 130 interrupted.
TEXT
}

main() {
  (($#)) || die 2 'two sets of flags, please' 'see --help'
  [[ $1 != -h && $1 != --help ]] || { usage && return; }
  (($# > 1)) || die 2 'only one set of flags' 'see --help'
  local a=$1 b=$2
  shift 2
  build
  cd "$ROOT" # data directories go below .cluster/
  exec "$ROOT/bin/bench" compare "$@" -- "$a" "$b"
}

main "$@"
