// Package target is the seam between the instrument and what it measures: a System under test, as the engine of package load
// sees it. The engine knows when operations are due, what they are and whether their answers are right; a System knows how they
// travel.
//
// There are two ways to implement one.
//
// A Driver is what most systems need: connect, submit operations, complete each when its answer is there. It may use as many
// goroutines as it likes. Of makes a System of it. docs/targets.md has a worked example.
//
// A Loop is what a driver is wrapped into, and what the client library has for the replicas of this project: the connections of one
// thread, driven by it. Batches cross this seam, not operations: the Loop asks its Sink for as many encoded commands as a frame has
// room for, and reports answers by ranges of numbers. Nothing of it allocates or reads a clock per operation.
package target

import (
	"time"

	"paxosbench/wire/client/loop"
)

// What crosses the seam is what crosses that of the client's loop, which therefore needs nothing in between.
type (
	// Number identifies an operation within its stream, contiguously from 1.
	Number = loop.Number
	// Stream is one way on which operations travel in order, and how far they have come.
	Stream = loop.Stream
	// Sink is what a loop takes operations from and reports to: the engine.
	Sink = loop.Sink
	// Report is what a loop has noticed, and Counters are what it has counted.
	Report   = loop.Report
	Counters = loop.Counters
)

// System is what is under test.
type System interface {
	// Name says in results what was measured.
	Name() string
	// Capabilities says what it can do.
	Capabilities() Capabilities
	// Open makes the connections and sessions of one thread, which report to the sink. Connecting begins with the first Poll.
	Open(o Options, sink Sink) (Loop, error)
}

// Capabilities are what a system can do. What it cannot is not asked of it, and what follows from that is said in the result: it was
// not checked, or not observed.
type Capabilities struct {
	// Get, Delete and CompareAndSet are the operations that it has beside puts.
	Get, Delete, CompareAndSet bool
	// Sessions: operations of one session take effect in the order of their numbers, and once, however often they are sent. Without
	// it a session has one operation in flight, and one of unknown outcome may take effect at any time later.
	Sessions bool
	// Status: its nodes can be asked how they are and what they hold, by an Observer or by the admin addresses of our replicas.
	Status bool
}

// Options are what a thread wants of a system.
type Options struct {
	// Conns is the number of connections, Sessions that of sessions, spread evenly over them: at least as many.
	Conns, Sessions int
	// Window is the number of operations that a connection may have in flight, SessionWindow that of a session; 0: as many as the
	// system has room for. A system may have room for less.
	Window, SessionWindow int
	// ConnectTimeout bounds an attempt to connect, StallTimeout how long a connection with operations in flight may be silent.
	ConnectTimeout, StallTimeout time.Duration
	// Nonce tells the sessions of this thread from those of others. It is random.
	Nonce uint64
	// Start is the zero of the loop's clock.
	Start time.Time
}

// Loop is the connections of one thread. One goroutine, locked to its thread, alternates Poll and Flush; only Cluster may be called
// from another one.
type Loop interface {
	// Streams returns the sessions, and their readers: one beside each session, on which gets may go that stand in no order with the
	// session's other operations. A system that has no such gets has no readers.
	Streams() (sessions, readers []*Stream)
	// Assign gives a stream its next count operations, at most its Room. They are sent by the next Flush, as far as there is room.
	Assign(s *Stream, count int)
	// Now is the time since Options.Start.
	Now() time.Duration
	// Poll serves what has arrived, and waits for it until the clock reaches until. It may return early. An error means that the loop
	// cannot go on; those of the world are counted and dealt with.
	Poll(until time.Duration) error
	// Flush sends what has been assigned.
	Flush()
	// Restart closes every connection, so that what is under way is sent again, and lets connections have so many operations in flight
	// from then on; 0: as before. A system without sessions, in which nothing is sent again, does nothing.
	Restart(window int)
	// Open returns how many connections are established, Registered how many sessions are.
	Open() int
	Registered() int
	// Queries reports whether gets may be assigned to readers.
	Queries() bool
	// Report returns what has been noticed so far.
	Report() Report
	// LastError returns why a connection last failed, nil if none has.
	LastError() error
	// Cluster returns the name of the system's instance as it has told it, empty if it has not.
	Cluster() string
	// Close closes every connection.
	Close() error
}
