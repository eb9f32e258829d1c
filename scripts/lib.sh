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

# build puts every program of cmd/ into bin/. It costs little when nothing has changed, and the lock keeps two
# scripts that start together from linking into each other's file.
build() {
  prepare_go
  mkdir -p "$ROOT/bin"
  flock -o "$ROOT/bin/.lock" go build -C "$ROOT" -o bin/ ./cmd/... || die 1 'the build failed'
}
