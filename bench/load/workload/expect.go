package workload

import (
	"paxosbench/bench/load/inflight"
	"paxosbench/bench/target"
	"paxosbench/wire"
)

// Two words that are no value's id stand for what is not known and for no value at all: a run's tag is never 0.
const (
	Unknown ValueID = 0
	Absent  ValueID = 1
)

// expectations are what compare-and-sets compare with: the value that the operations sent before leave under the key.
// It is the one part of a workload that has a memory, and exists only if the mix has compare-and-sets.
type expectations struct {
	last    []ValueID                // by key
	pending []uint32                 // by key: writes sent and not answered; a lost one never is
	rings   []inflight.Ring[ValueID] // by session: what its unanswered compare-and-sets expect
}

func newExpectations(keys uint64, sessions int) *expectations {
	return &expectations{last: make([]ValueID, keys), pending: make([]uint32, keys), rings: make([]inflight.Ring[ValueID], sessions)}
}

// send notes an operation that is sent for the first time. The session's operations behind answered are unanswered.
func (x *expectations) send(session int, n, answered target.Number, o Operation, id ValueID) {
	last := &x.last[o.Key]
	if o.Op != wire.OpGet {
		x.pending[o.Key]++
	}
	switch o.Op {
	case wire.OpPut:
		*last = id
	case wire.OpDelete:
		*last = Absent
	case wire.OpCompareAndSet:
		x.rings[session].Put(n, answered, *last)
		*last = id
	}
}

// expected returns what the unanswered compare-and-set n of a session compares with. Unknown means that it is sent as
// a put, which makes the value known again.
func (x *expectations) expected(session int, n target.Number) ValueID {
	return x.rings[session].At(n)
}

// Answered notes that an operation was answered.
func (w *Workload) Answered(o Operation) {
	if w.expect != nil && o.Op != wire.OpGet {
		w.expect.pending[o.Key]--
	}
}

// Alone reports whether a write of id that is just answered is the only one of its thread's that was under way to its key
// since it was sent.
func (w *Workload) Alone(key uint64, id ValueID) bool {
	return w.expect != nil && w.expect.pending[key] == 1 && w.expect.last[key] == id
}

// Expects reports whether there are compare-and-sets, and so something to Forget.
func (w *Workload) Expects() bool { return w.expect != nil }

// Forget makes unknown what the key of an operation holds: a compare-and-set failed, or the outcome is unknown.
func (w *Workload) Forget(session int, n target.Number) {
	w.expect.last[w.Operation(session, n).Key] = Unknown
}
