package storage

import (
	"errors"

	"paxosbench/replica/journal"
	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// archive is the part of the log that has left the memory: what peers are answered from, and what is let go once a
// snapshot stands for it.
type archive struct {
	// The journal is not asked for slots up to covered: a snapshot of a peer stands for them, and what was accepted here
	// may be something else than what was chosen.
	covered wire.Slot

	released wire.Slot // the journal has been cut up to here
	next     cut
}

// cut is one that is due: what is up to slot through is of no use, and may go once so many records are durable.
type cut struct {
	through wire.Slot // 0: nothing is due, but time to look again
	records uint64
}

// release lets go of the part of the journal that is of no more use. It does so only once a slot after the snapshot that was the
// newest then has a durable record: a restart can then tell that the journal, cut short, and the snapshot, or one that is newer
// still, belong together. It does not wait for the newest one of now: where the disk is slow and snapshots are small, that one
// would always be ahead of what is durable.
func (s *Storage) release(durable uint64) {
	if s.volatile {
		return
	}
	a := &s.archive
	if durable < a.next.records {
		return
	}
	if a.next.through > a.released {
		a.released = a.next.through
		s.journal.Truncate(a.released)
	}
	a.next = cut{records: s.appended} // records are appended before the slots that they are for are applied
	if s.replica.State().Applied() > s.replica.Snapshots().Newest.Slot {
		a.next.through = s.replica.Releasable()
	}
}

// oldest returns the first slot that can be read back.
func (s *Storage) oldest() wire.Slot {
	if s.volatile {
		return s.replica.Core().FirstSlot()
	}
	return max(s.archive.covered+1, s.journal.FirstSlot())
}

// Fetch answers a peer that wants slots which are no longer in memory, in two parts as the core does: the peer asks for more when
// the first has come.
func (s *Storage) Fetch(f paxos.Fetch) {
	oldest := s.oldest()
	s.runner.Go(func() {
		first := s.entries(f, oldest)
		if first.Truncated() || first.Last() >= f.Through || len(first.Body) > f.MaxBytes {
			s.answer(f.Peer, first)
			return
		}
		f.From = first.Last() + 1
		if second := s.entries(f, oldest); !second.Truncated() {
			first.SetThrough(second.Last())
			s.answer(f.Peer, first, second)
		} else {
			s.answer(f.Peer, first)
		}
	})
}

// answer has messages sent to a peer. Any goroutine may call it.
func (s *Storage) answer(peer wire.ReplicaID, messages ...wire.Message) {
	s.runner.Post(func() {
		for _, m := range messages {
			s.replica.Answer(peer, m)
		}
	})
}

// entries reads the answer to a fetch, up to the commit index in it. If it cannot, the answer says so: the peer turns to a snapshot, or to another
// replica. It may be called from any goroutine.
func (s *Storage) entries(f paxos.Fetch, oldest wire.Slot) wire.Message {
	gone := wire.NewTruncated(max(oldest, f.From+1), 0)
	if s.volatile || f.From < oldest {
		return gone
	}
	body, last, err := s.journal.ReadEntries(f.From, f.Through, f.MaxBytes, nil)
	if err != nil {
		if !errors.Is(err, journal.ErrTruncated) {
			s.log.Error("reading entries for a peer", "from", f.From, "err", err)
		}
		return gone
	}
	return wire.NewEntries(f.From, last, 0, body)
}
