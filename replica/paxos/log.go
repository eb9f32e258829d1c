package paxos

import (
	"fmt"

	"paxosbench/wire"
)

// Entry is what one slot holds: the batch accepted last and the ballot under which it was accepted. At or below the
// commit frontier the batch is chosen and the ballot no longer matters.
type Entry struct {
	Ballot       wire.Ballot // zero: nothing accepted
	wire.Payload             // Body belongs to the log until the slot is trimmed; empty for a no-op

	durable bool // the newest record of this slot is durable
}

// entryOverhead is what an entry costs beside its body, for the bounds in bytes.
const entryOverhead = 64

func (e *Entry) cost() int { return entryOverhead + cap(e.Body) }

// slotLog holds the slots [first, next) in a ring. Slots may be empty above the commit frontier.
type slotLog struct {
	ring        []Entry // power of two
	first, next wire.Slot
	bytes       int
	buffers     *wire.Buffers

	// Bodies that the log has let go of while a record or an Accept of theirs may still be on its way out: those of
	// the time before the last recycle, and those since.
	spent, retired [][]byte
}

func newSlotLog(buffers *wire.Buffers) slotLog {
	return slotLog{ring: make([]Entry, 1024), first: 1, next: 1, buffers: buffers}
}

func (l *slotLog) at(s wire.Slot) *Entry { return &l.ring[uint64(s)&uint64(len(l.ring)-1)] }

// get returns the entry of slot s, or nil if the log holds none.
func (l *slotLog) get(s wire.Slot) *Entry {
	if s < l.first || s >= l.next {
		return nil
	}
	if e := l.at(s); e.Ballot != 0 {
		return e
	}
	return nil
}

// put stores e for slot s and takes over its body; a body it replaces goes back to the free list in time.
func (l *slotLog) put(s wire.Slot, e Entry) {
	if s < l.first {
		panic(fmt.Sprintf("BUG: slot %d put below the log's first slot %d", s, l.first))
	}
	for ; l.next <= s; l.next++ {
		if int(l.next-l.first) == len(l.ring) {
			l.grow()
		}
		*l.at(l.next) = Entry{}
	}
	old := l.at(s)
	if old.Ballot != 0 {
		l.release(old)
	}
	*old = e
	l.bytes += e.cost()
}

func (l *slotLog) grow() {
	old := l.ring
	l.ring = make([]Entry, 2*len(old))
	for s := l.first; s < l.next; s++ {
		*l.at(s) = old[uint64(s)&uint64(len(old)-1)]
	}
}

func (l *slotLog) release(e *Entry) {
	l.bytes -= e.cost()
	l.retired = append(l.retired, e.Body)
	*e = Entry{}
}

// take takes the batch of a slot out of the log, with its body.
func (l *slotLog) take(s wire.Slot) Entry {
	e := l.at(s)
	l.bytes -= e.cost()
	batch := e.Payload
	*e = Entry{}
	return Entry{Payload: batch}
}

// recycle gives the bodies back that were let go of before the last call.
func (l *slotLog) recycle() {
	for i, body := range l.spent {
		l.buffers.Put(body)
		l.spent[i] = nil
	}
	l.spent, l.retired = l.retired, l.spent[:0]
}

// trim drops slots from the front while the log costs more than keep bytes, but none above limit and none that the
// journal could not yet give back.
func (l *slotLog) trim(limit wire.Slot, keep int) {
	for l.bytes > keep && l.first <= limit && l.first < l.next && l.at(l.first).durable {
		l.dropFirst()
	}
}

func (l *slotLog) dropFirst() {
	if e := l.at(l.first); e.Ballot != 0 {
		l.release(e)
	}
	l.first++
}

// restart drops every slot up to s: a snapshot stands for them.
func (l *slotLog) restart(s wire.Slot) {
	for l.first <= s && l.first < l.next {
		l.dropFirst()
	}
	if l.first <= s {
		l.first, l.next = s+1, s+1
	}
}
