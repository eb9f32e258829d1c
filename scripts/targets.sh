#!/usr/bin/env bash
# How far from the limits of this machine, in one table. See usage below.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
Build, and measure how far the replicas are from what this machine allows: each line is a comparison in interleaved pairs.

Usage: scripts/targets.sh [--since COMMIT | --adaptive DIR] [--only TEXT] [--list] [OPTIONS of bench compare]
  --adaptive DIR   Instead of all others: adaptive batches and windows against the fixed ones that were fastest for each load, as the
                   suite of that name says of which DIR has the results and the report; and against those for 4 x 1024 in flight in
                   open loops, too, at 1, 10, 50 and 80 % of what adaptive reached there.
  --since COMMIT   Compare with the replicas of a commit, too.
  --kills N        How often a leader is killed (default 20; 0: not at all).
  --minutes N      For how long the memory of replicas is watched (default 10; 0: not at all).
  --only TEXT      Only the lines whose name contains TEXT.
  --list           Print the lines and measure nothing.
  OPTIONS          For each comparison, as in: --pairs 20 --duration 3s (default: --pairs 8 --duration 2s).

Three replicas are started again with what small commands of some seconds have left in their journals, no snapshot among it. What must be is the
longest time that one of them spent in reading, or the CPU time of all shared by the processors, whichever is more.

A leader is killed under 20,000 puts a second; what counts is the longest that one of them took from when it was due.

Memory is what the largest of three replicas has resident after minutes of small commands, as many as there can be.

A line is: name, figure, A / B with its 95 % interval, target, and whether the median reaches it; "no figure" if too few runs of A held, as in an
open loop that is short against the way of an operation. What A and B are, --list says.
All lines together take about 35 minutes, those of adaptive an hour. The machine should have nothing else to do.

Exit codes: 0 measured (whether the targets are reached or not), 1 failed, 2 usage, 130 interrupted.
TEXT
}

readonly SMALL='--window 4096 --conns 4'
readonly VOLATILE='--durability none'

# lines prints what is measured: name | figures | at least (>) or at most (<) | target | flags A | flags B. Figures are lines of
# bench compare.
lines() {
  if [[ -n $ADAPTIVE ]]; then
    adaptive_lines "$ADAPTIVE"
    return
  fi
  if [[ -n $SINCE ]]; then
    cat <<TEXT
volatile against $SINCE|throughput|>|1.3|@new $VOLATILE -- $SMALL|@old $VOLATILE -- $SMALL
64 KiB volatile against $SINCE|throughput|>|2|@new $VOLATILE -- --conns 4 --window 64 --value-size 64KiB|@old $VOLATILE -- --conns 4 --window 64 --value-size 64KiB
TEXT
  fi
  cat <<TEXT
volatile of unreplicated, 4 x 4096|throughput|>|0.40|$VOLATILE -- $SMALL|--replicas 1 --unreplicated -- $SMALL
fsync of volatile, 4 x 4096|throughput|>|0.85|-- $SMALL|$VOLATILE -- $SMALL
volatile of unreplicated, 64 x 16|throughput|>|0.65|$VOLATILE -- --conns 64 --window 16|--replicas 1 --unreplicated -- --conns 64 --window 16
volatile of unreplicated, 512 x 16|throughput|>|0.75|$VOLATILE -- --conns 512 --window 16|--replicas 1 --unreplicated -- --conns 512 --window 16
volatile of unreplicated, 10,000 x 1|throughput|>|0.50|$VOLATILE -- --conns 10000 --window 1|--replicas 1 --unreplicated -- --conns 10000 --window 1
volatile of unreplicated, 1 KiB|throughput|>|0.45|$VOLATILE -- --conns 4 --window 1024 --value-size 1KiB|--replicas 1 --unreplicated -- --conns 4 --window 1024 --value-size 1KiB
volatile of unreplicated, 16 KiB|throughput|>|0.45|$VOLATILE -- --conns 4 --window 256 --value-size 16KiB|--replicas 1 --unreplicated -- --conns 4 --window 256 --value-size 16KiB
volatile of unreplicated, 64 KiB|throughput|>|0.40|$VOLATILE -- --conns 4 --window 64 --value-size 64KiB|--replicas 1 --unreplicated -- --conns 4 --window 64 --value-size 64KiB
fsync of volatile, 1 KiB|throughput|>|0.80|-- --conns 4 --window 1024 --value-size 1KiB|$VOLATILE -- --conns 4 --window 1024 --value-size 1KiB
fsync of volatile, 16 KiB|throughput|>|0.80|-- --conns 4 --window 256 --value-size 16KiB|$VOLATILE -- --conns 4 --window 256 --value-size 16KiB
fsync of volatile, 64 KiB|throughput|>|0.80|-- --conns 4 --window 64 --value-size 64KiB|$VOLATILE -- --conns 4 --window 64 --value-size 64KiB
volatile of unreplicated, 1 x 1|median latency|<|2|$VOLATILE -- --conns 1 --clients 1 --window 1|--replicas 1 --unreplicated -- --conns 1 --clients 1 --window 1
TEXT
}

