#!/usr/bin/env bash
# Shows that the simulator finds bugs: one deliberate bug after another. --help has the flags; replica/sim/mutants the
# list.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT"
prepare_go
exec go run ./replica/sim/mutants "$@"
