// Package node is a whole replica but for its surroundings: the protocol (replica/paxos), the batches that it proposes
// (batching), and the state that chosen batches are applied to (replica/machine), joined on one goroutine. Sockets,
// threads and clocks are behind Driver, the disk is behind Storage, so that the event loop and the simulator run the very
// same replica.
//
// The page to read first is Node.Round: one round of the loop, which is the way of every command.
package node

import (
	"fmt"
	"math"
	"time"

	"paxosbench/batching"
	"paxosbench/replica/machine"
	"paxosbench/replica/paxos"
	"paxosbench/replica/snapshot"
	"paxosbench/wire"
	"paxosbench/wire/compress"
	"paxosbench/wire/ring"
)

// Config describes a Node. All parts must have been validated.
type Config struct {
	Paxos    paxos.Config
	Batching batching.Config
	Codec    wire.Codec
	Machine  machine.Kind
	State    machine.Config

	// Random draws what nobody outside of the process may guess. It belongs to the node's goroutine.
	Random func() uint64

	// Identity is what the snapshots of the cluster have in common.
	Identity snapshot.Identity

	// SnapshotBytes is how much of the log, in bytes, is applied between two snapshots, or as much as the newest one is
	// long if that is more; 0: one is only taken when a peer needs it.
	SnapshotBytes int

	// Volatile says that the storage keeps no journal: slots that have left the memory are gone.
	Volatile bool

	// Reads says how reads are served that are not commands; with wire.ReadsLog there are none.
	Reads wire.Reads

	// ClientWindow is the most commands and reads that one connection may have in flight. PendingBytes bounds the commands
	// that wait to be proposed, over all clients, where each counts as 64 bytes more, and likewise the reads that wait; 0 stands for
	// 64 MiB. More is answered with BUSY.
	ClientWindow, PendingBytes int

	// SnapshotPiece is about how much of a snapshot is taken in one round: as much work as a batch is. ReplyFrame is where a
	// frame of replies is closed, so that even with a reply of the largest size behind it it fits into a frame. 0 stands for
	// the defaults, 256 KiB and 1 MiB, which are the most that makes sense; tests take less.
	SnapshotPiece, ReplyFrame int

	// ApplyWork is about how much of what is chosen is applied in one round, in bytes, where each command counts as 64 more: no batch is
	// begun after it, and none goes on after twice as much. 0 stands for 1 MiB.
	ApplyWork int

	// KeptDigests is for how many slots the digest of the state is kept, so that replicas can be compared: a power of two. 0
	// stands for 65536, half a MiB.
	KeptDigests int

	// Owners says that clients have to prove who they are: a session is used by nobody but who has registered it.
	Owners bool

	// Unreplicated applies and answers without proposing anything: the bound that replication is measured against.
	Unreplicated bool
}

// Driver is what a Node needs of the world, but for its storage. Its methods are called on the node's goroutine and must
// not call back.
type Driver interface {
	// Send passes a message to a peer, or loses it. The body of an Accept stays the node's and is only valid during
	// the call; any other body is handed over.
	Send(m *wire.Message)

	// Begin returns where to append a frame of answers for an origin, and how many bytes there may be of values with what is
	// around them; ok is false if nobody waits for them any more. If there is not room for any one value, Node.Room has to be
	// called once there is. End takes the grown slice back and says how many commands or reads in flight it answers. What is
	// begun need not be ended.
	Begin(origin batching.Origin) (out []byte, room int, ok bool)
	End(origin batching.Origin, out []byte, answered int)

	// Redirect tells a client which replica leads, as far as this one knows.
	Redirect(origin batching.Origin)

	// Warn says what an operator has to know.
	Warn(text string)

	// Accuse says what a peer has done that no replica does. It has had no effect.
	Accuse(peer wire.ReplicaID, text string)

	// LeaderChanged says that this replica leads, no longer leads, or follows another. Commands that it had accepted
	// while it led and has not answered may or may not take effect; their clients have to ask the new leader. Queries
	// are not answered any more.
	LeaderChanged(lost bool)
}

// Storage is what a Node needs of its disk; replica/storage is the one there is. Its methods are called on the node's
// goroutine and must not call back.
type Storage interface {
	// Append gives a record to the journal. The body is only valid during the call.
	Append(r *wire.Record)

	// Persist makes what has been appended durable, now or later. Records are numbered from 1 since the node was made;
	// Persist returns the newest number known durable. With alone, nothing else is in flight, so that there is
	// nothing to gain from handing the work to another thread. An error is final.
	Persist(alone bool) (durable uint64, err error)

	// Fetch answers a peer that wants slots which are no longer in memory.
	Fetch(f paxos.Fetch)

	SnapshotStore
}

