package replica

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"paxosbench/batching"
	"paxosbench/replica/node"
	"paxosbench/replica/storage"
	"paxosbench/replica/transport"
	"paxosbench/wire"
	"paxosbench/wire/secure"
)

// loop owns the replica. It is the transport's Handler and the node's Driver, and all its methods run on the event loop's
// goroutine, except where they say otherwise.
type loop struct {
	cfg       *Config
	log       *slog.Logger
	stop      context.CancelFunc
	why       leaderless
	ready     chan struct{} // closed once the replica votes and knows a leader
	wasReady  bool
	buffers   *wire.Buffers
	transport *transport.Transport
	node      *node.Node
	storage   *storage.Storage

	membership membership

	clients map[*transport.Client]struct{} // that have said hello
	err     atomic.Pointer[error]          // why the replica stops
	alarm   alarm
	trimmer trimmer
	heap    heap
}

// open recovers the replica's state and prepares everything that needs no network.
func open(r *Replica, cfg *Config, incarnation uint64) (*loop, error) {
	log := r.log
	l := &loop{cfg: cfg, log: log, stop: r.cancel, ready: r.ready, buffers: &wire.Buffers{Most: cfg.memoryParts().kept}, clients: make(map[*transport.Client]struct{})}
	l.membership.l = l
	var err error
	tc := cfg.transport(incarnation, l.buffers, log)
	tc.MaxClients, tc.MaxForwarded = cfg.MaxClients, r.files.forwarded
	tc.Membership, tc.Credentials = &l.membership, r.proof
	if l.transport, err = transport.New(tc, l); err != nil {
		return nil, err
	}
	kept := cfg.storage(log)
	kept.Journal.FS = r.progress.files(kept.Journal.FS)
	l.storage = storage.New(kept, newThreads(l.transport.Post, l.transport.Now))
	l.node = node.New(cfg.node(incarnation, l.buffers), l, l.storage, 0)
	if !cfg.Unreplicated {
		if err := l.storage.Open(l.node); err != nil {
			return nil, err
		}
	}
	if err := l.membership.settle(); err != nil {
		return nil, errors.Join(err, l.storage.Close())
	}
	log.Info("replica opened", "id", cfg.ID, "cluster", l.membership.Cluster(), "members", len(cfg.Members), "quorum2", cfg.quorum2(),
		"durability", cfg.Durability, "records", l.storage.Base(), "applied", l.node.State().Applied(), "ballot", l.node.Core().Ballot(), "voting", l.node.Core().Voting())
	return l, nil
}

// fail makes the replica stop: it answers nothing any more, and Run returns err. Any goroutine may call it.
func (l *loop) fail(err error) {
	if l.err.CompareAndSwap(nil, &err) {
		l.log.Error("replica stops", "err", err)
	}
	l.stop()
}

// failure returns what fail was called with, or nil.
func (l *loop) failure() error {
	if err := l.err.Load(); err != nil {
		return *err
	}
	return nil
}

// ClientHello welcomes a client and tells it who leads.
func (l *loop) ClientHello(c *transport.Client, h wire.ClientHello) {
	cluster := l.membership.Cluster()
	if h.Cluster != 0 && h.Cluster != cluster {
		c.Refuse(fmt.Sprintf("wrong cluster: this is cluster %d, the client wants %d", cluster, h.Cluster))
		return
	}
	client := l.node.NewClient(batching.Origin(c.ID()), h.Window)
	client.Owner = ownerOf(c.Identity())
	c.Data, l.clients[c] = client, struct{}{}
	leader := l.leader()
	c.Touch()
	c.Out = wire.AppendWelcome(c.Out, wire.Welcome{
		Cluster: cluster, Ballot: l.node.Core().Ballot(), Window: uint32(client.Window),
		Replica: l.cfg.ID, Leader: leader, Reads: l.cfg.Reads, Alike: true, LeaderAddr: l.clientAddr(leader),
	})
}

// ownerOf returns the number that sessions know a client by, 0 if nobody has to prove who they are. It is the same on all
// replicas, and lasts.
func ownerOf(id secure.Identity) uint64 {
	if id == (secure.Identity{}) {
		return 0
	}
	sum := sha256.Sum256([]byte(id.String()))
	return max(binary.LittleEndian.Uint64(sum[:]), 1)
}

// leader returns the replica that takes commands, 0 if unknown.
func (l *loop) leader() wire.ReplicaID {
	if l.cfg.Unreplicated {
		return l.cfg.ID
	}
	core := l.node.Core()
	id := core.Leader()
	if core.Voting() || id == 0 {
		return id
	}
	return l.stillHeard(id, l.transport.Now()-core.Election().LeaderHeard)
}

// stillHeard returns the leader that a replica without a vote has heard of, and that has been silent for some time since. Whoever
// votes asks for a new one in time; such a replica would believe in one that is gone until it hears of another.
func (l *loop) stillHeard(id wire.ReplicaID, silent time.Duration) wire.ReplicaID {
	if silent > l.electionTakes() {
		return 0
	}
	return id
}

// clientAddr returns where a replica serves clients. For this one that is known best from the listener: the configuration
// may leave the port to the system.
func (l *loop) clientAddr(id wire.ReplicaID) string {
	addr := l.cfg.member(id).Client
	if port, err := portOf(addr); id == l.cfg.ID && err == nil && port == 0 {
		bound, _ := l.transport.Addrs()
		return bound.String()
	}
	return addr
}

// Waits reports whether a client has commands or reads in flight.
func (l *loop) Waits(c *transport.Client) bool { return flowOf(c).InFlight > 0 }

