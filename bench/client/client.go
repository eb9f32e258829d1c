// Package client is the client side of the protocol: connections, sessions, what is in flight, and what to do when a
// replica redirects, refuses or goes away. It knows nothing about pacing, workloads or histograms; those are its
// Handler's.
//
// Everything of one Loop happens on the goroutine that calls Poll and Flush. The package uses epoll directly rather
// than gnet: gnet's loop has no timers, and a load generator must wait for "a socket is ready" and "the next operation
// is due" in one system call with nanosecond resolution.
//
// # Exactly once, in order
//
// A session numbers its operations contiguously (Number). Commands travel in runs; the replica executes number
// last+1 only, so operations of a session take effect in order and once, however often they are sent. What the client
// does about it: after a refusal (Busy, Gap) a session waits until everything it has on the wire is answered and then
// sends again from the first unanswered operation; after a lost connection it does so on the next one.
//
// Where the cluster serves gets without its log (Loop.Reads), gets may go as queries instead: each session has a reader
// beside it, whose gets are numbered apart and may be executed more than once, which changes nothing. A get then sees
// everything that was answered before it was sent, and perhaps what was under way.
package client

import (
	"errors"
	"fmt"
	"time"

	"paxosbench/bench/target"
	"paxosbench/wire"
)

// Number identifies an operation within its session, contiguously from 1. It survives the loss of a session on the
// replicas: numbers go on where sequence numbers start anew.
type Number = target.Number

// Handler is what a Loop reports to and takes commands from. Every method is called on the goroutine that drives the
// loop, from inside Poll or Flush, and must not call back into them. What is said of sessions holds for readers, except
// that these are never Lost, and can take operations whenever their session is Ready.
type Handler interface {
	// AppendCommands appends the encoded commands of operations first, first+1, .. of the session: at least one, at
	// most count, and none that begins after dst has reached limit bytes. It returns dst and how many it appended.
	// For operations sent before it must append the same bytes as then. Those of a reader must be gets.
	AppendCommands(dst []byte, s *Session, first Number, count, limit int) ([]byte, int)

	// Sent tells that count operations from first on are being handed to the socket for the first time.
	Sent(s *Session, first Number, count int, at time.Duration)

	// Answered tells that count operations from first on were executed, all with the same status and without a value.
	// Operations of a session are answered in order and once.
	Answered(s *Session, first Number, count int, status wire.Status, at time.Duration)

	// Result tells the outcome of one executed operation; value is a view that is valid during the call.
	Result(s *Session, n Number, status wire.Status, value []byte, at time.Duration)

	// Lost tells that the replicas no longer know the session: its count unanswered operations from first on have an
	// unknown outcome and will not be answered. The session registers anew.
	Lost(s *Session, first Number, count int, at time.Duration)

	// Ready tells that the session can take operations (Session.Room is positive) after a time in which it could not.
	Ready(s *Session)
}

// Config describes the connections and sessions of one Loop.
type Config struct {
	// Addrs are the client addresses of the replicas, as host:port. Which of them leads is found out.
	Addrs []string
	// Conns is the number of connections, all of them to the leader. At least 1.
	Conns int
	// Sessions is the number of sessions, spread evenly over the connections. At least Conns.
	Sessions int
	// Window is the number of commands a connection may have in flight; the replica may grant less. 0: as granted.
	Window int
	// SessionWindow is the number of commands a session may have in flight, and of gets its reader may. 0: its share of
	// its connection's window.
	SessionWindow int
	// Cluster is the cluster id to insist on; 0 accepts any.
	Cluster uint64
	// ConnectTimeout bounds connecting and, after it, the handshake. As long as nothing has connected it doubles with every
	// attempt, up to two seconds, and then it is at least four times what connecting has taken. Default 200 ms.
	ConnectTimeout time.Duration
	// StallTimeout is how long a connection with commands in flight may be silent before it is given up and the
	// commands go to another replica. For a connection that comes back to the same leader it doubles, up to three seconds:
	// that one is slow, not gone. So is a replica that answers other connections of the loop meanwhile: then it is three
	// seconds. Default 500 ms.
	StallTimeout time.Duration
	// Nonce makes registrations of this loop distinct from those of other clients. It should be random.
	Nonce uint64
	// Start is the zero of the loop's clock. Default: when the loop is made.
	Start time.Time
}

// Defaults of timeouts. They are small because what a failed leader costs a client is their sum and an election.
const (
	DefaultConnectTimeout = 200 * time.Millisecond
	DefaultStallTimeout   = 500 * time.Millisecond
)

func (c *Config) setDefaults() {
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = DefaultConnectTimeout
	}
	if c.StallTimeout == 0 {
		c.StallTimeout = DefaultStallTimeout
	}
	if c.Start.IsZero() {
		c.Start = time.Now()
	}
}

func (c *Config) validate() error {
	var errs []error
	if len(c.Addrs) == 0 {
		errs = append(errs, errors.New("client: no addresses: name at least one replica"))
	}
	if c.Conns < 1 {
		errs = append(errs, fmt.Errorf("client: %d connections: want at least 1", c.Conns))
	}
	if c.Sessions < c.Conns {
		errs = append(errs, fmt.Errorf("client: %d sessions on %d connections: every connection needs one", c.Sessions, c.Conns))
	}
	if c.Window < 0 || c.Window > maxWindow {
		errs = append(errs, fmt.Errorf("client: window of %d commands: want 0 to %d", c.Window, maxWindow))
	}
	if c.SessionWindow < 0 || c.SessionWindow > wire.MaxSessionWindow {
		errs = append(errs, fmt.Errorf("client: session window of %d commands: want 0 to %d", c.SessionWindow, wire.MaxSessionWindow))
	}
	return errors.Join(errs...)
}

// maxWindow bounds what a connection may ask for; it keeps sums of windows far from overflow.
const maxWindow = 1 << 24

// Counters count what a loop has seen since it was made.
type Counters struct {
	Connects       int64 // connections established and welcomed by the leader
	Disconnects    int64 // established connections lost, for whatever reason
	Stalls         int64 // of Disconnects: given up after StallTimeout of silence
	DialFailures   int64 // attempts that did not get as far as a Welcome from the leader
	Redirects      int64 // Redirect frames and Welcomes from non-leaders
	Busy           int64 // commands and registrations refused: past a window, or no room
	Gaps           int64 // commands refused: an earlier one was missing
	Resent         int64 // commands sent again, for whatever reason
	Duplicates     int64 // replies to operations already answered
	CorruptFrames  int64 // frames that failed a checksum or could not be decoded; each costs the connection
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
