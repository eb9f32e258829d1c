// Package target is the seam between the instrument and what it measures: a System under test, as the engine of package load
// sees it. The engine knows when operations are due, what they are and whether their answers are right; a System knows how they
// travel.
//
// There are two ways to implement one.
//
// A Driver is what most systems need: connect, submit operations, complete each when its answer is there. It may use as many
// goroutines as it likes. Of makes a System of it. docs/targets.md has a worked example.
//
// A Loop is what a driver is wrapped into, and what package client is for the replicas of this project: the connections of one
// thread, driven by it. Batches cross this seam, not operations: the Loop asks its Sink for as many encoded commands as a frame has
// room for, and reports answers by ranges of numbers. Nothing of it allocates or reads a clock per operation.
package target

import (
	"time"

	"paxosbench/wire"
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

// Number identifies an operation within its stream, contiguously from 1. It survives the loss of a session by the system.
type Number uint64

// Stream is one way on which operations travel in order: a session, or the reader beside it. How far it has come are fields, so that
// looking costs nothing. The loop writes them, and the engine reads them on the same goroutine.
//
// Invariants: Answered <= Sent <= Assigned; Resent <= Sent.
type Stream struct {
	Index    int    // its place in the loop, from 0; readers come behind the sessions
	Limit    int    // how many operations it may have unanswered; 0 while it can take none
	Assigned Number // taken over by Assign, up to here
	Sent     Number // handed over to the system at least once, up to here
	Resent   Number // handed over more than once: some up to here, none behind
	Answered Number // answered, or given up, up to here
}

// Room returns how many operations the stream can take now.
func (s *Stream) Room() int { return max(0, s.Limit-int(s.Assigned-s.Answered)) }

// AnsweredUpTo returns the number of the last operation that is answered; everything up to it is.
func (s *Stream) AnsweredUpTo() Number { return s.Answered }

// SentUpTo returns the number of the last operation that was ever handed over.
func (s *Stream) SentUpTo() Number { return s.Sent }

// ResentUpTo returns the number of the last operation that was handed over more than once, 0 if none was. A get among those may have
// been executed more than once.
func (s *Stream) ResentUpTo() Number { return s.Resent }

// Sink is what a loop takes operations from and reports to: the engine. Every method is called on the goroutine that drives the loop,
// from inside Poll or Flush, and does not call back into them.
type Sink interface {
	// AppendCommands appends operations first, first+1, .. of the stream, encoded as docs/wire.md says: at least one, at most count,
	// and none that begins after dst has reached limit bytes. It returns dst and how many it appended. Of operations that were sent
	// before it appends the same bytes as then. Those of a reader are gets.
	AppendCommands(dst []byte, s *Stream, first Number, count, limit int) ([]byte, int)

	// Sent tells that count operations from first on are being handed over for the first time.
	Sent(s *Stream, first Number, count int, at time.Duration)

	// Answered tells that count operations from first on were executed, all with the same status and without a value.
	// Operations of a stream are answered in order and once.
	Answered(s *Stream, first Number, count int, status wire.Status, at time.Duration)

	// Result tells the outcome of one executed operation; value is a view that is valid during the call.
	Result(s *Stream, n Number, status wire.Status, value []byte, at time.Duration)

	// Lost tells that the outcome of count operations from first on, all that were unanswered, is unknown and will not be told. The
	// stream may have room at once, or is Ready later.
	Lost(s *Stream, first Number, count int, at time.Duration)

	// Ready tells that the session can take operations (Stream.Room is positive) after a time in which it could not.
	Ready(s *Stream)
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

// Report is what a loop has noticed.
type Report struct {
	Counters Counters
	// Leader is the node that leads, as far as the connections know; 0: they do not.
	Leader wire.ReplicaID
	// Granted is the smallest window of an open connection; 0: none is open, or there is no limit.
	Granted int
	// Violations describe the first few answers that the protocol forbids.
	Violations []string
}

// Counters count what a loop has seen since it was made. What a system does not have stays 0.
type Counters struct {
	Connects       int64 // connections established
	Disconnects    int64 // established connections lost, for whatever reason
	Stalls         int64 // of Disconnects: given up after a time of silence
	DialFailures   int64 // attempts that did not get as far as a connection that can be used
	Redirects      int64 // attempts that were sent elsewhere
	Busy           int64 // operations refused for lack of room
	Gaps           int64 // operations refused because an earlier one was missing
	Resent         int64 // operations sent again, for whatever reason
	Duplicates     int64 // answers to operations already answered
	CorruptFrames  int64 // frames that were damaged; each costs the connection
	LostSessions   int64 // sessions that had to register anew
	Violations     int64 // answers that the protocol forbids
	BytesSent      int64
	BytesReceived  int64
	FramesSent     int64
	FramesReceived int64
}

// Add adds o to c, field by field.
func (c *Counters) Add(o *Counters) { c.combine(o, 1) }

// Sub subtracts o from c, field by field.
func (c *Counters) Sub(o *Counters) { c.combine(o, -1) }

func (c *Counters) combine(o *Counters, sign int64) {
	c.Connects += sign * o.Connects
	c.Disconnects += sign * o.Disconnects
	c.Stalls += sign * o.Stalls
	c.DialFailures += sign * o.DialFailures
	c.Redirects += sign * o.Redirects
	c.Busy += sign * o.Busy
	c.Gaps += sign * o.Gaps
	c.Resent += sign * o.Resent
	c.Duplicates += sign * o.Duplicates
	c.CorruptFrames += sign * o.CorruptFrames
	c.LostSessions += sign * o.LostSessions
	c.Violations += sign * o.Violations
	c.BytesSent += sign * o.BytesSent
	c.BytesReceived += sign * o.BytesReceived
	c.FramesSent += sign * o.FramesSent
	c.FramesReceived += sign * o.FramesReceived
}
