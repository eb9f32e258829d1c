package client

import "context"

// Put sets a key to a value.
func (c *Client) Put(ctx context.Context, key, value []byte) error {
	_, err := c.do(ctx, &Command{Op: Put, Key: key, Value: value})
	return err
}

// Get returns the value of a key, or ErrNotFound.
func (c *Client) Get(ctx context.Context, key []byte) ([]byte, error) {
	return c.do(ctx, &Command{Op: Get, Key: key})
}

// Delete removes a key. The error is ErrNotFound if there was none.
func (c *Client) Delete(ctx context.Context, key []byte) error {
	_, err := c.do(ctx, &Command{Op: Delete, Key: key})
	return err
}

// CompareAndSet sets a key to a value if it holds the expected one. The error is ErrMismatch if it does not, or is not there.
func (c *Client) CompareAndSet(ctx context.Context, key, expected, value []byte) error {
	_, err := c.do(ctx, &Command{Op: CompareAndSet, Key: key, Expected: expected, Value: value})
	return err
}

// Create sets a key to a value if it is not there. The error is ErrMismatch if it is.
func (c *Client) Create(ctx context.Context, key, value []byte) error {
	_, err := c.do(ctx, &Command{Op: CompareAndSet, Key: key, Value: value, Absent: true})
	return err
}

// Submit begins a command, and does not wait for its outcome: done is called with that, once, unless Submit returns an error. It waits, as
// long as ctx allows, only if as much is under way as Config.MaxBytes allows. Afterwards the end of ctx ends the command as it ends an
// operation that is waited for.
//
// done is called by another goroutine, which everything else waits for: it should pass the result on and return. It must not wait for other
// operations of the client, nor submit any.
func (c *Client) Submit(ctx context.Context, command Command, done func(Result)) error {
	call, err := newCall(&command, done)
	if err != nil {
		return err
	}
	return c.submit(ctx, call, func() {
		if ctx.Done() != nil {
			call.stop = context.AfterFunc(ctx, func() { c.abandon(call, ctx.Err()) })
		}
	})
}

// do carries a command out and waits for its outcome.
func (c *Client) do(ctx context.Context, command *Command) ([]byte, error) {
	answer := make(chan Result, 1)
	call, err := newCall(command, func(r Result) { answer <- r })
	if err != nil {
		return nil, err
	}
	if err := c.submit(ctx, call, nil); err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		return r.Value, r.Err
	case <-ctx.Done():
	}
	c.abandon(call, ctx.Err())
	r := <-answer // unless it was there already
	return r.Value, r.Err
}
