package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"paxosbench/wire/client/loop"
)

// Client is a session with a cluster. Close it.
//
// A goroutine of its own drives the loop. What others submit waits in a list, under the lock, until the session has room for it; from
// then on it is that goroutine's.
type Client struct {
	loop  *loop.Loop
	room  *semaphore.Weighted // bytes that may still be submitted
	ready chan struct{}       // closed when the session is registered for the first time
	done  chan struct{}       // closed when the goroutine has ended
	err   error               // of closing, when it has

	reads int // index of the stream that gets go on; not changed once ready

	mu        sync.Mutex
	streams   [2]stream // the session, and its reader
	asleep    bool      // the goroutine waits, or is about to
	closing   bool
	closed    error // why nothing is taken any more; nil: it is
	connected bool  // to a leader, when the goroutine last looked
	lastError error // why the connection last failed, then
}

// Dial connects to the cluster, until ctx ends, and returns when the session is there. The error is ErrNoLeader if no leader was found by
// then. Names among the addresses are looked up now, and not again.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	loopCfg, err := cfg.loopConfig(ctx)
	if err != nil {
		return nil, err
	}
	c := &Client{room: semaphore.NewWeighted(int64(cfg.MaxBytes)), ready: make(chan struct{}), done: make(chan struct{})}
	if c.loop, err = loop.New(loopCfg, (*sink)(c)); err != nil {
		return nil, err
	}
	sessions, readers := c.loop.Streams()
	c.streams[0].of, c.streams[1].of = sessions[0], readers[0]
	go c.run()
	select {
	case <-c.ready:
		return c, nil
	case <-c.done:
		return nil, c.closed
	case <-ctx.Done():
	}
	c.mu.Lock()
	err = fmt.Errorf("%w: %w", c.leaderless(), ctx.Err())
	c.mu.Unlock()
	c.Close()
	return nil, err
}

// Close ends the client. What has no outcome yet ends with ErrClosed, and with ErrUnknownOutcome as well if it was sent and is not a get.
// Close may be called more than once, but not by the function that was given to Submit.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closing = true
	if c.closed == nil {
		c.loop.Wake()
	}
	c.mu.Unlock()
	<-c.done
	return c.err
}

// longest bounds a wait of the goroutine, which is woken when there is something to do.
const longest = time.Hour

// run drives the loop until the client is closed, or the loop cannot go on.
func (c *Client) run() {
	defer close(c.done)
	var err error
	for err == nil && c.handOver() {
		c.loop.Flush()
		err = c.loop.Poll(c.loop.Now() + longest)
	}
	c.end(err)
}

// handOver gives the loop what waits, as far as there is room, and notes how the connection is. It returns false if the client is to end.
func (c *Client) handOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.streams {
		c.streams[i].handOver(c.loop)
	}
	c.connected, c.lastError = c.loop.Open() > 0, c.loop.LastError()
	c.asleep = true
	return !c.closing
}

// end closes the loop, and ends what has no outcome yet.
func (c *Client) end(cause error) {
	closed := ErrClosed
	if cause != nil {
		closed = fmt.Errorf("%w: %w", ErrClosed, cause)
	}
	c.mu.Lock()
	c.closed = closed
	c.err = c.loop.Close() // with the lock, so that nobody wakes it any more
	var left []*call
	for i := range c.streams {
		left = append(left, c.streams[i].clear()...)
	}
	c.mu.Unlock()
	for _, call := range left {
		err := closed
		if call.sent && call.changes {
			err = fmt.Errorf("%w: %w", ErrUnknownOutcome, closed)
		}
		c.retire(call, Result{Err: err})
	}
}
