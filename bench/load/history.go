package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"paxosbench/bench/client"
	"paxosbench/bench/record"
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
	n       client.Number
}

type keyHistory struct {
	entries []*historyEntry
	cut     time.Duration // when the first operation left out was sent
}

type historyEntry struct {
	operation
	id, expected valueID
	sent, at     time.Duration
	status       wire.Status
	found        valueID
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
	h.keys[0] = &keyHistory{cut: never}
	for decade := uint64(1); decade < keys; decade *= 10 {
		for _, key := range []uint64{decade, 2 * decade, 5 * decade} {
			if key < keys {
				h.keys[key] = &keyHistory{cut: never}
			}
		}
	}
	return h
}

func (h *history) sampled(key uint64) bool { return h.keys[key] != nil }

func (h *history) sent(at historyID, o operation, expected, id valueID, sent time.Duration) {
	k := h.keys[o.key]
	if len(k.entries) >= h.limit {
		k.cut = min(k.cut, sent)
		return
	}
	entry := &historyEntry{operation: o, id: id, expected: expected, sent: sent}
	k.entries = append(k.entries, entry)
	h.pending[at] = entry
}

func (h *history) answered(which historyID, status wire.Status, found valueID, at time.Duration) {
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
	first     *illegalHistory
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
				v.first = &illegalHistory{key, entries, cut, others}
			}
		}
	}
	return v
}

// joined returns what all threads have recorded of a key, up to where the first of them stopped. What was sent later says
// nothing about what was answered earlier; of what was answered later, somebody may not have been recorded.
func joined(histories []*history, key uint64) (entries []*historyEntry, cut time.Duration) {
	cut = never
	for _, h := range histories {
		cut = min(cut, h.keys[key].cut)
	}
	for _, h := range histories {
		for _, e := range h.keys[key].entries {
			if e.sent < cut && (e.known(cut) || e.op != wire.OpGet) {
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
	found  valueID
}

// known reports whether what the operation found is known. Of those answered after the recording of their key ended it is
// known that they took effect, but what they saw may not have been recorded.
func (e *historyEntry) known(cut time.Duration) bool { return e.answered && e.at < cut }

// returned is when the operation had taken effect: an operation without an answer may do so at any time.
func (e *historyEntry) returned() time.Duration {
	if e.answered {
		return e.at
	}
	return never
}

// left returns what an answered get found.
func (e *historyEntry) left() valueID {
	if e.status == wire.StatusNotFound {
		return idAbsent
	}
	return e.found
}

// porcupine converts an entry. Operations are told apart by client because those of a session may overlap.
func (e *historyEntry) porcupine(client int, cut time.Duration) porcupine.Operation {
	return porcupine.Operation{ClientId: client, Input: *e, Call: int64(e.sent), Return: int64(e.returned()),
		Output: registerOutput{known: e.known(cut), status: e.status, found: e.left()}}
}

// recorded returns the values that are written in a history.
func recorded(entries []*historyEntry) map[valueID]bool {
	ids := make(map[valueID]bool)
	for _, e := range entries {
		ids[e.id] = e.op == wire.OpPut || e.op == wire.OpCompareAndSet
	}
	return ids
}

// registerModel is a register whose initial value is unknown until an operation tells. If there are others who write it,
// it may at any time have come to hold something that is not in the record, which explains some answers.
func registerModel(others bool, recorded map[valueID]bool) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return idUnknown },
		Step: func(state, input, output any) (bool, any) {
			in, out := input.(historyEntry), output.(registerOutput)
			if others && out.known {
				switch {
				case in.op == wire.OpGet && !recorded[out.found]:
					return true, out.found
				case in.op == wire.OpDelete:
					return true, idAbsent
				case out.status == wire.StatusMismatch:
					return true, state
				case in.op == wire.OpCompareAndSet && in.expected == idAbsent:
					return true, in.id
				}
			}
			return stepRegister(state.(valueID), &in, out)
		},
	}
}

// stepRegister says whether an operation can return what it did in a state, and the state after it.
func stepRegister(state valueID, in *historyEntry, out registerOutput) (bool, valueID) {
	switch in.op {
	case wire.OpPut:
		return true, in.id
	case wire.OpDelete:
		found := state != idAbsent
		return !out.known || state == idUnknown || found == (out.status == wire.StatusOK), idAbsent
	case wire.OpGet:
		if !out.known {
			return true, state
		}
		return state == idUnknown || state == out.found, out.found
	}
	return stepCompareAndSet(state, in, out)
}

func stepCompareAndSet(state valueID, in *historyEntry, out registerOutput) (bool, valueID) {
	matches := state == in.expected
	switch {
	case !out.known && matches:
		return true, in.id
	case !out.known:
		return true, state
	case out.status == wire.StatusOK:
		return matches || state == idUnknown, in.id
	}
	return !matches || state == idUnknown, state
}
