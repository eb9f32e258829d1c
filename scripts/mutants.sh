#!/usr/bin/env bash
# Shows that the simulator finds bugs: one deliberate bug after another. --help has the flags; replica/sim/mutants the
# list.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT"
prepare_go
mkdir -p bin
build_static "$ROOT" -o bin/mutants ./replica/sim/mutants # go run would turn the exit code into another
exec bin/mutants "$@"
