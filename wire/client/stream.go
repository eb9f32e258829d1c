package client

import (
	"bytes"
	"container/list"
	"slices"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/client/loop"
	"paxosbench/wire/ring"
)

// stream is one way of commands: the session, or the reader beside it.
type stream struct {
	of      *loop.Stream
	waiting list.List         // of *call, not handed over; under the client's lock
	taken   ring.Queue[*call] // handed over, without an outcome, in order; the goroutine's
	handed  loop.Number       // to the connection, up to here; the goroutine's
}

// handOver gives the loop what waits, as far as there is room. The lock is held.
func (s *stream) handOver(l *loop.Loop) {
	n := min(s.of.Room(), s.waiting.Len())
	for range n {
		k := s.waiting.Remove(s.waiting.Front()).(*call)
		k.place, k.sent = nil, true
		s.taken.Push(k)
	}
	if n > 0 {
		l.Assign(s.of, n)
	}
}

// takeBack puts a call that was not executed in front of all that wait, unless it has ended meanwhile. The lock is held.
func (s *stream) takeBack(k *call) bool {
	if k.ended.Load() {
		return false
	}
	k.place, k.sent = s.waiting.PushFront(k), false
	return true
}

// clear takes everything off. The lock is held.
func (s *stream) clear() (left []*call) {
	for s.taken.Len() > 0 {
		left = append(left, s.taken.Pop())
	}
	for e := s.waiting.Front(); e != nil; e = s.waiting.Front() {
		k := s.waiting.Remove(e).(*call)
		k.place = nil
		left = append(left, k)
	}
	return left
}

// sink is the client as its loop sees it. Its methods are called by the goroutine that drives the loop. The oldest call taken by a stream
// is the operation behind the last answered one.
type sink Client

func (c *sink) stream(s *loop.Stream) *stream { return &c.streams[s.Index] }

// AppendCommands implements loop.Sink.
func (c *sink) AppendCommands(dst []byte, s *loop.Stream, first loop.Number, count, limit int) ([]byte, int) {
	taken := &c.stream(s).taken
	from := int(first - s.Answered - 1)
	for i := range count {
		if i > 0 && len(dst) >= limit {
			return dst, i
		}
		dst = append(dst, (*taken.At(from + i)).command...)
	}
	return dst, count
}

// Sent implements loop.Sink.
func (c *sink) Sent(s *loop.Stream, first loop.Number, count int, _ time.Duration) {
	c.stream(s).handed = first + loop.Number(count) - 1
}

// Answered implements loop.Sink.
func (c *sink) Answered(s *loop.Stream, _ loop.Number, count int, status wire.Status, _ time.Duration) {
	of := c.stream(s)
	for range count {
		(*Client)(c).retire(of.taken.Pop(), Result{Err: outcomes[status]})
	}
}

// Result implements loop.Sink.
func (c *sink) Result(s *loop.Stream, _ loop.Number, status wire.Status, value []byte, _ time.Duration) {
	(*Client)(c).retire(c.stream(s).taken.Pop(), Result{Value: bytes.Clone(value), Err: outcomes[status]})
}

// Lost implements loop.Sink. What was never handed to the connection was not executed, and gets change nothing: these begin anew.
func (c *sink) Lost(s *loop.Stream, first loop.Number, count int, _ time.Duration) {
	of := c.stream(s)
	var lost, again []*call
	for i := range count {
		if k := of.taken.Pop(); k.changes && first+loop.Number(i) <= of.handed {
			lost = append(lost, k)
		} else {
			again = append(again, k)
		}
	}
	c.mu.Lock()
	for _, k := range slices.Backward(again) {
		if !of.takeBack(k) {
			lost = append(lost, k) // it only makes room
		}
	}
	c.mu.Unlock()
	for _, k := range lost {
		(*Client)(c).retire(k, Result{Err: errLost})
	}
}

// Ready implements loop.Sink. How the cluster answers gets is known from the first time on, and does not change.
func (c *sink) Ready(*loop.Stream) {
	select {
	case <-c.ready:
	default:
		if c.loop.Queries() {
			c.reads = 1
		}
		close(c.ready)
	}
}
