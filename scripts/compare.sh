#!/usr/bin/env bash
# Two configurations against each other. See usage below.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
Build, and measure two configurations, or two commits, against each other in interleaved pairs: A B, B A, A B..

Usage: scripts/compare.sh 'FLAGS A' 'FLAGS B' [--duet] [--pairs N] [--duration D] [--warmup D] [--seed N]
       scripts/compare.sh --commits OLD NEW ['FLAGS'] [the same options]
  FLAGS          Flags of bin/replica and, after --, of bin/loadgen run; --replicas N, --link-delay D and
                 --link-rate R are understood too. What is not said is as these programs have it by default.
  --commits      A are the replicas of commit OLD, B those of NEW, each built in a working tree of its own in a
                 temporary directory, which is removed again. The load generator is that of this tree. Where
                 code comes to lie differs between builds, and alone may be worth two or three percent: no
                 number of pairs tells that from a change. scripts/instructions.sh does.
  --duet         A and B at the same time, cluster and load of each kept to one processor, which the two exchange
                 every 100 ms: what disturbs the host, or one processor, disturbs both alike. Best with much in
                 flight: -- --window 4096.
  --pairs N      Runs of each (default 10). Fewer than eight cannot show a difference.
  --duration D   Length of each measurement (default 2s), after a warm-up of 500ms.

Every run has a cluster of its own. For throughput, latencies and CPU time of the leader: medians, the ratio with a 95 %
interval and the exact sign test that the interval is the other side of, and the test's p corrected for the number of lines
(Holm). A line whose corrected p is at most 0.05 is marked "differs". A run that is invalid counts as worse than any figure.
The last line is the verdict on throughput, by that rule: "no difference", or who is faster, by how much.

Examples
  scripts/compare.sh '--batch adaptive' '--batch count:256'
  scripts/compare.sh '--pipeline 1 -- --window 64' '--pipeline 16 -- --window 64' --pairs 20
  scripts/compare.sh --commits HEAD~1 HEAD --duet
  scripts/compare.sh '' ''        # the same twice: no difference

Exit codes: 0 compared, 1 failed, 2 usage, 3 a run failed, 130 interrupted.
TEXT
}

# compare_commits OLD NEW [FLAGS] [OPTIONS]
compare_commits() {
  (($# > 1)) || die 2 'two commits, please' 'see --help'
  local old new flags=
  old=$(git -C "$ROOT" rev-parse --verify --quiet "$1^{commit}") || die 2 "$1 is no commit of this repository"
  new=$(git -C "$ROOT" rev-parse --verify --quiet "$2^{commit}") || die 2 "$2 is no commit of this repository"
  shift 2
  case ${1-} in
    --duet | --pairs* | --duration* | --warmup* | --seed* | --port-base*) ;; # an option of the comparison
    *)
      flags=${1-}
      shift $(($# > 0))
      ;;
  esac
  build
  trees=$(mktemp -d)
  trap 'rm -rf "$trees"; git -C "$ROOT" worktree prune' EXIT
  mkdir "$trees/old" "$trees/new"
  build_commit "$trees/old" "$old"
  build_commit "$trees/new" "$new"
  printf 'A: commit %s\nB: commit %s\n' "$old" "$new"
  cd "$ROOT" # data directories go below .cluster/
  "$ROOT/bin/bench" compare --replica-a "$trees/old/replica" --replica-b "$trees/new/replica" "$@" -- "$flags" "$flags"
}

main() {
  (($#)) || die 2 'two sets of flags, please' 'see --help'
  [[ $1 != -h && $1 != --help ]] || { usage && return; }
  if [[ $1 == --commits ]]; then
    compare_commits "${@:2}"
    return
  fi
  (($# > 1)) || die 2 'only one set of flags' 'see --help'
  local a=$1 b=$2
  shift 2
  build
  cd "$ROOT" # data directories go below .cluster/
  exec "$ROOT/bin/bench" compare "$@" -- "$a" "$b"
}

main "$@"
