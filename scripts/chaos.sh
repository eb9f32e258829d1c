#!/usr/bin/env bash
# Real faults on real processes. See usage below.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
Three replicas as processes under load. First a full disk, syncs that fail, damaged data, and a leader that sleeps for ten
seconds and is then asked to read; then one fault a round: kills, pauses, partitions in both or one direction, damaged bytes on the network, a lost disk, and all replicas killed at once.

Usage: scripts/chaos.sh [--rounds N] [--seed S] [--durability D]
  --rounds N       Rounds of about four seconds (default 100). Every fault comes once in twelve rounds.
  --seed S         Determines faults and their times (default 1).
  --durability D   os or fsync (default fsync).

In every round loadgen checks that each reply comes once, in order and right; every other round also that sampled
histories are linearizable. After it, the replicas must have executed exactly the commands that were answered, and
agree on the digest of everything applied. One line a round. The exit code is 0 if all of that held; otherwise data and
logs are kept, and the output says where.
TEXT
}

main() {
  local rounds=100 seed=1 durability=fsync
  while (($#)); do
    case $1 in
      --rounds | --seed | --durability)
        (($# > 1)) || die 2 "$1 wants a value" 'see --help'
        declare "${1#--}=$2" && shift 2 ;;
      -h | --help) usage && return ;;
      *) die 2 "unknown argument $1" 'see --help' ;;
    esac
  done
  [[ $rounds =~ ^[1-9][0-9]*$ ]] || die 2 "rounds $rounds" 'give a number from 1 on'
  [[ $seed =~ ^[0-9]+$ ]] || die 2 "seed $seed" 'give a number'
  [[ $durability == os || $durability == fsync ]] ||
    die 2 "durability $durability" 'give os or fsync: without a journal, replicas that are all killed have lost everything, as promised'
  cd "$ROOT"
  prepare_go
  go test ./cmd/e2e -count=1 -run '^Test(FullDisk|SyncError|DamagedDisk|ReadsWithoutTheLog|Chaos)$' -v -timeout 0 \
    -reads.pause 10s -chaos.rounds "$rounds" -chaos.seed "$seed" -chaos.durability "$durability"
}

main "$@"
