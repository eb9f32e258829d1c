package netem

import (
	"sync"
	"time"
)

// Direction is one of the two of a link. It says when bytes that enter it leave it; all connections of the proxy share it.
// Its methods may be called from any goroutine.
type Direction struct {
	config Config
	start  time.Time

	mu      sync.Mutex
	free    time.Duration // when the line will have sent all that entered so far
	open    chan struct{} // closed while nothing holds the bytes up
	held    bool
	damaged bool // the next bytes will be
}

func newDirection(config Config, start time.Time) *Direction {
	d := &Direction{config: config, start: start, open: make(chan struct{})}
	close(d.open)
	return d
}

// Hold holds up the direction, or lets it go. Nothing is lost that is held up, but nothing arrives until it is let go, as
// behind a switch that has died and comes back.
func (d *Direction) Hold(held bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case held && !d.held:
		d.open = make(chan struct{})
	case !held && d.held:
		close(d.open)
	}
	d.held = held
}

// Damage flips a bit of the next bytes that leave.
func (d *Direction) Damage() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.damaged = true
}

// pass waits until the direction is open, false if done comes first, and damages the bytes if that was asked for.
func (d *Direction) pass(done <-chan struct{}, b []byte) bool {
	for {
		d.mu.Lock()
		open := d.open
		if !d.held && d.damaged && len(b) > 0 {
			b[len(b)/2] ^= 0x10
			d.damaged = false
		}
		held := d.held
		d.mu.Unlock()
		if !held {
			return true
		}
		select {
		case <-open:
		case <-done:
			return false
		}
	}
}

// now is the time since the proxy's start.
func (d *Direction) now() time.Duration { return time.Since(d.start) }

// due returns when n bytes that enter now have arrived at the other end.
func (d *Direction) due(n int) time.Duration {
	now := d.now()
	if d.config.Rate == 0 {
		return now + d.config.Delay
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = max(d.free, now) + time.Duration(float64(n)/d.config.Rate*float64(time.Second))
	return d.free + d.config.Delay
}

// Memory of one line. Up to maxBuffer it holds what is under way at the line's rate, and a queue before it: of queueTime, so
// that connections that share a slow link wait for each other no longer than that, as behind a router with fair queues.
const (
	minBuffer    = 8 << 10
	maxBuffer    = 16 << 20
	directBuffer = 256 << 10 // of a line on which nothing is ever under way
	queueTime    = 50 * time.Millisecond
)

// buffer returns how many bytes may be under way on one connection.
func (d *Direction) buffer() int {
	switch {
	case d.config == (Config{}):
		return directBuffer
	case d.config.Rate == 0:
		return maxBuffer
	}
	return min(minBuffer+int(min(d.config.Rate*(d.config.Delay+queueTime).Seconds(), maxBuffer)), maxBuffer)
}

// sleepUntil returns at a time of the direction, or when done is closed. The last stretch is slept in the kernel: Go's
// timers are up to a millisecond late in an idle process, which is more than some delays.
func (d *Direction) sleepUntil(due time.Duration, done <-chan struct{}) {
	if wait := due - d.now() - coarse; wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-done:
			return
		}
	}
	if wait := due - d.now(); wait > 0 {
		nap(wait)
	}
}

// coarse is what a Go timer may be late by.
const coarse = 2 * time.Millisecond
