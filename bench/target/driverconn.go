package target

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// driverConn is one connection of a driver. It outlives what the driver has opened.
type driverConn struct {
	loop     *driverLoop
	to       Conn // nil: not connected
	streams  []*Stream
	pending  []*Stream // with an operation that is still to be submitted, oldest first
	batch    []*Call
	inFlight int
	dirty    bool // on the loop's list

	dialling bool
	opened   bool // once
	attempts int  // in a row
	retryAt  time.Duration
	heardAt  time.Duration // last answer, or when the connection last became busy
}

// retryFirst is how long a connection waits after an attempt in vain; it doubles up to retryMost.
const (
	retryFirst = time.Millisecond
	retryMost  = 100 * time.Millisecond
)

func (c *driverConn) markDirty() {
	if !c.dirty {
		c.dirty = true
		c.loop.dirty = append(c.loop.dirty, c)
	}
}

// tick begins an attempt to connect, or gives up a connection that is silent.
func (c *driverConn) tick(now time.Duration) {
	switch {
	case c.to == nil && !c.dialling && now >= c.retryAt:
		c.dial()
	case c.to != nil && c.inFlight > 0 && now-c.heardAt > c.loop.opts.StallTimeout:
		c.loop.counters.Stalls++
		c.drop(fmt.Errorf("silent for %v with operations in flight", c.loop.opts.StallTimeout))
	}
}

// dial has the driver connect, on a goroutine of its own.
func (c *driverConn) dial() {
	c.dialling = true
	l := c.loop
	l.dialling.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, l.opts.ConnectTimeout)
		defer cancel()
		to, err := l.driver.Connect(ctx)
		if err == nil && to == nil {
			err = errors.New("the driver has returned neither a connection nor an error")
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.dialled = append(l.dialled, dialled{c, to, err})
		l.rouse()
	})
}

// connected makes a connection usable, or plans the next attempt.
func (l *driverLoop) connected(d *dialled) {
	c := d.conn
	c.dialling = false
	if d.err != nil {
		l.counters.DialFailures++
		l.lastError = d.err
		c.backOff()
		return
	}
	c.to, c.attempts = d.to, 0
	l.open++
	l.counters.Connects++
	if !c.opened {
		c.opened = true
		l.registered += len(c.streams)
	}
	for _, s := range c.streams {
		s.Limit = 1
		l.sink.Ready(s)
	}
}

func (c *driverConn) backOff() {
	c.retryAt = c.loop.Now() + min(retryMost, retryFirst<<min(c.attempts, 10))
	c.attempts++
	c.loop.nextScan = min(c.loop.nextScan, c.retryAt)
}

// transmit submits what is pending, as far as the window allows.
func (c *driverConn) transmit() {
	if c.to == nil {
		return
	}
	count := len(c.pending)
	if most := c.loop.opts.Window; most > 0 {
		count = min(count, most-c.inFlight)
	}
	if count <= 0 {
		return
	}
	l, at := c.loop, c.loop.Now()
	if c.inFlight == 0 {
		c.heardAt = at
	}
	c.batch = c.batch[:0]
	for _, s := range c.pending[:count] {
		call, n := l.calls[s.Index], s.Sent+1
		call.command, _ = l.sink.AppendCommands(call.command[:0], s, n, 1, 1)
		call.decode()
		s.Sent = n
		l.sink.Sent(s, n, 1, at)
		c.batch = append(c.batch, call)
	}
	c.pending = c.pending[:copy(c.pending, c.pending[count:])]
	c.inFlight += count
	l.mu.Lock()
	for _, call := range c.batch {
		call.underWay = true
	}
	l.mu.Unlock()
	l.counters.FramesSent++
	if err := c.to.Submit(c.batch); err != nil {
		c.drop(err)
	}
}

// drop gives a connection up: what became of its operations is unknown.
func (c *driverConn) drop(cause error) {
	l := c.loop
	if c.to == nil {
		return
	}
	l.lastError = cause
	l.counters.Disconnects++
	l.open--
	if err := c.to.Close(); err != nil {
		l.lastError = errors.Join(cause, err)
	}
	c.to, c.inFlight, c.pending = nil, 0, c.pending[:0]
	c.backOff()
	at := l.Now()
	for _, s := range c.streams {
		s.Limit = 0
		if s.Assigned == s.Answered {
			continue
		}
		old := l.calls[s.Index]
		l.calls[s.Index] = l.newCall(s, c) // the driver may still have the old one
		l.mu.Lock()
		old.underWay = false
		l.mu.Unlock()
		first := s.Answered + 1
		s.Sent, s.Answered = s.Assigned, s.Assigned
		l.sink.Lost(s, first, 1, at)
	}
}
