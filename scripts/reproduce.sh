#!/usr/bin/env bash
# From a clone to graphs and report. See usage below.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly BENCH=$ROOT/bin/bench

usage() {
  cat <<'TEXT'
Build, carry out suites, draw their graphs and write their reports.

Usage: scripts/reproduce.sh [--out DIR] [SUITE...]
  SUITE       A name (see bin/bench list; default: all of them) or a YAML file.
  --out DIR   Where each suite gets a directory of its name (default: results).

All suites together take about two hours, smoke takes two. The machine should have nothing else to do. What is there
already is not run again: after an interruption the same command goes on, and a suite that is complete only has its
graphs and its report made anew. For a fresh measurement remove the directory or choose another --out.

First the host is calibrated, for the bound that the graphs show (half a minute; DIR/calibration.json).

In each directory: report.html, graphs/, benchmark.txt (for benchstat), runs.ndjson (every run, also those that failed),
plan.ndjson, manifest.json, suite.yaml.

The exit code is that of bin/bench: 0 done, 2 usage, 3 not one run of a suite succeeded, 130 interrupted.
TEXT
}

# suite_names prints the suites that come with the program.
suite_names() { "$BENCH" list --names; }

# suite_directory SUITE prints the name of a suite's directory: that of the suite or of its file.
suite_directory() { basename "$1" .yaml; }

# calibrate measures what the bound in the graphs is drawn from, once for all suites.
calibrate() {
  [[ -f $OUT/calibration.json ]] || "$BENCH" calibrate --out "$OUT/calibration.json"
}

# check SUITE refuses what is no suite, before anything is measured.
check() { "$BENCH" run "$1" --dry-run --out "$OUT/$(suite_directory "$1")" >/dev/null || exit; }

# reproduce SUITE makes a suite's directory complete. An interruption ends everything, another failure only this suite.
reproduce() {
  local dir
  dir=$OUT/$(suite_directory "$1")
  printf '== %s\n' "$1"
  "$BENCH" run "$1" --resume --out "$dir" && "$BENCH" report "$dir"
}

main() {
  OUT=$ROOT/results
  local suites=() suite code=0 failure
  while (($#)); do
    case $1 in
      --out)
        (($# > 1)) || die 2 '--out wants a directory'
        OUT=$2 && shift 2 ;;
      -h | --help) usage && return ;;
      -*) die 2 "unknown argument $1" 'see --help' ;;
      *) suites+=("$1") && shift ;;
    esac
  done
  build
  ((${#suites[@]})) || mapfile -t suites < <(suite_names)
  for suite in "${suites[@]}"; do check "$suite"; done
  calibrate
  for suite in "${suites[@]}"; do
    failure=0
    reproduce "$suite" || failure=$?
    ((failure != 130)) || exit 130
    ((failure == 0)) || code=$failure
  done
  exit "$code"
}

main "$@"
