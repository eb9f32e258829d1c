package load

import (
	"paxosbench/bench/client"
	"paxosbench/wire"
)

// Two words that are no value's id stand for what is not known and for no value at all: a run's tag is never 0.
const (
	idUnknown valueID = 0
	idAbsent  valueID = 1
)

// expectations are what compare-and-sets compare with: the value that the operations sent before leave under the key.
// It is the one part of a workload that has a memory, and exists only if the mix has compare-and-sets.
type expectations struct {
	last    []valueID       // by key
	pending []uint32        // by key: writes sent and not answered; a lost one never is
	rings   []ring[valueID] // by session: what its unanswered compare-and-sets expect
}

func newExpectations(keys uint64, sessions int) *expectations {
	return &expectations{last: make([]valueID, keys), pending: make([]uint32, keys), rings: make([]ring[valueID], sessions)}
}

// send notes an operation that is sent for the first time. The session's operations behind answered are unanswered.
func (x *expectations) send(session int, n, answered client.Number, o operation, id valueID) {
	last := &x.last[o.key]
	if o.op != wire.OpGet {
		x.pending[o.key]++
	}
	switch o.op {
	case wire.OpPut:
		*last = id
	case wire.OpDelete:
		*last = idAbsent
	case wire.OpCompareAndSet:
		x.rings[session].put(n, answered, *last)
		*last = id
	}
}

// expected returns what the unanswered compare-and-set n of a session compares with. Unknown means that it is sent as
// a put, which makes the value known again.
func (x *expectations) expected(session int, n client.Number) valueID {
	return x.rings[session].at(n)
}

// settle notes that a write was answered.
func (x *expectations) settle(key uint64) { x.pending[key]-- }

// alone reports whether a write of id that is just answered is the only one of its thread's that was under way to its key
// since it was sent.
func (w *workload) alone(key uint64, id valueID) bool {
	return w.expect != nil && w.expect.pending[key] == 1 && w.expect.last[key] == id
}

// forget makes a key's value unknown: a compare-and-set failed, or an operation's outcome is unknown.
func (x *expectations) forget(key uint64) { x.last[key] = idUnknown }
