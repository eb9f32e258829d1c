package journal

import (
	"sort"
	"sync"

	"paxosbench/wire"
)

// index knows where the newest durable record of every slot is. It may be used from several goroutines.
type index struct {
	mu       sync.Mutex
	segments []*segmentIndex // those with durable records, oldest first, numbers contiguous
}

// segmentIndex lists the entries of one segment, ordered by slot, the newest record for each. Slots nearly always come
// in order, so that adding is appending; after a change of leader the last few come again.
type segmentIndex struct {
	number uint32
	refs   []ref
}

// add makes a written group known.
func (x *index) add(g *group) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range g.parts {
		x.open(g.parts[i].segment)
	}
	for i := range g.refs {
		x.put(&g.refs[i])
	}
}

// open makes room for the entries of a segment. The caller holds x.mu, here and in put.
func (x *index) open(number uint32) {
	if n := len(x.segments); n == 0 || x.segments[n-1].number < number {
		x.segments = append(x.segments, &segmentIndex{number: number})
	}
}

// put adds an entry to its segment, one of the newest.
func (x *index) put(r *ref) {
	for i := len(x.segments) - 1; ; i-- {
		if s := x.segments[i]; s.number == r.segment {
			s.put(r)
			return
		}
	}
}

func (s *segmentIndex) put(r *ref) {
	n := len(s.refs)
	if n == 0 || s.refs[n-1].slot < r.slot {
		s.refs = append(s.refs, *r)
		return
	}
	i, found := s.search(r.slot)
	if !found {
		s.refs = append(s.refs, ref{})
		copy(s.refs[i+1:], s.refs[i:])
	}
	s.refs[i] = *r
}

// search returns the place of slot and whether it is there.
func (s *segmentIndex) search(slot wire.Slot) (int, bool) {
	return sort.Find(len(s.refs), func(i int) int {
		switch at := s.refs[i].slot; {
		case slot < at:
			return -1
		case slot > at:
			return 1
		}
		return 0
	})
}

// collect appends to dst where the entries from..through are, up to the first one missing or until they would take
// more than maxBytes in wire form; at least one, if it is there.
func (x *index) collect(from, through wire.Slot, maxBytes int, dst []ref) []ref {
	x.mu.Lock()
	defer x.mu.Unlock()
	size := 0
	for slot := from; slot >= from && slot <= through; slot++ {
		r, found := x.find(slot)
		if !found {
			break
		}
		size += wire.EntryHeaderSize + int(r.bodyLen)
		if size > maxBytes && slot > from {
			break
		}
		dst = append(dst, r)
	}
	return dst
}

// find returns where the newest record for slot is. The caller holds x.mu.
func (x *index) find(slot wire.Slot) (ref, bool) {
	for i := len(x.segments) - 1; i >= 0; i-- {
		refs := x.segments[i].refs
		if n := len(refs); n == 0 || slot < refs[0].slot || slot > refs[n-1].slot {
			continue
		}
		if at, found := x.segments[i].search(slot); found {
			return refs[at], true
		}
	}
	return ref{}, false
}

// drop forgets the oldest segments, as long as they hold no slot above through, and returns their numbers. The newest
// one stays: its header carries the promise.
func (x *index) drop(through wire.Slot) (numbers []uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.segments) > 1 {
		s := x.segments[0]
		if n := len(s.refs); n > 0 && s.refs[n-1].slot > through {
			break
		}
		numbers = append(numbers, s.number)
		x.segments = append(x.segments[:0], x.segments[1:]...)
	}
	return numbers
}

// first returns the smallest slot that has a record, 0 if none has.
func (x *index) first() (slot wire.Slot) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.segments {
		if len(s.refs) > 0 && (slot == 0 || s.refs[0].slot < slot) {
			slot = s.refs[0].slot
		}
	}
	return slot
}

// holds reports whether a segment is still needed.
func (x *index) holds(number uint32) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.segments) > 0 && number >= x.segments[0].number
}
