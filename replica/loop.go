package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"paxosbench/batching"
	"paxosbench/replica/machine"
	"paxosbench/replica/node"
	"paxosbench/replica/storage"
	"paxosbench/replica/transport"
	"paxosbench/wire"
)

// maxPendingBytes bounds the commands that wait to be proposed, over all clients; what comes on top is answered with
// BUSY.
const maxPendingBytes = 64 << 20

// maxRoundReplies bounds what one round appends for a client, which may ask for far more than it sends: large values, many
// at a time. The connection is closed behind it, and the client asks again for the rest.
const maxRoundReplies = 64 << 20

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

	clients map[*transport.Client]struct{} // that have said hello
	start   int                            // where the frame of answers being written begins in its client's Out
	busy    uint64                         // commands and queries answered with BUSY
	err     atomic.Pointer[error]          // why the replica stops
}

// open recovers the replica's state and prepares everything that needs no network.
func open(r *Replica, cfg *Config, incarnation uint64) (*loop, error) {
	log := r.log
	l := &loop{cfg: cfg, log: log, stop: r.cancel, ready: r.ready, buffers: new(wire.Buffers), clients: make(map[*transport.Client]struct{})}
	var err error
	if l.transport, err = transport.New(cfg.transport(incarnation, l.buffers, log), l); err != nil {
		return nil, err
	}
	kept := cfg.storage(log)
	kept.Journal.FS = r.progress.files(kept.Journal.FS)
	l.storage = storage.New(kept, threads{l.transport.Post, l.transport.Now})
	l.node = node.New(cfg.node(incarnation, l.buffers), l, l.storage, 0)
	if !cfg.Unreplicated {
		if err := l.storage.Open(l.node); err != nil {
			return nil, err
		}
	}
	log.Info("replica opened", "id", cfg.ID, "cluster", cfg.ClusterID, "members", len(cfg.Members), "quorum2", cfg.quorum2(),
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
	if h.Cluster != 0 && h.Cluster != l.cfg.ClusterID {
		c.Refuse(fmt.Sprintf("wrong cluster: this is cluster %d, the client wants %d", l.cfg.ClusterID, h.Cluster))
		return
	}
	l.clients[c] = struct{}{}
	window := uint32(l.cfg.ClientWindow)
	if h.Window != 0 {
		window = min(window, h.Window)
	}
	leader := l.leader()
	c.Touch()
	c.Out = wire.AppendWelcome(c.Out, wire.Welcome{
		Cluster: l.cfg.ClusterID, Ballot: l.node.Core().Ballot(), Window: window,
		Replica: l.cfg.ID, Leader: leader, Reads: l.cfg.Reads, LeaderAddr: l.clientAddr(leader),
	})
}

// leader returns the replica that takes commands, 0 if unknown.
func (l *loop) leader() wire.ReplicaID {
	if l.cfg.Unreplicated {
		return l.cfg.ID
	}
	return l.node.Core().Leader()
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

// ClientClosed forgets a client. Its commands take their course.
func (l *loop) ClientClosed(c *transport.Client) { delete(l.clients, c) }

// Request admits a fragment to the open batch.
func (l *loop) Request(c *transport.Client, body []byte) error {
	info, err := wire.DecodeFragment(body)
	if err != nil {
		return err
	}
	if !l.node.Leads() {
		l.redirect(c)
		return nil
	}
	_, waiting := l.node.Pending()
	if c.InFlight+info.Commands > l.cfg.ClientWindow || waiting > maxPendingBytes {
		l.refuse(c, body, info, wire.TypeReply)
		return nil
	}
	c.InFlight += info.Commands
	l.node.Request(l.transport.Now(), batching.Origin(c.ID()), body, info)
	return nil
}

// Query admits a fragment of gets that are not to go through the log.
func (l *loop) Query(c *transport.Client, body []byte) error {
	if l.cfg.Reads == wire.ReadsLog {
		return errors.New("this cluster serves gets through the log, as commands; see --reads")
	}
	info, err := wire.DecodeFragment(body)
	if err != nil {
		return err
	}
	if err := machine.CheckQuery(body); err != nil {
		return err
	}
	if !l.node.Leads() {
		l.redirect(c)
		return nil
	}
	if c.InFlight+info.Commands > l.cfg.ClientWindow || l.node.QueryBytes() > maxPendingBytes {
		l.refuse(c, body, info, wire.TypeQueryReply)
		return nil
	}
	c.InFlight += info.Commands
	l.node.Query(batching.Origin(c.ID()), body)
	return nil
}

// redirect tells a client who leads. The client sends what is unanswered there.
func (l *loop) redirect(c *transport.Client) {
	leader := l.leader()
	c.Touch()
	c.Out = wire.AppendRedirect(c.Out, wire.Redirect{
		Ballot: l.node.Core().Ballot(), Leader: leader, LeaderAddr: l.clientAddr(leader),
	})
}

// refuse answers every run of a fragment with BUSY.
func (l *loop) refuse(c *transport.Client, fragment []byte, info wire.FragmentInfo, answer wire.Type) {
	l.busy += uint64(info.Commands)
	c.Touch()
	start := len(c.Out)
	c.Out = wire.BeginFrame(c.Out)
	for len(fragment) > 0 {
		run, n, err := wire.DecodeRun(fragment)
		if err != nil {
			panic("BUG: checked fragment does not decode: " + err.Error())
		}
		c.Out = wire.AppendUniformReply(c.Out, run.Session, run.First, run.Count, wire.StatusBusy)
		fragment = fragment[n:]
	}
	wire.EndFrame(c.Out, start, answer)
}

// Message passes a peer's message to the protocol. A heartbeat may begin the grant of a lease, which must not begin
// before the heartbeat has come: this iteration's time may have been read long before.
func (l *loop) Message(m *wire.Message) {
	now := l.transport.Now()
	switch m.Type {
	case wire.TypeHeartbeat:
		now = l.transport.ReadClock()
	case wire.TypeRejoin:
		l.why.nonVoting[m.From] = now
	}
	l.node.Step(now, m)
}

// Tick passes the time on.
func (l *loop) Tick(now time.Duration) {
	l.node.Tick(now)
	l.storage.Tick()
	l.tickLeaderless(now)
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
}

// Send passes a message to a peer, or loses it.
func (l *loop) Send(m *wire.Message) {
	l.transport.Send(m.To, m)
	if m.Type != wire.TypeAccept {
		l.buffers.Put(m.Body)
	}
}

// Replies begins a Reply frame for a client that is still there.
func (l *loop) Replies(origin batching.Origin) []byte { return l.beginAnswers(origin) }

// Answered ends the Reply frame that Replies began.
func (l *loop) Answered(origin batching.Origin, replies []byte, commands int) {
	l.endAnswers(origin, replies, commands, wire.TypeReply)
}

// QueryReplies begins a QueryReply frame for a client that is still there.
func (l *loop) QueryReplies(origin batching.Origin) []byte { return l.beginAnswers(origin) }

// QueriesAnswered ends the QueryReply frame that QueryReplies began.
func (l *loop) QueriesAnswered(origin batching.Origin, replies []byte, gets int) {
	l.endAnswers(origin, replies, gets, wire.TypeQueryReply)
}

func (l *loop) beginAnswers(origin batching.Origin) []byte {
	c := l.transport.Client(uint64(origin))
	if c != nil && len(c.Out) > maxRoundReplies {
		c.Close() // it comes again for the rest
	}
	if c == nil || !c.Touch() {
		return nil
	}
	l.start = len(c.Out)
	return wire.BeginFrame(c.Out)
}

func (l *loop) endAnswers(origin batching.Origin, replies []byte, answered int, frame wire.Type) {
	c := l.transport.Client(uint64(origin))
	wire.EndFrame(replies, l.start, frame)
	c.Out = replies
	c.InFlight -= answered
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
		c.InFlight = 0
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