// Node is one replica. It belongs to one goroutine.
type Node struct {
	cfg     Config
	driver  Driver
	storage Storage
	core    *paxos.Core
	builder *batching.Builder
	state   *machine.State

	compressor compress.Compressor
	raw        []byte // the batch being applied, if it had to be decompressed

	leading   bool // as the driver was told last
	leader    wire.ReplicaID
	proposals ring.Queue[proposal]
	begun     begun
	queries   queries
	snapshots snapshots
	pull      pull
	chunks    [wire.MaxReplicas + 1]paxos.Flow // that pulls ask for, by peer
	digests   digests
	judge     judge
	inquiry   inquiry
	term      term      // of this leadership
	sifted    []byte    // see sift
	asked     wire.Slot // by the leader's newest heartbeat
	durable   uint64    // records known durable, of those appended since the node was made
	err       error
	stats     Stats

	answered   int  // bytes of answers that this round has made while it applied
	unfinished bool // see Unfinished
	work       int  // left to be done in this round, of apply
	lag        lag
}

// Stats counts batches and commands since the node was made.
type Stats struct {
	BatchesProposed  uint64                      `json:"batches_proposed"`
	CommandsProposed uint64                      `json:"commands_proposed"`
	BytesProposed    uint64                      `json:"bytes_proposed"`
	Sealed           [batching.NumReasons]uint64 `json:"sealed"`           // batches proposed, by the reason they were sealed
	WindowDepthSum   uint64                      `json:"window_depth_sum"` // slots in flight, this one included, summed over the batches proposed
	BatchesApplied   uint64                      `json:"batches_applied"`
	CommandsApplied  uint64                      `json:"commands_applied"` // answered or applied, whoever proposed them
	Busy             uint64                      `json:"busy"`             // commands and reads refused for now
	Foreign          uint64                      `json:"foreign"`          // commands refused because the session is somebody else's
	QueriesAnswered  uint64                      `json:"queries_answered"` // gets that did not go through the log
	Rounds           uint64                      `json:"rounds"`
	SnapshotsTaken   uint64                      `json:"snapshots_taken"`
	SnapshotsFetched uint64                      `json:"snapshots_fetched"` // of peers, that took the place of this replica's state
	SnapshotsFailed  uint64                      `json:"snapshots_failed"`  // could not be stored
	SnapshotsRefused uint64                      `json:"snapshots_refused"` // of peers, that turned out to be damaged
	MessagesRefused  uint64                      `json:"messages_refused"`  // of peers, that no replica sends
	NotBatches       uint64                      `json:"not_batches"`       // values chosen that were no batches, and did nothing
}

// New returns a node that has never run; see Restore for one that has.
func New(cfg Config, driver Driver, storage Storage, now time.Duration) *Node {
	cfg.Batching.Buffers = cfg.Paxos.Buffers
	if cfg.SnapshotPiece == 0 {
		cfg.SnapshotPiece = snapshotPiece
	}
	if cfg.PendingBytes == 0 {
		cfg.PendingBytes = defaultPendingBytes
	}
	if cfg.ReplyFrame == 0 {
		cfg.ReplyFrame = replyFrameBytes
	}
	if cfg.ApplyWork == 0 {
		cfg.ApplyWork = applyWork
	}
	if cfg.KeptDigests == 0 {
		cfg.KeptDigests = keptDigests
	}
	return &Node{
		cfg:       cfg,
		driver:    driver,
		storage:   storage,
		core:      paxos.New(cfg.Paxos, now),
		builder:   batching.NewBuilder(cfg.Batching),
		state:     machine.NewState(machine.New(cfg.Machine, cfg.hashKey()), cfg.State),
		snapshots: newSnapshots(&cfg),
		chunks:    newChunkFlows(&cfg.Paxos),
		digests:   newDigests(cfg.KeptDigests),
	}
}

// hashKey draws the key of a store's hash.
func (c *Config) hashKey() machine.HashKey { return machine.HashKey{A: c.Random(), B: c.Random()} }

// Core returns the protocol, to look at.
func (n *Node) Core() *paxos.Core { return n.core }

// State returns the replicated state, to look at and to take snapshots of.
func (n *Node) State() *machine.State { return n.state }

// Stats returns the counters.
func (n *Node) Stats() Stats { return n.stats }

