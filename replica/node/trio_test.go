package node

import (
	"encoding/binary"
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
	"paxosbench/replica/paxos"
	"paxosbench/replica/snapshot"
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
	snapshot int // Config.SnapshotBytes
	pin      int // Config.PinBytes
	kept     int // Config.KeptDigests
	seq      wire.Seq
	rng      *rand.Rand
}

// replica is one of them, and both Driver and Storage of its node.
type replica struct {
	trio     *trio
	id       wire.ReplicaID
	up       bool
	doomed   bool // it is to fail, and died says why
	died     error
	node     *Node
	journal  []wire.Record // durable
	appended uint64        // in this life
	covered  wire.Slot     // the journal is not asked for slots up to here

	files  journal.FS
	store  *snapshot.Store
	writer *snapshot.Writer
	slot   wire.Slot // of writer
	full   bool      // the store has no room
	begun  []begun   // snapshots of its own
	jobs   []func()

	clients    map[batching.Origin]*Client
	answers    []answer
	redirected []batching.Origin
	warnings   []string
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
		c.replicas[id] = &replica{trio: c, id: id, files: memfs.New()}
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

func (r *replica) config() Config {
	c := r.trio
	return Config{
		Paxos: paxos.Config{
			Self: r.id, Replicas: []wire.ReplicaID{1, 2, 3}, Quorum1: 2, Quorum2: 2,
			Heartbeat: testHeartbeat, ElectionTimeout: testTimeout,
			Depth: pipeline.Depth{N: 16}, WindowBytes: 4 << 20, LogBytes: testLogBytes, PinBytes: c.pin,
			Leases: c.leases, Seed: uint64(r.id), Buffers: new(wire.Buffers),
		},
		Batching:      batching.Config{Policy: batching.Policy{Kind: batching.Adaptive}, MaxBytes: 1 << 20},
		Machine:       machine.KindKV,
		State:         machine.DefaultConfig(),
		Identity:      snapshot.Identity{Cluster: 1, Settings: 2},
		SnapshotBytes: c.snapshot,
		KeptDigests:   c.kept,
		Volatile:      c.volatile,
		Reads:         wire.ReadsIndex,
		ClientWindow:  testWindow,
	}
}

// start begins a life of the replica with what the earlier ones have left.
func (r *replica) start(forgot bool) {
	t := r.trio.t
	if r.trio.volatile {
		r.files, r.journal = snapshot.NewMemory(), nil
	}
	r.up, r.appended, r.covered, r.writer, r.jobs = true, 0, 0, nil, nil
	r.store = snapshot.NewStore(r.files, "data", r.config().Identity, slog.New(slog.DiscardHandler))
	r.node, r.clients = New(r.config(), r, r, r.trio.now), map[batching.Origin]*Client{}
	state, damaged, err := r.store.Restore(func() *machine.Restorer {
		return machine.NewRestorer(machine.NewKV(), machine.DefaultConfig())
	})
	if err != nil || damaged != nil {
		t.Fatalf("replica %d: %v, %v", r.id, damaged, err)
	}
	if state != nil {
		r.node.RestoreSnapshot(state, r.store.Newest())
		r.covered = state.Applied()
	}
	for i := range r.journal {
		if err := r.node.Restore(&r.journal[i]); err != nil {
			t.Fatal(err)
		}
	}
	if forgot {
		r.node.Forget()
	}
}

func (r *replica) stop() { r.up = false }

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
			r.node.Tick(c.now)
			r.round()
			r.release()
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

// round has the replica do what there is to do, and then the thread that stores its snapshots.
func (r *replica) round() {
	if err := r.node.Round(r.trio.now); err != nil && r.doomed {
		r.died, r.up = err, false
	} else if err != nil {
		r.trio.t.Fatal(err)
	}
	jobs := r.jobs
	r.jobs = nil
	for _, job := range jobs {
		job()
	}
}

// release cuts the journal.
func (r *replica) release() {
	through := r.node.Releasable()
	r.journal = slices.DeleteFunc(r.journal, func(rec wire.Record) bool {
		return rec.Kind != wire.RecordPromise && rec.Slot <= through
	})
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
			"applied", r.node.State().Applied(), "first", core.FirstSlot(), "snapshots", r.node.Snapshots(), "pull", r.node.pull.slot,
			"offset", r.node.pull.offset).String() + "] "
	}
	return b
}

// Send implements Driver.
func (r *replica) Send(m *wire.Message) {
	sent := *m
	sent.Body = slices.Clone(m.Body)
	switch c := r.trio; {
	case c.lose != nil && c.lose(&sent):
	case sent.To == c.narrow.to:
		c.narrow.send(c.now, sent)
	default:
		c.queue = append(c.queue, sent)
	}
}

