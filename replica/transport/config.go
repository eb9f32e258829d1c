package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/secure"
)

// Config says who the replica is, where it listens, whom it talks to, and how much it puts up with. Zero values of
// fields with a default take the default.
type Config struct {
	Self        wire.ReplicaID
	Membership  Membership    // the cluster's id and who has been met; needed if there are peers
	Settings    wire.Settings // what must be equal on all replicas; peers with others are refused
	Incarnation uint64        // drawn at random when the process starts; tells two processes with one id apart

	ClientAddr string                    // listen address for clients, host:port
	PeerAddr   string                    // listen address for peers; empty if there are none
	Peers      map[wire.ReplicaID]string // addresses of the other replicas; those with a lower id are dialled

	// Credentials have everybody prove who they are. nil: whoever connects is believed.
	Credentials *secure.Credentials

	MaxClients      int // client connections at a time; default 4096
	MaxForwarded    int // of these, how many may be handed on to the leader, each over a connection more
	ReadBuffer      int // bytes read from a connection at a time; default 1 MiB
	SocketBuffer    int // bytes of kernel buffer per socket and direction; default 4 MiB
	MaxPartial      int // bytes of frames from clients that have not arrived whole, over all of them; default 64 MiB, at least two frames
	MaxUnread       int // bytes of answers that clients have not taken, over all of them; default 256 MiB, at least two answers
	MaxKept         int // bytes of buffers for answers that are kept for the next ones; default 64 MiB
	MaxRelayed      int // bytes that are on their way through this replica to the leader or back; default 32 MiB, besides 4 KiB for each client
	MaxPeerOutbound int // bytes that may wait for a peer; default 64 MiB, at least one message

	// Deadlines are kept to a quarter of the shorter one.
	HandshakeTimeout time.Duration // for the hello of a new connection; default 5 s
	IdleTimeout      time.Duration // after which a client that neither says nor waits for anything is closed; 0: not until its place is needed
	FrameTimeout     time.Duration // in which 1 KiB a second of a frame that has begun must arrive, or its end; default 10 s

	Tick time.Duration // Handler.Tick is called about this often; default 2 ms

	// OwnProcess says that the process is there for this loop: it keeps one of the runtime's processors also while it waits, if there is another.
	OwnProcess bool

	// Buffers supplies the bodies of peer messages. It belongs to the loop, as the Handler does.
	Buffers *wire.Buffers
	Logger  *slog.Logger // default: nothing is logged
}

const (
	defaultMaxClients       = 4096
	defaultReadBuffer       = 1 << 20
	defaultSocketBuffer     = 4 << 20
	defaultMaxPartial       = 64 << 20
	defaultMaxUnread        = 256 << 20
	defaultMaxKept          = 64 << 20
	defaultMaxRelayed       = 32 << 20
	defaultMaxPeerOutbound  = 64 << 20
	defaultHandshakeTimeout = 5 * time.Second
	defaultFrameTimeout     = 10 * time.Second
	defaultTick             = 2 * time.Millisecond

	minPartial = 2 * wire.MaxBatch
	minUnread  = 2 * maxAnswer

	// MaxMessage is the longest frame between replicas.
	MaxMessage = wire.MessageHeaderSize + wire.MaxBody
)

func (c Config) withDefaults() Config {
	setDefault(&c.MaxClients, defaultMaxClients)
	setDefault(&c.ReadBuffer, defaultReadBuffer)
	setDefault(&c.SocketBuffer, defaultSocketBuffer)
	setDefault(&c.MaxPartial, defaultMaxPartial)
	setDefault(&c.MaxUnread, defaultMaxUnread)
	setDefault(&c.MaxKept, defaultMaxKept)
	setDefault(&c.MaxRelayed, defaultMaxRelayed)
	setDefault(&c.MaxPeerOutbound, defaultMaxPeerOutbound)
	setDefault(&c.HandshakeTimeout, defaultHandshakeTimeout)
	setDefault(&c.FrameTimeout, defaultFrameTimeout)
	setDefault(&c.Tick, defaultTick)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// validate reports every violation at once. Defaults have been filled in.
func (c *Config) validate() error {
	var errs []error
	reject := func(format string, args ...any) { errs = append(errs, fmt.Errorf("transport: "+format, args...)) }
	if !validID(c.Self) {
		reject("replica id %d, want 1 to %d", c.Self, wire.MaxReplicas)
	}
	if c.ClientAddr == "" {
		reject("no client address to listen on")
	}
	if c.PeerAddr == "" && len(c.Peers) > 0 {
		reject("%d peers but no peer address to listen on", len(c.Peers))
	}
	for id, addr := range c.Peers {
		if !validID(id) || id == c.Self {
			reject("peer id %d: want 1 to %d and not %d, this replica's own", id, wire.MaxReplicas, c.Self)
		}
		if addr == "" {
			reject("peer %d has no address", id)
		}
	}
	if c.MaxPeerOutbound < MaxMessage {
		reject("%d bytes for a peer's backlog cannot hold a message of %d", c.MaxPeerOutbound, MaxMessage)
	}
	if c.MaxPartial < minPartial {
		reject("%d bytes for frames that have not arrived whole, want %d, which are two of them", c.MaxPartial, minPartial)
	}
	if c.MaxUnread < minUnread {
		reject("%d bytes for answers that are not taken, want %d, which are two of them", c.MaxUnread, minUnread)
	}
	if min(c.MaxClients, c.MaxForwarded, c.ReadBuffer, c.SocketBuffer) < 0 {
		reject("negative limit among clients %d, those handed on %d, read buffer %d, socket buffer %d",
			c.MaxClients, c.MaxForwarded, c.ReadBuffer, c.SocketBuffer)
	}
	if min(c.HandshakeTimeout, c.IdleTimeout, c.FrameTimeout, c.Tick) < 0 {
		reject("negative time among handshake %v, idle %v, frame %v, tick %v", c.HandshakeTimeout, c.IdleTimeout, c.FrameTimeout, c.Tick)
	}
	if c.Membership == nil && len(c.Peers) > 0 {
		reject("%d peers, and nothing to remember them by", len(c.Peers))
	}
	if c.Buffers == nil {
		reject("no buffers")
	}
	return errors.Join(errs...)
}

func validID(id wire.ReplicaID) bool { return id >= 1 && id <= wire.MaxReplicas }