// Pending returns the commands and bytes that wait to be proposed.
func (n *Node) Pending() (commands, bytes int) { return n.builder.Pending() }

// Leads reports whether this replica takes commands.
func (n *Node) Leads() bool { return n.leading || n.cfg.Unreplicated }

// Forget says that this replica may have voted what it no longer remembers (see paxos.Core.Forget).
func (n *Node) Forget() { n.core.Forget() }

// Restore takes one record of the journal of an earlier life, in order and before anything else.
func (n *Node) Restore(r *wire.Record) error {
	if r.Kind == wire.RecordAccept && checkBatch(&r.Payload) != nil {
		// This replica has proposed it when it was broken. No other has accepted it, and it is not to be proposed again.
		r = &wire.Record{Kind: wire.RecordPromise, Ballot: r.Ballot, Commit: r.Commit}
	}
	n.core.Restore(r)
	n.work = math.MaxInt / 2 // everything at once: nobody waits
	n.apply()
	n.core.TrimRestored(n.state.Applied())
	return n.err
}

// Step takes a message from another replica. The node owns its body from here on. An error says that it is none that a replica
// sends: it has had no effect, and the connection is to be closed.
func (n *Node) Step(now time.Duration, m *wire.Message) error {
	if !n.isPeer(m.From) {
		return nil
	}
	if err := screen(m); err != nil {
		n.stats.MessagesRefused++
		n.cfg.Paxos.Buffers.Put(m.Body)
		return err
	}
	switch m.Type {
	case wire.TypeSnapshotFetch:
		n.onSnapshotFetch(now, m)
	case wire.TypeSnapshotChunk:
		n.onSnapshotChunk(now, m)
	default:
		n.compare(now, m)
		n.notePeer(now, m)
		n.core.Step(now, m)
		n.observe()
	}
	return nil
}

// Arriving tells the node that bytes of a message from a peer have come, and not all of them (see paxos.Core.Arriving).
func (n *Node) Arriving(now time.Duration, from wire.ReplicaID, t wire.Type) {
	if t == wire.TypeSnapshotChunk && from == n.pull.peer {
		n.pull.heard, n.pull.acted = now, now
	}
	n.core.Arriving(now, from, t)
}

// Gone tells the node that a peer's process seems to have ended (see paxos.Core.Gone).
func (n *Node) Gone(now time.Duration, id wire.ReplicaID) {
	n.core.Gone(now, id)
	if n.pull.peer == id && n.pull.state == nil {
		n.cancelPull()
	}
}

// Tick tells the node the time; several times a heartbeat.
func (n *Node) Tick(now time.Duration) {
	if n.cfg.Unreplicated {
		return
	}
	n.core.Tick(now)
	n.observe()
	n.tickJudge(now)
	n.tickInquiry(now)
	n.tickSnapshots(now)
}

// Persisted tells the node that its first records, so many, are durable.
func (n *Node) Persisted(now time.Duration, records uint64) {
	n.durable = records
	n.core.Persisted(now, records)
	n.observe()
}

// Round carries whatever has arrived since the last one on its way: batches are sealed and proposed while the window
// has room, records go to the journal and messages to the peers, and chosen batches are applied and answered. Where one
// step makes room for another, it goes round again. Then come the queries that the state can answer. now must have been
// read after everything had arrived. An error is final.
func (n *Node) Round(now time.Duration) error {
	if n.err != nil {
		return n.err
	}
	n.stats.Rounds++
	n.answered, n.unfinished, n.work = 0, false, n.cfg.ApplyWork
	n.lag.begin(now)
	n.askForRound(now)
	for again := true; again && n.err == nil; {
		proposed := n.propose(now)
		durable := n.carryOut(now)
		applied := n.apply()
		again = proposed || durable || applied
	}
	if n.err != nil {
		return n.err
	}
	n.lag.behind = !n.caughtUp()
	n.answerQueries(now)
	n.core.Trim(n.state.Applied())
	n.takeSnapshot()
	n.resumePull(now)
	return n.err
}

// Stop has the journal know what this replica knows to be chosen, before it is closed: an orderly stop forgets nothing.
// Nothing is sent any more. What was appended remains to be made durable.
func (n *Node) Stop() {
	n.append(n.core.Ready())
	n.core.RecordCommit()
	n.append(n.core.Ready())
}

func (n *Node) append(ready *paxos.Ready) {
	for i := range ready.Records {
		n.storage.Append(&ready.Records[i])
	}
}

