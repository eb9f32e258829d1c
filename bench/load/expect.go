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
	last  []valueID // by key
	rings []expectRing
}

// expectRing holds the expected values of a session's unanswered compare-and-sets, by operation number.
type expectRing struct{ ids []valueID } // power-of-two length

func newExpectations(keys uint64, sessions int) *expectations {
	return &expectations{last: make([]valueID, keys), rings: make([]expectRing, sessions)}
}

// send notes an operation that is sent for the first time. The session's operations behind answered are unanswered.
func (x *expectations) send(session int, n, answered client.Number, o operation, id valueID) {
	last := &x.last[o.key]
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
	ids := x.rings[session].ids
	return ids[uint64(n)&uint64(len(ids)-1)]
}

// forget makes a key's value unknown: a compare-and-set failed, or an operation's outcome is unknown.
func (x *expectations) forget(key uint64) { x.last[key] = idUnknown }

func (r *expectRing) put(n, answered client.Number, id valueID) {
	for n-answered > client.Number(len(r.ids)) {
		r.grow(answered)
	}
	r.ids[uint64(n)&uint64(len(r.ids)-1)] = id
}

func (r *expectRing) grow(answered client.Number) {
	old := r.ids
	r.ids = make([]valueID, max(8, 2*len(old)))
	for i := range old {
		n := uint64(answered) + 1 + uint64(i)
		r.ids[n&uint64(len(r.ids)-1)] = old[n&uint64(len(old)-1)]
	}
}
