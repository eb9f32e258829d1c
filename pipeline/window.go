// Package pipeline keeps the slots that a proposer has in flight: how many may be, who has voted for which, and the
// commit frontier, which passes a slot only when that slot and every one before it is decided.
package pipeline

import (
	"fmt"
	"time"

	"paxosbench/wire"
)

// Config describes a Window.
type Config struct {
	// Depth bounds the slots in flight.
	Depth Depth
	// MaxBytes bounds the batch bytes in flight, at least 1. The slot that reaches it may pass it, so that a batch of
	// any size can be proposed.
	MaxBytes int
	// Quorum is the number of replicas, the leader counted like any other, whose votes decide a slot: from 1 to
	// wire.MaxReplicas.
	Quorum int
}

// Window holds the slots between the commit frontier and the next slot to be opened, for one ballot. It belongs to
// one goroutine.
//
// Invariants: frontier < next; every slot in (frontier, next) is open, every other is not; the frontier never moves
// backwards but by Reset; a slot's votes are replicas that answered under exactly this ballot.
type Window struct {
	cfg   Config
	vegas vegas // used if cfg.Depth.Adaptive

	ballot   wire.Ballot
	frontier wire.Slot // every slot up to here is decided
	next     wire.Slot // the slot to be opened next

	ring     []flight // slot s stands at s modulo the length, a power of two
	bytes    int      // in flight
	commands int      // in flight
}

// flight is a slot in flight.
type flight struct {
	openedAt time.Duration
	bytes    int
	commands int
	votes    VoteSet
}

// minRing is where the ring starts; it grows to the most slots there have been in flight.
const minRing = 64

// New returns an empty Window under the zero ballot; Reset makes it a leader's. It panics if cfg breaks the limits that its fields state.
func New(cfg Config) *Window {
	if cfg.Depth.N < 1 || cfg.Depth.N > MaxDepth || cfg.MaxBytes < 1 || cfg.Quorum < 1 || cfg.Quorum > wire.MaxReplicas {
		panic(fmt.Sprintf("BUG: window of %d slots (limit %d), %d bytes and a quorum of %d (limit %d)",
			cfg.Depth.N, MaxDepth, cfg.MaxBytes, cfg.Quorum, wire.MaxReplicas))
	}
	w := &Window{cfg: cfg, ring: make([]flight, minRing)}
	w.Reset(0, 1)
	return w
}

// Reset empties the window for a new leadership under ballot, whose first slot will be next. Every slot before next
// counts as decided. What an adaptive depth has learned is forgotten: it was another leader's path.
func (w *Window) Reset(ballot wire.Ballot, next wire.Slot) {
	if next == 0 {
		panic("BUG: window reset to slot 0, the first slot is 1")
	}
	w.ballot, w.frontier, w.next = ballot, next-1, next
	w.bytes, w.commands = 0, 0
	w.vegas = newVegas(w.cfg.Depth.N)
}

// HasRoom reports whether one more slot may be opened. An empty window always has room.
func (w *Window) HasRoom() bool {
	return w.slots() < w.Depth() && w.bytes < w.cfg.MaxBytes
}

// HasRoomForFull reports whether one more slot may be opened for a batch that is full. An adaptive depth holds batches back
// so that they gather more meanwhile; one that cannot would only wait, and the bounds are all that holds it back. Probes
// are kept undisturbed.
func (w *Window) HasRoomForFull() bool {
	if !w.cfg.Depth.Adaptive || w.vegas.probing {
		return w.HasRoom()
	}
	return w.slots() < w.cfg.Depth.N && w.bytes < w.cfg.MaxBytes
}

// Paced reports whether a batch that may still grow is to wait at now although there is room, as the last slot has left too
// short a while ago. Depth slots that leave as soon as there is room would leave in a burst, and what comes after them would
// wait for most of a round trip; spread over it they find room whenever they come. As many as may queue leave at once.
// (BBR paces for the same end: Cardwell et al., "BBR: Congestion-Based Congestion Control", 2016.)
func (w *Window) Paced(now time.Duration) bool {
	return w.cfg.Depth.Adaptive && w.slots() > beta && now-w.at(w.next-1).openedAt < w.vegas.interval()
}

