package node

import (
	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// Journal is what an Archive needs of the journal. FirstSlot and ReadEntries may be called from any goroutine.
type Journal interface {
	// FirstSlot returns the smallest slot that has a durable record, 0 if none has.
	FirstSlot() wire.Slot
	// ReadEntries appends the newest durable entries of the slots from..through to dst, in wire form and about
	// maxBytes of them, and returns the last slot among them.
	ReadEntries(from, through wire.Slot, maxBytes int, dst []byte) (out []byte, last wire.Slot, err error)
	// Truncate lets go of what is needed for no slot above the given one.
	Truncate(slot wire.Slot)
}

// Archive is the part of the log that has left the memory: what peers are answered from, and what is let go once a
// snapshot stands for it. Its methods belong to the node's goroutine, but for Entries.
type Archive struct {
	journal Journal

	// Once mark records are durable, the journal holds everything up to slot marked, as it does up to slot settled
	// already.
	released, settled, marked wire.Slot
	mark                      uint64
}

// NewArchive returns the archive in a journal.
func NewArchive(j Journal) *Archive { return &Archive{journal: j} }

// Release lets go of the part of the journal that is of no more use. It does so only once the slot behind the newest
// snapshot has a durable record: a restart can then tell that the journal, cut short, and the snapshot belong together.
// appended and durable are records of this life. It returns the slot up to which the journal has been let go.
func (a *Archive) Release(n *Node, appended, durable uint64) wire.Slot {
	if durable >= a.mark { // records are appended before the slots that they are for are applied
		a.settled = a.marked
		a.mark, a.marked = appended, n.State().Applied()
	}
	through := n.Releasable()
	if through > a.released && a.settled > n.Snapshots().Newest.Slot {
		a.released = through
		a.journal.Truncate(through)
	}
	return a.released
}

// Oldest returns the first slot that can be read back. The journal is not asked for slots up to covered: a peer's
// snapshot stands for them, and what was accepted here may be something else than what was chosen.
func (a *Archive) Oldest(covered wire.Slot) wire.Slot { return max(covered+1, a.journal.FirstSlot()) }

// Entries answers a peer's fetch, up to the addresses and the commit frontier of the message. oldest is what Oldest has
// returned since. If it cannot, the answer says so, and an error says why unless it is that the journal does not reach
// back so far. The body is the caller's. It may be called from any goroutine.
func (a *Archive) Entries(f paxos.Fetch, oldest wire.Slot) (wire.Message, error) {
	if f.From < oldest {
		return Truncated(f, oldest), nil
	}
	body, last, err := a.journal.ReadEntries(f.From, f.Through, f.MaxBytes, nil)
	if err != nil {
		return Truncated(f, oldest), err
	}
	return wire.NewEntries(f.From, last, 0, body), nil
}

// Truncated is the answer to a fetch of slots that are gone: the log goes on at slot oldest.
func Truncated(f paxos.Fetch, oldest wire.Slot) wire.Message {
	return wire.NewTruncated(max(oldest, f.From+1), 0)
}
