package load

import (
	"math"
	"time"

	"paxosbench/bench/load/pacing"
	"paxosbench/bench/target"
)

// feeder assigns operations to clients that have room: the policy of a phase.
type feeder interface {
	// feed assigns what is to be sent at now.
	feed(e *engine, now time.Duration)
	// wake returns when feed has something to do again even if no reply arrives.
	wake(e *engine) time.Duration
}

// loadFeeder is a feeder of the measurement or of the warm-up.
type loadFeeder interface {
	feeder
	// spent reports whether all operations of the load have been assigned.
	spent() bool
}

// idleFeeder assigns nothing: answers are awaited.
type idleFeeder struct{}

func (idleFeeder) feed(*engine, time.Duration) {}
func (idleFeeder) wake(*engine) time.Duration  { return pacing.Never }

// budget is how many operations a feeder may still assign.
type budget int64

// unlimited is more than any run assigns.
const unlimited = budget(math.MaxInt64)

// take takes up to n from the budget.
func (b *budget) take(n int) int {
	n = int(min(budget(n), *b))
	*b -= budget(n)
	return n
}

// closedFeeder keeps every window full: each answer makes room for the next operation, which is due at once.
type closedFeeder struct {
	end  time.Duration
	left budget
}

func (f *closedFeeder) feed(e *engine, now time.Duration) {
	if now >= f.end {
		return
	}
	for range e.ready.len() {
		i := e.ready.pop()
		if n := f.left.take(e.streams.Room(i)); n > 0 {
			e.assign(i, n, now)
		}
	}
}

func (*closedFeeder) wake(*engine) time.Duration { return pacing.Never }
func (f *closedFeeder) spent() bool              { return f.left == 0 }

// countedFeeder is a closed loop that ends when every client has been given a number of operations.
type countedFeeder struct {
	left []uint64 // operations still to assign, by client
	sum  uint64
}

func newCountedFeeder(e *engine, count func(session int) uint64) *countedFeeder {
	f := &countedFeeder{left: make([]uint64, e.streams.Clients())}
	for i := range f.left {
		f.left[i] = count(i)
		f.sum += f.left[i]
	}
	return f
}

func (f *countedFeeder) feed(e *engine, now time.Duration) {
	for range e.ready.len() {
		i := e.ready.pop()
		if n := min(uint64(e.streams.Room(i)), f.left[i]); n > 0 {
			f.left[i] -= n
			f.sum -= n
			e.assign(i, int(n), now)
		}
	}
}

func (f *countedFeeder) wake(*engine) time.Duration { return pacing.Never }

// openFeeder follows a schedule, whatever the answers do. Operations that are due while no client has room stay due
// from when they were: what they waited is send lag and part of their latency.
type openFeeder struct {
	pacer  pacing.Pacer
	start  time.Duration // zero of the schedule
	end    time.Duration // operations due later are another phase's
	due    time.Duration // of the next operation
	left   budget
	tick   time.Duration // least time between two sends
	sentAt time.Duration // when feed last assigned
}

func newOpenFeeder(pacer pacing.Pacer, start, end, tick time.Duration) *openFeeder {
	return &openFeeder{pacer: pacer, start: start, end: end, due: start + pacer.Next(), left: unlimited, tick: tick}
}

func (f *openFeeder) spent() bool { return f.left == 0 }

// feed deals due operations to clients in turn, as independent clients would issue them. An answer that wakes the loop
// before the tick is over makes room, and sends nothing.
func (f *openFeeder) feed(e *engine, now time.Duration) {
	if now < f.sentAt+f.tick {
		return
	}
	for f.due <= now && f.due < f.end && f.left > 0 && e.ready.len() > 0 {
		i := e.ready.pop()
		room := e.streams.Room(i)
		if room == 0 {
			continue
		}
		f.left--
		e.assign(i, 1, f.due)
		f.sentAt = now
		f.due = f.start + f.pacer.Next()
		if room > 1 {
			e.ready.push(i)
		}
	}
}

// wake leaves it to the answers to wake the loop if no client has room.
func (f *openFeeder) wake(e *engine) time.Duration {
	if f.due >= f.end || f.left == 0 || e.ready.len() == 0 {
		return pacing.Never
	}
	return max(f.due, f.sentAt+f.tick)
}

// missed returns how many operations became due before the end and were never assigned, and when the first of them
// was due. They are taken to be spread evenly: a schedule that far behind is not worth drawing.
func (f *openFeeder) missed(end time.Duration, due func(from, to time.Duration) float64) (int64, time.Duration) {
	end = min(end, f.end)
	if f.due >= end {
		return 0, 0
	}
	return min(int64(f.left), int64(math.Ceil(due(f.due, end)))), f.due
}

// assign gives a client its next count operations, due at the same time.
func (e *engine) assign(session, count int, due time.Duration) {
	gets := e.streams.Next(session, count)
	e.assignTo(session, count-gets, due)
	e.assignTo(session+e.streams.Clients(), gets, due)
	e.rec.set.Counts.Scheduled += int64(count)
}

// assignTo gives a stream its next count operations.
func (e *engine) assignTo(stream, count int, due time.Duration) {
	if count == 0 {
		return
	}
	s := e.streams.All[stream]
	e.books[stream].due.Push(s.Assigned+target.Number(count), due)
	e.loop.Assign(s, count)
	e.outstanding += int64(count)
}
