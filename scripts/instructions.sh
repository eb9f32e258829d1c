#!/usr/bin/env bash
# Instructions per operation of the data path. See usage below.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
Count the instructions of the data path's microbenchmarks by callgrind, and compare them with those that are kept in
scripts/instructions.txt. A count does not depend on what else the machine does: what it shows in a minute, times show on an
idle machine alone. It says nothing of what an instruction costs, such as one that misses the cache.

Usage: scripts/instructions.sh [--update] [--only PATTERN]
  --update        Keep the counts as the new reference values. Commit them with the change that is the reason.
  --only PATTERN  Only benchmarks whose names contain it.

A benchmark may have the number of instructions in its line, and 2 % more or less: between two versions of Go it is
rather the reference that is to be renewed. Where there is no valgrind (apt-get install valgrind) nothing is checked, and
that is said.

Exit codes: 0 as kept, or nothing checked; 1 a benchmark differs; 2 usage.
TEXT
}

REFERENCE=$ROOT/scripts/instructions.txt
TOLERANCE=2 # percent

# count BINARY BENCHMARK N prints the instructions of N operations and all that comes before them.
count() {
  # Preemption by signals confuses callgrind, and collections come when they like.
  GODEBUG=asyncpreemptoff=1 GOMAXPROCS=1 GOGC=off valgrind --tool=callgrind --callgrind-out-file=/dev/null \
    "$1" -test.run '^$' -test.bench "^${2//\//\$\/^}\$" -test.benchtime "$3x" 2>&1 |
    awk '/Collected/ { print $NF; found = 1 } END { exit !found }' || die 1 "$2 could not be counted" "run $1 under valgrind"
}

# instructions BINARY BENCHMARK N prints those of one operation: the difference of two counts, which leaves out the beginning.
instructions() {
  local few many
  few=$(count "$1" "$2" "$3")
  many=$(count "$1" "$2" $((2 * $3)))
  printf '%d\n' $(((many - few) / $3))
}

# check NAME KEPT NOW says what came of a benchmark, and fails if it differs.
check() {
  local change
  change=$(awk -v kept="$2" -v now="$3" 'BEGIN { printf "%+.1f", 100 * (now / kept - 1) }')
  if awk -v c="$change" -v t=$TOLERANCE 'BEGIN { exit !(c > t || c < -t) }'; then
    printf 'DIFFERS  %-60s %9d kept, %9d now: %s %%\n' "$1" "$2" "$3" "$change"
    return 1
  fi
  printf 'as kept  %-60s %9d (%s %%)\n' "$1" "$3" "$change"
}

main() {
  local update='' only=''
  while (($#)); do
    case $1 in
      -h | --help) usage && return ;;
      --update) update=yes ;;
      --only) (($# > 1)) || die 2 '--only: which ones?' && only=$2 && shift ;;
      *) die 2 "unknown option: $1" 'see --help' ;;
    esac
    shift
  done
  if ! command -v valgrind >/dev/null; then
    printf 'SKIPPED: no valgrind here, so that no instruction was counted (apt-get install valgrind)\n' >&2
    return
  fi
  prepare_go
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  local failed='' package benchmark n kept now
  while read -r package benchmark n kept; do
    if [[ -z $package || $package == '#'* || "$package $benchmark" != *"$only"* ]]; then
      [[ -z $package ]] || printf '%s\n' "$package${benchmark:+ $benchmark}${n:+ $n}${kept:+ $kept}" >>"$work/new"
      continue
    fi
    [[ -x $work/${package//\//-} ]] || go test -C "$ROOT" -c -o "$work/${package//\//-}" "./$package"
    now=$(cd "$ROOT/$package" && instructions "$work/${package//\//-}" "$benchmark" "$n")
    printf '%s %s %s %s\n' "$package" "$benchmark" "$n" "$now" >>"$work/new"
    check "$package $benchmark" "$kept" "$now" || failed=yes
  done <"$REFERENCE"
  if [[ $update ]]; then
    cp "$work/new" "$REFERENCE"
    printf 'kept in %s\n' "${REFERENCE#"$ROOT/"}"
  elif [[ $failed ]]; then
    die 1 'the data path has another number of instructions than is kept' 'if that is meant: scripts/instructions.sh --update, and commit it'
  fi
}

main "$@"