# screened DIR prints what a run of the suite adaptive says of each load: durability|link-delay|variant|flags of the load|batch and pipeline
# of the fastest fixed one|operations per second of adaptive. A variant is called CONNS x WINDOW [x VALUE-SIZE], and all have a
# thousand keys and no examination.
screened() {
  awk '
    index($1, "BenchmarkAdaptive/") == 1 {
      count = split($1, part, "/")
      for (i = 2; i <= count; i++) {
        knob = substr(part[i], 1, index(part[i], "=") - 1)
        is[knob] = substr(part[i], index(part[i], "=") + 1)
      }
      gsub(/_/, " ", is["variant"])
      size = split(is["variant"], shape, " x ")
      load = "--keys 1k --examine 0s --conns " shape[1] " --window " shape[2] (size > 2 ? " --value-size " shape[3] : "")
      cell = is["durability"] "|" is["link-delay"] "|" is["variant"] "|" load
      if (!(cell in best)) {
        cells[++loads] = cell
        best[cell] = -1
      }
      for (i = 2; i < NF; i++) if ($(i + 1) == "op/s") ops = $i
      if (is["batch"] == "adaptive") adaptive[cell] = ops
      else if (ops > best[cell]) {
        best[cell] = ops
        fixed[cell] = "--batch " is["batch"] " --pipeline " is["pipeline"]
      }
    }
    END { for (i = 1; i <= loads; i++) print cells[i] "|" fixed[cells[i]] "|" adaptive[cells[i]] }' "$1/benchmark.txt" | sort
}

# adaptive_lines DIR prints lines as above, of adaptive against fixed batches and windows.
adaptive_lines() {
  local durability link variant load best ops share
  while IFS='|' read -r durability link variant load best ops; do
    local cluster="--durability $durability --link-delay $link"
    echo "$variant, $durability, $link: $best|throughput|>|0.95|$cluster -- $load|$cluster $best -- $load"
    [[ $variant == '4 x 1024' ]] || continue
    for share in 1 10 50 80; do
      load="--keys 1k --examine 0s --conns 4 --rate $(awk -v ops="$ops" -v share="$share" 'BEGIN {printf "%d", ops * share / 100}') --max-send-lag 20ms"
      echo "$share %, $durability, $link: $best|median latency,p99 latency|<|1.05|$cluster -- $load|$cluster $best -- $load"
    done
  done < <(screened "$1")
}

# replicas_of FLAGS prints the program that flags begin with the mark of: @old, @new, or none.
replicas_of() {
  case $1 in
    @old*) echo "$TREES/old/replica" ;;
    *) echo "$ROOT/bin/replica" ;;
  esac
}

# measure NAME FIGURES SENSE TARGET A B prints a line of the table for each figure.
measure() {
  local text
  text=$("$ROOT/bin/bench" compare "${OPTIONS[@]}" --replica-a "$(replicas_of "$5")" --replica-b "$(replicas_of "$6")" -- \
    "${5#@* }" "${6#@* }" 2>&1) || {
    printf '%s\n' "$text" >&2
    return 1
  }
  awk -F '  +' -v width="$WIDTH" -v name="$1" -v figures="$2" -v sense="$3" -v target="$4" '
    BEGIN { wanted = split(figures, figure, ",") }
    {
      is = ""
      for (i in figure) if (index($1, figure[i]) == 1) is = figure[i]
    }
    is != "" {
      verdict = (sense == ">" ? $4 >= target : $4 <= target) ? "reached" : "short"
      if ($2 == "none") verdict = "no figure"
      printf "%-*s %-15s %6s %-16s %s %-5s %s  (%s / %s)\n", width, name, is, $4, $5, sense, target, verdict, $2, $3
      found++
    }
    END { exit found != wanted }' <<<"$text" || { printf '%s\n' "$text" >&2 && return 1; }
}

# raise starts a cluster with the flags given, and prints its processes.
raise() {
  rm -rf "$SCRATCH/out"
  "$ROOT/bin/bench" cluster up "$@"
}

# lower stops the cluster and removes its data.
lower() {
  "$ROOT/bin/bench" cluster down >/dev/null
  "$ROOT/bin/bench" cluster clean >/dev/null
}

# finish removes whatever is left, also of what was interrupted.
finish() {
  [[ ! -e $SCRATCH/cluster ]] || lower || true
  rm -rf "$SCRATCH"
  [[ -z $TREES ]] || { rm -rf "$TREES" && git -C "$ROOT" worktree prune; }
}

