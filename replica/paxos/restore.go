package paxos

import (
	"fmt"

	"paxosbench/wire"
)

// What a replica knows to be chosen comes back with its journal, without anybody's help.
//
// Every record carries the replica's own commit index at the time when it was made, and Restore believes it for every
// slot up to there, whatever the ballots of their records are. For when a record was made with commit index k, this held
// for each slot s at or below k: the newest record of s in this journal, among those before, holds the chosen value, or
// a snapshot stands for s. By the ways on which the index moves, in advance, decideEntry, advanceLeader and
// InstallSnapshot:
//
//   - advance passes s only if the log holds for it what was accepted under the ballot of the leader that said so, and
//     advanceLeader only what this replica has proposed itself. What the log holds for a slot is what its newest record
//     holds, because put and persist go together, in accept and in decideEntry.
//   - decideEntry makes a record of a value that a peer knows to be chosen, and then the index passes it.
//   - InstallSnapshot leaves what was accepted of the slots below as it is in the journal, and that may be other values.
//     It is called once the snapshot is durable, and makes a record that says so, before any that carries an index at or
//     above the snapshot's. If the snapshot is not there at a restart, that record throws away what it stood for, and
//     the index stops below.
//
// Once the index has passed s, nothing makes a record of s any more: Accepts at or below the index are answered and
// not taken, and decideEntry takes the slot above it. So the newest record of s is the same when the journal is read.
// It cannot be missing: the journal gives back every record before one that it gives back, but for those of its beginning,
// which it lets go only for a snapshot that covers their slots (see node.Archive). Restore passes over records of slots
// that the restored snapshot covers, and so begins with the index at it.
//
// It follows that no notice of a leader is believed on a restart for more than this replica had made of it; and that an
// index must be learnt before the record is made that carries it, or what the last message before a stop said is lost.

// Restore takes one record of the journal of an earlier life, in order. r.Body is copied. The commit index moves on
// during the replay, so that the caller can apply and Trim.
func (c *Core) Restore(r *wire.Record) {
	if r.Kind != wire.RecordChosen {
		c.promised = max(c.promised, r.Ballot)
		c.maxSeen = max(c.maxSeen, r.Ballot)
	}
	switch {
	case r.Kind.NamesSlot() && r.Slot > c.commit && r.Slot >= c.log.first:
		e := Entry{Ballot: r.Ballot, Payload: r.Payload, durable: true}
		e.Body = append(c.cfg.Buffers.Get(len(r.Body)), r.Body...)
		c.log.put(r.Slot, e)
	case r.Kind == wire.RecordInstalled && r.Commit > c.commit:
		c.log.restart(r.Commit)
	}
	for c.commit < r.Commit && c.log.get(c.commit+1) != nil {
		c.commit++
	}
	c.recorded = max(c.recorded, c.commit)
}

// TrimRestored lets go of slots that have been applied during the replay. The journal has them, and memory that is used again at once
// need not be cleared by the system first. The last ones are kept: the newest says what a leader must know (see isBeyond).
func (c *Core) TrimRestored(applied wire.Slot) {
	c.log.trim(min(applied, c.commit), min(c.cfg.LogBytes, restoredBytes))
	c.log.recycle()
}

// restoredBytes has room for two of the largest batches.
const restoredBytes = 8 << 20

// RestoreSnapshot tells the core, before the records, that a snapshot of an earlier life stands for every slot up to s.
func (c *Core) RestoreSnapshot(s wire.Slot) {
	c.log.restart(s)
	c.commit, c.recorded = s, s
}

// InstallSnapshot tells the core that a peer's snapshot, which is durable here, stands for every slot up to s. A replica
// that leads must not be told of one beyond its commit index: the slots in between are in its window.
func (c *Core) InstallSnapshot(s wire.Slot) {
	if s > c.commit && c.role == Leader {
		panic(fmt.Sprintf("BUG: leader with commit %d told of a snapshot of slot %d", c.commit, s))
	}
	if s <= c.commit {
		return
	}
	c.log.restart(s)
	c.commit = s
	c.persist(wire.Record{Kind: wire.RecordInstalled})
	c.stopFetching()
	c.advance()
	c.maybeBecomeLeader()
}

// RecordCommit makes a record of the commit index, unless one carries it already. It is for an orderly stop: what was
// known then is known at the next start.
func (c *Core) RecordCommit() {
	if c.commit > c.recorded {
		c.persist(wire.Record{Kind: wire.RecordCommit})
	}
}

// tickCommit makes one when no other has carried the index for a heartbeat. Under load every Accept does.
func (c *Core) tickCommit() {
	if c.now >= c.recordedAt+c.cfg.Heartbeat {
		c.RecordCommit()
	}
}
