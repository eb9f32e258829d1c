#!/usr/bin/env bash
# All states that small clusters can reach, scope by scope. See replica/explore for what that means; --help for the flags.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT"
prepare_go
build_static "$ROOT" -o bin/explorer ./replica/explore/explorer
exec bin/explorer "$@"
