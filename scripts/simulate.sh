#!/usr/bin/env bash
# Simulated clusters under simulated faults. See replica/sim for what is simulated; --help for the flags.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT"
prepare_go
build_static "$ROOT" -o bin/simulate ./replica/sim/simulate
exec bin/simulate "$@"
