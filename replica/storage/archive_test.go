package storage_test

import (
	"testing"

	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
	"paxosbench/replica/snapshot"
	"paxosbench/wire"
)

// persist appends chosen entries for some slots, makes them durable and applies them.
func (l *life) persist(slots ...wire.Slot) {
	l.t.Helper()
	for _, slot := range slots {
		l.Append(chosen(slot, "x"))
		l.replica.State().EndBatch(slot, 0)
	}
	if _, err := l.Persist(true); err != nil {
		l.t.Fatal(err)
	}
}

// fetch returns what a peer is answered.
func (l *life) fetch(from, through wire.Slot) wire.Message {
	l.t.Helper()
	l.replica.answers = nil
	l.Fetch(paxos.Fetch{Peer: 2, From: from, Through: through, MaxBytes: 1 << 20})
	l.runner.Run()
	if len(l.replica.answers) != 1 {
		l.t.Fatalf("%d answers", len(l.replica.answers))
	}
	return l.replica.answers[0]
}

// A peer gets what can be read back, and is told where that begins if it wants older slots.
func TestPeersAreAnsweredFromWhatIsDurable(t *testing.T) {
	l := begin(t, newDisk())
	l.persist(1, 2, 3)
	l.Append(chosen(4, "not durable"))
	if m := l.fetch(2, 9); m.To != 2 || m.Slot != 2 || m.Last() != 3 || m.Truncated() || wire.Checksum(m.Body) != m.BodyCRC {
		t.Errorf("from slot 2: %+v", m)
	}
	if m := l.fetch(4, 9); !m.Truncated() || len(m.Body) != 0 {
		t.Errorf("from slot 4, which is not durable: %+v", m)
	}
	if m := l.fetch(2, 2); m.Last() != 2 {
		t.Errorf("slot 2 alone: %+v", m)
	}
}

// What is more than a peer asks for at a time comes in two parts, the first of which says where the second ends.
func TestPeersAreAnsweredInTwoParts(t *testing.T) {
	l := begin(t, newDisk())
	l.persist(1, 2, 3, 4, 5)
	for _, tt := range []struct{ maxBytes, parts, last, through int }{
		{1, 1, 1, 1}, // a batch that is longer
		{wire.EntryHeaderSize + 1, 2, 1, 2},
		{2 * (wire.EntryHeaderSize + 1), 2, 2, 4},
		{4 * (wire.EntryHeaderSize + 1), 2, 4, 5},
		{1 << 20, 1, 5, 5},
	} {
		l.replica.answers = nil
		l.Fetch(paxos.Fetch{Peer: 2, From: 1, Through: 9, MaxBytes: tt.maxBytes})
		l.runner.Run()
		got := l.replica.answers
		if len(got) != tt.parts || got[0].Slot != 1 || got[0].Last() != wire.Slot(tt.last) || got[0].Through() != wire.Slot(tt.through) {
			t.Fatalf("%d bytes at a time: %+v", tt.maxBytes, got)
		}
		if tt.parts == 2 && (got[1].Slot != got[0].Last()+1 || got[1].Last() != got[0].Through()) {
			t.Errorf("%d bytes at a time: the second part %+v follows %+v", tt.maxBytes, got[1], got[0])
		}
	}
}

// Once a peer's snapshot has replaced the state, the journal is not asked for what it stands for: what was accepted here may
// be something else than what was chosen.
func TestJournalIsNotAskedForWhatASnapshotCovers(t *testing.T) {
	l := begin(t, newDisk())
	l.persist(1, 2, 3, 4)
	l.replica.installs = true
	l.store(3)
	if m := l.fetch(2, 4); !m.Truncated() || m.Slot != 4 {
		t.Errorf("slot 2, after a snapshot of slot 3 of a peer: %+v", m)
	}
	if m := l.fetch(4, 4); m.Truncated() || m.Last() != 4 {
		t.Errorf("slot 4: %+v", m)
	}
}

// store stores the snapshot of an empty state, as taken or fetched.
func (l *life) store(slot wire.Slot) {
	l.BeginSnapshot(slot, snapshot.Stored)
	l.WriteSnapshot([]byte("snapshot"))
	l.EndSnapshot()
	l.runner.Run()
}

// The journal is cut where a durable snapshot stands for it, but not before the slot after that is durable too: by then a
// restart can tell that the two belong together.
func TestJournalIsReleasedBehindADurableSlot(t *testing.T) {
	l := begin(t, newDisk())
	fill := func(from, through wire.Slot) {
		for slot := from; slot <= through; slot++ {
			l.persist(slot)
		}
	}
	fill(1, 50) // several segments
	l.replica.newest = node.SnapshotStatus{Newest: snapshot.Info{Slot: 50}}
	l.replica.releasable = 50
	for range 3 {
		l.Tick()
	}
	if m := l.fetch(1, 50); m.Truncated() {
		t.Fatal("cut although nothing after the snapshot is durable")
	}
	l.Append(chosen(51, "x"))
	l.replica.State().EndBatch(51, 0)
	for range 3 {
		l.Tick()
	}
	if m := l.fetch(1, 50); m.Truncated() {
		t.Fatal("cut although slot 51 is not durable")
	}
	fill(52, 52)
	for range 3 {
		l.Tick()
	}
	if m := l.fetch(1, 50); !m.Truncated() {
		t.Fatal("not cut")
	}
	if m := l.fetch(51, 52); m.Last() != 52 {
		t.Errorf("what follows the snapshot: %+v", m)
	}
}

// On a slow disk every snapshot that is stored may be ahead of what is durable. The journal is cut all the same, behind the one
// before.
func TestJournalIsReleasedWhileSnapshotsRunAhead(t *testing.T) {
	l := begin(t, newDisk())
	apply := func(slot wire.Slot) {
		l.Append(chosen(slot, "x"))
		l.replica.State().EndBatch(slot, 0)
		l.replica.newest = node.SnapshotStatus{Newest: snapshot.Info{Slot: slot - 1}}
		l.replica.releasable = slot - 1
		l.Tick()
	}
	for slot := wire.Slot(1); slot <= 60; slot++ {
		apply(slot)
		l.Append(chosen(slot+1, "x")) // the next slot is on its way, and a snapshot up to this one is stored
		l.replica.newest.Newest.Slot, l.replica.releasable = slot, slot
		if _, err := l.Persist(true); err != nil {
			t.Fatal(err)
		}
		l.Tick()
	}
	if m := l.fetch(1, 40); !m.Truncated() {
		t.Error("nothing has been cut")
	}
}
