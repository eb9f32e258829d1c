package client

import (
	"errors"
	"fmt"

	"paxosbench/wire"
)

// Errors, for errors.Is.
var (
	ErrNotFound = errors.New("there is no such key")                        // get, delete: executed
	ErrMismatch = errors.New("the key holds another value than expected")   // compare-and-set, create: executed, nothing changed
	ErrFull     = errors.New("the store has no room; nothing was changed")  // put, compare-and-set, create: executed
	ErrTooLarge = errors.New("too large to be sent")                        // nothing was sent
	ErrInvalid  = errors.New("not a command")                               // nothing was sent
	ErrNoLeader = errors.New("no replica leads, or none that can be found") // as far as was known when the context ended
	ErrClosed   = errors.New("closed")

	// ErrUnknownOutcome means that the operation may have taken effect, may take effect later, or never will.
	ErrUnknownOutcome = errors.New("nobody knows whether the operation took effect")
)

// outcomes are the errors of executed commands.
var outcomes = map[wire.Status]error{
	wire.StatusOK: nil, wire.StatusNotFound: ErrNotFound, wire.StatusMismatch: ErrMismatch, wire.StatusFull: ErrFull,
}

// errLost is why outcomes are unknown that no context has ended.
var errLost = fmt.Errorf("%w: its session is lost", ErrUnknownOutcome)

// ended returns the error of an operation that ends before its outcome is known, for a cause. The lock is held.
func (c *Client) ended(cause error, maybeExecuted bool) error {
	if !c.connected {
		cause = fmt.Errorf("%w: %w", c.leaderless(), cause)
	}
	if maybeExecuted {
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, cause)
	}
	return fmt.Errorf("not executed: %w", cause)
}

// leaderless says that there is no leader, and what connecting has come to. The lock is held.
func (c *Client) leaderless() error {
	if c.lastError == nil {
		return ErrNoLeader
	}
	return fmt.Errorf("%w (%v)", ErrNoLeader, c.lastError)
}