// Deadline returns when a batch becomes due that is not due now, if there is one.
func (n *Node) Deadline() (time.Duration, bool) { return n.builder.Deadline() }

// observe tells the driver about a change of leadership as soon as it has happened.
func (n *Node) observe() {
	leads, leader := n.core.Role() == paxos.Leader, n.core.Leader()
	if leads == n.leading && leader == n.leader {
		return
	}
	lost := n.leading && !leads
	n.judge, n.term = judge{}, term{}
	n.leading, n.leader = leads, leader
	if lost {
		n.builder.Drop(nil)
		n.begun.forget()
		n.dropProposals()
		n.queries.dropAll(n.cfg.Paxos.Buffers)
	}
	n.driver.LeaderChanged(lost)
}

// propose seals batches that are due and proposes them while the window has room.
func (n *Node) propose(now time.Duration) (proposed bool) {
	for n.leading && n.caughtUp() && n.core.CanPropose(now, n.builder.Full()) {
		inFlight, _ := n.core.InFlight()
		batch, ok := n.builder.Next(now, inFlight == 0)
		if !ok {
			break
		}
		n.count(&batch, inFlight+1)
		n.proposals.Push(proposal{n.core.Propose(now, batch.Commands, n.entry(&batch)), batch})
		proposed = true
	}
	return proposed
}

// entry puts the batch into the form in which it is proposed: as it is, or compressed.
func (n *Node) entry(batch *batching.Batch) paxos.Entry {
	e := paxos.Entry{Payload: wire.Payload{RawLen: uint32(len(batch.Body)), BodyCRC: batch.CRC, Checked: true, Body: batch.Body}}
	if n.cfg.Codec == wire.CodecNone {
		return e
	}
	buffers := n.cfg.Paxos.Buffers
	packed, codec := n.compressor.AppendCompressed(buffers.Get(len(batch.Body)), n.cfg.Codec, batch.Body)
	if codec == wire.CodecNone {
		buffers.Put(packed)
		return e
	}
	buffers.Put(batch.Body)
	e.Codec, e.Body, e.BodyCRC = codec, packed, wire.Checksum(packed)
	return e
}

func (n *Node) count(batch *batching.Batch, inFlight int) {
	n.stats.BatchesProposed++
	n.stats.CommandsProposed += uint64(batch.Commands)
	n.stats.BytesProposed += uint64(len(batch.Body))
	n.stats.Sealed[batch.Reason]++
	n.stats.WindowDepthSum += uint64(inFlight)
}

// carryOut does what the protocol wants done. Messages leave before the records are written: the leader's own disk and
// its followers work side by side, and what may only be said afterwards the core holds back itself. It reports whether
// records became durable.
func (n *Node) carryOut(now time.Duration) (durable bool) {
	ready := n.core.Ready()
	for i := range ready.Messages {
		switch m := &ready.Messages[i]; m.Type {
		case wire.TypeHeartbeat:
			m.SetQuestion(n.question())
		case wire.TypeHeartbeatReply:
			n.addDigest(m)
		}
		n.driver.Send(&ready.Messages[i])
	}
	for i := range ready.Fetches {
		n.storage.Fetch(ready.Fetches[i])
	}
	if ready.Snapshot != 0 {
		n.beginPull(now, ready.Snapshot)
	}
	for _, a := range ready.Accusations {
		n.driver.Accuse(a.Peer, a.Text)
	}
	if len(ready.Records) == 0 {
		return false
	}
	n.append(ready)
	done, err := n.storage.Persist(n.core.Ahead() <= 1)
	if err != nil {
		n.Fail(err)
		return false
	}
	if done <= n.durable {
		return false
	}
	n.Persisted(now, done)
	return true
}

func (n *Node) send(to wire.ReplicaID, m wire.Message) {
	m.From, m.To = n.cfg.Paxos.Self, to
	n.driver.Send(&m)
}

// Fail has the node stop with an error of its surroundings: from now on every Round returns it.
func (n *Node) Fail(err error) {
	if n.err == nil {
		n.err = err
	}
}

// fail records a final error.
func (n *Node) fail(format string, args ...any) {
	n.Fail(fmt.Errorf("replica %d: "+format, append([]any{n.cfg.Paxos.Self}, args...)...))
}

// Answer sends a peer what the storage has found for it.
func (n *Node) Answer(to wire.ReplicaID, m wire.Message) {
	if m.Type == wire.TypeEntries {
		m.Commit = n.core.Commit()
	}
	n.send(to, m)
}
