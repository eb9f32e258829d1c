// Package loop is the client side of the protocol: connections, sessions, what is in flight, and what to do when a
// replica redirects, refuses or goes away. What the operations are, and what becomes of their answers, is its sink's:
// package client makes calls of them that any goroutine may make, the load generator the load of a measurement.
//
// Everything of one Loop happens on the goroutine that calls Poll and Flush; others may only Wake it. With credentials a
// goroutine makes each connection and hands it over when both sides have proved who they are; encrypting and decrypting is the loop's. The package uses epoll
// directly rather than gnet: gnet's loop has no timers, and a load generator must wait for "a socket is ready" and "the next
// operation is due" in one system call with nanosecond resolution.
//
// # Exactly once, in order
//
// A session numbers its operations contiguously (Number). Commands travel in runs; the replica executes number
// last+1 only, so operations of a session take effect in order and once, however often they are sent. What the client
// does about it: after a refusal (Busy, Gap) a session waits until everything it has on the wire is answered and then
// sends again from the first unanswered operation; after a lost connection it does so on the next one.
//
// Where the cluster serves gets without its log (Loop.Queries), gets may go as queries instead: each session has a reader
// beside it, whose gets are numbered apart and may be executed more than once, which changes nothing. A get then sees
// everything that was answered before it was sent, and perhaps what was under way.
package loop

import (
	"errors"
	"fmt"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/secure"
)

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
	// Credentials have the replicas prove who they are, and prove this client to them; nil: nobody proves anything.
	Credentials *secure.Credentials
	// ConnectTimeout bounds connecting and, after it, the welcome. As long as nothing has connected it doubles with every
	// attempt, up to two seconds, and then it is at least four times what connecting has taken. With credentials it bounds
	// connecting alone: the handshake, and then the welcome, may take StallTimeout each, and twice as long with every attempt
	// that took too long, up to three seconds. Default 200 ms.
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
	// OwnProcess says that the process is there for this loop: it keeps one of the Go runtime's processors also while it waits, which saves what
	// it costs to take that away and give it back. There has to be another one for everything else.
	OwnProcess bool
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
		errs = append(errs, errors.New("no addresses: name at least one replica"))
	}
	if c.Conns < 1 {
		errs = append(errs, fmt.Errorf("%d connections: want at least 1", c.Conns))
	}
	if c.Sessions < c.Conns {
		errs = append(errs, fmt.Errorf("%d sessions on %d connections: every connection needs one", c.Sessions, c.Conns))
	}
	if c.Window < 0 || c.Window > maxWindow {
		errs = append(errs, fmt.Errorf("window of %d commands: want 0 to %d", c.Window, maxWindow))
	}
	if c.SessionWindow < 0 || c.SessionWindow > wire.MaxSessionWindow {
		errs = append(errs, fmt.Errorf("session window of %d commands: want 0 to %d", c.SessionWindow, wire.MaxSessionWindow))
	}
	return errors.Join(errs...)
}

// maxWindow bounds what a connection may ask for; it keeps sums of windows far from overflow.
const maxWindow = 1 << 24
