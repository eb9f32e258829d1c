#!/usr/bin/env bash
# A local cluster of replica processes: see usage below.
#
# One idea carries the script: the command line of a replica is written down once, by `up`, as .cluster/flags/ID. Ports,
# the data directory and the cluster id are read back from there, so `start` repeats what `up` did whatever the
# environment says by then, and a process is ours exactly if it runs our binary on our data directory.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly REPLICA=$ROOT/bin/replica
STATE=$(realpath -m "${PAXOSBENCH_STATE:-$ROOT/.cluster}")
readonly STATE
readonly PORT_BASE=${PAXOSBENCH_PORT_BASE:-7000}
readonly PATIENCE=10 # seconds that a leader, an answer or an orderly end may take

# Exit codes, apart from 0 and, for what failed on the way, 1.
readonly USAGE=2 NO_LEADER=3 REFUSED=4

usage() {
  cat <<'TEXT'
A local cluster of replicas: each a process, its state under .cluster/.

Usage: scripts/cluster.sh COMMAND
  up [--replicas N] [--durability D] [--keep] [-- REPLICA-FLAGS...]
               Build, start N replicas (default 3, at most 7) and wait for a leader. D is none, os or fsync
               (default fsync). The data is fresh unless --keep takes up that of the last time. What follows
               -- goes to every replica as it stands: see bin/replica --help. It waits for the leader for 10 s,
               and before as long as replicas read their data and get on with it, which it prints.
  down         Stop all replicas: SIGTERM, and SIGKILL for one that has not ended within 10 s.
  status       One line for each replica: id, pid, role, ballot, commit, applied, digest of the state. Why there is
               no leader, if there is none, goes to standard error.
  leader       Print the leader's id. Waits up to 10 s for one.
  kill ID      SIGKILL.
  start ID     Start again what was killed, with the flags of up, and wait until it has recovered.
  stop ID      SIGSTOP: the replica hangs, its connections stay open.
  cont ID      SIGCONT.
  logs ID      Print the replica's log, all its starts since up.
  --help       This text, also behind a command.

Environment
  PAXOSBENCH_PORT_BASE   Clients at 127.0.0.1:BASE+1.., peers BASE+101.., admin BASE+201.. (default 7000).
  PAXOSBENCH_STATE       State directory (default .cluster in the project). Clusters that differ in both
                         variables live beside each other.

Exit codes
  0 done   1 failed   2 usage   3 no leader   4 refused as things stand (already up, not up, port in use)

Example: fail over.
  scripts/cluster.sh up && scripts/cluster.sh kill "$(scripts/cluster.sh leader)" && scripts/cluster.sh leader
TEXT
}

# --- What is written down, and what is running ---------------------------------------------------------------------

# command_line COMMAND prints how to give this script a command for this very cluster.
command_line() {
  local prefix=''
  [[ -z ${PAXOSBENCH_STATE:-} ]] || prefix="PAXOSBENCH_STATE=$STATE "
  printf '%sscripts/cluster.sh %s' "$prefix" "$1"
}

# replicas prints the ids of the cluster that was last up, running or not.
replicas() { ls "$STATE/flags" 2>/dev/null || true; }

