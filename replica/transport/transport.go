package transport

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"paxosbench/wire"
)

// Handler is what a replica does with its connections. All calls come from the loop's goroutine, one at a time and
// never from inside a method of Transport or Client that the Handler has called.
type Handler interface {
	// ClientHello answers a new client with a Welcome in c.Out, or with c.Refuse.
	ClientHello(c *Client, h wire.ClientHello)

	// Request takes a fragment. Its checksum is right; its contents are unchecked (see wire.DecodeFragment). body is
	// a view, valid until return. An error closes the connection with a Fault that carries its text.
	Request(c *Client, body []byte) error

	// Query takes the fragment of a Query, as Request does that of a Request.
	Query(c *Client, body []byte) error

	// Waits reports whether a client that has said hello has anything in flight.
	Waits(c *Client) bool

	// ClientClosed is called once for every client that ClientHello was called for, after it has closed.
	ClientClosed(c *Client)

	// Room says that a client for whose answers there was no room has room again (see Client.Begin).
	Room(c *Client)

	// Message takes a message from a peer. m is valid until return; m.Body, if not nil, is the Handler's from then on,
	// taken from Config.Buffers. Its checksum is right. An error closes the connection with a Fault that carries its text.
	Message(m *wire.Message) error

	// Arriving says that bytes of a message from a peer have arrived, and not all of them.
	Arriving(from wire.ReplicaID, t wire.Type)

	// Gone says that a peer's process seems to have ended: both its lanes have closed, and nobody listens where it did.
	Gone(id wire.ReplicaID)

	// Tick is called about every Config.Tick, before the round's Round.
	Tick(now time.Duration)

	// Round ends each iteration in which anything happened: bytes arrived, a function was posted, Tick was called or a
	// connection went. All connections that were ready have been served. What it leaves in Client.Out is written next.
	Round(now time.Duration)
}

// Transport carries a replica's connections. Methods belong to the loop's goroutine, that is to the Handler and to
// posted functions, unless they say otherwise.
type Transport struct {
	cfg     Config
	handler Handler
	log     *slog.Logger
	start   time.Time
	sockets sockets

	engine       *gnet.Client
	loop         gnet.EventLoop
	poller       int     // the descriptor of the loop's epoll instance
	anchor       *anchor // wakes the loop, see ring
	clientPlaces places
	forwards     forwarder
	watches      [wire.MaxReplicas + 1]*watch // of the peers

	// The loop's.
	now        time.Duration
	clients    clientTable
	idle       idle
	links      map[*link]struct{}         // open connections to peers
	peers      [wire.MaxReplicas + 1]peer // by id; 0 is whoever has not said who it is
	nameless   wire.Members               // peers that did not know the cluster either when last heard of
	rejoining  bool                       // one of them, or this replica, rejoins
	lost       bool                       // peers remember this replica, and it does not remember them
	lastSaid   time.Duration              // that the cluster is not known
	gone       []*Client                  // that have closed, and the Handler has yet to hear of it
	dirty      []*Client                  // to be written at the end of the round
	outs       outBuffers
	partials   partials
	unread     unread
	turns      turns
	taken      int // bytes read since the last round, see roundBytes
	ends       endpoints
	ready      [maxReady]unix.EpollEvent
	inside     bool          // the loop is in stay
	keeps      bool          // see poll
	due        bool          // stay is posted
	active     bool          // something has happened since the last round
	nextTick   time.Duration // when Tick is due
	turnBegan  time.Duration // see takeTurn
	sweepEvery time.Duration // deadlines are looked at about this often
	lastSweep  time.Duration // and were then
	message    wire.Message  // the one being delivered
	large      []byte        // what was read last
	iovecs     [2]unix.Iovec // of readv
	fromPeers  []byte        // what turnToPeers reads
	scratch    []byte        // headers and Faults being sent
	plain      []byte        // what was decrypted last
	sealed     []byte        // what is encrypted to be sent
	vector     [2][]byte     // header and body being sent
	spare      []func()      // the other half of posted
	stats      Stats

	stays     gnet.Runnable // stay
	rung      atomic.Bool   // somebody has rung since the last round began
	visits    atomic.Int32  // what gnet is to do on the loop
	full      atomic.Uint64 // connections refused for want of a place
	refused   atomic.Uint64 // connections that did not prove who they are
	forwarded atomic.Int64  // clients that are handed on at present

	proofs sync.WaitGroup // handshakes under way

	mu                   sync.Mutex // guards what follows
	posted               []func()
	running              bool // the loop takes tasks
	saidUnproved         time.Time
	published            Stats
	problems             [wire.MaxReplicas + 1]string // what was last wrong with a peer
	clientAddr, peerAddr net.Addr                     // where the listeners are bound; nil before
}

