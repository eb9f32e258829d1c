package load

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/bench/load/inflight"
	"paxosbench/bench/load/streams"
	"paxosbench/bench/load/verify"
	"paxosbench/bench/load/workload"
	"paxosbench/bench/target"
	"paxosbench/wire"
)

// engine is one thread of a run: an event loop, its sessions, and what they are asked to do. It is the loop's handler.
// Nothing it does per operation allocates, locks, reads the clock or looks into a map.
type engine struct {
	cfg      *Config
	thread   int
	loop     target.Loop
	streams  streams.Streams
	books    []book        // by stream
	ready    *sessionQueue // clients that can take operations
	work     *workload.Workload
	rec      recorder
	verifier *verify.Verifier // nil: nothing is verified
	stop     *atomic.Bool

	outstanding int64         // operations assigned and neither answered nor given up
	connectedAt time.Duration // when a connection was last seen open
	recalls     bool          // sessions that come from a lost connection read what they have written
}

// book is what the engine knows of a stream's unanswered operations.
type book struct {
	due  inflight.Stamps // when they were due
	sent inflight.Stamps // when they were handed to the socket
}

// maxWait is how long the loop waits at most, so that it notices being told to stop.
const maxWait = 20 * time.Millisecond

// ErrUnreachable means that no replica that leads could be reached.
var ErrUnreachable = errors.New("no leader reachable")

func newEngine(cfg *Config, thread int, start time.Time, work *workload.Workload, nonce uint64, stop *atomic.Bool) (*engine, error) {
	e := &engine{cfg: cfg, thread: thread, work: work, stop: stop}
	conns, sessions := share(cfg.Conns, thread, cfg.Threads), share(cfg.Clients, thread, cfg.Threads)
	e.ready = newSessionQueue(sessions)
	loop, err := cfg.system().Open(target.Options{
		Conns:          conns,
		Sessions:       sessions,
		Window:         cfg.Window,
		SessionWindow:  cfg.SessionWindow,
		StallTimeout:   cfg.StallTimeout,
		ConnectTimeout: cfg.ConnectTimeout,
		Nonce:          nonce,
		Start:          start,
	}, e)
	if err != nil {
		return nil, err
	}
	e.loop = loop
	clients, readers := loop.Streams()
	e.streams = streams.New(work, clients, readers)
	e.books = make([]book, len(e.streams.All))
	if cfg.Verify != verify.None {
		e.verifier = verify.New(cfg.Verify, &cfg.Config, cfg.Threads*cfg.Generator.Of, cfg.can().Sessions, work, &e.streams)
	}
	return e, nil
}

// share returns the part of n that falls to one of several threads.
func share(n, thread, threads int) int { return (n + threads - 1 - thread) / threads }

// offset returns what falls to the threads before.
func offset(n, thread, threads int) int {
	sum := 0
	for t := range thread {
		sum += share(n, t, threads)
	}
	return sum
}

// lockThread ties the goroutine to its thread and asks the kernel not to round its timers: the default slack of 50 us
// is more than a whole send at high rates.
func lockThread() error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("timer slack: %w", err)
	}
	return nil
}

// drive runs rounds under one policy until done says so, the clock reaches end, or the run is told to stop.
func (e *engine) drive(f feeder, end time.Duration, done func() bool) error {
	f.feed(e, e.loop.Now())
	e.loop.Flush()
	for {
		if err := e.loop.Poll(min(e.loop.Now()+maxWait, end, f.wake(e), e.rec.next)); err != nil {
			return err
		}
		now := e.loop.Now()
		e.rec.roll(now)
		if done != nil && done() || e.stop.Load() {
			return nil
		}
		f.feed(e, now)
		e.loop.Flush()
		if now >= end {
			return nil
		}
		if err := e.checkReachable(now); err != nil {
			return err
		}
	}
}

// checkReachable gives up when there has been no connection to a leader for too long.
func (e *engine) checkReachable(now time.Duration) error {
	if e.loop.Open() > 0 {
		e.connectedAt = now
		return nil
	}
	if now-e.connectedAt < e.cfg.GiveUp {
		return nil
	}
	return fmt.Errorf("%w for %v%w", ErrUnreachable, e.cfg.GiveUp, e.lastError())
}

// lastError is why a connection last failed, to be put behind a message; nothing, if none has.
func (e *engine) lastError() error {
	if err := e.loop.LastError(); err != nil {
		return fmt.Errorf("; last error: %w", err)
	}
	return errors.New("; no connection has failed, the replicas do not answer")
}

// finish accounts for operations without an answer. Their latency is at least their age; leaving them out would hide
// exactly the slowest ones.
func (e *engine) finish(f feeder, end time.Duration) {
	now := e.loop.Now()
	counts := &e.rec.set.Counts
	for i, s := range e.streams.All {
		e.giveUp(i, s.Answered+1, int(s.Assigned-s.Answered), func(sent time.Duration, count int64) {
			if now-sent >= e.cfg.Timeout {
				counts.TimedOut += count
			} else {
				counts.InFlightAtEnd += count
			}
		}, now)
	}
	if open, ok := f.(*openFeeder); ok {
		e.miss(open, end, now)
	}
}

// miss accounts for operations that were due and never assigned.
func (e *engine) miss(f *openFeeder, end, now time.Duration) {
	missed, first := f.missed(end, func(from, to time.Duration) float64 {
		return e.cfg.Due(from-f.start, to-f.start) / float64(e.cfg.Threads)
	})
	set := e.rec.set
	set.Counts.Scheduled += missed
	set.Counts.NotSent += missed
	steps := min(missed, 1000)
	for i := range steps {
		part := missed*(i+1)/steps - missed*i/steps
		due := first + (end-first)*time.Duration(i)/time.Duration(steps)
		set.Intended.Record(now-due, part)
	}
}

