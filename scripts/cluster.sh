#!/usr/bin/env bash
# A local cluster of replicas, each a process: a front of bin/bench cluster, which it builds. See scripts/cluster.sh --help.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
  (($#)) || die 2 'a command, please' 'see --help'
  [[ $1 != help ]] || set -- --help
  [[ $1 != up && -x $ROOT/bin/bench && -x $ROOT/bin/replica ]] || build
  exec "$ROOT/bin/bench" cluster "$@"
}

main "$@"
