#!/usr/bin/env bash
# A profile of one replica under load, in a run of its own. See usage below.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly PORT_BASE=${PAXOSBENCH_PORT_BASE:-7000}
readonly STATE=${PAXOSBENCH_STATE:-$ROOT/.cluster}
readonly WARMUP=2 # seconds under load before the profile begins
readonly REPLICAS=3

usage() {
  cat <<'TEXT'
Start three replicas, load them, profile one of them, stop them. Such a run is for profiles only: what its load
generator measures is not comparable with runs without one.

Usage: scripts/profile.sh [OPTIONS] [-- REPLICA-FLAGS...]
  --replica leader|ID   Whom to profile (default leader).
  --kind KIND           cpu (default), heap, mutex, block or trace.
  --seconds N           For how long (default 10); heap: how long to load before the heap is looked at.
  --label NAME          Directory below results/profile/ (default: date, kind, replica).
  --load 'FLAGS'        How bin/loadgen run loads (default '--closed --window 4096 --conns 4 --clients 4').
  --durability D        none, os or fsync (default fsync).
What follows -- goes to every replica as it stands: see bin/replica --help.

Leaves in results/profile/NAME/:
  KIND.pprof   the profile, for `go tool pprof`. A trace is KIND.out, for `go tool trace`; the profile beside it says
               how long goroutines that could run had to wait for a processor.
  top.txt      the functions in order of what they cost
  flame.svg    the flame graph; none if nothing was seen, as of locks that nobody waited for (about.txt then says so)
  about.txt    what was run
  load/        what the load generator saw

Environment: PAXOSBENCH_PORT_BASE and PAXOSBENCH_STATE as in scripts/cluster.sh --help.

Exit codes: 0 done, 1 failed, 2 usage, 4 a cluster is up or a port is in use.
TEXT
}

# cluster is the script for clusters, on a state directory of our own.
cluster() { PAXOSBENCH_STATE=$STATE/profile "$ROOT/scripts/cluster.sh" "$@"; }

# addresses OFFSET prints the addresses of all replicas at the base port plus OFFSET.
addresses() {
  local id list=''
  for ((id = 1; id <= REPLICAS; id++)); do list+=,127.0.0.1:$((PORT_BASE + $1 + id)); done
  printf '%s\n' "${list#,}"
}

# http_save PORT PATH FILE stores the body of a successful answer. Bash reads a socket byte by byte as long as it looks
# for line ends, so nothing of the body is lost when cat takes over.
http_save() {
  local socket code line
  exec {socket}<>"/dev/tcp/127.0.0.1/$1"
  printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&"$socket"
  read -r _ code _ <&"$socket" || code=nothing
  [[ $code == 200 ]] || die 1 "GET $2 was answered with $code"
  while read -r line <&"$socket" && [[ $line != $'\r' ]]; do :; done
  cat <&"$socket" >"$3"
  exec {socket}>&-
}

# take ID KIND SECONDS OUT fetches a profile of a replica that is under load.
take() {
  local port=$((PORT_BASE + 200 + $1)) path=/debug/pprof
  case $2 in
    cpu) http_save "$port" "$path/profile?seconds=$3" "$4/cpu.pprof" ;;
    heap) sleep "$3" && http_save "$port" "$path/heap" "$4/heap.pprof" ;;
    mutex | block) http_save "$port" "$path/$2?seconds=$3" "$4/$2.pprof" ;;
    trace)
      http_save "$port" "$path/trace?seconds=$3" "$4/trace.out"
      go tool trace -pprof=sched "$4/trace.out" >"$4/trace.pprof"
      ;;
  esac
}

# start_load SECONDS OUT FLAGS... begins the load and sets LOADGEN to its process id.
start_load() {
  local seconds=$1 out=$2
  shift 2
  "$ROOT/bin/loadgen" run --addrs "$(addresses 0)" --admin "$(addresses 200)" --warmup "${WARMUP}s" \
    --duration "${seconds}s" --out "$out/load" "$@" >"$out/load.txt" 2>&1 &
  LOADGEN=$!
}

# end_load OUT waits for the load to end. That the generator was saturated (6) or missed an objective (5) is no matter. One that
# does not understand its flags (2) leaves no results.
end_load() {
  local code=0
  wait "$LOADGEN" || code=$?
  LOADGEN=
  case $code in
    0 | 5 | 6) mv "$1/load.txt" "$1/load/summary.txt" ;;
    2) cat "$1/load.txt" >&2 && die 2 "loadgen does not take --load '$2'" 'see bin/loadgen run --help' ;;
    *) cat "$1/load.txt" >&2 && die 1 "the load failed with exit code $code" ;;
  esac
}