// Open opens the next slot, for a batch of so many bytes and commands, and returns it. The caller has asked HasRoom, or
// HasRoomForFull.
func (w *Window) Open(bytes, commands int, now time.Duration) wire.Slot {
	if !w.HasRoom() && !w.HasRoomForFull() {
		panic(fmt.Sprintf("BUG: slot %d opened with %d slots of %d and %d bytes of %d in flight",
			w.next, w.slots(), w.Depth(), w.bytes, w.cfg.MaxBytes))
	}
	if w.slots() == len(w.ring) {
		w.grow()
	}
	slot := w.next
	*w.at(slot) = flight{openedAt: now, bytes: bytes, commands: commands}
	w.next++
	w.bytes += bytes
	w.commands += commands
	w.vegas.opened(w.slots())
	return slot
}

// Ack counts replica from's votes for the slots lo to hi, both included, under ballot. Votes under another ballot,
// for slots outside the window and by replicas that have voted already change nothing.
func (w *Window) Ack(from wire.ReplicaID, ballot wire.Ballot, lo, hi wire.Slot) {
	if ballot != w.ballot {
		return
	}
	for slot, end := max(lo, w.frontier+1), min(hi, w.next-1); slot <= end; slot++ {
		w.at(slot).votes.Add(from)
	}
}

// Advance moves the commit frontier over every slot that is decided and follows it without a gap, and returns it.
// These slots leave the window.
func (w *Window) Advance(now time.Duration) wire.Slot {
	for w.frontier+1 < w.next {
		slot := w.frontier + 1
		f := w.at(slot)
		if f.votes.Len() < w.cfg.Quorum {
			break
		}
		w.frontier = slot
		w.bytes -= f.bytes
		w.commands -= f.commands
		if w.cfg.Depth.Adaptive {
			w.vegas.observe(slot, now-f.openedAt, now, w.next)
		}
	}
	return w.frontier
}

// Frontier returns the commit frontier: every slot up to it is decided.
func (w *Window) Frontier() wire.Slot { return w.frontier }

// Next returns the slot that will be opened next.
func (w *Window) Next() wire.Slot { return w.next }

// InFlight returns the slots in flight and the bytes of their batches.
func (w *Window) InFlight() (slots, bytes int) { return w.slots(), w.bytes }

// Commands returns the commands in flight.
func (w *Window) Commands() int { return w.commands }

// Depth returns how many slots may be in flight at present.
func (w *Window) Depth() int {
	if w.cfg.Depth.Adaptive {
		return w.vegas.current()
	}
	return w.cfg.Depth.N
}

// Votes returns the replicas that have voted for a slot in flight, and the empty set for any other slot.
func (w *Window) Votes(slot wire.Slot) VoteSet {
	if !w.holds(slot) {
		return 0
	}
	return w.at(slot).votes
}

// OpenedAt returns when a slot in flight was opened, and 0 for any other slot.
func (w *Window) OpenedAt(slot wire.Slot) time.Duration {
	if !w.holds(slot) {
		return 0
	}
	return w.at(slot).openedAt
}

func (w *Window) slots() int { return int(w.next - w.frontier - 1) }

func (w *Window) holds(slot wire.Slot) bool { return slot > w.frontier && slot < w.next }

func (w *Window) at(slot wire.Slot) *flight { return &w.ring[uint64(slot)&uint64(len(w.ring)-1)] }

// grow doubles the ring.
func (w *Window) grow() {
	old := w.ring
	w.ring = make([]flight, 2*len(old))
	for slot := w.frontier + 1; slot < w.next; slot++ {
		*w.at(slot) = old[uint64(slot)&uint64(len(old)-1)]
	}
}
