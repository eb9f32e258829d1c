package node

import (
	"errors"
	"fmt"

	"paxosbench/replica/machine"
	"paxosbench/replica/snapshot"
	"paxosbench/wire"
)

// ErrSnapshotMissing is what Recovery.Finish returns when the journal has been cut and the snapshot that stood for the
// rest is not there.
var ErrSnapshotMissing = errors.New("a snapshot is missing; put it back, or start with --repair to set the data aside and take everything anew from the other replicas")

// Recovery rebuilds a node from what an earlier life has left: the newest snapshot first, then the records of the
// journal. It refuses if the two do not meet: what is missing in between may have been accepted here, and a replica that
// denies it can undo a decision.
//
// That the journal has been cut shows in the number of its first record. It is only cut when the slot behind the newest
// snapshot has a durable record (see Archive.Release), so a journal that was cut and begins later has lost its snapshot.
type Recovery struct {
	node  *Node
	store *snapshot.Store

	begun   bool
	slot    wire.Slot              // of the snapshot; 0: none
	damaged *snapshot.CorruptError // a newer one
	first   uint64                 // record of the journal
	last    uint64

	// The journal holds a record for every slot behind the snapshot up to reached, and for those ahead.
	reached wire.Slot
	ahead   map[wire.Slot]struct{}
}

// NewRecovery returns the recovery of a node that has never run, from the snapshots in store and the records that
// Replay is going to be given.
func NewRecovery(n *Node, store *snapshot.Store) *Recovery { return &Recovery{node: n, store: store} }

// Replay takes one record of the journal with its number; the first time it restores the snapshot before. It must not
// be called before the data directory is locked. An error is final.
func (r *Recovery) Replay(number uint64, rec *wire.Record) error {
	if !r.begun {
		if err := r.begin(); err != nil {
			return err
		}
		r.first = number
	}
	r.last = number
	if r.damaged != nil && rec.Slot > r.reached {
		r.ahead[rec.Slot] = struct{}{}
		for r.holds(r.reached + 1) {
			r.reached++
		}
	}
	return r.node.Restore(rec)
}

// begin restores the snapshot.
func (r *Recovery) begin() error {
	r.begun = true
	state, damaged, err := r.store.Restore(func() *machine.Restorer {
		return machine.NewRestorer(machine.New(r.node.cfg.Machine), r.node.cfg.State)
	})
	if err != nil {
		return err
	}
	r.damaged = damaged
	if state != nil {
		r.node.RestoreSnapshot(state, r.store.Newest())
		r.slot = state.Applied()
	}
	r.reached, r.ahead = r.slot, make(map[wire.Slot]struct{})
	return nil
}

// holds reports whether a slot is among those ahead, and forgets it.
func (r *Recovery) holds(slot wire.Slot) bool {
	_, ok := r.ahead[slot]
	delete(r.ahead, slot)
	return ok
}

// Finish checks, behind the last record, that nothing is missing. firstSlot is the smallest slot in the journal, 0 if
// it holds none. The error is a *snapshot.CorruptError, ErrSnapshotMissing, or what reading the snapshots failed with.
func (r *Recovery) Finish(firstSlot wire.Slot) error {
	if !r.begun {
		if err := r.begin(); err != nil {
			return err
		}
	}
	if r.damaged != nil && r.reached < r.damaged.Slot {
		return fmt.Errorf("%w (the journal cannot stand in for it: it goes from slot %d to slot %d)", r.damaged, r.slot+1, r.reached)
	}
	if r.first > 1 && (firstSlot == 0 || firstSlot > r.slot+1) {
		return fmt.Errorf("the journal begins with slot %d and the newest snapshot ends with slot %d: %w", firstSlot, r.slot, ErrSnapshotMissing)
	}
	return nil
}

// Last returns the number of the last record, 0 if there was none.
func (r *Recovery) Last() uint64 { return r.last }

// Covered returns the slot up to which a snapshot has been restored, 0 if there was none.
func (r *Recovery) Covered() wire.Slot { return r.slot }
