package link

import (
	"sync"
	"time"
)

// pace says when bytes that enter a direction of a link leave it. All connections of the proxy share it.
type pace struct {
	config Config
	start  time.Time

	mu   sync.Mutex
	free time.Duration // when the line will have sent all that entered so far
}

// now is the time since the proxy's start.
func (p *pace) now() time.Duration { return time.Since(p.start) }

// due returns when n bytes that enter now have arrived at the other end.
func (p *pace) due(n int) time.Duration {
	now := p.now()
	if p.config.Rate == 0 {
		return now + p.config.Delay
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = max(p.free, now) + time.Duration(float64(n)/p.config.Rate*float64(time.Second))
	return p.free + p.config.Delay
}

// Memory of one line. Up to maxBuffer it holds what is under way at the line's rate, and a queue before it: of queueTime, so
// that connections that share a slow link wait for each other no longer than that, as behind a router with fair queues.
const (
	minBuffer = 8 << 10
	maxBuffer = 16 << 20
	queueTime = 50 * time.Millisecond
)

// buffer returns how many bytes may be under way on one connection.
func (p *pace) buffer() int {
	if p.config.Rate == 0 {
		return maxBuffer
	}
	return min(minBuffer+int(min(p.config.Rate*(p.config.Delay+queueTime).Seconds(), maxBuffer)), maxBuffer)
}

// sleepUntil returns at a time of the pace, or when done is closed. The last stretch is slept in the kernel: Go's
// timers are up to a millisecond late in an idle process, which is more than some delays.
func (p *pace) sleepUntil(due time.Duration, done <-chan struct{}) {
	if wait := due - p.now() - coarse; wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-done:
			return
		}
	}
	if wait := due - p.now(); wait > 0 {
		nap(wait)
	}
}

// coarse is what a Go timer may be late by.
const coarse = 2 * time.Millisecond
