package load

import "math/bits"

// sessionQueue is a first-in, first-out queue of sessions that can take operations, each in it at most once.
type sessionQueue struct {
	ring   []int32
	head   uint
	tail   uint
	queued []bool
}

func newSessionQueue(sessions int) *sessionQueue {
	return &sessionQueue{
		ring:   make([]int32, 1<<bits.Len(uint(sessions))),
		queued: make([]bool, sessions),
	}
}

func (q *sessionQueue) len() int { return int(q.tail - q.head) }

func (q *sessionQueue) push(session int) {
	if q.queued[session] {
		return
	}
	q.queued[session] = true
	q.ring[q.tail&uint(len(q.ring)-1)] = int32(session)
	q.tail++
}

// pop removes the first session; the queue must not be empty.
func (q *sessionQueue) pop() int {
	session := q.ring[q.head&uint(len(q.ring)-1)]
	q.head++
	q.queued[session] = false
	return int(session)
}
