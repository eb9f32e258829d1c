# shellcheck shell=bash
# Sourced by the scripts of this project: where it lives, how it gives up, how it is built.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# A shell that did not read the login profile often lacks the place where Go installs itself.
command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin

# die CODE MESSAGE... ends the script; the messages say what is wrong and what to do, one to a line.
die() {
  local code=$1
  shift
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  shift
  (($# == 0)) || printf '  %s\n' "$@" >&2
  exit "$code"
}

# prepare_go checks for Go and makes it build in a checkout whose history git will not read (another owner, no
# commit yet): there the programs carry no revision, which beats no programs.
prepare_go() {
  command -v go >/dev/null || die 1 'Go is not on the PATH' 'install Go 1.26 or later: https://go.dev/dl/'
  git -C "$ROOT" log -1 >/dev/null 2>&1 || export GOFLAGS="${GOFLAGS:-} -buildvcs=false"
}

# build_static TREE ARG... is go build for programs that start in any root, and are the same wherever the tree lies.
build_static() { CGO_ENABLED=0 go build -C "$1" -trimpath "${@:2}"; }

# build puts every program of cmd/ into bin/. It costs little when nothing has changed, and the lock keeps two scripts that
# start together from linking into each other's file.
build() {
  prepare_go
  mkdir -p "$ROOT/bin"
  (
    flock 9 && build_static "$ROOT" -o bin/ ./cmd/... 9>&-
  ) 9>"$ROOT/bin/.lock" || die 1 'the build failed'
}

# build_commit DIR COMMIT puts the replica of a commit into DIR/replica.
build_commit() {
  git -C "$ROOT" worktree add --quiet --detach "$1/tree" "$2" || die 1 "commit $2 cannot be checked out"
  build_static "$1/tree" -o "$1/replica" ./cmd/replica || die 1 "commit $2 does not build"
  git -C "$ROOT" worktree remove --force "$1/tree"
}

# finish_cluster CODE ends the cluster of $STATE at the end of a script that ends with CODE, and removes its data. Logs and
# data of what failed for another reason than what was measured (4 to 6) are kept, which is said.
finish_cluster() {
  local cluster=$ROOT/scripts/cluster.sh
  PAXOSBENCH_STATE=$STATE "$cluster" down >/dev/null || true
  case $1 in
    0 | 2 | 4 | 5 | 6)
      PAXOSBENCH_STATE=$STATE "$cluster" clean >/dev/null || true
      rmdir "$ROOT/.cluster" 2>/dev/null || true # unless it holds something
      ;;
    *) [[ ! -e $STATE ]] || printf 'logs and data are kept in %s, until: PAXOSBENCH_STATE=%s scripts/cluster.sh clean\n' "$STATE" "$STATE" >&2 ;;
  esac
}
