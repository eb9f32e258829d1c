#!/usr/bin/env bash
# Shows that the load generator finds wrong replicas: one defect after another. --help has the flags; bench/defects the
# list.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT"
prepare_go
mkdir -p bin
build_static "$ROOT" -o bin/defects ./bench/defects # go run would turn the exit code into another
exec bin/defects "$@"
