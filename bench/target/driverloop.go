package target

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/wire"
)

// driverLoop makes a Loop of the connections of a driver. What other goroutines complete waits in a queue, of which the loop is woken
// at most once for all that it finds there.
type driverLoop struct {
	driver Driver
	opts   Options
	sink   Sink

	conns    []*driverConn
	sessions []*Stream
	calls    []*Call // by session: its one operation
	dirty    []*driverConn
	nextScan time.Duration

	open, registered int
	counters         Counters
	lastError        error

	wake     int // an eventfd
	dialling sync.WaitGroup
	ctx      context.Context
	cancel   context.CancelFunc

	mu       sync.Mutex
	asleep   bool // the loop waits, or is about to
	closed   bool
	finished []*Call
	dialled  []dialled

	served      []*Call // the queue before, to be filled again
	servedDials []dialled
}

// dialled is what came of an attempt to connect.
type dialled struct {
	conn *driverConn
	to   Conn
	err  error
}

// scanPeriod is how often connections are looked at for what only time brings.
const scanPeriod = 5 * time.Millisecond

func newDriverLoop(d Driver, o Options, sink Sink) (*driverLoop, error) {
	if o.Conns < 1 || o.Sessions < o.Conns {
		return nil, fmt.Errorf("target: %d sessions on %d connections: every connection needs one", o.Sessions, o.Conns)
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	l := &driverLoop{driver: d, opts: o, sink: sink, wake: fd}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for range o.Conns {
		l.conns = append(l.conns, &driverConn{loop: l})
	}
	for i := range o.Sessions {
		s := &Stream{Index: i}
		c := l.conns[i%o.Conns]
		c.streams = append(c.streams, s)
		l.sessions = append(l.sessions, s)
		l.calls = append(l.calls, l.newCall(s, c))
	}
	return l, nil
}

func (l *driverLoop) newCall(s *Stream, c *driverConn) *Call {
	return &Call{loop: l, stream: s, conn: c}
}

// Streams implements Loop. There are no readers.
func (l *driverLoop) Streams() (sessions, readers []*Stream) { return l.sessions, nil }

// Assign implements Loop.
func (l *driverLoop) Assign(s *Stream, count int) {
	s.Assigned += Number(count)
	c := l.calls[s.Index].conn
	c.pending = append(c.pending, s)
	c.markDirty()
}

// Now implements Loop.
func (l *driverLoop) Now() time.Duration { return time.Since(l.opts.Start) }

// Poll implements Loop.
func (l *driverLoop) Poll(until time.Duration) error {
	now := l.Now()
	if now >= l.nextScan {
		l.scan(now)
	}
	if l.take(true); len(l.served)+len(l.servedDials) == 0 {
		if err := l.sleep(min(until, l.nextScan) - now); err != nil {
			return err
		}
		l.take(false)
	}
	for i := range l.servedDials {
		l.connected(&l.servedDials[i])
	}
	for _, c := range l.served {
		l.settle(c)
	}
	l.served, l.servedDials = l.served[:0], l.servedDials[:0]
	return nil
}

// take takes what has been finished. If that is nothing, the loop may be about to sleep.
func (l *driverLoop) take(sleeps bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.served, l.finished = l.finished, l.served
	l.servedDials, l.dialled = l.dialled, l.servedDials
	l.asleep = sleeps && len(l.served)+len(l.servedDials) == 0
}

// sleep waits for something to be finished, or for so long.
func (l *driverLoop) sleep(timeout time.Duration) error {
	ts := unix.NsecToTimespec(int64(max(timeout, 0)))
	fds := []unix.PollFd{{Fd: int32(l.wake), Events: unix.POLLIN}}
	n, err := unix.Ppoll(fds, &ts, nil)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("ppoll: %w", err)
	}
	if n > 0 {
		var count [8]byte
		unix.Read(l.wake, count[:])
	}
	return nil
}

// finish ends a call, from any goroutine. What has been given up, or has ended before, changes nothing.
func (l *driverLoop) finish(c *Call, what outcome, status Status, value []byte, err error) {
	at := l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !c.underWay {
		return
	}
	c.underWay = false
	c.outcome, c.status, c.result, c.err, c.at = what, status, append(c.result[:0], value...), err, at
	l.finished = append(l.finished, c)
	l.rouse()
}

// rouse wakes the loop if it sleeps. The lock is held.
func (l *driverLoop) rouse() {
	if l.asleep && !l.closed {
		l.asleep = false
		unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// settle reports what came of a call.
func (l *driverLoop) settle(c *Call) {
	s, conn := c.stream, c.conn
	if l.calls[s.Index] != c {
		return // it was given up before
	}
	n := s.Sent
	conn.inFlight--
	conn.heardAt = c.at
	if len(conn.pending) > 0 {
		conn.markDirty()
	}
	switch c.outcome {
	case completed:
		s.Answered = n
		if c.Op == Get && c.status == OK {
			l.sink.Result(s, n, c.status, c.result, c.at)
		} else {
			l.sink.Answered(s, n, 1, c.status, c.at)
		}
	case rejected:
		l.counters.Busy++
		l.lastError = c.err
		s.Answered = n
		l.sink.Lost(s, n, 1, c.at)
	case failed:
		conn.drop(c.err)
	}
}

// Flush implements Loop.
func (l *driverLoop) Flush() {
	for i, c := range l.dirty {
		l.dirty[i] = nil
		c.dirty = false
		c.transmit()
	}
	l.dirty = l.dirty[:0]
}

// scan does what only time brings.
func (l *driverLoop) scan(now time.Duration) {
	l.nextScan = now + scanPeriod
	for _, c := range l.conns {
		c.tick(now)
	}
}

// Restart implements Loop: nothing is sent again, and the window is what it is.
func (l *driverLoop) Restart(int) {}

// Open implements Loop.
func (l *driverLoop) Open() int { return l.open }

// Registered implements Loop: sessions need no registration, only a connection.
func (l *driverLoop) Registered() int { return l.registered }

// Queries implements Loop.
func (l *driverLoop) Queries() bool { return false }

// Report implements Loop.
func (l *driverLoop) Report() Report { return Report{Counters: l.counters} }

// LastError implements Loop.
func (l *driverLoop) LastError() error { return l.lastError }

// Cluster implements Loop.
func (l *driverLoop) Cluster() string { return "" }

// Close implements Loop. What is completed later is forgotten.
func (l *driverLoop) Close() error {
	l.cancel()
	l.dialling.Wait()
	l.mu.Lock()
	l.closed = true
	late := l.dialled
	for _, c := range l.calls {
		c.underWay = false
	}
	l.mu.Unlock()
	var errs []error
	for _, d := range late {
		if d.to != nil {
			errs = append(errs, d.to.Close())
		}
	}
	for _, c := range l.conns {
		if c.to != nil {
			errs = append(errs, c.to.Close())
		}
	}
	return errors.Join(append(errs, unix.Close(l.wake))...)
}

// decode fills in a call from its command.
func (c *Call) decode() {
	command, _, err := wire.DecodeCommand(c.command)
	if err != nil {
		panic("BUG: a command that cannot be decoded: " + err.Error())
	}
	c.Op, c.Key, c.Value, c.Expected = command.Op, command.Key, command.Value, nil
	if c.Op == CompareAndSet {
		c.Expected, c.Value = wire.SplitCompareAndSet(command.Value)
		c.Absent = command.Flags&wire.FlagExpectAbsent != 0
	}
}
