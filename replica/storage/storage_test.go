package storage_test

import (
	"errors"
	"strings"
	"testing"
	"time"

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

// disk is what outlives a life.
type disk struct {
	*memfs.FS
	durability journal.Durability
	rejoin     bool
	lease      time.Duration // that lives may grant
}

func newDisk() *disk { return &disk{FS: memfs.New(), durability: journal.DurabilityFsync} }

// fake is a replica that remembers what its storage has told it.
type fake struct {
	state    *machine.State
	core     *paxos.Core
	restored []wire.Record
	amnesiac bool
	durable  []uint64 // as told
	stored   []snapshot.Info
	failed   []wire.Slot
	answers  []wire.Message
	err      error

	installs   bool // what is stored
	newest     node.SnapshotStatus
	releasable wire.Slot
}

func (f *fake) Restorer() *machine.Restorer {
	return machine.NewRestorer(machine.NewKV(machine.HashKey{}), machine.DefaultConfig())
}
func (f *fake) RestoreSnapshot(state *machine.State, info snapshot.Info) {
	f.state, f.newest.Newest = state, info
}
func (f *fake) Restore(r *wire.Record) error {
	f.restored = append(f.restored, *r)
	return nil
}
func (f *fake) Forget()                             { f.amnesiac = true; f.core.Forget() }
func (f *fake) Persisted(_ time.Duration, n uint64) { f.durable = append(f.durable, n) }
func (f *fake) SnapshotStored(info snapshot.Info) bool {
	f.stored = append(f.stored, info)
	return f.installs
}
func (f *fake) SnapshotFailed(slot wire.Slot) { f.failed = append(f.failed, slot) }
func (f *fake) Answer(to wire.ReplicaID, m wire.Message) {
	m.To = to
	f.answers = append(f.answers, m)
}
func (f *fake) Fail(err error)                 { f.err = err }
func (f *fake) Core() *paxos.Core              { return f.core }
func (f *fake) State() *machine.State          { return f.state }
func (f *fake) Snapshots() node.SnapshotStatus { return f.newest }
func (f *fake) Releasable() wire.Slot          { return f.releasable }

// life is one life of a replica on a disk.
type life struct {
	*storage.Storage
	t       *testing.T
	runner  *storagetest.Runner
	replica *fake
}

// begin begins a life.
func begin(t *testing.T, d *disk) *life {
	t.Helper()
	l, err := tryBegin(t, d)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func tryBegin(t *testing.T, d *disk) (*life, error) {
	l := &life{t: t, runner: new(storagetest.Runner), replica: &fake{
		state: machine.NewState(machine.NewKV(machine.HashKey{}), machine.DefaultConfig()),
		core:  newCore(),
	}}
	l.Storage = storage.New(storage.Config{
		Journal: journal.Options{
			FS: d.FS, Dir: "data", Durability: d.durability, SegmentBytes: 16 * journal.BlockSize, Salt: 1,
			Identity: journal.Identity{Cluster: 1, Replica: 1}, Bootstrap: !d.rejoin, Rejoin: d.rejoin, Lease: d.lease,
		},
		Snapshots: snapshot.Identity{Cluster: 1, Settings: 1},
	}, l.runner)
	return l, l.Open(l.replica)
}

// newCore returns the protocol of a replica that has never run.
func newCore() *paxos.Core {
	return paxos.New(paxos.Config{
		Self: 1, Replicas: []wire.ReplicaID{1}, Quorum1: 1, Quorum2: 1, Heartbeat: 10 * time.Millisecond,
		ElectionTimeout: 100 * time.Millisecond, Depth: pipeline.Depth{N: 1}, WindowBytes: 1 << 20, LogBytes: 1 << 20,
		Buffers: new(wire.Buffers),
	}, 0)
}

func chosen(slot wire.Slot, body string) *wire.Record {
	return &wire.Record{Kind: wire.RecordChosen, Ballot: wire.MakeBallot(1, 1), Slot: slot, Commit: slot - 1,
		Payload: wire.MakeBody([]byte(body))}
}

var errDisk = errors.New("disk error")

// failSyncs has syncs of the journal fail.
func (d *disk) failSyncs() {
	d.SetHook(func(c memfs.Call) error {
		if c.Op == memfs.OpSync && strings.HasSuffix(c.Name, ".seg") {
			return errDisk
		}
		return nil
	})
}

// The next segment is prepared while time passes, a part of it every 16 ms however often the replica ticks.
func TestNextSegmentIsPreparedBeside(t *testing.T) {
	d := newDisk()
	l := begin(t, d)
	l.Append(chosen(1, "x"))
	_, _ = l.Persist(false)
	l.runner.Run()
	zeros, ready := 0, time.Duration(0)
	d.SetHook(func(c memfs.Call) error {
		switch {
		case !strings.HasSuffix(c.Name, "segment.new"):
		case c.Op == memfs.OpWrite:
			zeros++
		case c.Op == memfs.OpRename:
			ready = l.runner.Time
		}
		return nil
	})
	for l.runner.Time < time.Second {
		l.runner.Time += 2 * time.Millisecond
		l.Tick()
		l.runner.Run()
	}
	// Of 16 blocks the first came with the first record.
	if want := 15 * 16 * time.Millisecond; zeros != 15 || ready != want {
		t.Errorf("%d writes of zeros, the segment was there after %v; want 15, %v", zeros, ready, want)
	}
}

// What is handed over is durable when the flusher has been there, and the replica hears of it after that. What is appended
// in between becomes the next group.
func TestFlusherMakesGroups(t *testing.T) {
	l := begin(t, newDisk())
	l.runner.Run()
	for slot := wire.Slot(1); slot <= 3; slot++ {
		l.Append(chosen(slot, "x"))
		if n, err := l.Persist(false); n != 0 || err != nil {
			t.Fatalf("durable %d at once, %v", n, err)
		}
	}
	if n, err := l.Durable(); n != 0 || err != nil {
		t.Fatalf("durable %d before any sync, %v", n, err)
	}
	l.runner.Work()
	if n, _ := l.Durable(); n != 3 || len(l.replica.durable) != 0 {
		t.Errorf("durable %d, told %v", n, l.replica.durable)
	}
	l.runner.Run()
	if len(l.replica.durable) != 1 || l.replica.durable[0] != 3 {
		t.Errorf("told %v, want one word of 3", l.replica.durable)
	}
	if s := l.Stats(); s.Flushes != 1 || s.Records != 3 || s.FlushTime <= 0 || s.MaxFlushTime > s.FlushTime {
		t.Errorf("stats %+v", s)
	}
}

// A sync in place is durable at once, and the flusher finds nothing to do then.
func TestSyncInPlace(t *testing.T) {
	l := begin(t, newDisk())
	l.Append(chosen(1, "x"))
	if _, err := l.Persist(false); err != nil {
		t.Fatal(err)
	}
	l.Append(chosen(2, "x"))
	if n, err := l.Persist(true); n != 2 || err != nil {
		t.Fatalf("durable %d, %v", n, err)
	}
	l.runner.Run()
	if len(l.replica.durable) != 0 || l.Stats().Flushes != 1 {
		t.Errorf("told %v after %d flushes", l.replica.durable, l.Stats().Flushes)
	}
}

// A failed sync is final, wherever it was made: nothing is durable any more, and the replica hears why.
func TestFailedSyncIsFinal(t *testing.T) {
	for _, alone := range []bool{false, true} {
		d := newDisk()
		l := begin(t, d)
		l.runner.Run()
		l.Append(chosen(1, "x"))
		if _, err := l.Persist(true); err != nil {
			t.Fatal(err)
		}
		d.failSyncs()
		l.Append(chosen(2, "x"))
		n, err := l.Persist(alone)
		l.runner.Run()
		if alone && (n != 0 || !errors.Is(err, errDisk)) || !alone && !errors.Is(l.replica.err, errDisk) {
			t.Errorf("alone %v: durable %d, error %v, the replica hears %v", alone, n, err, l.replica.err)
		}
		d.SetHook(nil)
		l.Append(chosen(3, "x"))
		if n, err := l.Persist(true); n != 0 || !errors.Is(err, errDisk) {
			t.Errorf("alone %v, afterwards: durable %d, %v", alone, n, err)
		}
		if n, err := l.Durable(); n != 0 || !errors.Is(err, errDisk) {
			t.Errorf("alone %v: durable %d, %v", alone, n, err)
		}
		if len(l.replica.durable) != 0 {
			t.Errorf("alone %v: told of %v", alone, l.replica.durable)
		}
	}
}

// An orderly close makes everything durable, whether or not it was asked for, and the next life gets it back.
func TestCloseFlushes(t *testing.T) {
	d := newDisk()
	l := begin(t, d)
	for slot := wire.Slot(1); slot <= 3; slot++ {
		l.Append(chosen(slot, "x"))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Durable(); n != 3 || err != nil {
		t.Errorf("durable %d, %v", n, err)
	}
	d.FS = d.Crash(1)
	if l = begin(t, d); len(l.replica.restored) != 3 || l.Base() != 3 {
		t.Errorf("%d records restored, the last is %d", len(l.replica.restored), l.Base())
	}
	l.Append(chosen(4, "x"))
	if n, err := l.Persist(true); n != 1 || err != nil {
		t.Errorf("durable %d of the new life, %v", n, err)
	}
}

// A replica that votes again is remembered as a voter, though it syncs everything in place and the flusher is never woken.
func TestVoterIsRecordedWithoutTheFlusher(t *testing.T) {
	d := newDisk()
	d.rejoin = true
	l := begin(t, d)
	if !l.Amnesiac() || !l.replica.amnesiac {
		t.Fatal("not one that has lost its memory")
	}
	l.replica.core = newCore() // one that votes
	l.Append(chosen(1, "learnt"))
	l.Tick()
	if !l.Amnesiac() {
		t.Fatal("recorded as a voter before what it has learnt is durable")
	}
	if _, err := l.Persist(true); err != nil {
		t.Fatal(err)
	}
	l.Tick()
	if l.Amnesiac() {
		t.Fatal("not recorded as a voter")
	}
	d.FS, d.rejoin = d.Crash(1), false
	if l = begin(t, d); l.Amnesiac() || l.replica.amnesiac {
		t.Error("it has lost its memory again")
	}
}

// A snapshot that cannot be stored costs nothing but the snapshot, and one given up leaves nothing of itself in the next.
func TestSnapshotsThatFail(t *testing.T) {
	d := newDisk()
	l := begin(t, d)
	l.runner.Run()
	d.SetHook(func(c memfs.Call) error {
		if c.Op == memfs.OpSync && strings.Contains(c.Name, "snapshot-") {
			return errDisk
		}
		return nil
	})
	l.store(7)
	if len(l.replica.failed) != 1 || l.replica.failed[0] != 7 || len(l.replica.stored) != 0 || l.replica.err != nil {
		t.Errorf("failed %v, stored %v, error %v", l.replica.failed, l.replica.stored, l.replica.err)
	}
	d.SetHook(nil)
	l.BeginSnapshot(8, snapshot.Stored)
	l.WriteSnapshot([]byte("given up"))
	l.store(9)
	if len(l.replica.stored) != 1 || l.replica.stored[0] != (snapshot.Info{Slot: 9, Bytes: int64(len("snapshot"))}) {
		t.Errorf("stored %v", l.replica.stored)
	}
	l.SendSnapshot(2, 9, 0, 1<<20)
	l.runner.Run()
	if len(l.replica.answers) != 1 || string(l.replica.answers[0].Body) != "snapshot" || l.replica.answers[0].To != 2 {
		t.Errorf("a peer is sent %+v", l.replica.answers)
	}
}

// The writer takes no more than it can keep up with, and more once it has.
func TestSnapshotRoom(t *testing.T) {
	l := begin(t, newDisk())
	l.BeginSnapshot(7, snapshot.Stored)
	pieces := 0
	for ; l.SnapshotRoom(); pieces++ {
		l.WriteSnapshot([]byte("piece"))
	}
	if pieces < 8 || pieces > 64 {
		t.Errorf("room for %d pieces", pieces)
	}
	l.runner.Run()
	if !l.SnapshotRoom() {
		t.Error("no room although everything is written")
	}
}

// Without durability nothing is kept, but that something has been forgotten if it was a vote.
func TestVolatile(t *testing.T) {
	d := newDisk()
	d.durability = journal.DurabilityNone
	l := begin(t, d)
	vote := chosen(1, "x")
	vote.Kind = wire.RecordAccept
	l.Append(vote)
	if n, err := l.Persist(false); n != 1 || err != nil {
		t.Errorf("durable %d, %v", n, err)
	}
	l.Tick()
	if m := l.fetch(1, 1); !m.Truncated() {
		t.Errorf("a peer is answered %+v", m)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l = begin(t, d); !l.Amnesiac() || len(l.replica.restored) != 0 {
		t.Errorf("%d records restored, lost its memory: %v", len(l.replica.restored), l.Amnesiac())
	}
}

// One that is never opened is asked for nothing, and closes.
func TestNeverOpened(t *testing.T) {
	s := storage.New(storage.Config{}, new(storagetest.Runner))
	s.Tick()
	if s.Stats() != (journal.Stats{}) || s.Close() != nil {
		t.Errorf("stats %+v", s.Stats())
	}
}