// New checks the configuration. It opens nothing yet.
func New(cfg Config, h Handler) (*Transport, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	t := &Transport{
		cfg:          cfg,
		handler:      h,
		log:          cfg.Logger,
		start:        time.Now(),
		sockets:      newSockets(cfg.SocketBuffer, cfg.Logger),
		clientPlaces: make(places, cfg.MaxClients),
		sweepEvery:   min(cfg.HandshakeTimeout, cfg.FrameTimeout) / 4,
		links:        make(map[*link]struct{}),
		scratch:      make([]byte, 0, wire.PrefixSize+wire.MaxText),
	}
	t.partials.limit, t.unread.limit = cfg.MaxPartial, cfg.MaxUnread
	t.outs.most = cfg.MaxKept
	t.large = make([]byte, cfg.ReadBuffer)
	t.stays = gnet.RunnableFunc(t.stay)
	for id, addr := range cfg.Peers {
		if id != cfg.Self {
			t.watches[id] = newWatch(t, id, addr)
		}
	}
	t.forwards.t, t.forwards.places = t, make(places, cfg.MaxForwarded)
	t.forwards.relays.large = make(places, max(1, cfg.MaxRelayed/relayBytes))
	return t, nil
}

// errLoopEnded is final: what the loop knew is lost, and so is every connection.
var errLoopEnded = errors.New("transport: the event loop has ended unexpectedly")

// Run listens, dials and serves until ctx is done, and returns nil then. Any error is final: the process should exit.
// The Handler hears nothing of the connections that are closed at the end. Run is called once.
func (t *Transport) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	acceptors, err := t.listen(ctx)
	if err != nil {
		return err
	}
	defer closeAll(acceptors)
	anchor, err := t.startEngine()
	if err != nil {
		return err
	}
	defer anchor.other.Close()
	group := t.spawn(ctx, acceptors)
	select {
	case <-anchor.lost:
		return errLoopEnded // without waiting: who hands a connection to a dead loop waits for ever
	case <-ctx.Done():
	}
	closeAll(acceptors)
	group.Wait()
	t.forwards.group.Wait()
	t.proofs.Wait()
	return t.stop()
}

// spawn starts the goroutines that stand around the loop and opens the gate for posted functions.
func (t *Transport) spawn(ctx context.Context, acceptors []*acceptor) *sync.WaitGroup {
	var group sync.WaitGroup
	for _, a := range acceptors {
		group.Go(func() { a.run(ctx) })
	}
	for id, addr := range t.cfg.Peers {
		if id < t.cfg.Self {
			d := newDialer(t, id, addr)
			group.Go(func() { d.run(ctx) })
		}
	}
	for _, w := range t.watches {
		if w != nil {
			group.Go(func() { w.run(ctx) })
		}
	}
	t.mu.Lock()
	t.running = true
	t.clientAddr = acceptors[0].listener.Addr()
	if len(acceptors) > 1 {
		t.peerAddr = acceptors[1].listener.Addr()
	}
	t.mu.Unlock()
	t.ring()
	return &group
}

// stop ends the loop. Nothing may be posted any more: gnet would write to a descriptor that may be another's by then.
func (t *Transport) stop() error {
	t.mu.Lock()
	t.running = false
	t.mu.Unlock()
	return t.visit(t.engine.Stop)
}

// listen binds both addresses.
func (t *Transport) listen(ctx context.Context) ([]*acceptor, error) {
	l, err := listen(ctx, net.ListenConfig{Control: t.sockets.control, KeepAliveConfig: clientKeepAlive}, "clients", t.cfg.ClientAddr)
	if err != nil {
		return nil, err
	}
	acceptors := []*acceptor{{t: t, listener: l, places: t.clientPlaces, forwards: &t.forwards,
		newcomers: newNewcomers(newClients, clientGrace), allows: clientsOnly,
		endpoint: func(o *origin) endpoint { return newClient(t, o) }}}
	if t.cfg.PeerAddr == "" {
		return acceptors, nil
	}
	l, err = listen(ctx, net.ListenConfig{Control: t.sockets.peerControl, KeepAliveConfig: peerKeepAlive}, "peers", t.cfg.PeerAddr)
	if err != nil {
		closeAll(acceptors)
		return nil, err
	}
	return append(acceptors, &acceptor{t: t, listener: l, newcomers: newNewcomers(newPeers, 0), allows: t.peersOnly,
		endpoint: func(o *origin) endpoint { return newLink(t, o, 0, 0) }}), nil
}

// Addrs returns the addresses that the listeners are bound to, which matters if the configured port is 0; peer is nil
// if the replica has no peers. They are known from the first posted function on. Any goroutine may call it.
func (t *Transport) Addrs() (client, peer net.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clientAddr, t.peerAddr
}

func closeAll(acceptors []*acceptor) {
	for _, a := range acceptors {
		_ = a.listener.Close() // closing twice is harmless
	}
}

// Client returns the open client connection with that id, or nil if it is gone.
func (t *Transport) Client(id uint64) *Client { return t.clients.find(id) }
