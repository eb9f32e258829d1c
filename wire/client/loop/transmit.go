package loop

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"paxosbench/wire"
)

// frameBytes is where a Request or Query frame is closed: no command begins behind it.
const frameBytes = 1 << 20

// Even if the last command is of the largest size, the fragment must fit into a batch.
const _ uint = wire.MaxBatch - (frameBytes + wire.RunHeaderSize + wire.MaxCommand)

// queue puts a session on the list of those with something to transmit.
func (c *conn) queue(s *Session) {
	if s.queued || s.transmitted == s.Assigned || s.rewinding || s.parked || c.state != stateOpen {
		return
	}
	s.queued = true
	s.lane.pending = append(s.lane.pending, s)
	c.markDirty()
}

// lane is a connection's queue of sessions that have something to transmit in frames of one type.
type lane struct {
	frame    wire.Type
	pending  []*Session
	unqueued int // index of the first one that is still to transmit
}

func (l *lane) empty() bool { return l.unqueued == len(l.pending) }

func (l *lane) clear() { l.pending, l.unqueued = l.pending[:0], 0 }

func (c *conn) markDirty() {
	if !c.dirty {
		c.dirty = true
		c.loop.dirty = append(c.loop.dirty, c)
	}
}

// transmit sends what the window allows, as long as the socket takes it: commands and queries in turn.
func (c *conn) transmit() {
	for more := true; more && c.writable && c.state == stateOpen; {
		more = c.appendFrame(&c.commands)
		more = c.appendFrame(&c.queries) || more
		if more {
			c.flush()
		}
	}
}

// appendFrame appends one frame of what the window allows, and reports whether there was anything to put into it.
func (c *conn) appendFrame(l *lane) bool {
	if c.outstanding >= c.window || l.empty() && len(c.registering) == 0 {
		return false
	}
	start := len(c.out)
	c.out = wire.BeginFrame(c.out)
	bodyStart := len(c.out)
	if l == &c.commands {
		c.appendRegistrations()
	}
	c.appendRuns(l, bodyStart)
	if len(c.out) == bodyStart {
		c.out = c.out[:start]
		return false
	}
	wire.EndFrame(c.out, start, l.frame)
	c.loop.counters.FramesSent++
	return true
}

// appendRegistrations appends the registrations that the window has room for.
func (c *conn) appendRegistrations() {
	n := min(len(c.registering), c.window-c.outstanding, frameBytes/(wire.RunHeaderSize+wire.CommandHeaderSize))
	for _, s := range c.registering[:n] {
		c.out = wire.AppendRunHeader(c.out, 0, s.nonce, 0, 1, wire.CommandHeaderSize)
		c.out = wire.AppendCommand(c.out, wire.OpRegister, 0, nil, nil)
		s.registering = true
	}
	c.registering = c.registering[:copy(c.registering, c.registering[n:])]
	c.onWire(n)
}

// appendRuns appends one run after the other until the window, the frame or what is assigned is used up. The time is
// read once for all of them.
func (c *conn) appendRuns(l *lane, bodyStart int) {
	at := c.loop.Now()
	limit := bodyStart + frameBytes
	for !l.empty() && c.outstanding < c.window && len(c.out) < limit {
		s := l.pending[l.unqueued]
		if s.rewinding || s.parked || s.transmitted == s.Assigned {
			s.queued = false
			l.unqueued++
			continue
		}
		first := s.transmitted + 1
		count := min(int(s.Assigned-s.transmitted), c.window-c.outstanding, wire.MaxRunCommands)
		count = c.appendRun(s, first, count, limit)
		if old := min(count, int(s.Sent+1-first)); old > 0 {
			c.loop.counters.Resent += int64(old)
			s.Resent = max(s.Resent, first+Number(old)-1)
		}
		if fresh := int(s.transmitted) - int(max(s.Sent, first-1)); fresh > 0 {
			s.Sent = s.transmitted
			c.loop.sink.Sent(&s.Stream, s.Sent+1-Number(fresh), fresh, at)
		}
	}
	if l.unqueued*2 >= len(l.pending) {
		l.pending = l.pending[:copy(l.pending, l.pending[l.unqueued:])]
		l.unqueued = 0
	}
}

// appendRun appends one run of at most count commands and notes them as on the wire.
func (c *conn) appendRun(s *Session, first Number, count, limit int) int {
	start := len(c.out)
	c.out, count = c.loop.sink.AppendCommands(wire.BeginRun(c.out), &s.Stream, first, count, limit)
	end := wire.EndRun
	if c.alike {
		end = wire.EndRunAlike
	}
	c.out = end(c.out, start, s.id, s.seq(first), s.seq(s.Answered), count)
	if first <= s.Sent {
		if _, err := wire.DecodeFragment(c.out[start:]); err != nil {
			c.out = c.out[:start]
			c.giveUp(s, &UnsendableError{s.Index, first, count, err})
			return 0
		}
	}
	s.transmitted += Number(count)
	s.outstanding += count
	c.onWire(count)
	return count
}

// UnsendableError says that operations of a session are given up, because one of them cannot be sent: every replica would close
// the connection for it.
type UnsendableError struct {
	Stream int    // its index
	First  Number // of the operations that were to be sent together
	Count  int
	Err    error // what is wrong with one of them
}

// Error implements error.
func (e *UnsendableError) Error() string {
	return fmt.Sprintf("session %d: operations %d to %d are given up, one of them cannot be sent: %v", e.Stream, e.First, e.First+Number(e.Count)-1, e.Err)
}

// Unwrap returns what is wrong.
func (e *UnsendableError) Unwrap() error { return e.Err }

// giveUp gives up the unanswered operations of a session that has one which cannot be sent. Whether it can is looked at when it is to
// be sent again, after a replica has closed the connection for it: it costs nothing where all is well.
func (c *conn) giveUp(s *Session, err *UnsendableError) {
	c.loop.lastError = err
	c.abandon(s, c.loop.Now())
}

// onWire counts commands out; the first ones after a quiet time start the clock that tells a stalled replica.
func (c *conn) onWire(count int) {
	if c.outstanding == 0 && count > 0 {
		c.heardAt = c.loop.Now()
		c.loop.scanSoon(c.heardAt)
	}
	c.outstanding += count
}

// flush hands encoded bytes to the socket and watches for room if it does not take them all.
func (c *conn) flush() {
	out := &c.out
	if c.records != nil {
		if err := c.seal(); err != nil {
			c.drop(err)
			return
		}
		out = &c.sealed
	}
	for c.taken < len(*out) {
		n, err := unix.Write(c.fd, (*out)[c.taken:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.EAGAIN) {
			c.setWritable(false)
			return
		}
		if err != nil {
			c.drop(err)
			return
		}
		c.taken += n
		c.loop.counters.BytesSent += int64(n)
	}
	*out, c.taken = (*out)[:0], 0
	if !c.writable {
		c.setWritable(true)
		c.markDirty()
	}
}

func (c *conn) setWritable(writable bool) {
	if c.writable == writable {
		return
	}
	c.writable = writable
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP)
	if !writable {
		events |= unix.EPOLLOUT
	}
	if err := c.loop.watch(c, unix.EPOLL_CTL_MOD, events); err != nil {
		c.drop(err)
	}
}
