package replica

import (
	"fmt"

	"paxosbench/replica/journal"
	"paxosbench/replica/machine"
	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
	"paxosbench/replica/snapshot"
	"paxosbench/wire"
)

// recovery rebuilds a node from what the data directory holds: the newest snapshot first, then the records of the
// journal. It refuses if the two do not meet: what is missing in between may have been accepted here, and a replica that
// denies it can undo a decision.
//
// That the journal has been cut shows in the number of its first record. It is only cut when the slot behind the newest
// snapshot has a durable record (see storage.release), so a journal that was cut and begins later has lost its snapshot.
type recovery struct {
	cfg   *Config
	node  *node.Node
	store *snapshot.Store

	begun   bool
	slot    wire.Slot              // of the snapshot; 0: none
	damaged *snapshot.CorruptError // a newer one
	first   journal.LSN
	last    journal.LSN

	// The journal holds a record for every slot behind the snapshot up to reached, and for those ahead.
	reached wire.Slot
	ahead   map[wire.Slot]struct{}
}

// begin restores the snapshot. It must not come before the data directory is locked.
func (r *recovery) begin() error {
	r.begun = true
	state, damaged, err := r.store.Restore(func() *machine.Restorer {
		return machine.NewRestorer(machine.New(r.cfg.Machine), r.cfg.state())
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

// replay takes one record of the journal.
func (r *recovery) replay(lsn journal.LSN, rec *journal.Record) error {
	if !r.begun {
		if err := r.begin(); err != nil {
			return err
		}
		r.first = lsn
	}
	r.last = lsn
	if r.damaged != nil && rec.Slot > r.reached {
		r.ahead[rec.Slot] = struct{}{}
		for r.holds(r.reached + 1) {
			r.reached++
		}
	}
	return r.node.Restore(&paxos.Record{
		Kind: paxos.RecordKind(rec.Kind), Ballot: rec.Ballot, Slot: rec.Slot, Commit: rec.Commit,
		Codec: rec.Codec, RawLen: rec.RawLen, BodyCRC: rec.BodyCRC, Body: rec.Body,
	})
}

// holds reports whether a slot is among those ahead, and forgets it.
func (r *recovery) holds(slot wire.Slot) bool {
	_, ok := r.ahead[slot]
	delete(r.ahead, slot)
	return ok
}

// finish checks that nothing is missing. firstSlot is the smallest slot in the journal, 0 if it holds none.
func (r *recovery) finish(firstSlot wire.Slot) error {
	if !r.begun {
		if err := r.begin(); err != nil {
			return err
		}
	}
	if r.damaged != nil && r.reached < r.damaged.Slot {
		return fmt.Errorf("%w (the journal cannot stand in for it: it goes from slot %d to slot %d)", r.damaged, r.slot+1, r.reached)
	}
	if r.first > 1 && (firstSlot == 0 || firstSlot > r.slot+1) {
		return fmt.Errorf("data directory %s: the journal begins with slot %d and the newest snapshot ends with slot %d, so a snapshot is missing; "+
			"put it back, or move the data directory away and start with --rejoin", r.cfg.Data, firstSlot, r.slot)
	}
	return nil
}
