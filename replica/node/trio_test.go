package node_test

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"paxosbench/batching"
	"paxosbench/pipeline"
	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/replica/machine"
	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
	"paxosbench/replica/snapshot"
	"paxosbench/replica/storage"
	"paxosbench/replica/storage/storagetest"
	"paxosbench/wire"
)

// trio is three replicas on one goroutine. Messages are delivered in order, records are durable at once, and a
// snapshot's pieces are written when the replica has had its round.
type trio struct {
	t        *testing.T
	now      time.Duration
	replicas [4]*replica // by id
	queue    []wire.Message
	lose     func(m *wire.Message) bool // nil: nothing
	narrow   narrow
	volatile bool
	leases   bool
	owners   bool
	random   func() uint64 // nil: always the same
	snapshot int           // Config.SnapshotBytes
	pin      int           // Config.PinBytes
	kept     int           // Config.KeptDigests
	work     int           // Config.ApplyWork
	seq      wire.Seq
	rng      *rand.Rand
}

// replica is one of them, and the Driver of its node.
type replica struct {
	*storage.Storage
	trio   *trio
	id     wire.ReplicaID
	up     bool
	doomed bool // it is to fail, and died says why
	died   error
	node   *node.Node

	fs     *memfs.FS
	runner *storagetest.Runner
	full   bool           // the store has no room for snapshots
	pieces int            // of snapshots, handed over so far
	begun  []begun        // snapshots of its own
	told   []wire.Message // by its own storage, see has

	clients     map[batching.Origin]*node.Client
	rooms       map[batching.Origin]int // for the values of a frame of answers; those of others have all the room they want
	answers     []answer
	redirected  []batching.Origin
	warnings    []string
	accusations []string
}

// answer is a frame of answers.
type answer struct {
	origin batching.Origin
	kind   wire.Type
	runs   []byte
}

// begun is what a state looked like when its snapshot was begun.
type begun struct {
	slot   wire.Slot
	digest uint64
}

const (
	dataDir       = "data"
	testHeartbeat = 10 * time.Millisecond
	testTick      = 5 * time.Millisecond
	testTimeout   = 100 * time.Millisecond
	testLogBytes  = 64 << 10
	testWindow    = 1 << 16
)

func newTrio(t *testing.T, volatile bool) *trio {
	c := &trio{t: t, volatile: volatile, rng: rand.New(rand.NewPCG(1, 2)), pin: 1 << 20, snapshot: 1 << 20}
	if volatile {
		c.snapshot = 0
	}
	for id := wire.ReplicaID(1); id <= 3; id++ {
		c.replicas[id] = &replica{trio: c, id: id, fs: memfs.New()}
	}
	return c
}

// start starts all replicas, waits for a leader and opens the session.
func (c *trio) start() {
	for id := wire.ReplicaID(1); id <= 3; id++ {
		c.replicas[id].start(false)
	}
	c.until("a leader", func() bool { return c.leader() != nil })
	c.request(wire.AppendCommand(nil, wire.OpRegister, 0, nil, nil), 0, 1)
	c.settle()
}

func (r *replica) config() node.Config {
	c := r.trio
	return node.Config{
		Paxos: paxos.Config{
			Self: r.id, Replicas: []wire.ReplicaID{1, 2, 3}, Quorum1: 2, Quorum2: 2,
			Heartbeat: testHeartbeat, ElectionTimeout: testTimeout,
			Depth: pipeline.Depth{N: 16}, WindowBytes: 4 << 20, LogBytes: testLogBytes, PinBytes: c.pin,
			Leases: c.leases, Seed: uint64(r.id), Buffers: new(wire.Buffers),
		},
		Batching:      batching.Config{Policy: batching.Policy{Kind: batching.Adaptive}, MaxBytes: 1 << 20},
		Machine:       machine.KindKV,
		State:         machine.DefaultConfig(),
		Random:        c.draw,
		Owners:        c.owners,
		Identity:      snapshot.Identity{Cluster: 1, Settings: 2},
		SnapshotBytes: c.snapshot,
		KeptDigests:   c.kept,
		ApplyWork:     c.work,
		Volatile:      c.volatile,
		Reads:         wire.ReadsIndex,
		ClientWindow:  testWindow,
	}
}

// draw is Config.Random.
func (c *trio) draw() uint64 {
	if c.random == nil {
		return 1 << 20
	}
	return c.random()
}