# outage prints for how many milliseconds an operation was not answered at most when the leader of a new cluster is killed.
outage() {
  raise >/dev/null
  "$ROOT/bin/loadgen" run --rate 20k --conns 4 --warmup 500ms --duration 3s --at '1s kill leader' --examine 0s --quiet --out "$SCRATCH/out" >/dev/null || true
  lower
  awk '/"latency_ns"/ {inside = 1} inside && /"max"/ {gsub(/[^0-9]/, ""); print $0 / 1e6; found = 1; exit} END {exit !found}' "$SCRATCH/out/result.json"
}

# kills N prints the median, the least and the longest of N outages.
kills() {
  local i
  for ((i = 0; i < $1; i++)); do outage || return 1; done | sort -n | awk '
    {ms[NR] = $1}
    END {
      median = (ms[int((NR + 1) / 2)] + ms[int(NR / 2) + 1]) / 2
      printf "%-40s %-15s %6.1f [%.1f, %.1f] < 60 ms  %s  (%d kills: median, least, longest)\n", "SIGKILL of the leader, 20 k/s", "longest, ms",
        median, ms[1], ms[NR], median <= 60 ? "reached" : "short", NR
    }'
}

# bytes prints what a follower receives and writes for a put of 8 and 8 bytes, which takes 17 at least: they, and which of several operations it is.
bytes() {
  raise >/dev/null
  "$ROOT/bin/loadgen" run --window 4096 --conns 4 --duration 3s --examine 0s --quiet --out "$SCRATCH/out" >/dev/null || return 1
  lower
  awk '
    /"role":/ {follows = /follower/}
    follows && /"paxosbench_(network_bytes_received|journal_bytes|commands_applied)_total":/ {
      gsub(/[":,]/, "")
      sum[$1] += $2
    }
    function line(name, metric, target) {
      each = sum["paxosbench_" metric "_total"] / sum["paxosbench_commands_applied_total"]
      printf "%-40s %-15s %6.2f %-16s %s\n", name, "bytes", each, "", target ? sprintf("< %-5s %s", target, each <= target ? "reached" : "short") : "stated"
    }
    END {
      line("a small put, to each follower", "network_bytes_received", 24)
      line("a small put, in a journal", "journal_bytes", "")
    }' "$SCRATCH/out/result.json"
}

# recoveries prints a line for each replica of the cluster: bytes read, and nanoseconds of reading and of CPU time.
recoveries() {
  local id
  for id in 1 2 3; do
    curl -sf "http://127.0.0.1:$((${PAXOSBENCH_PORT_BASE:-7000} + 200 + id))/status" | tr -d ' \n' |
      sed 's/.*"recovery":{[^}]*"bytes":\([0-9]*\)[^}]*"reading_ns":\([0-9]*\),"cpu_ns":\([0-9]*\).*/\1 \2 \3\n/'
  done
}

# restart prints how long a cluster with long journals takes until it has a leader, and how long it must take.
restart() {
  local began took
  raise -- --snapshot-bytes 16GiB >/dev/null
  "$ROOT/bin/loadgen" run --window 4096 --conns 4 --duration "$1" --examine 0s --quiet >/dev/null || return 1
  "$ROOT/bin/bench" cluster down >/dev/null
  began=$(date +%s%N)
  raise --keep -- --snapshot-bytes 16GiB >/dev/null
  took=$(($(date +%s%N) - began))
  recoveries | awk -v took="$took" -v cpus="$(nproc)" '
    {bytes += $1; cpu += $3}
    $2 > reading {reading = $2}
    END {
      must = cpu / cpus > reading ? cpu / cpus : reading
      ratio = took / must
      printf "%-40s %-15s %6.2f %-16s < 1.5   %s  (%.2f s / %.2f s: reading %.2f, CPU %.2f on %d; %.0f MB in all)\n", "restart of three", "time", ratio, "",
        ratio <= 1.5 ? "reached" : "short", took / 1e9, must / 1e9, reading / 1e9, cpu / 1e9, cpus, bytes / 1e6
    }'
  lower
}

# durable prints how long a put takes where there is one at a time, in writes of 4 KiB with their syncs, of which the host is asked
# before each.
durable() {
  local i text
  for ((i = 0; i < 8; i++)); do
    text=$("$ROOT/bin/bench" calibrate --duration 100ms --out "$SCRATCH/calibration.json" 2>&1) || {
      printf '%s\n' "$text" >&2
      return 1
    }
    raise >/dev/null
    "$ROOT/bin/loadgen" run --conns 1 --clients 1 --window 1 --duration 2s --examine 0s --quiet --out "$SCRATCH/out" >/dev/null || return 1
    lower
    awk '
      {gsub(/[",]/, "")}
      $1 == "sync_ns:" {sync = $2}
      $1 == "latency_ns:" {inside = 1}
      inside && $1 == "p50:" {print $2 / sync, $2 / 1e3, sync / 1e3; exit}' "$SCRATCH/calibration.json" "$SCRATCH/out/result.json"
  done | sort -n | awk '
    {ratio[NR] = $1; put[NR] = $2; sync[NR] = $3}
    END {
      if (NR != 8) exit 1
      median = (ratio[4] + ratio[5]) / 2
      printf "%-40s %-15s %6.2f [%.2f, %.2f] < 2.5   %s  (eight in turns: median, least, greatest; the fifth %.0f / %.0f µs)\n", "fsync of a write and sync, 1 x 1",
        "median latency", median, ratio[1], ratio[8], median <= 2.5 ? "reached" : "short", put[5], sync[5]
    }'
}

# memory prints the most that a replica has resident after so many minutes of small commands as fast as they go.
memory() {
  local pids pid
  pids=$(raise | grep -o 'pid [0-9]*' | cut -d' ' -f2)
  "$ROOT/bin/loadgen" run --window 4096 --conns 4 --duration "$1m" --examine 0s --quiet --out "$SCRATCH/out" >/dev/null ||
    [[ -f $SCRATCH/out/result.json ]] || return 1 # that the host was busy is no matter here
  for pid in $pids; do cat "/proc/$pid/status"; done | awk -v minutes="$1" -v ops="$(awk '/"throughput_ops_per_s"/ {print $2 / 1e6; exit}' "$SCRATCH/out/result.json")" '
    $1 == "VmRSS:" {replicas++; if ($2 > most) most = $2}
    END {
      if (replicas != 3) exit 1
      printf "%-40s %-15s %6.0f %-16s < 256   %s  (%d min at %.2fM/s)\n", "memory of a replica", "MiB", most / 1024, "", most / 1024 <= 256 ? "reached" : "short", minutes, ops
    }'
  lower
}

main() {
  KILLS=20 MINUTES=10
  SINCE='' ADAPTIVE='' WIDTH=40 TREES='' OPTIONS=(--pairs 8 --duration 2s)
  local only='' list=false name figure sense target a b
  while (($#)); do
    case $1 in
      --since) (($# > 1)) || die 2 '--since wants a commit' && SINCE=$2 && shift 2 ;;
      --adaptive) (($# > 1)) || die 2 '--adaptive wants a directory' && ADAPTIVE=$2 && shift 2 ;;
      --kills) (($# > 1)) || die 2 '--kills wants a number' && KILLS=$2 && shift 2 ;;
      --minutes) (($# > 1)) || die 2 '--minutes wants a number' && MINUTES=$2 && shift 2 ;;
      --only) (($# > 1)) || die 2 '--only wants a text' && only=$2 && shift 2 ;;
      --list) list=true && shift ;;
      -h | --help) usage && return ;;
      --*=*) OPTIONS+=("$1") && shift ;;
      --*) (($# > 1)) || die 2 "$1 wants a value" && OPTIONS+=("$1" "$2") && shift 2 ;;
      *) die 2 "$1 is no flag" 'see --help' ;;
    esac
  done
  if [[ -n $ADAPTIVE ]]; then
    grep -qs '^BenchmarkAdaptive/' "$ADAPTIVE/benchmark.txt" || die 2 "--adaptive $ADAPTIVE: no report of the suite adaptive there" \
      'bin/bench run adaptive --out DIR && bin/bench report DIR'
    ADAPTIVE=$(realpath -- "$ADAPTIVE")
  fi
  if $list; then
    lines
    return
  fi
  build
  readonly SCRATCH=$ROOT/.cluster/targets
  trap finish EXIT
  trap 'exit 130' INT TERM
  if [[ -n $SINCE ]]; then
    TREES=$(mktemp -d)
    mkdir "$TREES/old"
    build_commit "$TREES/old" "$SINCE"
  fi
  [[ -z $ADAPTIVE ]] || WIDTH=72
  cd "$ROOT" # data directories go below .cluster/
  while IFS='|' read -r name figure sense target a b; do
    [[ $name == *"$only"* ]] || continue
    measure "$name" "$figure" "$sense" "$target" "$a" "$b" </dev/null
  done < <(lines)
  [[ -z $ADAPTIVE ]] || return 0
  mkdir -p "$SCRATCH"
  export PAXOSBENCH_STATE=$SCRATCH/cluster
  [[ 'fsync of a write and sync, 1 x 1' != *"$only"* ]] || durable
  [[ 'a small put' != *"$only"* ]] || bytes
  [[ 'restart of three' != *"$only"* ]] || restart 6s
  [[ $MINUTES == 0 || 'memory of a replica' != *"$only"* ]] || memory "$MINUTES"
  [[ $KILLS == 0 || 'SIGKILL of the leader' != *"$only"* ]] || kills "$KILLS"
}

main "$@"
