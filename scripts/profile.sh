#!/usr/bin/env bash
# A profile of one replica under load, in a run of its own. See usage below.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The cluster has a directory of its own: the data of another one is not ours to remove.
STATE=$(realpath -m "${PAXOSBENCH_STATE:-$ROOT/.cluster}")/profile
readonly STATE
readonly PROFILES=$ROOT/results/profile
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
The profile of the same NAME from before is replaced once the new one is whole. Of the cluster nothing stays, but logs and
data if something fails, which is said.

Environment: PAXOSBENCH_PORT_BASE and PAXOSBENCH_STATE as in scripts/cluster.sh --help.

Exit codes: 0 done, 1 failed, 2 usage, 4 a cluster is up or a port is in use.
TEXT
}

cluster() { PAXOSBENCH_STATE=$STATE "$ROOT/scripts/cluster.sh" "$@"; }

# take ID KIND SECONDS OUT fetches a profile of a replica that is under load.
take() {
  local path=/debug/pprof
  case $2 in
    cpu) cluster get "$1" "$path/profile?seconds=$3" >"$4/cpu.pprof" ;;
    heap) sleep "$3" && cluster get "$1" "$path/heap" >"$4/heap.pprof" ;;
    mutex | block) cluster get "$1" "$path/$2?seconds=$3" >"$4/$2.pprof" ;;
    trace)
      cluster get "$1" "$path/trace?seconds=$3" >"$4/trace.out"
      go tool trace -pprof=sched "$4/trace.out" >"$4/trace.pprof"
      ;;
  esac
}

# start_load SECONDS OUT FLAGS... begins the load and sets LOADGEN to its process id.
start_load() {
  local seconds=$1 out=$2
  shift 2
  "$ROOT/bin/loadgen" run --cluster "$STATE" --warmup "${WARMUP}s" \
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

# stop CODE ends everything, and removes what is unfinished.
stop() {
  [[ -z ${LOADGEN:-} ]] || kill "$LOADGEN" 2>/dev/null || true
  if [[ -n ${unfinished:-} ]]; then
    [[ ! -e $unfinished/before || -e $installed ]] || mv "$unfinished/before" "$installed"
    rm -rf "$unfinished"
  fi
  finish_cluster "$1"
}

# check_label DIR refuses to replace what is no profile.
check_label() {
  [[ ! -e $1 || -f $1/about.txt ]] || die 2 "$1 exists and is no profile" 'choose another --label'
}

# install_profile DIR OUT puts a whole profile in the place of the one before, which stop puts back if that fails.
install_profile() {
  installed=$2
  if [[ -e $2 ]]; then
    check_label "$2"
    mv "$2" "$1/before"
  fi
  mv "$1/new" "$2"
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
  local replica=$1 kind=$2 seconds=$3 label=$4 load=$5 durability=$6 id out flags new
  shift 6
  read -ra flags <<<"$load"
  out=$PROFILES/${label:-$(date -u +%Y%m%dT%H%M%SZ)-$kind-$replica}
  check_label "$out"
  trap 'stop $?' EXIT
  cluster up --replicas "$REPLICAS" --durability "$durability" -- --pprof "$@"
  id=$replica
  [[ $replica != leader ]] || id=$(cluster leader)
  mkdir -p "$PROFILES"
  unfinished=$(mktemp -d "$PROFILES/.unfinished-XXXXXX")
  new=$unfinished/new
  mkdir "$new"
  about "$new" "profile: $kind of replica $id ($replica), ${seconds}s" "durability: $durability" \
    "replica flags: ${*:-none}" "load: $load"
  start_load $((seconds + 2)) "$new" "${flags[@]}"
  sleep "$WARMUP"
  kill -0 "$LOADGEN" 2>/dev/null || end_load "$new" "$load"
  take "$id" "$kind" "$seconds" "$new"
  end_load "$new" "$load"
  render "$kind" "$new" "$kind of $replica, durability $durability${*:+, $*}"
  install_profile "$unfinished" "$out"
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