# flag ID NAME prints the value that the replica was given for a flag.
flag() {
  local argv i
  mapfile -d '' -t argv <"$STATE/flags/$1"
  for ((i = 0; i + 1 < ${#argv[@]}; i++)); do
    [[ ${argv[i]} == "$2" ]] && printf '%s\n' "${argv[i + 1]}" && return
  done
  return 1
}

# pid_of ID prints the replica's process id if it is alive and ours. Process ids are used again by the system, so the
# one written down is believed only if it still runs our binary on this replica's data. A zombie has no command line.
pid_of() {
  local pid argv=()
  { read -r pid <"$STATE/pids/$1" && mapfile -d '' -t argv <"/proc/$pid/cmdline"; } 2>/dev/null || return 1
  [[ ${argv[0]:-} == "$REPLICA" && " ${argv[*]} " == *" --data $STATE/data/$1 "* ]] && printf '%s\n' "$pid"
}

alive() { pid_of "$1" >/dev/null; }

any_alive() {
  local id
  for id in $(replicas); do ! alive "$id" || return 0; done
  return 1
}

# hung ID tells whether the replica is stopped by a signal (state T; the command's name may hold spaces).
hung() {
  local pid stat
  pid=$(pid_of "$1") && { stat=$(<"/proc/$pid/stat"); } 2>/dev/null && [[ $stat == *") T "* ]]
}

# within COMMAND... repeats COMMAND until it succeeds; after PATIENCE seconds it fails.
within() {
  local deadline=$((SECONDS + PATIENCE))
  until "$@"; do
    ((SECONDS <= deadline)) || return 1
    sleep 0.1
  done
}

# within_progress COMMAND... is the same, but while replicas recover it waits as long as they get on with it, and says how
# far they are.
within_progress() {
  local deadline=$((SECONDS + PATIENCE)) before='' now said=$SECONDS
  until "$@"; do
    now=$(recovering)
    [[ -z $now || $now == "$before" ]] || deadline=$((SECONDS + PATIENCE))
    before=$now
    if [[ $now ]] && ((SECONDS > said)); then
      said=$SECONDS
      awk '{printf "replica %s recovers: %d of at most %d MiB\n", $1, $2 / 1048576, $3 / 1048576}' <<<"$now" >&2
    fi
    ((SECONDS <= deadline)) || return 1
    sleep 0.1
  done
}

# --- Asking the replicas -------------------------------------------------------------------------------------------

# ask ID prints the replica's status as JSON. One that cannot answer is not asked.
ask() {
  local admin
  alive "$1" && ! hung "$1" && admin=$(flag "$1" --admin) && http_get "${admin%:*}" "${admin##*:}" /status
}

# serves ID tells whether the replica answers, and has recovered.
serves() {
  local json
  json=$(ask "$1") && [[ $(field "$json" role) != recovering ]]
}

# recovering prints id, bytes read and bytes to read of the replicas that read their data.
recovering() {
  local id json
  for id in $(replicas); do
    json=$(ask "$id") || continue
    [[ $(field "$json" role) != recovering || ! $json =~ \"bytes\":([0-9]+),\"total_bytes\":([1-9][0-9]*) ]] ||
      printf '%s %s %s\n' "$id" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
  done
}

# reasons prints why there is no leader, as the replicas see it.
reasons() {
  local id json
  for id in $(replicas); do
    json=$(ask "$id") || continue
    [[ ! $json =~ \"no_leader_reason\":\"([^\"]+)\" ]] || printf 'replica %s: %s\n' "$id" "${BASH_REMATCH[1]}"
  done
}

# find_leader prints the id of the leader, or of the one replica that works alone. Of two that claim to lead, one has
# not heard yet: the higher ballot (ROUND.REPLICA) wins.
find_leader() {
  local id json found
  found=$(for id in $(replicas); do
    json=$(ask "$id") || continue
    ! leads "$json" || printf '%s %s\n' "$(field "$json" ballot)" "$id"
  done | sort -V | tail -n 1)
  [[ -n $found ]] && printf '%s\n' "${found##* }"
}

# leads JSON tells whether the replica with that status decides for the cluster.
leads() { [[ $(field "$1" role) =~ ^(leader|unreplicated)$ ]]; }

# settled tells whether every replica follows the same leader, which is when a measurement may begin.
settled() {
  local id leader json
  leader=$(find_leader) || return 1
  for id in $(replicas); do
    json=$(ask "$id") || return 1
    [[ $id == "$leader" || $(field "$json" leader) == "$leader" ]] || return 1
  done
}

# --- Processes -----------------------------------------------------------------------------------------------------

# launch ID [FLAG] starts a replica in a session of its own, so that Ctrl-C in this terminal spares it. Descriptor 9,
# the lock, is not for it to keep.
launch() {
  local id=$1 argv
  shift
  mapfile -d '' -t argv <"$STATE/flags/$id"
  setsid "$REPLICA" "${argv[@]}" "$@" </dev/null >>"$STATE/logs/$id" 2>&1 9>&- &
  printf '%s\n' $! >"$STATE/pids/$id"
  # Until the new process has become setsid and then the replica, it is not recognised.
  until alive "$id"; do
    kill -0 $! 2>/dev/null || break
    sleep 0.01
  done
}

# signal ID NAME signals a replica that must be running.
signal() {
  local pid
  pid=$(pid_of "$1") || die $REFUSED "replica $1 is not running" "start it: $(command_line "start $1")"
  kill -s "$2" "$pid"
}

gone() { ! alive "$1"; }

all_gone() { ! any_alive; }

# end_all ends all replicas, also hung ones, and reports whether all went in order.
end_all() {
  local id
  for id in $(replicas); do kill_if_alive "$id" TERM && kill_if_alive "$id" CONT; done
  ! within all_gone || return 0
  for id in $(replicas); do
    ! alive "$id" || printf 'cluster.sh: replica %s did not end within %s s of SIGTERM: killed\n' "$id" "$PATIENCE" >&2
    kill_if_alive "$id" KILL
  done
  within all_gone
  return 1
}

# kill_if_alive ID NAME signals a replica that may end, or have ended, by itself.
kill_if_alive() {
  local pid
  ! pid=$(pid_of "$1") || kill -s "$2" "$pid" 2>/dev/null || true
}

# last_words ID prints the end of a replica's log on standard error.
last_words() {
  printf -- '--- the end of %s:\n' "$STATE/logs/$1" >&2
  tail -n 5 "$STATE/logs/$1" >&2
}

# --- Up ------------------------------------------------------------------------------------------------------------

# check_extra FLAG... refuses replica flags that are not the user's to give.
check_extra() {
  local arg
  for arg in "$@"; do
    case ${arg%%=*} in
      --id | --member | --admin | --data | --cluster-id | --bootstrap)
        die $USAGE "${arg%%=*} is set by this script" 'leave it out; see PAXOSBENCH_PORT_BASE and PAXOSBENCH_STATE in --help' ;;
      --durability) die $USAGE '--durability goes before the --' "$(command_line 'up --durability D -- ...')" ;;
    esac
  done
}

# check_ports N refuses ports that something listens on.
check_ports() {
  local id port
  for ((id = 1; id <= $1; id++)); do
    for port in $((PORT_BASE + id)) $((PORT_BASE + 100 + id)) $((PORT_BASE + 200 + id)); do
      ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || die $REFUSED "port $port is in use" \
        'another cluster may be up (scripts/cluster.sh down), or choose other ports:' \
        "PAXOSBENCH_PORT_BASE=$((PORT_BASE + 1000)) scripts/cluster.sh up"
    done
  done
}

# check_state refuses a state directory that holds what this script would remove but did not make.
check_state() {
  [[ -d $STATE/flags || ! -e $STATE/data && ! -e $STATE/logs && ! -e $STATE/pids ]] ||
    die $REFUSED "$STATE is not a state directory of this script" 'name another one in PAXOSBENCH_STATE'
}

# check_kept N refuses to take up data that is not there, or of a cluster of another size: a replica that lost its data
# is not a new replica.
check_kept() {
  local ids=()
  mapfile -t ids < <(replicas)
  [[ -d $STATE/data && ${#ids[@]} -gt 0 ]] || die $REFUSED "there is no data to keep in $STATE" 'leave out --keep'
  ((${#ids[@]} == $1)) || die $REFUSED "the data kept is that of ${#ids[@]} replicas, not $1" \
    "say --replicas ${#ids[@]}, or leave out --keep"
}

# write_flags N CLUSTER-ID FLAG... writes down the command lines of N replicas.
write_flags() {
  local n=$1 cluster=$2 id members=()
  shift 2
  rm -rf "$STATE/flags/"* "$STATE/pids" "$STATE/logs"
  mkdir -p "$STATE/flags" "$STATE/pids" "$STATE/logs" "$STATE/data"
  for ((id = 1; id <= n; id++)); do
    members+=(--member "$id=127.0.0.1:$((PORT_BASE + 100 + id)),127.0.0.1:$((PORT_BASE + id))")
  done
  for ((id = 1; id <= n; id++)); do
    printf '%s\0' --id "$id" "${members[@]}" --admin "127.0.0.1:$((PORT_BASE + 200 + id))" \
      --data "$STATE/data/$id" --cluster-id "$cluster" "$@" >"$STATE/flags/$id"
  done
}

# ready succeeds when the cluster has settled, and gives up at once on a replica that ended.
ready() {
  local id
  for id in $(replicas); do
    alive "$id" || { last_words "$id"; die 1 "replica $id ended at its start"; }
  done
  settled
}

up() {
  local n=3 durability=fsync keep='' cluster
  while (($#)); do
    case $1 in
      --replicas | --durability) (($# > 1)) || die $USAGE "$1 wants a value" ;;&
      --replicas) n=$2 && shift 2 ;;
      --durability) durability=$2 && shift 2 ;;
      --keep) keep=yes && shift ;;
      --) shift && break ;;
      *) die $USAGE "up: unknown argument $1" 'flags for the replicas go after --; see --help' ;;
    esac
  done
  [[ $n =~ ^[1-7]$ ]] || die $USAGE "--replicas $n: want 1 to 7"
  [[ $durability =~ ^(none|os|fsync)$ ]] || die $USAGE "--durability $durability: want none, os or fsync"
  [[ $PORT_BASE =~ ^[1-9][0-9]{0,4}$ && $PORT_BASE -le 65000 ]] ||
    die $USAGE "PAXOSBENCH_PORT_BASE=$PORT_BASE: want a number, 1 to 65000"
  check_extra "$@"

  ! any_alive || die $REFUSED "a cluster is up in $STATE" "take it down first: $(command_line down)"
  check_state
  check_ports "$n"
  [[ -z $keep ]] || check_kept "$n"
  build 9>&- # the go command leaves a helper behind that would keep the lock
  if [[ $keep ]]; then cluster=$(flag 1 --cluster-id); else cluster=$(date +%s); fi
  write_flags "$n" "$cluster" --durability "$durability" "$@"
  start_all "$keep"
}

# start_all KEEP starts what is written down and waits for a leader; whatever fails on the way leaves nothing running.
start_all() {
  local id bootstrap=()
  [[ $1 ]] || { bootstrap=(--bootstrap) && rm -rf "$STATE/data" && mkdir "$STATE/data"; }
  trap 'end_all || true' EXIT
  for id in $(replicas); do launch "$id" "${bootstrap[@]}"; done
  within_progress ready || { { table && reasons; } >&2; die $NO_LEADER "no leader within $PATIENCE s" "see $(command_line "logs ID")"; }
  trap - EXIT
  for id in $(replicas); do
    printf 'replica %s  pid %s  clients 127.0.0.1:%s  admin http://%s/status\n' "$id" "$(pid_of "$id")" \
      $((PORT_BASE + id)) "$(flag "$id" --admin)"
  done
  printf 'leader: %s\n' "$(find_leader)"
}

# --- The other commands --------------------------------------------------------------------------------------------

down() {
  any_alive || { echo 'no cluster is up' && return; }
  end_all
}

# row ID prints the replica's line of the status table.
row() {
  local pid=- role=down json=''
  if pid=$(pid_of "$1"); then
    role=silent
    ! hung "$1" || role=stopped
    ! json=$(ask "$1") || role=$(field "$json" role)
  fi
  line "$1" "${pid:--}" "$role" "$(field "$json" ballot)" "$(field "$json" commit)" "$(field "$json" applied)" \
    "$(field "$json" state_digest)"
}

line() { printf '%-3s %-8s %-13s %-8s %-12s %-12s %s\n' "$1" "$2" "$3" "${4:--}" "${5:--}" "${6:--}" "${7:--}"; }

table() {
  local id
  line id pid role ballot commit applied digest
  for id in $(replicas); do row "$id"; done
}

status() {
  any_alive || die $REFUSED "no cluster is up in $STATE" "start one: $(command_line up)"
  table
  reasons >&2
}

leader() {
  any_alive || die $NO_LEADER "no cluster is up in $STATE" "start one: $(command_line up)"
  within find_leader || { reasons >&2; die $NO_LEADER "no leader within $PATIENCE s" "see $(command_line status)"; }
}

start() {
  ! alive "$1" || die $REFUSED "replica $1 is running" "if it was stopped: $(command_line "cont $1")"
  launch "$1"
  within_progress serves_or_ended "$1" || die 1 "replica $1 does not answer" "see $(command_line "logs $1")"
}

serves_or_ended() {
  alive "$1" || { last_words "$1"; die 1 "replica $1 ended at its start"; }
  serves "$1"
}

# known ID refuses what is not a replica of this cluster.
known() {
  [[ -n $(replicas) ]] || die $REFUSED "there is no cluster in $STATE" "start one: $(command_line up)"
  [[ $1 =~ ^[1-7]$ && -f $STATE/flags/$1 ]] || die $USAGE "there is no replica '$1'" "replicas: $(replicas | tr '\n' ' ')"
}

# make_state makes the state directory, or says why there is none to work in.
make_state() {
  local why
  why=$({ mkdir -p "$STATE" && : >>"$STATE/lock"; } 2>&1) || die 1 "the state directory $STATE cannot be made or written" \
    "${why##*: }" 'name another one in PAXOSBENCH_STATE, or leave that unset'
}

# lock lets one command at a time change a cluster; it is free again when this script ends.
lock() {
  make_state
  exec 9>"$STATE/lock"
  flock -w 60 9 || die $REFUSED "another cluster.sh has been at work on $STATE for 60 s"
}

# wants N ARG... checks the number of a command's arguments.
wants() { (($# - 1 == $1)) || die $USAGE "$command: wants $1 argument(s), not $(($# - 1))" 'see --help'; }

# asks_for_help ARG... tells whether a command is only to be explained. What follows -- is not for this script.
asks_for_help() {
  local arg
  for arg in "$@"; do
    case $arg in
      -h | --help) return 0 ;;
      --) return 1 ;;
    esac
  done
  return 1
}

main() {
  (($# > 0)) || { usage >&2; exit $USAGE; }
  ! asks_for_help "$@" || { usage && return; }
  local command=$1
  shift
  case $command in
    up) ;;
    down | status | leader) wants 0 "$@" ;;
    kill | start | stop | cont | logs) wants 1 "$@" && known "$1" ;;
    help) usage && return ;;
    *) die $USAGE "unknown command $command" 'see --help' ;;
  esac
  case $command in
    up | start) lock && "$command" "$@" ;;
    down) lock && down ;;
    status | leader) "$command" ;;
    kill) lock && signal "$1" KILL && within gone "$1" ;;
    stop) lock && signal "$1" STOP && within hung "$1" ;;
    cont) lock && signal "$1" CONT ;;
    logs) cat "$STATE/logs/$1" ;;
  esac
}

main "$@"
