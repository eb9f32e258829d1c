package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"paxosbench/bench/load/pacing"
	"paxosbench/bench/load/workload"
	"paxosbench/bench/record"
	"paxosbench/bench/target"
	"paxosbench/wire"
)

// history records every operation on a few keys, with its times, for a check of linearizability afterwards.
//
// The keys are 0, 1, 2, 5, 10, 20, 50, ..: under a skewed distribution the hottest and ever cooler ones. Of each key
// the first operations are recorded, up to a limit; what a later operation wrote constrains nothing.
type history struct {
	limit   int // of the operations recorded of one key
	keys    map[uint64]*keyHistory
	pending map[historyID]*historyEntry
}

type historyID struct {
	session int
	n       target.Number
}

type keyHistory struct {
	entries []*historyEntry
	cut     time.Duration // when the first operation left out was sent
}

type historyEntry struct {
	workload.Operation
	id, expected workload.ValueID
	sent, at     time.Duration
	status       wire.Status
	found        workload.ValueID
	answered     bool
}

const (
	// historyPlain is the limit if keys are but written and read: then the order of the operations is as good as sorting.
	historyPlain = 20_000
	// historyLimit is the limit otherwise, and historyTimeout bounds the check of one key. Its cost is exponential in the
	// operations that overlap, so the hottest keys of a heavy load may well be left undecided.
	historyLimit   = 2000
	historyTimeout = time.Second
)

func newHistory(keys uint64, limit int) *history {
	h := &history{limit: limit, keys: make(map[uint64]*keyHistory), pending: make(map[historyID]*historyEntry)}
	h.keys[0] = &keyHistory{cut: pacing.Never}
	for decade := uint64(1); decade < keys; decade *= 10 {
		for _, key := range []uint64{decade, 2 * decade, 5 * decade} {
			if key < keys {
				h.keys[key] = &keyHistory{cut: pacing.Never}
			}
		}
	}
	return h
}

func (h *history) sampled(key uint64) bool { return h.keys[key] != nil }

func (h *history) sent(at historyID, o workload.Operation, expected, id workload.ValueID, sent time.Duration) {
	k := h.keys[o.Key]
	if len(k.entries) >= h.limit {
		k.cut = min(k.cut, sent)
		return
	}
	entry := &historyEntry{Operation: o, id: id, expected: expected, sent: sent}
	k.entries = append(k.entries, entry)
	h.pending[at] = entry
}

func (h *history) answered(which historyID, status wire.Status, found workload.ValueID, at time.Duration) {
	if entry := h.pending[which]; entry != nil {
		entry.status, entry.found, entry.at, entry.answered = status, found, at, true
		delete(h.pending, which)
	}
}

// historyVerdict sums up the check of all sampled keys.
type historyVerdict struct {
	illegal   []string // keys whose history is not linearizable, with what contradicts what where that is known
	decided   int      // operations on keys that were decided
	undecided int      // operations on keys so contended that the check ran out of time
	first     *IllegalHistory
}

// checkHistories checks the histories of all threads for linearizability, key by key. others tells that other generators
// write the same keys.
func checkHistories(histories []*history, others bool) historyVerdict {
	var v historyVerdict
	for _, key := range slices.Sorted(maps.Keys(histories[0].keys)) {
		entries, cut := joined(histories, key)
		if len(entries) == 0 {
			continue
		}
		wrong, decided := checkKey(entries, cut, others)
		if !decided {
			v.undecided += len(entries)
			continue
		}
		v.decided += len(entries)
		if wrong != "" {
			v.illegal = append(v.illegal, fmt.Sprintf("key %d: %s", key, wrong))
			if v.first == nil {
				v.first = &IllegalHistory{key, entries, cut, others}
			}
		}
	}
	return v
}

// joined returns what all threads have recorded of a key, up to where the first of them stopped. What was sent later says
// nothing about what was answered earlier; of what was answered later, somebody may not have been recorded.
func joined(histories []*history, key uint64) (entries []*historyEntry, cut time.Duration) {
	cut = pacing.Never
	for _, h := range histories {
		cut = min(cut, h.keys[key].cut)
	}
	for _, h := range histories {
		for _, e := range h.keys[key].entries {
			if e.sent < cut && (e.known(cut) || e.Op != wire.OpGet) {
				entries = append(entries, e)
			}
		}
	}
	return entries, cut
}

// checkKey checks the history of one key, and returns what is wrong with it and whether it could be decided.
func checkKey(entries []*historyEntry, cut time.Duration, others bool) (wrong string, decided bool) {
	if plain(entries) {
		return checkClusters(entries, cut, others), true
	}
	operations := make([]porcupine.Operation, len(entries))
	for i, e := range entries {
		operations[i] = e.porcupine(i, cut)
	}
	switch porcupine.CheckOperationsTimeout(registerModel(others, recorded(entries)), operations, historyTimeout) {
	case porcupine.Unknown:
		return "", false
	case porcupine.Illegal:
		return "no order of the operations explains the answers", true
	}
	return "", true
}

