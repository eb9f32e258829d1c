package storage

import (
	"errors"
	"fmt"

	"paxosbench/replica/journal"
	"paxosbench/replica/snapshot"
	"paxosbench/wire"
)

// ErrSnapshotMissing is what Open returns when the journal has been cut and the snapshot that stood for the rest is not
// there.
var ErrSnapshotMissing = errors.New("a snapshot is missing; put it back, or start with --repair to set the data aside and take everything anew from the other replicas")

// recovery rebuilds a replica from what an earlier life has left: the newest snapshot first, then the records of the
// journal. It refuses if the two do not meet: what is missing in between may have been accepted here, and a replica that
// denies it can undo a decision.
//
// That the journal has been cut shows in the number of its first record. It is only cut when the slot after the newest
// snapshot has a durable record (see Storage.release), so a journal that was cut and begins later has lost its snapshot.
type recovery struct {
	replica Replica
	store   *snapshot.Store

	begun   bool
	slot    wire.Slot              // of the snapshot; 0: none
	damaged *snapshot.CorruptError // a newer one
	first   journal.LSN            // of the journal
	last    journal.LSN            // 0: it is empty

	// The journal holds a record for every slot after the snapshot up to reached, and for those ahead.
	reached wire.Slot
	ahead   map[wire.Slot]struct{}

	installed wire.Slot // of the newest snapshot of a peer that the journal tells of
}

// newRecovery returns the recovery of a replica that has never run, from the snapshots in store and the records that
// replay is going to be given.
func newRecovery(r Replica, store *snapshot.Store) *recovery {
	return &recovery{replica: r, store: store}
}

// replay takes one record of the journal; the first time it restores the snapshot before. It must not be called before
// the data directory is locked. An error is final.
func (r *recovery) replay(lsn journal.LSN, rec *wire.Record) error {
	if !r.begun {
		if err := r.begin(); err != nil {
			return err
		}
		r.first = lsn
	}
	r.last = lsn
	if rec.Kind == wire.RecordInstalled {
		r.installed = rec.Commit
	}
	if r.damaged != nil && rec.Slot > r.reached {
		r.ahead[rec.Slot] = struct{}{}
		for r.holds(r.reached + 1) {
			r.reached++
		}
	}
	return r.replica.Restore(rec)
}

// begin restores the snapshot.
func (r *recovery) begin() error {
	r.begun = true
	state, damaged, err := r.store.Restore(r.replica.Restorer)
	if err != nil {
		return err
	}
	r.damaged = damaged
	if state != nil {
		r.replica.RestoreSnapshot(state, r.store.Newest())
		r.slot = state.Applied()
	}
	r.reached, r.ahead = r.slot, make(map[wire.Slot]struct{})
	return nil
}

// holds reports whether a slot is among those ahead, and forgets it.
func (r *recovery) holds(slot wire.Slot) bool {
	_, ok := r.ahead[slot]
	delete(r.ahead, slot)
	return ok
}

// finish checks, after the last record, that nothing is missing. firstSlot is the smallest slot in the journal, 0 if it
// holds none. The error is a *snapshot.CorruptError, ErrSnapshotMissing, or what reading the snapshots failed with.
func (r *recovery) finish(firstSlot wire.Slot) error {
	if !r.begun {
		if err := r.begin(); err != nil {
			return err
		}
	}
	if r.damaged != nil && r.installed > r.slot {
		return fmt.Errorf("%w (the journal cannot stand in for it: it was a peer's, and what was accepted here up to slot %d may be something else)", r.damaged, r.installed)
	}
	if r.damaged != nil && r.reached < r.damaged.Slot {
		return fmt.Errorf("%w (the journal cannot stand in for it: it goes from slot %d to slot %d)", r.damaged, r.slot+1, r.reached)
	}
	if r.first > 1 && (firstSlot == 0 || firstSlot > r.slot+1) {
		return fmt.Errorf("the journal begins with slot %d and the newest snapshot ends with slot %d: %w", firstSlot, r.slot, ErrSnapshotMissing)
	}
	return nil
}
