package client

import (
	"container/list"
	"context"
	"sync/atomic"
)

// call is a command on its way.
type call struct {
	command []byte
	changes bool // it is not a get
	done    func(Result)
	ended   atomic.Bool // done is, or is being, called

	stream *stream
	place  *list.Element // in the stream's list; nil: the goroutine has it. Under the client's lock
	sent   bool          // under the client's lock
	stop   func() bool   // the context's end is of no account any more; nil: it never was
}

func newCall(command *Command, done func(Result)) (*call, error) {
	encoded, err := command.encode()
	if err != nil {
		return nil, err
	}
	return &call{command: encoded, changes: command.Op != Get, done: done}, nil
}

// weight is what the call counts for.
func (k *call) weight() int64 { return int64(len(k.command) + callBytes) }

// end tells the result, unless one was told before.
func (k *call) end(r Result) {
	if k.ended.Swap(true) {
		return
	}
	if k.stop != nil {
		k.stop()
	}
	k.done(r)
}

// submit puts a call on its stream's list when there is room, or until ctx ends. Then it calls watch, with the lock held, before anything
// else can happen to the call.
func (c *Client) submit(ctx context.Context, k *call, watch func()) error {
	err := ctx.Err() // room that is there is given to those whose context has ended as well
	if err == nil {
		err = c.room.Acquire(ctx, k.weight())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil:
		return c.ended(err, false)
	case c.closed != nil || c.closing:
		c.room.Release(k.weight())
		return ErrClosed
	}
	k.stream = &c.streams[0]
	if !k.changes {
		k.stream = &c.streams[c.reads]
	}
	k.place = k.stream.waiting.PushBack(k)
	if watch != nil {
		watch()
	}
	if c.asleep {
		c.asleep = false
		c.loop.Wake()
	}
	return nil
}

// abandon ends a call whose context has ended. What is on its list still is taken off it.
func (c *Client) abandon(k *call, cause error) {
	c.mu.Lock()
	waits := k.place != nil
	if waits {
		k.stream.waiting.Remove(k.place)
		k.place = nil
	}
	err := c.ended(cause, k.sent && k.changes)
	c.mu.Unlock()
	if waits {
		c.room.Release(k.weight())
	}
	k.end(Result{Err: err})
}

// retire ends a call that is on no list any more, and makes room for others.
func (c *Client) retire(k *call, r Result) {
	c.room.Release(k.weight())
	k.end(r)
}
