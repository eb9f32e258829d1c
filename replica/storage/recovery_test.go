package storage

import (
	"errors"
	"fmt"
	"log/slog"
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
	"paxosbench/wire"
)

// testConfig is that of a replica of three.
func testConfig() node.Config {
	return node.Config{
		Random: func() uint64 { return 1 << 20 },
		Paxos: paxos.Config{
			Self: 1, Replicas: []wire.ReplicaID{1, 2, 3}, Quorum1: 2, Quorum2: 2,
			Heartbeat: 10 * time.Millisecond, ElectionTimeout: 100 * time.Millisecond,
			Depth: pipeline.Depth{N: 16}, WindowBytes: 4 << 20, LogBytes: 1 << 20, PinBytes: 1 << 20, Buffers: new(wire.Buffers),
		},
		Batching: batching.Config{Policy: batching.Policy{Kind: batching.Adaptive}, MaxBytes: 1 << 20},
		Machine:  machine.KindKV,
		State:    machine.DefaultConfig(),
		Identity: snapshot.Identity{Cluster: 1, Settings: 2},
	}
}

// lastLife is what a life has left behind: the journal's records of slots first to last, numbered from number on, and
// the snapshots of some slots.
type lastLife struct {
	number      journal.LSN
	first, last wire.Slot
	snapshots   []wire.Slot
	damaged     wire.Slot // one of them
	installed   wire.Slot // the journal ends with a record that says that a peer's was installed; 0: it does not
}

// recover restarts a replica on it, and returns the slot that it has applied.
func (l *lastLife) recover(t *testing.T) (applied wire.Slot, err error) {
	t.Helper()
	n := node.New(testConfig(), nil, nil, 0)
	files := memfs.New()
	store := snapshot.NewStore(files, "data", testConfig().Identity, slog.New(slog.DiscardHandler))
	for _, slot := range l.snapshots {
		storeEmpty(t, store, slot)
	}
	if l.damaged != 0 {
		files.FlipBit(fmt.Sprintf("data/snapshot-%d", l.damaged), 100, 3)
	}
	recovery := newRecovery(n, snapshot.NewStore(files, "data", testConfig().Identity, slog.New(slog.DiscardHandler)))
	number := l.number
	for s := l.first; s <= l.last && l.last != 0; s++ {
		rec := wire.Record{Kind: wire.RecordChosen, Ballot: wire.MakeBallot(1, 1), Slot: s, Commit: s, Payload: wire.Payload{BodyCRC: wire.Checksum(nil)}}
		if err := recovery.replay(number, &rec); err != nil {
			t.Fatal(err)
		}
		number++
	}
	if l.installed != 0 {
		if err := recovery.replay(number, &wire.Record{Kind: wire.RecordInstalled, Commit: l.installed}); err != nil {
			t.Fatal(err)
		}
	}
	first := l.first
	if l.last == 0 {
		first = 0
	}
	err = recovery.finish(first)
	return n.State().Applied(), err
}

// storeEmpty stores the snapshot of a state to which only empty batches have been applied.
func storeEmpty(t *testing.T, store *snapshot.Store, slot wire.Slot) {
	t.Helper()
	state := machine.NewState(machine.NewKV(machine.HashKey{}), machine.DefaultConfig())
	for s := wire.Slot(1); s <= slot; s++ {
		state.EndBatch(s, wire.Checksum(nil))
	}
	taking := state.BeginSnapshot()
	w := store.Create(slot, snapshot.Raw)
	for done := false; !done; {
		var piece []byte
		piece, done, _ = taking.Next(nil, 1<<20)
		w.Write(piece)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

// A restart refuses if the snapshots and the journal do not meet, and not if they do.
func TestRecoveryRefusesWhatDoesNotMeet(t *testing.T) {
	for name, c := range map[string]struct {
		life    lastLife
		applied wire.Slot
		missing bool // the snapshot
		damaged bool
	}{
		"nothing":                       {life: lastLife{}},
		"a journal":                     {life: lastLife{number: 1, first: 1, last: 9}, applied: 9},
		"a snapshot and what follows":   {life: lastLife{number: 6, first: 6, last: 9, snapshots: []wire.Slot{5}}, applied: 9},
		"both of some slots":            {life: lastLife{number: 3, first: 3, last: 9, snapshots: []wire.Slot{5}}, applied: 9},
		"a snapshot alone":              {life: lastLife{snapshots: []wire.Slot{5}}, applied: 5},
		"the journal was cut":           {life: lastLife{number: 6, first: 6, last: 9}, missing: true},
		"a gap":                         {life: lastLife{number: 7, first: 7, last: 9, snapshots: []wire.Slot{5}}, applied: 5, missing: true},
		"the journal stands in":         {life: lastLife{number: 1, first: 1, last: 9, snapshots: []wire.Slot{5}, damaged: 5}, applied: 9},
		"it does not for a peer's":      {life: lastLife{number: 1, first: 1, last: 9, snapshots: []wire.Slot{5}, damaged: 5, installed: 5}, applied: 9, damaged: true},
		"it does not reach so far":      {life: lastLife{number: 1, first: 1, last: 4, snapshots: []wire.Slot{5}, damaged: 5}, applied: 4, damaged: true},
		"it does not reach back so far": {life: lastLife{number: 6, first: 6, last: 9, snapshots: []wire.Slot{5}, damaged: 5}, damaged: true},
	} {
		applied, err := c.life.recover(t)
		_, damaged := errors.AsType[*snapshot.CorruptError](err)
		if applied != c.applied || errors.Is(err, ErrSnapshotMissing) != c.missing || damaged != c.damaged {
			t.Errorf("%s: applied %d, error %v; want applied %d, missing %v, damaged %v", name, applied, err, c.applied, c.missing, c.damaged)
		}
	}
}
