package load

import (
	"time"

	"paxosbench/bench/client"
)

// stamps is a queue of times for a session's operations, in order: operations that share a time share an entry, so
// that what is sent together is also recorded together. It grows to what a window needs and then stays.
type stamps struct {
	ring []stamp // power-of-two length
	head uint    // first entry
	tail uint    // behind the last entry
	next uint    // head <= next <= tail: first entry that advance has not passed
}

// stamp is the time of the operations behind the previous entry's last up to its own.
type stamp struct {
	last client.Number
	at   time.Duration
}

const minStamps = 8

func (q *stamps) empty() bool { return q.head == q.tail }

func (q *stamps) slot(i uint) *stamp { return &q.ring[i&uint(len(q.ring)-1)] }

// front returns the first entry; the queue must not be empty.
func (q *stamps) front() *stamp { return q.slot(q.head) }

// push gives the operations up to last the time at.
func (q *stamps) push(last client.Number, at time.Duration) {
	if q.tail > q.next {
		if back := q.slot(q.tail - 1); back.at == at {
			back.last = last
			return
		}
	}
	if int(q.tail-q.head) == len(q.ring) {
		q.grow()
	}
	*q.slot(q.tail) = stamp{last: last, at: at}
	q.tail++
}

// pop forgets the operations up to last; entries that reach further stay.
func (q *stamps) pop(last client.Number) {
	for q.head != q.tail && q.front().last <= last {
		q.head++
	}
	q.next = max(q.next, q.head)
}

// advance returns the entry at the cursor, which must exist, and moves the cursor past it if last is its last.
func (q *stamps) advance(last client.Number) stamp {
	s := *q.slot(q.next)
	if s.last <= last {
		q.next++
	}
	return s
}

func (q *stamps) grow() {
	ring := make([]stamp, max(minStamps, 2*len(q.ring)))
	for i := q.head; i != q.tail; i++ {
		ring[i&uint(len(ring)-1)] = *q.slot(i)
	}
	q.ring = ring
}
