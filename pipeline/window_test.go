package pipeline

import (
	"math"
	"strings"
	"testing"
	"time"

	"paxosbench/wire"
)

func newWindow(depth, maxBytes, quorum int) *Window {
	w := New(Config{Depth: Depth{N: depth}, MaxBytes: maxBytes, Quorum: quorum})
	w.Reset(wire.MakeBallot(1, 1), 1)
	return w
}

func TestFrontierWaitsForTheOldestSlot(t *testing.T) {
	w := newWindow(8, 1000, 2)
	for range 3 {
		w.Open(10, 1, 0)
	}
	ballot := wire.MakeBallot(1, 1)
	w.Ack(1, ballot, 1, 3)
	w.Ack(2, ballot, 2, 3)
	if got := w.Advance(0); got != 0 {
		t.Fatalf("frontier %d over an undecided slot 1", got)
	}
	w.Ack(3, ballot, 1, 1)
	if got := w.Advance(0); got != 3 {
		t.Fatalf("frontier %d, want 3", got)
	}
	if slots, bytes := w.InFlight(); slots != 0 || bytes != 0 || w.Commands() != 0 {
		t.Fatalf("%d slots, %d bytes, %d commands in an empty window", slots, bytes, w.Commands())
	}
}

// A quorum is a set of replicas under one ballot: neither a replica that repeats itself, nor one that answers an
// earlier or a later leader, completes it.
func TestVotesThatDoNotCount(t *testing.T) {
	w := newWindow(8, 1000, 2)
	slot := w.Open(10, 1, 0)
	ballot := wire.MakeBallot(1, 1)
	for range 3 {
		w.Ack(2, ballot, 0, math.MaxUint64)
	}
	w.Ack(3, wire.MakeBallot(0, 1), slot, slot)
	w.Ack(3, wire.MakeBallot(1, 2), slot, slot)
	w.Ack(3, wire.MakeBallot(2, 1), slot, slot)
	w.Ack(3, ballot, slot+1, slot+1)
	w.Ack(3, ballot, slot, slot-1)
	w.Ack(0, ballot, slot, slot)
	w.Ack(wire.MaxReplicas+1, ballot, slot, slot)
	w.Ack(255, ballot, slot, slot)
	if w.Advance(0) != 0 {
		t.Fatalf("decided by %b", w.Votes(slot))
	}
	if votes := w.Votes(slot); votes.Len() != 1 || !votes.Has(2) || votes.Has(0) || votes.Has(255) {
		t.Fatalf("votes %b, want replica 2 alone", votes)
	}
	next := w.Open(10, 1, 0)
	if w.Votes(next) != 0 {
		t.Fatalf("slot %d opened with votes %b cast before", next, w.Votes(next))
	}
}

func TestVotesDoNotOutliveLeadership(t *testing.T) {
	w := newWindow(8, 1000, 2)
	w.Open(10, 1, 0)
	w.Ack(2, wire.MakeBallot(1, 1), 1, 1)
	w.Reset(wire.MakeBallot(3, 1), 1)
	if slots, bytes := w.InFlight(); slots != 0 || bytes != 0 || w.Commands() != 0 || w.Votes(1) != 0 {
		t.Fatalf("%d slots, %d bytes, votes %b after Reset", slots, bytes, w.Votes(1))
	}
	w.Open(10, 1, 0)
	w.Ack(1, wire.MakeBallot(3, 1), 1, 1)
	if w.Advance(0) != 0 {
		t.Fatal("a vote from the last ballot decided")
	}
}

func TestRoomInSlotsAndBytes(t *testing.T) {
	w := newWindow(3, 100, 1)
	w.Open(99, 1, 0)
	if !w.HasRoom() {
		t.Fatal("no room at 99 bytes of 100")
	}
	w.Open(5000, 1, 0)
	if w.HasRoom() {
		t.Fatal("room after the slot that passed the byte bound")
	}
	w.Ack(1, wire.MakeBallot(1, 1), 1, 2)
	w.Advance(0)
	for range 3 {
		w.Open(0, 0, 0)
	}
	if w.HasRoom() {
		t.Fatal("room for a fourth slot of three")
	}
	defer func() {
		if text, _ := recover().(string); !strings.HasPrefix(text, "BUG: slot 6 ") {
			t.Fatalf("Open without room panicked with %q", text)
		}
	}()
	w.Open(0, 0, 0)
}

