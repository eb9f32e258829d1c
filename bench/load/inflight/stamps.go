package inflight

import (
	"time"

	"paxosbench/bench/target"
)

// Stamps is a queue of times for a session's operations, in order: operations that share a time share an entry, so
// that what is sent together is also recorded together. It grows to what a window needs and then stays.
type Stamps struct {
	ring []Stamp // power-of-two length
	head uint    // first entry
	tail uint    // behind the last entry
	next uint    // head <= next <= tail: first entry that Advance has not passed
}

// Stamp is the time of the operations behind the previous entry's last up to its own.
type Stamp struct {
	Last target.Number
	At   time.Duration
}

const minStamps = 8

// Empty reports whether nothing is queued.
func (q *Stamps) Empty() bool { return q.head == q.tail }

func (q *Stamps) slot(i uint) *Stamp { return &q.ring[i&uint(len(q.ring)-1)] }

// Front returns the first entry; the queue must not be empty.
func (q *Stamps) Front() *Stamp { return q.slot(q.head) }

// Push gives the operations up to last the time at.
func (q *Stamps) Push(last target.Number, at time.Duration) {
	if q.tail > q.next {
		if back := q.slot(q.tail - 1); back.At == at {
			back.Last = last
			return
		}
	}
	if int(q.tail-q.head) == len(q.ring) {
		q.grow()
	}
	*q.slot(q.tail) = Stamp{Last: last, At: at}
	q.tail++
}

// Pop forgets the operations up to last; entries that reach further stay.
func (q *Stamps) Pop(last target.Number) {
	for q.head != q.tail && q.Front().Last <= last {
		q.head++
	}
	q.next = max(q.next, q.head)
}

// Advance returns the entry at the cursor, which must exist, and moves the cursor past it if last is its last.
func (q *Stamps) Advance(last target.Number) Stamp {
	s := *q.slot(q.next)
	if s.Last <= last {
		q.next++
	}
	return s
}

func (q *Stamps) grow() {
	ring := make([]Stamp, max(minStamps, 2*len(q.ring)))
	for i := q.head; i != q.tail; i++ {
		ring[i&uint(len(ring)-1)] = *q.slot(i)
	}
	q.ring = ring
}