// start begins a life of the replica with what the earlier ones have left. One that rejoins may have lost its disk.
func (r *replica) start(rejoin bool) {
	c, cfg := r.trio, r.config()
	durability := journal.DurabilityFsync
	if c.volatile {
		durability = journal.DurabilityNone
	}
	r.up, r.runner, r.clients = true, new(storagetest.Runner), map[batching.Origin]*node.Client{}
	r.rooms = map[batching.Origin]int{}
	r.Storage = storage.New(storage.Config{
		Journal: journal.Options{
			FS: r.fs, Dir: dataDir, Durability: durability, SegmentBytes: 16 * journal.BlockSize, Salt: 1,
			Identity: journal.Identity{Cluster: 1, Replica: r.id}, Bootstrap: !rejoin, Rejoin: rejoin,
		},
		Snapshots: cfg.Identity,
	}, r.runner)
	r.node = node.New(cfg, r, r, c.now)
	if err := r.Open(r.node); err != nil {
		c.t.Fatalf("replica %d: %v", r.id, err)
	}
}

// stop ends the process.
func (r *replica) stop() { r.up, r.fs = false, r.fs.Restart() }

// loseDisk has the replica begin with nothing at the next start.
func (r *replica) loseDisk() { r.fs = memfs.New() }

// step lets one tick pass.
func (c *trio) step() {
	c.now += testTick
	queue := append(c.queue, c.narrow.arrived(c.now)...)
	c.queue = nil
	for i := range queue {
		if r := c.replicas[queue[i].To]; r.up {
			r.node.Step(c.now, &queue[i])
			r.round()
		}
	}
	for id := wire.ReplicaID(1); id <= 3; id++ {
		if r := c.replicas[id]; r.up {
			r.runner.Time = c.now
			r.node.Tick(c.now)
			r.round()
			r.Tick()
		}
	}
}

// narrow is the way to one replica if it has a bandwidth, the same for all messages, and a delay.
type narrow struct {
	to             wire.ReplicaID // 0: none
	bytesPerSecond int
	delay          time.Duration
	free           time.Duration // when what has been sent has left
	underway       []wire.Message
	due            []time.Duration // of these
	bytes          int             // of chunks, so far
}

func (w *narrow) send(now time.Duration, m wire.Message) {
	if m.Type == wire.TypeSnapshotChunk {
		w.bytes += len(m.Body)
	}
	w.free = max(w.free, now) + time.Duration(wire.MessageHeaderSize+len(m.Body))*time.Second/time.Duration(w.bytesPerSecond)
	w.underway, w.due = append(w.underway, m), append(w.due, w.free+w.delay)
}

// arrived takes what has arrived.
func (w *narrow) arrived(now time.Duration) []wire.Message {
	n := 0
	for n < len(w.due) && w.due[n] <= now {
		n++
	}
	arrived := w.underway[:n]
	w.underway, w.due = w.underway[n:], w.due[n:]
	return arrived
}

// round has the replica do what there is to do, and then its threads.
func (r *replica) round() {
	if err := r.node.Round(r.trio.now); err != nil && r.doomed {
		r.died, r.up, r.fs = err, false, r.fs.Restart()
	} else if err != nil {
		r.trio.t.Fatal(err)
	}
	r.runner.Run()
}

func (c *trio) until(what string, done func() bool) {
	c.t.Helper()
	for range 4000 {
		if done() {
			return
		}
		c.step()
	}
	c.t.Fatalf("no %s: %s", what, c)
}

func (c *trio) leader() *replica {
	for id := wire.ReplicaID(1); id <= 3; id++ {
		if r := c.replicas[id]; r.up && r.node.Leads() {
			return r
		}
	}
	return nil
}

// follower returns a replica that does not lead.
func (c *trio) follower() *replica {
	if c.leader().id == 1 {
		return c.replicas[2]
	}
	return c.replicas[1]
}

// request sends a run of one session to the leader.
func (c *trio) request(commands []byte, session wire.SessionID, count int) {
	first := wire.Seq(1)
	if session != 0 {
		first = c.seq + 1
		c.seq += wire.Seq(count)
	}
	fragment := wire.AppendRunHeader(nil, session, first, first-1, count, len(commands))
	fragment = append(fragment, commands...)
	leader := c.leader()
	if err := leader.node.Request(c.now, leader.client(0), fragment); err != nil {
		c.t.Fatal(err)
	}
	leader.round()
}

// put writes n records of a random kilobyte each, under keys of their own among keys.
func (c *trio) put(n, keys int) {
	value := make([]byte, 1<<10)
	for range n {
		for i := range value {
			value[i] = byte(c.rng.Uint32())
		}
		key := binary.LittleEndian.AppendUint64(nil, c.rng.Uint64N(uint64(keys)))
		c.request(wire.AppendCommand(nil, wire.OpPut, 0, key, value), wire.MakeSessionID(1, 0), 1)
		c.step()
	}
}