// Histories checks what the verifiers of all threads have recorded of sampled keys, and adds what was found to a run's sums. others
// tells that other generators write the same keys. It returns the first history that is illegal, or nil.
func Histories(verifiers []*Verifier, others bool, sum *record.Verification) *IllegalHistory {
	var histories []*history
	for _, v := range verifiers {
		histories = append(histories, v.history)
	}
	checked := checkHistories(histories, others)
	checked.addTo(sum)
	return checked.first
}

// addTo adds what was found to the run's sums.
func (h *historyVerdict) addTo(v *record.Verification) {
	v.HistoryOps, v.HistoryUndecided = h.decided, h.undecided
	switch {
	case len(h.illegal) > 0:
		v.History = "illegal"
		v.Violations += int64(len(h.illegal))
		v.Reports = append(v.Reports, "not linearizable: "+strings.Join(h.illegal, "; "))
	case h.decided > 0:
		v.History = "ok"
	case h.undecided > 0:
		v.History = "unknown"
	}
}

// registerOutput is what an operation is known to have returned.
type registerOutput struct {
	known  bool
	status wire.Status
	found  workload.ValueID
}

// known reports whether what the operation found is known. Of those answered after the recording of their key ended it is
// known that they took effect, but what they saw may not have been recorded.
func (e *historyEntry) known(cut time.Duration) bool { return e.answered && e.at < cut }

// returned is when the operation had taken effect: an operation without an answer may do so at any time.
func (e *historyEntry) returned() time.Duration {
	if e.answered {
		return e.at
	}
	return pacing.Never
}

// left returns what an answered get found.
func (e *historyEntry) left() workload.ValueID {
	if e.status == wire.StatusNotFound {
		return workload.Absent
	}
	return e.found
}

// porcupine converts an entry. Operations are told apart by client because those of a session may overlap.
func (e *historyEntry) porcupine(client int, cut time.Duration) porcupine.Operation {
	return porcupine.Operation{ClientId: client, Input: *e, Call: int64(e.sent), Return: int64(e.returned()),
		Output: registerOutput{known: e.known(cut), status: e.status, found: e.left()}}
}

// recorded returns the values that are written in a history.
func recorded(entries []*historyEntry) map[workload.ValueID]bool {
	ids := make(map[workload.ValueID]bool)
	for _, e := range entries {
		ids[e.id] = e.Op == wire.OpPut || e.Op == wire.OpCompareAndSet
	}
	return ids
}

// registerModel is a register whose initial value is unknown until an operation tells. If there are others who write it,
// it may at any time have come to hold something that is not in the record, which explains some answers.
func registerModel(others bool, recorded map[workload.ValueID]bool) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return workload.Unknown },
		Step: func(state, input, output any) (bool, any) {
			in, out := input.(historyEntry), output.(registerOutput)
			if others && out.known {
				switch {
				case in.Op == wire.OpGet && !recorded[out.found]:
					return true, out.found
				case in.Op == wire.OpDelete:
					return true, workload.Absent
				case out.status == wire.StatusMismatch:
					return true, state
				case in.Op == wire.OpCompareAndSet && in.expected == workload.Absent:
					return true, in.id
				}
			}
			return stepRegister(state.(workload.ValueID), &in, out)
		},
	}
}

// stepRegister says whether an operation can return what it did in a state, and the state after it.
func stepRegister(state workload.ValueID, in *historyEntry, out registerOutput) (bool, workload.ValueID) {
	if out.known && out.status == wire.StatusFull {
		return in.Op == wire.OpPut || in.Op == wire.OpCompareAndSet, state
	}
	switch in.Op {
	case wire.OpPut:
		return true, in.id
	case wire.OpDelete:
		found := state != workload.Absent
		return !out.known || state == workload.Unknown || found == (out.status == wire.StatusOK), workload.Absent
	case wire.OpGet:
		if !out.known {
			return true, state
		}
		return state == workload.Unknown || state == out.found, out.found
	}
	return stepCompareAndSet(state, in, out)
}

func stepCompareAndSet(state workload.ValueID, in *historyEntry, out registerOutput) (bool, workload.ValueID) {
	matches := state == in.expected
	switch {
	case !out.known && matches:
		return true, in.id
	case !out.known:
		return true, state
	case out.status == wire.StatusOK:
		return matches || state == workload.Unknown, in.id
	}
	return !matches || state == workload.Unknown, state
}
