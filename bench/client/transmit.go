package client

import (
	"errors"

	"golang.org/x/sys/unix"

	"paxosbench/wire"
)

// frameBytes is where a Request frame is closed: no command begins behind it.
const frameBytes = 1 << 20

// Even if the last command is of the largest size, the fragment must fit into a batch.
const _ uint = wire.MaxBatch - (frameBytes + wire.RunHeaderSize + wire.MaxCommand)

// queue puts a session on the list of those with something to transmit.
func (c *conn) queue(s *Session) {
	if s.queued || s.transmitted == s.assigned || s.rewinding || s.parked || c.state != stateOpen {
		return
	}
	s.queued = true
	c.pending = append(c.pending, s)
	c.markDirty()
}

func (c *conn) markDirty() {
	if !c.dirty {
		c.dirty = true
		c.loop.dirty = append(c.loop.dirty, c)
	}
}

// transmit sends what the window allows, as long as the socket takes it.
func (c *conn) transmit() {
	for c.writable && c.state == stateOpen && c.outstanding < c.window {
		start := len(c.out)
		c.out = wire.BeginFrame(c.out)
		bodyStart := len(c.out)
		c.appendRegistrations()
		c.appendRuns(bodyStart)
		if len(c.out) == bodyStart {
			c.out = c.out[:start]
			return
		}
		wire.EndFrame(c.out, start, wire.TypeRequest)
		c.loop.counters.FramesSent++
		c.flush()
	}
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
func (c *conn) appendRuns(bodyStart int) {
	at := c.loop.Now()
	limit := bodyStart + frameBytes
	for c.unqueued < len(c.pending) && c.outstanding < c.window && len(c.out) < limit {
		s := c.pending[c.unqueued]
		if s.rewinding || s.parked || s.transmitted == s.assigned {
			s.queued = false
			c.unqueued++
			continue
		}
		first := s.transmitted + 1
		count := min(int(s.assigned-s.transmitted), c.window-c.outstanding, wire.MaxRunCommands)
		count = c.appendRun(s, first, count, limit)
		if old := min(count, int(s.sent+1-first)); old > 0 {
			c.loop.counters.Resent += int64(old)
			s.resent = max(s.resent, first+Number(old)-1)
		}
		if fresh := int(s.transmitted) - int(max(s.sent, first-1)); fresh > 0 {
			s.sent = s.transmitted
			c.loop.handler.Sent(s, s.sent+1-Number(fresh), fresh, at)
		}
	}
	if c.unqueued*2 >= len(c.pending) {
		c.pending = c.pending[:copy(c.pending, c.pending[c.unqueued:])]
		c.unqueued = 0
	}
}

// appendRun appends one run of at most count commands and notes them as on the wire.
func (c *conn) appendRun(s *Session, first Number, count, limit int) int {
	start := len(c.out)
	c.out = append(c.out, make([]byte, wire.RunHeaderSize)...)
	c.out, count = c.loop.handler.AppendCommands(c.out, s, first, count, limit)
	size := len(c.out) - start - wire.RunHeaderSize
	wire.PutRunHeader(c.out[start:], s.id, s.seq(first), s.seq(s.answered), count, size)
	s.transmitted += Number(count)
	s.outstanding += count
	c.onWire(count)
	return count
}

// onWire counts commands out; the first ones after a quiet time start the clock that tells a stalled replica.
func (c *conn) onWire(count int) {
	if c.outstanding == 0 && count > 0 {
		c.heardAt = c.loop.Now()
	}
	c.outstanding += count
}

// flush hands encoded bytes to the socket and watches for room if it does not take them all.
func (c *conn) flush() {
	for c.taken < len(c.out) {
		n, err := unix.Write(c.fd, c.out[c.taken:])
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
	c.out, c.taken = c.out[:0], 0
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
