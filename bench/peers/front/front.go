// Package front puts our client protocol and our state machine on both sides of somebody else's consensus, so that the same
// generator, the same checks of answers and the same sessions measure it: a server takes requests from clients, makes entries of
// them and gives these to a Core; the Core replicates them its own way and hands them back, on every node in the same order, to
// be executed and, where their client is connected, answered.
//
// Reads go through the log, as they do by default in our own replica. Not here, because nothing measures it: TLS, limits on
// memory and idle clients, the admin server.
//
// Reading order: front.go (the parts), entry.go (what the Core replicates), conn.go (a client), proposer.go (from requests to
// entries), pending.go (what has been proposed), apply.go (from entries to answers), snapshot.go.
package front

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"paxosbench/replica/machine"
	"paxosbench/wire"
)

// Core is somebody else's consensus. It calls the Front that it has been given: Apply and Flush with what is committed,
// SetLeader when it learns who leads, Failed with what it has dropped.
type Core interface {
	// Propose hands over an entry to be replicated, which nobody changes from then on. It may wait while there is no room. It is
	// called by one goroutine, and entries that are committed are so in the order of their proposals, or their clients are
	// told of gaps. After an error Failed is not called.
	Propose(entry []byte) error

	// Close ends the node. Nothing of the Front is called after it has returned.
	Close() error
}

// Config is what a Front needs to know.
type Config struct {
	ID         wire.ReplicaID
	ClientAddr string // where clients connect

	// Batching has commands that wait at the same time share an entry, as our own replica does; otherwise each has its own.
	Batching bool
	// BatchBytes is up to where more commands are added to an entry, if they are batched.
	BatchBytes int
	// InFlight is how many entries may be proposed and not yet applied, a power of two.
	InFlight int

	Log *slog.Logger
}

// Defaults of what a Config may leave open. Commands that are not batched are limited by the windows of their clients alone.
const (
	DefaultBatchBytes = 64 << 10
	batchedInFlight   = 64
	singleInFlight    = 1 << 16
)

// withDefaults fills in what has been left open.
func (c Config) withDefaults() Config {
	if c.BatchBytes == 0 {
		c.BatchBytes = DefaultBatchBytes
	}
	if c.InFlight == 0 {
		c.InFlight = singleInFlight
		if c.Batching {
			c.InFlight = batchedInFlight
		}
	}
	return c
}

// Front is one node's server and state machine. Serve it, then Close it.
type Front struct {
	cfg      Config
	listener net.Listener
	leader   atomic.Pointer[leadership]
	requests queue
	pending  pending
	wg       sync.WaitGroup

	// mu guards what the log determines: the state, and the addresses that leaders have announced.
	mu        sync.Mutex
	state     *machine.State
	addresses [wire.MaxReplicas + 1]string
	touched   []*conn // those with answers since the newest Flush
	scratch   []part

	connsMu sync.Mutex
	conns   map[*conn]struct{}
	closed  bool
}

// leadership is who leads, as far as this node knows; a node that leads has a term of stamps, too.
type leadership struct {
	term  uint64
	id    wire.ReplicaID // 0: nobody that is known
	stamp uint64
	since time.Time
}

// New returns a Front that listens for clients and serves none yet.
func New(cfg Config) (*Front, error) {
	listener, err := net.Listen("tcp", cfg.ClientAddr)
	if err != nil {
		return nil, fmt.Errorf("listening for clients at %s: %w", cfg.ClientAddr, err)
	}
	f := &Front{cfg: cfg.withDefaults(), listener: listener, state: newState(), conns: make(map[*conn]struct{})}
	f.leader.Store(&leadership{})
	f.requests.init()
	f.pending.init(f.cfg.InFlight)
	return f, nil
}

func newState() *machine.State {
	return machine.NewState(machine.New(machine.KindKV, machine.HashKey{A: random(), B: random()}), machine.DefaultConfig())
}

func random() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails: it ends the process instead
	return binary.LittleEndian.Uint64(b[:])
}

// Serve takes clients and proposes what they ask for, until Close.
func (f *Front) Serve(core Core) {
	f.wg.Go(func() { f.propose(core) })
	f.wg.Go(f.accept)
}

// Addr returns the address for clients.
func (f *Front) Addr() string { return f.listener.Addr().String() }

// Close ends all connections and waits for the goroutines. The Core must still be up: something may be about to be proposed.
func (f *Front) Close() {
	f.listener.Close()
	f.connsMu.Lock()
	f.closed = true
	for c := range f.conns {
		c.close()
	}
	f.connsMu.Unlock()
	f.requests.close()
	f.pending.close()
	f.wg.Wait()
}

func (f *Front) accept() {
	for {
		socket, err := f.listener.Accept()
		if err != nil {
			return
		}
		c := newConn(f, socket)
		f.connsMu.Lock()
		if f.closed {
			socket.Close()
			f.connsMu.Unlock()
			return
		}
		f.conns[c] = struct{}{}
		f.connsMu.Unlock()
		f.wg.Go(c.write)
		f.wg.Go(func() {
			f.cfg.Log.Debug("client gone", "client", socket.RemoteAddr(), "why", c.read())
			c.close()
			f.connsMu.Lock()
			delete(f.conns, c)
			f.connsMu.Unlock()
		})
	}
}

// SetLeader says who leads in a term, 0 if nobody that is known. It may be called again with what is known already.
func (f *Front) SetLeader(term uint64, id wire.ReplicaID) {
	was := f.leader.Load()
	if was.term == term && was.id == id {
		return
	}
	now := &leadership{term: term, id: id}
	if id == f.cfg.ID {
		now.stamp, now.since = max(random(), 1), time.Now()
	}
	f.leader.Store(now)
	f.cfg.Log.Info("leader", "term", term, "leader", id)
	if id == f.cfg.ID {
		f.requests.push(request{announcement: true})
	} else if was.id == f.cfg.ID {
		f.stepDown()
	}
}

// leads returns the leadership if it is this node's.
func (f *Front) leads() (*leadership, bool) {
	l := f.leader.Load()
	return l, l.id == f.cfg.ID
}

// stepDown sends all clients on.
func (f *Front) stepDown() {
	f.pending.reset()
	f.connsMu.Lock()
	defer f.connsMu.Unlock()
	for c := range f.conns {
		c.redirect()
	}
}

// redirection says who leads, and where that is as far as the log has told.
func (f *Front) redirection() wire.Redirect {
	l := f.leader.Load()
	r := wire.Redirect{Ballot: wire.MakeBallot(l.term, l.id)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if addr := f.addresses[l.id]; addr != "" {
		r.Leader, r.LeaderAddr = l.id, addr
	}
	return r
}
