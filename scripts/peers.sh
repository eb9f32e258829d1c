#!/usr/bin/env bash
# This project beside other systems, in one interleaved run. See usage below.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
Install what can be installed, build the rest, and measure this project beside other systems; a table at the end.

Usage: scripts/peers.sh [--smoke] [--build] [--only SYSTEM].. [--out DIR] [OPTIONS of bin/peers run]
  --smoke        Four minutes instead of the suites peers and peers-failover, which take an hour and a quarter.
  --build        Build the programs into bin/ and measure nothing.
  --only SYSTEM  Only this system, as in --only etcd --only paxosbench. See bin/peers list.
  --out DIR      Where each suite gets a directory of its name (default: results).
  OPTIONS        As in: --repeats 3, --dry-run.

What is there already is not run again: after an interruption the same command goes on. For a fresh measurement remove the
directory or choose another --out.

ZooKeeper and Redis come from Debian's packages, if this is Debian, the user is root and they are not there; nothing is started
as a service. A system that is not there is left out, and it is said how to install it. See docs/peers.md.

Exit codes: 0 measured, 1 failed, 2 usage, 3 not one run succeeded, 130 interrupted (the same command goes on).
TEXT
}

# install_packages installs the packages that are not there, without starting what they bring.
install_packages() {
  local wanted=()
  command -v redis-server >/dev/null || wanted+=(redis-server)
  [[ -e /usr/share/java/zookeeper.jar ]] || wanted+=(zookeeper)
  command -v java >/dev/null || wanted+=(default-jre-headless)
  ((${#wanted[@]})) || return 0
  if ((EUID)) || ! command -v apt-get >/dev/null; then
    printf 'not root, or not Debian: %s will be left out\n' "${wanted[*]}" >&2
    return 0
  fi
  printf 'installing %s\n' "${wanted[*]}" >&2
  (
    forbid_services
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}"
  ) </dev/null >&2 || printf 'the packages could not be installed: what needs them will be left out\n' >&2
}

# forbid_services keeps packages from starting what they bring, until the shell that calls it ends, however it ends.
forbid_services() {
  local policy=/usr/sbin/policy-rc.d
  [[ ! -e $policy ]] || return 0
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
}

# build_peers puts the programs of the module of its own into bin/, beside ours.
build_peers() {
  build
  (
    flock 9 && build_static "$ROOT/bench/peers" -o "$ROOT/bin/" ./cmd/... 9>&-
  ) 9>"$ROOT/bin/.lock" || die 1 'the build of bench/peers failed'
}

# measure SUITE [FLAGS]... carries out a suite and prints its table.
measure() {
  local suite=$1
  shift
  "$ROOT/bin/peers" run "$suite" --resume --out "$OUT/$suite" "$@"
  [[ " $* " == *' --dry-run '* ]] && return
  "$ROOT/bin/peers" report "$OUT/$suite"
  "$ROOT/bin/peers" table "$OUT/$suite"
}

main() {
  OUT=$ROOT/results
  local suites=(peers peers-failover) options=() only_build=false
  while (($#)); do
    case $1 in
      --smoke) suites=(peers-smoke) && shift ;;
      --build) only_build=true && shift ;;
      --out) (($# > 1)) || die 2 '--out wants a directory' && OUT=$2 && shift 2 ;;
      -h | --help) usage && return ;;
      --*=* | --dry-run) options+=("$1") && shift ;;
      --*) (($# > 1)) || die 2 "$1 wants a value" && options+=("$1" "$2") && shift 2 ;;
      *) die 2 "$1 is no flag" 'see --help' ;;
    esac
  done
  $only_build || install_packages
  build_peers
  $only_build && return
  local suite
  for suite in "${suites[@]}"; do measure "$suite" "${options[@]}"; done
}

main "$@"