func TestWindowGrowsToItsDepth(t *testing.T) {
	const depth = 5 * minRing
	w := newWindow(depth, 1<<20, 1)
	ballot := wire.MakeBallot(9, 2)
	w.Reset(ballot, 1001)
	for i := range depth {
		if slot := w.Open(100, 1, time.Duration(i)); slot != wire.Slot(1001+i) {
			t.Fatalf("opened slot %d", slot)
		}
		w.Ack(wire.ReplicaID(1+i%3), ballot, w.Next()-1, w.Next()-1)
	}
	if w.HasRoom() {
		t.Fatal("room for more")
	}
	for i := range depth {
		slot := wire.Slot(1001 + i)
		if w.OpenedAt(slot) != time.Duration(i) || !w.Votes(slot).Has(wire.ReplicaID(1+i%3)) {
			t.Fatalf("slot %d opened at %v with votes %b", slot, w.OpenedAt(slot), w.Votes(slot))
		}
	}
	if got := w.Advance(0); got != 1000+depth || !w.HasRoom() {
		t.Fatalf("frontier %d, room %v", got, w.HasRoom())
	}
}

// Before its first leadership a window is empty and deaf.
func TestNewWindowIsEmpty(t *testing.T) {
	w := New(Config{Depth: Depth{N: 1}, MaxBytes: 1, Quorum: 1})
	w.Ack(1, 0, 0, math.MaxUint64)
	if slots, _ := w.InFlight(); slots != 0 || w.Advance(0) != 0 || w.Next() != 1 {
		t.Fatalf("%d slots, frontier %d, next %d", slots, w.Frontier(), w.Next())
	}
	if w.Votes(0) != 0 || w.OpenedAt(1) != 0 {
		t.Fatal("slots that are not open have votes or a time")
	}
}

func TestBrokenUseIsABug(t *testing.T) {
	for name, use := range map[string]func(){
		"no depth":       func() { newWindow(0, 1, 1) },
		"too deep":       func() { newWindow(MaxDepth+1, 1, 1) },
		"no bytes":       func() { newWindow(1, 0, 1) },
		"no quorum":      func() { newWindow(1, 1, 0) },
		"quorum too big": func() { newWindow(1, 1, wire.MaxReplicas+1) },
		"slot 0":         func() { newWindow(1, 1, 1).Reset(1, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "BUG: ") {
					t.Errorf("panicked with %q", text)
				}
			}()
			use()
		})
	}
}

// fill opens, acknowledges and decides one window full of slots.
func fill(w *Window, now time.Duration) {
	lo := w.Next()
	for w.HasRoom() {
		w.Open(1, 1, now)
	}
	hi := w.Next() - 1
	w.Ack(1, w.ballot, lo, hi)
	w.Ack(2, w.ballot, lo, hi)
	w.Advance(now + time.Millisecond)
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, depth := range []Depth{{N: 1}, {N: 100}, {N: 100, Adaptive: true}} {
		w := New(Config{Depth: depth, MaxBytes: 1 << 20, Quorum: 2})
		now := time.Duration(0)
		step := func() { fill(w, now); now += time.Second }
		for range 200 {
			step()
		}
		if allocs := testing.AllocsPerRun(100, step); allocs != 0 {
			t.Errorf("depth %v: %v allocations a round", depth, allocs)
		}
	}
}

// BenchmarkWindow measures 64 slots opened, voted for one by one by three replicas, and decided; see ns/slot.
func BenchmarkWindow(b *testing.B) {
	const depth = 64
	for _, adaptive := range []bool{false, true} {
		b.Run(Depth{N: depth, Adaptive: adaptive}.String(), func(b *testing.B) {
			w := New(Config{Depth: Depth{N: depth, Adaptive: adaptive}, MaxBytes: 1 << 30, Quorum: 2})
			now, slots := time.Duration(0), 0
			b.ReportAllocs()
			for b.Loop() {
				for w.HasRoom() {
					slot := w.Open(4096, 100, now)
					for id := wire.ReplicaID(1); id <= 3; id++ {
						w.Ack(id, 0, slot, slot)
					}
					slots++
				}
				now += time.Millisecond
				w.Advance(now)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(slots), "ns/slot")
		})
	}
}