// Append implements Driver.
func (r *replica) Append(rec *wire.Record) {
	r.appended++
	kept := *rec
	kept.Body = slices.Clone(rec.Body)
	r.journal = append(r.journal, kept)
}

// Persist implements Driver.
func (r *replica) Persist(bool) (uint64, error) { return r.appended, nil }

// Begin implements Driver. Nobody waits for answers to origin 0.
func (r *replica) Begin(origin batching.Origin) ([]byte, bool) { return nil, origin != 0 }

// End implements Driver.
func (r *replica) End(origin batching.Origin, out []byte, answered int) {
	h, err := wire.DecodeHeader(out)
	if err != nil || h.CheckBody(out[h.Size:]) != nil {
		r.trio.t.Fatalf("replica %d answers with what is no frame: %v", r.id, err)
	}
	r.clients[origin].InFlight -= answered
	r.answers = append(r.answers, answer{origin, h.Type, out[h.Size:]})
}

// Redirect implements Driver.
func (r *replica) Redirect(origin batching.Origin) { r.redirected = append(r.redirected, origin) }

// client returns the connection of an origin, with as large a window as there is.
func (r *replica) client(origin batching.Origin) *Client {
	if r.clients[origin] == nil {
		r.clients[origin] = r.node.NewClient(origin, 0)
	}
	return r.clients[origin]
}

// Warn implements Driver.
func (r *replica) Warn(text string) { r.warnings = append(r.warnings, text) }

// LeaderChanged implements Driver.
func (r *replica) LeaderChanged(bool) {}

// Fetch implements Driver.
func (r *replica) Fetch(f paxos.Fetch) {
	var body []byte
	s := f.From
	for ; s <= f.Through && len(body) < f.MaxBytes && !r.trio.volatile && s > r.covered; s++ {
		rec := r.record(s)
		if rec == nil {
			break
		}
		body = wire.AppendEntry(body, &wire.Entry{Slot: s, Ballot: rec.Ballot, Payload: wire.Payload{RawLen: rec.RawLen, BodyCRC: rec.BodyCRC, Body: rec.Body}})
	}
	m := wire.NewEntries(f.From, s-1, r.node.Core().Commit(), body)
	if s == f.From {
		m = wire.NewTruncated(max(f.From+1, r.covered+1), m.Commit)
	}
	m.From, m.To = r.id, f.Peer
	r.Send(&m)
}

// record returns the newest record of a slot.
func (r *replica) record(s wire.Slot) *wire.Record {
	for i := len(r.journal) - 1; i >= 0; i-- {
		if rec := &r.journal[i]; rec.Slot == s {
			return rec
		}
	}
	return nil
}

// later has something done after the round.
func (r *replica) later(job func()) { r.jobs = append(r.jobs, job) }

// BeginSnapshot implements SnapshotStore.
func (r *replica) BeginSnapshot(slot wire.Slot, form snapshot.Form) {
	if state := r.node.State(); form == snapshot.Raw {
		r.begun = append(r.begun, begun{slot, state.Digest()})
	}
	r.later(func() {
		r.abort()
		r.writer, r.slot = r.store.Create(slot, form), slot
	})
}

// WriteSnapshot implements SnapshotStore.
func (r *replica) WriteSnapshot(piece []byte) {
	piece = slices.Clone(piece)
	r.later(func() { r.writer.Write(piece) })
}

// EndSnapshot implements SnapshotStore.
func (r *replica) EndSnapshot() {
	r.later(func() {
		info, err := r.writer.Commit()
		r.writer = nil
		if err != nil {
			r.node.SnapshotFailed(r.slot)
		} else if r.node.SnapshotStored(info) {
			r.covered = info.Slot
		}
	})
}

// AbortSnapshot implements SnapshotStore.
func (r *replica) AbortSnapshot() { r.later(r.abort) }

func (r *replica) abort() {
	if r.writer != nil {
		r.writer.Abort()
		r.writer = nil
	}
}

// ClearSnapshots implements SnapshotStore.
func (r *replica) ClearSnapshots() {
	r.later(func() {
		if err := r.store.Clear(); err != nil {
			r.trio.t.Error(err)
		}
	})
}

// SnapshotRoom implements SnapshotStore.
func (r *replica) SnapshotRoom() bool { return !r.full }

// SendSnapshot implements SnapshotStore.
func (r *replica) SendSnapshot(to wire.ReplicaID, slot wire.Slot, offset uint64, maxBytes int) {
	if m, ok := r.store.Answer(slot, offset, maxBytes); ok {
		m.From, m.To = r.id, to
		r.Send(&m)
	}
}
