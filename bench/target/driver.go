package target

import (
	"context"
	"time"

	"paxosbench/wire"
)

// Driver is how a system is reached that this project does not know. Its methods are called from any goroutine.
type Driver interface {
	// Capabilities says what the system can do. Sessions are not a driver's to promise, and are taken for false; Status follows from
	// being an Observer too.
	Capabilities() Capabilities
	// Connect opens a connection, until ctx ends. Several may be opened at once.
	Connect(ctx context.Context) (Conn, error)
}

// Conn carries operations. Submit and Close are called by one goroutine, which also has everything else to send: what takes them long
// delays all of it.
type Conn interface {
	// Submit begins operations and does not wait for their answers: each is completed later, from whatever goroutine, in whatever
	// order. The slice is valid during the call, the calls until they are completed. An error condemns the connection: it is closed,
	// and what became of its operations is unknown.
	Submit(calls []*Call) error
	// Close ends the connection. What is under way need not be completed any more.
	Close() error
}

// Op is what an operation does.
type Op = wire.Op

// The operations.
const (
	Put           = wire.OpPut           // sets Key to Value
	Get           = wire.OpGet           // returns what Key holds
	Delete        = wire.OpDelete        // removes Key
	CompareAndSet = wire.OpCompareAndSet // sets Key to Value if it holds Expected
)

// Status is what came of an executed operation.
type Status = wire.Status

// The outcomes.
const (
	OK       = wire.StatusOK
	NotFound = wire.StatusNotFound // there was no such key to get or delete
	Mismatch = wire.StatusMismatch // the key held something else than was expected
)

// Call is one operation under way. Exactly one of Complete, Reject and Fail is called for it, once, by any goroutine; afterwards it
// must not be touched any more, for it becomes another operation. None of them waits.
type Call struct {
	Op         Op
	Key, Value []byte // not to be changed
	// Expected is what a compare-and-set compares with; if Absent is true it expects that there is no such key.
	Expected []byte
	Absent   bool

	loop    *driverLoop
	stream  *Stream
	conn    *driverConn
	command []byte // what Key, Value and Expected are views into

	// What came of it, under the loop's lock.
	underWay bool
	outcome  outcome
	status   Status
	result   []byte
	err      error
	at       time.Duration
}

type outcome uint8

const (
	completed outcome = iota
	rejected
	failed
)

// Complete tells that the operation was executed, with what came of it, and for a get the value, which is copied.
func (c *Call) Complete(status Status, value []byte) { c.loop.finish(c, completed, status, value, nil) }

// Reject tells that the system did not take the operation, as when it is overloaded; its connection is good.
func (c *Call) Reject(err error) { c.loop.finish(c, rejected, 0, nil, err) }

// Fail tells that nobody knows what became of the operation, because its connection is broken. One call is enough for all operations
// of a connection: it is closed, and another one opened.
func (c *Call) Fail(err error) { c.loop.finish(c, failed, 0, nil, err) }

// Of makes a System of a driver. A session has one operation in flight, so that operations take effect in a known order where it
// matters; how many are in flight altogether is the number of sessions (--clients of loadgen). Of a driver that is an Observer it makes
// a System that is one.
func Of(name string, d Driver) System {
	system := driven{name, d}
	if o, ok := d.(Observer); ok {
		return observed{system, o}
	}
	return system
}

type driven struct {
	name   string
	driver Driver
}

// Name implements System.
func (d driven) Name() string { return d.name }

// Capabilities implements System.
func (d driven) Capabilities() Capabilities {
	c := d.driver.Capabilities()
	c.Sessions, c.Status = false, false
	return c
}

// Open implements System.
func (d driven) Open(o Options, sink Sink) (Loop, error) { return newDriverLoop(d.driver, o, sink) }
