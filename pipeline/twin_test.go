package pipeline

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"paxosbench/wire"
)

// twin is the Window's dumb twin: maps, and a frontier found by asking about one slot after the other.
type twin struct {
	cfg    Config
	ballot wire.Ballot
	opened map[wire.Slot]flight
	voted  map[wire.Slot]map[wire.ReplicaID]bool
	next   wire.Slot
	front  wire.Slot
}

func (w *twin) reset(ballot wire.Ballot, next wire.Slot) {
	*w = twin{cfg: w.cfg, ballot: ballot, next: next, front: next - 1,
		opened: map[wire.Slot]flight{}, voted: map[wire.Slot]map[wire.ReplicaID]bool{}}
}

func (w *twin) open(f flight) {
	w.opened[w.next] = f
	w.voted[w.next] = map[wire.ReplicaID]bool{}
	w.next++
}

func (w *twin) ack(from wire.ReplicaID, ballot wire.Ballot, lo, hi wire.Slot) {
	for slot, votes := range w.voted {
		if ballot == w.ballot && slot >= lo && slot <= hi && from >= 1 && from <= wire.MaxReplicas {
			votes[from] = true
		}
	}
}

func (w *twin) advance() {
	for w.front+1 < w.next && len(w.voted[w.front+1]) >= w.cfg.Quorum {
		w.front++
		delete(w.opened, w.front)
		delete(w.voted, w.front)
	}
}

func (w *twin) sums() (bytes, commands int) {
	for _, f := range w.opened {
		bytes += f.bytes
		commands += f.commands
	}
	return bytes, commands
}

func (w *twin) hasRoom() bool {
	bytes, _ := w.sums()
	return len(w.opened) == 0 || len(w.opened) < w.cfg.Depth.N && bytes < w.cfg.MaxBytes
}

// machine runs a Window and its twin side by side.
type machine struct {
	window *Window
	twin   *twin
	now    time.Duration
}

func (m *machine) open(t *rapid.T) {
	if m.window.HasRoom() != m.twin.hasRoom() {
		t.Fatalf("room: %v, want %v", m.window.HasRoom(), m.twin.hasRoom())
	}
	f := flight{openedAt: m.now, bytes: rapid.IntRange(0, 60).Draw(t, "bytes"), commands: rapid.IntRange(0, 9).Draw(t, "commands")}
	if !m.twin.hasRoom() {
		return
	}
	if slot := m.window.Open(f.bytes, f.commands, m.now); slot != m.twin.next {
		t.Fatalf("opened slot %d, want %d", slot, m.twin.next)
	}
	m.twin.open(f)
	m.now++
}

func (m *machine) ack(t *rapid.T) {
	from := wire.ReplicaID(rapid.IntRange(0, 9).Draw(t, "from"))
	ballot := m.twin.ballot + wire.Ballot(max(0, rapid.IntRange(-8, 1).Draw(t, "stale")))
	around := func(label string) wire.Slot {
		return wire.Slot(max(0, int(m.twin.front)+rapid.IntRange(-3, 12).Draw(t, label)))
	}
	lo, hi := around("lo"), around("hi")
	m.window.Ack(from, ballot, lo, hi)
	m.twin.ack(from, ballot, lo, hi)
}

func (m *machine) advance(t *rapid.T) {
	m.twin.advance()
	if got := m.window.Advance(m.now); got != m.twin.front {
		t.Fatalf("frontier %d, want %d", got, m.twin.front)
	}
}

func (m *machine) reset(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "reset") > 0 {
		return
	}
	next := m.twin.front + 1 + wire.Slot(rapid.IntRange(0, 100).Draw(t, "ahead"))
	ballot := m.twin.ballot.Next(1)
	m.window.Reset(ballot, next)
	m.twin.reset(ballot, next)
}

func (m *machine) check(t *rapid.T) {
	if m.window.Frontier() != m.twin.front || m.window.Next() != m.twin.next {
		t.Fatalf("window (%d, %d), want (%d, %d)", m.window.Frontier(), m.window.Next(), m.twin.front, m.twin.next)
	}
	slots, bytes := m.window.InFlight()
	wantBytes, wantCommands := m.twin.sums()
	if slots != len(m.twin.opened) || bytes != wantBytes || m.window.Commands() != wantCommands {
		t.Fatalf("%d slots, %d bytes, %d commands in flight; want %d, %d, %d",
			slots, bytes, m.window.Commands(), len(m.twin.opened), wantBytes, wantCommands)
	}
	for slot := m.twin.front - min(2, m.twin.front); slot < m.twin.next+2; slot++ {
		votes := m.window.Votes(slot)
		for id := range wire.ReplicaID(9) {
			if votes.Has(id) != m.twin.voted[slot][id] {
				t.Fatalf("slot %d, replica %d: voted %v, want %v", slot, id, votes.Has(id), m.twin.voted[slot][id])
			}
		}
		if votes.Len() != len(m.twin.voted[slot]) || m.window.OpenedAt(slot) != m.twin.opened[slot].openedAt {
			t.Fatalf("slot %d: %d votes, opened at %v", slot, votes.Len(), m.window.OpenedAt(slot))
		}
	}
}

func TestWindowMatchesTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{
			Depth:    Depth{N: rapid.IntRange(1, 20).Draw(t, "depth")},
			MaxBytes: rapid.IntRange(1, 300).Draw(t, "max bytes"),
			Quorum:   rapid.IntRange(1, 4).Draw(t, "quorum"),
		}
		m := &machine{window: New(cfg), twin: &twin{cfg: cfg}}
		m.twin.reset(0, 1)
		t.Repeat(map[string]func(*rapid.T){
			"open": m.open, "ack": m.ack, "advance": m.advance, "reset": m.reset, "": m.check,
		})
	})
}
