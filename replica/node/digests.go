package node

import "paxosbench/wire"

// digests remembers what the state was after each of the newest slots that have been applied, so that replicas which are
// not equally far can be compared at the same slot.
type digests struct {
	ring        []uint64 // power of two; that of slot s stands at s modulo the length
	first, last wire.Slot
}

// keptDigests is for how many slots they are kept, by default: more than are applied in a round trip.
const keptDigests = 1 << 16

func newDigests(kept int) digests { return digests{ring: make([]uint64, kept), first: 1} }

// note remembers the digest of a slot. One that does not follow the newest begins anew: a snapshot has been installed.
func (d *digests) note(s wire.Slot, digest uint64) {
	if s != d.last+1 {
		d.first = s
	}
	d.last = s
	d.ring[uint64(s)&uint64(len(d.ring)-1)] = digest
}

// at returns the digest of a slot, if it is remembered.
func (d *digests) at(s wire.Slot) (uint64, bool) {
	if s < d.first || s > d.last || d.last-s >= wire.Slot(len(d.ring)) {
		return 0, false
	}
	return d.ring[uint64(s)&uint64(len(d.ring)-1)], true
}