// giveUp takes a stream's unanswered operations off the books: sent is called for those that were sent, the others
// count as not sent, and all of them are observations of at least their age.
func (e *engine) giveUp(stream int, first target.Number, count int, sent func(time.Duration, int64), at time.Duration) {
	c := &e.books[stream]
	set := e.rec.set
	last := first + target.Number(count) - 1
	e.outstanding -= int64(count)
	for n := first; n <= last; {
		due := c.due.Front()
		end := min(due.Last, last)
		if c.sent.Empty() {
			set.Counts.NotSent += int64(end - n + 1)
		} else {
			end = min(end, c.sent.Front().Last)
			sent(c.sent.Front().At, int64(end-n+1))
			e.rec.settled(int(end-n+1), at)
			c.sent.Pop(end)
		}
		set.Intended.Record(at-due.At, int64(end-n+1))
		c.due.Pop(end)
		n = end + 1
	}
}

// AppendCommands implements target.Sink.
func (e *engine) AppendCommands(dst []byte, s *target.Stream, first target.Number, count, limit int) ([]byte, int) {
	for i := range count {
		if i > 0 && len(dst) >= limit {
			return dst, i
		}
		n := first + target.Number(i)
		session, number := e.streams.Operation(s.Index, n)
		dst = e.work.AppendCommand(dst, session, number, e.streams.AnsweredUpTo(session), n > s.Sent)
	}
	return dst, count
}

// Sent implements target.Sink.
func (e *engine) Sent(s *target.Stream, first target.Number, count int, at time.Duration) {
	c := &e.books[s.Index]
	last := first + target.Number(count) - 1
	e.streams.Sent(s.Index, last)
	for n := first; n <= last; {
		due := c.due.Advance(last)
		end := min(due.Last, last)
		e.rec.set.Send(due.At, at, int64(end-n+1))
		n = end + 1
	}
	c.sent.Push(last, at)
	e.rec.sent(count, at)
	if e.verifier != nil {
		e.verifier.Sent(s.Index, first, count, at)
	}
}

// Answered implements target.Sink.
func (e *engine) Answered(s *target.Stream, first target.Number, count int, status wire.Status, at time.Duration) {
	e.streams.Answered(s.Index, first+target.Number(count)-1)
	if e.verifier != nil {
		e.verifier.Answered(s.Index, first, count, status, e.books[s.Index].sent.Front().At, at)
	}
	e.count(s.Index, first, count, status)
	e.settle(s, first, count, at)
}

// Result implements target.Sink.
func (e *engine) Result(s *target.Stream, n target.Number, status wire.Status, value []byte, at time.Duration) {
	e.streams.Answered(s.Index, n)
	if e.verifier != nil {
		e.verifier.Result(s.Index, n, status, value, e.books[s.Index].sent.Front().At, at)
	}
	e.count(s.Index, n, 1, status)
	e.settle(s, n, 1, at)
}

// count counts the answers that are neither values nor plain success.
func (e *engine) count(stream int, first target.Number, count int, status wire.Status) {
	counts := &e.rec.set.Counts
	switch status {
	case wire.StatusNotFound:
		counts.NotFound += int64(count)
	case wire.StatusFull:
		counts.Full += int64(count)
	case wire.StatusMismatch:
		counts.Mismatch += int64(count)
		e.forget(stream, first, count)
	}
}

// forget gives up what compare-and-sets believed about the keys of some operations.
func (e *engine) forget(stream int, first target.Number, count int) {
	if !e.work.Expects() {
		return
	}
	for i := range count {
		e.work.Forget(e.streams.Operation(stream, first+target.Number(i)))
	}
}

// settle records the answers to count operations, one histogram entry for those that were due and sent together.
func (e *engine) settle(s *target.Stream, first target.Number, count int, at time.Duration) {
	c := &e.books[s.Index]
	set := e.rec.set
	last := first + target.Number(count) - 1
	for n := first; n <= last; {
		due, sent := c.due.Front(), c.sent.Front()
		end := min(due.Last, sent.Last, last)
		part := int64(end - n + 1)
		set.Answer(due.At, sent.At, at, part)
		if at-sent.At <= e.cfg.Timeout {
			set.Counts.OK += part
		} else {
			set.Counts.TimedOut += part
			set.Counts.Late += part
		}
		c.due.Pop(end)
		c.sent.Pop(end)
		n = end + 1
	}
	e.rec.settled(count, at)
	e.outstanding -= int64(count)
	session, _ := e.streams.Of(s.Index)
	e.ready.push(session)
}

// Lost implements target.Sink.
func (e *engine) Lost(s *target.Stream, first target.Number, count int, at time.Duration) {
	e.streams.Answered(s.Index, first+target.Number(count)-1)
	e.giveUp(s.Index, first, count, func(sent time.Duration, n int64) {
		e.rec.set.Counts.Failed += n
		e.rec.set.Failure.Record(at-sent, n)
	}, at)
	e.forget(s.Index, first, count)
	if e.verifier != nil {
		e.verifier.Lost(s.Index, first, count)
	}
	if client, _ := e.streams.Of(s.Index); e.streams.Room(client) > 0 { // also if it was a reader that has lost them
		e.ready.push(client)
	}
}

// Ready implements target.Sink.
func (e *engine) Ready(s *target.Stream) {
	e.recall(s.Index)
	e.ready.push(s.Index)
}

var _ target.Sink = (*engine)(nil)
