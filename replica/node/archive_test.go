package node

import (
	"errors"
	"testing"

	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// shelf is a Journal that holds the slots from first on.
type shelf struct {
	first     wire.Slot
	truncated []wire.Slot
	broken    error
}

func (s *shelf) FirstSlot() wire.Slot { return s.first }

func (s *shelf) ReadEntries(from, through wire.Slot, _ int, dst []byte) ([]byte, wire.Slot, error) {
	return append(dst, 7), min(from+1, through), s.broken
}

func (s *shelf) Truncate(slot wire.Slot) { s.truncated = append(s.truncated, slot) }

// A peer gets what can be read back, and is told where that begins if it wants older slots.
func TestArchiveAnswersWhatItHolds(t *testing.T) {
	s := &shelf{first: 5}
	a := NewArchive(s)
	if got := a.Oldest(0); got != 5 {
		t.Errorf("the oldest is slot %d, want 5", got)
	}
	if got := a.Oldest(8); got != 9 {
		t.Errorf("behind a snapshot of slot 8 the oldest is slot %d, want 9", got)
	}
	m, err := a.Entries(paxos.Fetch{From: 9, Through: 20}, 9)
	if err != nil || m.Slot != 9 || m.Last() != 10 || m.Truncated() || m.BodyCRC != wire.Checksum([]byte{7}) {
		t.Errorf("slot 9: %+v, %v", m, err)
	}
	m, err = a.Entries(paxos.Fetch{From: 8, Through: 20}, 9)
	if err != nil || m.Slot != 9 || !m.Truncated() || len(m.Body) != 0 {
		t.Errorf("slot 8: %+v, %v", m, err)
	}
	s.broken = errors.New("unreadable")
	m, err = a.Entries(paxos.Fetch{From: 9, Through: 20}, 9)
	if !errors.Is(err, s.broken) || m.Slot != 10 || !m.Truncated() || len(m.Body) != 0 {
		t.Errorf("an unreadable slot 9: %+v, %v", m, err)
	}
}

// The journal is cut where a durable snapshot stands for it, but not before the slot behind that is durable too.
func TestArchiveIsReleasedBehindADurableSlot(t *testing.T) {
	s := &shelf{first: 1}
	a := NewArchive(s)
	r := newTrio(t, false).replicas[1]
	n := New(r.config(), r, 0)
	apply := func(slot wire.Slot) {
		n.state.EndBatch(slot, 0)
	}
	for slot := wire.Slot(1); slot <= 5; slot++ {
		apply(slot)
	}
	n.snapshots.newest.Slot = 5
	a.Release(n, 5, 0)
	if a.Release(n, 5, 5); len(s.truncated) != 0 {
		t.Fatalf("cut up to %d, although nothing behind the snapshot is durable", s.truncated)
	}
	apply(6)
	a.Release(n, 6, 5)
	if a.Release(n, 6, 5); len(s.truncated) != 0 {
		t.Fatalf("cut up to %d, although slot 6 is not durable", s.truncated)
	}
	a.Release(n, 6, 6)
	if got := a.Release(n, 6, 6); got != 5 || len(s.truncated) != 1 || s.truncated[0] != 5 {
		t.Fatalf("cut up to %d, released %d, want once up to 5", s.truncated, got)
	}
	if a.Release(n, 9, 9); len(s.truncated) != 1 {
		t.Error("cut again without need")
	}
}