// ClientClosed forgets a client. Its commands take their course.
func (l *loop) ClientClosed(c *transport.Client) {
	delete(l.clients, c)
	if client, ok := c.Data.(*node.Client); ok { // not if it was refused
		l.node.ClientClosed(client)
	}
}

// Room tells the node that a client has room for answers again.
func (l *loop) Room(c *transport.Client) { l.node.Room(flowOf(c)) }

// Request passes a client's commands to the node.
func (l *loop) Request(c *transport.Client, body []byte) error {
	return l.node.Request(l.transport.Now(), flowOf(c), body)
}

// Query passes a client's reads to the node.
func (l *loop) Query(c *transport.Client, body []byte) error { return l.node.Query(flowOf(c), body) }

// flowOf returns what the node keeps of a client that has said hello.
func flowOf(c *transport.Client) *node.Client { return c.Data.(*node.Client) }

// Redirect tells a client who leads. The client sends what is unanswered there.
func (l *loop) Redirect(origin batching.Origin) {
	if c := l.transport.Client(uint64(origin)); c != nil {
		l.redirect(c)
	}
}

func (l *loop) redirect(c *transport.Client) {
	leader := l.leader()
	c.Touch()
	c.Out = wire.AppendRedirect(c.Out, wire.Redirect{
		Ballot: l.node.Core().Ballot(), Leader: leader, LeaderAddr: l.clientAddr(leader),
	})
}

// Arriving passes on that a message of a peer is on its way.
func (l *loop) Arriving(from wire.ReplicaID, t wire.Type) {
	l.node.Arriving(l.transport.Now(), from, t)
}

// Gone tells the node that a peer's process seems to have ended.
func (l *loop) Gone(id wire.ReplicaID) {
	if !l.cfg.Unreplicated {
		l.node.Gone(l.transport.Now(), id)
	}
}

// Message passes a peer's message to the protocol. A heartbeat may begin the grant of a lease, which must not begin
// before the heartbeat has come: this iteration's time may have been read long before.
func (l *loop) Message(m *wire.Message) error {
	now := l.transport.Now()
	if m.Type == wire.TypeHeartbeat {
		now = l.transport.ReadClock()
	}
	return l.node.Step(now, m)
}

// Tick passes the time on.
func (l *loop) Tick(now time.Duration) {
	l.node.Tick(now)
	l.storage.Tick()
	l.tickLeaderless(now)
	l.trimmer.tick(now, l.buffers, l.transport, l.cfg.memory())
	l.limitHeap(now)
	l.noteReady()
}

// noteReady tells who waits in Replica.Ready, once.
func (l *loop) noteReady() {
	if !l.wasReady && l.notReady() == "" {
		l.wasReady = true
		close(l.ready)
	}
}

// Round ends an iteration of the event loop: see node.Round. The transport writes the replies afterwards.
func (l *loop) Round(now time.Duration) {
	if l.failure() != nil {
		return
	}
	if err := l.node.Round(now); err != nil {
		l.fail(err)
	}
	if l.node.Unfinished() {
		l.transport.Again()
	}
	deadline, waits := l.node.Deadline()
	l.alarm.watch(now, deadline, waits)
}

// startAlarm prepares for batches that linger. It returns what releases the alarm after the loop has ended.
func (l *loop) startAlarm() (release func(), err error) {
	if l.cfg.Linger == 0 {
		return func() {}, nil
	}
	rang := l.alarm.rang
	timer, err := newSystemTimer(func() { l.transport.Post(rang) })
	if err != nil {
		return nil, err
	}
	l.alarm.timer, l.alarm.clock = timer, l.transport.ReadClock
	return timer.close, nil
}

// Send passes a message to a peer, or loses it.
func (l *loop) Send(m *wire.Message) {
	l.transport.Send(m.To, m)
	if m.Type != wire.TypeAccept {
		l.buffers.Put(m.Body)
	}
}

// Begin returns where to append a frame of answers for a client that is still there.
func (l *loop) Begin(origin batching.Origin) (out []byte, room int, ok bool) {
	c := l.transport.Client(uint64(origin))
	if c == nil {
		return nil, 0, false
	}
	return c.Begin()
}

// End takes back what Begin returned.
func (l *loop) End(origin batching.Origin, out []byte, answered int) {
	c := l.transport.Client(uint64(origin))
	c.End(out)
	flowOf(c).Answered(answered)
}

// Warn tells the operator.
func (l *loop) Warn(text string) { l.log.Error(text) }

// Accuse tells the operator what a peer has done that no replica does.
func (l *loop) Accuse(peer wire.ReplicaID, text string) {
	l.log.Error("a peer says what cannot be", "peer", peer, "what", text)
}

// LeaderChanged tells clients that wait for a lost leadership where to go. Those that come later may be handed on.
func (l *loop) LeaderChanged(lost bool) {
	core := l.node.Core()
	l.log.Info("leader changed", "leader", core.Leader(), "ballot", core.Ballot(), "role", core.Role())
	if l.cfg.Forward {
		l.transport.ForwardTo(l.elsewhere(core.Leader()))
	}
	if !lost {
		return
	}
	for c := range l.clients {
		flowOf(c).Forgotten()
		l.redirect(c)
	}
}

// elsewhere returns where a leader serves clients, empty if it is this replica or nobody.
func (l *loop) elsewhere(leader wire.ReplicaID) string {
	if leader == 0 || leader == l.cfg.ID {
		return ""
	}
	return l.cfg.member(leader).Client
}