stop() {
  [[ -z ${LOADGEN:-} ]] || kill "$LOADGEN" 2>/dev/null || true
  cluster down
}

# render KIND OUT TITLE makes the table and the picture. A lock that nobody waited for gives a profile without samples.
render() {
  go tool pprof -top -nodecount=60 "$ROOT/bin/replica" "$2/$1.pprof" >"$2/top.txt" 2>"$2/pprof.log" ||
    die 1 "go tool pprof failed: see $2/pprof.log"
  rm "$2/pprof.log"
  if grep -q 'Total samples = 0 *$' "$2/top.txt"; then
    printf 'profile.sh: the %s profile has no samples, so there is no flame graph: nothing of that kind was seen\n' "$1" |
      tee -a "$2/about.txt" >&2
    return
  fi
  "$ROOT/bin/bench" flame "$2/$1.pprof" -o "$2/flame.svg" --title "$3"
}

# about OUT TEXT... writes down what was run, for whoever finds the directory.
about() {
  local out=$1
  shift
  {
    printf '%s\n' "$@"
    printf 'date: %s\n' "$(date -u +%FT%TZ)"
    printf 'commit: %s\n' "$(git -C "$ROOT" describe --always --dirty 2>/dev/null || echo unknown)"
    printf 'host: %s, %s CPUs\n' "$(uname -srm)" "$(nproc)"
  } >"$out/about.txt"
}

profile() {
  local replica=$1 kind=$2 seconds=$3 label=$4 load=$5 durability=$6 id out flags
  shift 6
  read -ra flags <<<"$load"
  cluster up --replicas "$REPLICAS" --durability "$durability" -- --pprof "$@"
  trap stop EXIT
  id=$replica
  [[ $replica != leader ]] || id=$(cluster leader)
  out=$ROOT/results/profile/${label:-$(date -u +%Y%m%dT%H%M%SZ)-$kind-$replica}
  rm -rf "$out"
  mkdir -p "$out"
  about "$out" "profile: $kind of replica $id ($replica), ${seconds}s" "durability: $durability" \
    "replica flags: ${*:-none}" "load: $load"
  start_load $((seconds + 2)) "$out" "${flags[@]}"
  sleep "$WARMUP"
  kill -0 "$LOADGEN" 2>/dev/null || end_load "$out" "$load"
  take "$id" "$kind" "$seconds" "$out"
  end_load "$out" "$load"
  render "$kind" "$out" "$kind of $replica, durability $durability${*:+, $*}"
  head -n 16 "$out/top.txt"
  printf 'profile: %s/\n' "${out#"$ROOT"/}"
}

main() {
  local replica=leader kind=cpu seconds=10 label='' durability=fsync
  local load='--closed --window 4096 --conns 4 --clients 4'
  while (($#)); do
    case $1 in
      --replica | --kind | --seconds | --label | --load | --durability)
        (($# > 1)) || die 2 "$1 wants a value" 'see --help'
        declare "${1#--}=$2" && shift 2 ;;
      -h | --help) usage && return ;;
      --) shift && break ;;
      *) die 2 "unknown argument $1" 'see --help; flags for replicas go behind --' ;;
    esac
  done
  [[ $replica =~ ^(leader|[1-$REPLICAS])$ ]] || die 2 "replica $replica" "give leader or an id from 1 to $REPLICAS"
  [[ $kind =~ ^(cpu|heap|mutex|block|trace)$ ]] || die 2 "kind $kind" 'give cpu, heap, mutex, block or trace'
  [[ $seconds =~ ^[1-9][0-9]{0,3}$ ]] || die 2 "seconds $seconds" 'give a number from 1 on'
  [[ $label =~ ^[A-Za-z0-9._-]*$ && $label != .* ]] || die 2 "label $label" 'give letters, digits, dots and dashes'
  ! "$ROOT/scripts/cluster.sh" status >/dev/null 2>&1 ||
    die 4 'a cluster is up, and a profile wants the machine to itself' 'take it down: scripts/cluster.sh down'
  build
  profile "$replica" "$kind" "$seconds" "$label" "$load" "$durability" "$@"
}

main "$@"
