package load

import (
	"fmt"
	"maps"
	"math"
	"slices"
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
	// historyLimit bounds the operations recorded of one key.
	historyLimit = 2000
	// historyTimeout bounds the check of one key. Its cost is exponential in the operations that overlap, so the
	// hottest keys of a heavy load may well be left undecided.
	historyTimeout = time.Second
)

func newHistory(keys uint64) *history {
	h := &history{keys: make(map[uint64]*keyHistory), pending: make(map[historyID]*historyEntry)}
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
	if len(k.entries) >= historyLimit {
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
	illegal   []uint64 // keys whose history is not linearizable
	decided   int      // operations on keys that were decided
	undecided int      // operations on keys so contended that the check ran out of time
}

// checkHistories checks the histories of all threads for linearizability, key by key.
func checkHistories(histories []*history) historyVerdict {
	byKey := make(map[uint64][]porcupine.Operation)
	for thread, h := range histories {
		for key, k := range h.keys {
			for _, entry := range k.entries {
				if op, ok := entry.porcupine(thread, k.cut); ok {
					byKey[key] = append(byKey[key], op)
				}
			}
		}
	}
	var v historyVerdict
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		switch porcupine.CheckOperationsTimeout(registerModel, byKey[key], historyTimeout) {
		case porcupine.Unknown:
			v.undecided += len(byKey[key])
			continue
		case porcupine.Illegal:
			v.illegal = append(v.illegal, key)
		}
		v.decided += len(byKey[key])
	}
	return v
}

// addTo adds what was found to the run's sums.
func (h *historyVerdict) addTo(v *record.Verification) {
	v.HistoryOps, v.HistoryUndecided = h.decided, h.undecided
	switch {
	case len(h.illegal) > 0:
		v.History = "illegal"
		v.Violations += int64(len(h.illegal))
		v.Reports = append(v.Reports, fmt.Sprintf("the histories of keys %v are not linearizable", h.illegal))
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

// porcupine converts an entry; false means that it says nothing. Operations without an answer may take effect at any
// time after they were sent. Of those answered after the recording of their key ended it is known that they took
// effect, but what they saw may not have been recorded.
func (e *historyEntry) porcupine(client int, cut time.Duration) (porcupine.Operation, bool) {
	op := porcupine.Operation{ClientId: client, Input: *e, Call: int64(e.sent), Return: math.MaxInt64}
	out := registerOutput{known: e.answered && e.at < cut, status: e.status, found: e.found}
	if e.answered {
		op.Return = int64(e.at)
	}
	op.Output = out
	return op, out.known || e.op != wire.OpGet
}

// registerModel is a register whose initial value is unknown until an operation tells.
var registerModel = porcupine.Model{
	Init: func() any { return idUnknown },
	Step: func(state, input, output any) (bool, any) {
		in := input.(historyEntry)
		return stepRegister(state.(valueID), &in, output.(registerOutput))
	},
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
		found := out.found
		if out.status == wire.StatusNotFound {
			found = idAbsent
		}
		return state == idUnknown || state == found, found
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