// settle waits until all replicas that are up have applied the same, and compares them.
func (c *trio) settle() {
	c.t.Helper()
	leader := c.leader()
	c.until("agreement", func() bool {
		return !slices.ContainsFunc(c.replicas[1:], func(r *replica) bool {
			return r.up && (r.node.State().Applied() != leader.node.State().Applied() || !r.node.Core().Voting())
		})
	})
	want := leader.node.State()
	for _, r := range c.replicas[1:] {
		if got := r.node.State(); r.up && got.Digest() != want.Digest() {
			c.t.Fatalf("replica %d differs at slot %d", r.id, got.Applied())
		}
	}
}

// String describes the replicas, for failures.
func (c *trio) String() string {
	b := ""
	for _, r := range c.replicas[1:] {
		core := r.node.Core()
		b += "[" + slog.Group("", "id", r.id, "up", r.up, "role", core.Role(), "voting", core.Voting(), "commit", core.Commit(),
			"applied", r.node.State().Applied(), "first", core.FirstSlot(), "snapshots", r.node.Snapshots(), "pull", r.node.Pull()).String() + "] "
	}
	return b
}

// Send implements node.Driver.
func (r *replica) Send(m *wire.Message) {
	sent := *m
	sent.Body = slices.Clone(m.Body)
	switch c := r.trio; {
	case sent.To == r.id:
		r.told = append(r.told, sent)
	case c.lose != nil && c.lose(&sent):
	case sent.To == c.narrow.to:
		c.narrow.send(c.now, sent)
	default:
		c.queue = append(c.queue, sent)
	}
}

// Persist implements node.Storage: records are durable at once.
func (r *replica) Persist(bool) (uint64, error) { return r.Storage.Persist(true) }

// Begin implements node.Driver. Nobody waits for answers to origin 0.
func (r *replica) Begin(origin batching.Origin) ([]byte, int, bool) {
	if room, ok := r.rooms[origin]; ok {
		return nil, room, origin != 0
	}
	return nil, wire.MaxBody, origin != 0
}

// End implements node.Driver.
func (r *replica) End(origin batching.Origin, out []byte, answered int) {
	h, err := wire.DecodeHeader(out)
	if err != nil || h.CheckBody(out[h.Size:]) != nil {
		r.trio.t.Fatalf("replica %d answers with what is no frame: %v", r.id, err)
	}
	r.clients[origin].Answered(answered)
	r.answers = append(r.answers, answer{origin, h.Type, out[h.Size:]})
}

// Redirect implements node.Driver.
func (r *replica) Redirect(origin batching.Origin) { r.redirected = append(r.redirected, origin) }

// client returns the connection of an origin, with as large a window as there is.
func (r *replica) client(origin batching.Origin) *node.Client {
	if r.clients[origin] == nil {
		r.clients[origin] = r.node.NewClient(origin, 0)
	}
	return r.clients[origin]
}

// Warn implements node.Driver.
func (r *replica) Warn(text string) { r.warnings = append(r.warnings, text) }

// Accuse implements node.Driver.
func (r *replica) Accuse(peer wire.ReplicaID, text string) {
	r.accusations = append(r.accusations, fmt.Sprintf("%d: %s", peer, text))
}

// LeaderChanged implements node.Driver.
func (r *replica) LeaderChanged(bool) {}

// has reports whether the replica can tell a peer what was chosen for a slot.
func (r *replica) has(slot wire.Slot) bool {
	if r.node.Core().FirstSlot() <= slot {
		return true
	}
	r.told = nil
	r.Fetch(paxos.Fetch{Peer: r.id, From: slot, Through: slot, MaxBytes: 1})
	r.runner.Run()
	return len(r.told) == 1 && !r.told[0].Truncated()
}

// stores reports whether there is a snapshot that a peer could get.
func (r *replica) stores() bool {
	r.told = nil
	r.SendSnapshot(r.id, 0, 0, 1)
	r.runner.Run()
	return len(r.told) == 1 && r.told[0].Size() > 0
}

// BeginSnapshot implements node.Storage.
func (r *replica) BeginSnapshot(slot wire.Slot, form snapshot.Form) {
	if state := r.node.State(); form == snapshot.Raw {
		r.begun = append(r.begun, begun{slot, state.Digest()})
	}
	r.Storage.BeginSnapshot(slot, form)
}

// WriteSnapshot implements node.Storage.
func (r *replica) WriteSnapshot(piece []byte) {
	r.pieces++
	r.Storage.WriteSnapshot(piece)
}

// SnapshotRoom implements node.Storage.
func (r *replica) SnapshotRoom() bool { return !r.full && r.Storage.SnapshotRoom() }
