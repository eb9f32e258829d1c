package paxos

import (
	"time"

	"paxosbench/wire"
)

// Reads without the log. A leader may answer a read from its own state if it knows that, at some moment after the read
// arrived, nobody else could have had anything chosen that it has not applied. It knows that by one of two means
// (Ongaro's dissertation, section 6.4; the leases go back to Gray and Cheriton, 1989):
//
// Read index: a heartbeat round that began after the read arrived is answered by so many replicas that any phase-1
// quorum has one of them. Had another leader finished phase 1 before, one of these would have refused. One round serves
// all reads that wait for it, and one round is under way at a time.
//
// Lease: a replica that has answered a heartbeat promises no other ballot for an election timeout by its own clock. So
// nobody else can finish phase 1 within an election timeout of the moment at which a confirmed round began. The holder
// counts leaseShare of it, which is right as long as no clock runs faster than another by more than the rest: a ninth. A
// replica that has restarted does not know what it has answered, and waits for one election timeout, or for as long as
// any lease of earlier lives may last, which its data directory knows: a lease outlives the settings under which it was
// granted. Its own candidacy breaks no lease either: it waits as well (tickElection). All of this
// takes times of the right side: a grant must not be dated before the heartbeat came, nor a round after it was sent.
//
// Either way the leader must first have committed a batch of its own ballot, or it may not know everything that its
// predecessors had chosen.

// The holder of a lease counts 9/10 of it.
const (
	leaseShare = 9
	leaseParts = 10
)

// ReadRound registers a read. It may be answered once Confirmed has reached round and the slots up to index have been
// applied. This replica must lead.
func (c *Core) ReadRound() (round uint64, index wire.Slot) {
	c.roundWanted = true
	return c.rounds.newest.number + 1, max(c.commit, c.firstOfTerm)
}

// Confirmed returns the newest heartbeat round that was answered by a quorum.
func (c *Core) Confirmed() uint64 { return c.confirmed }

// HoldsLease reports whether this replica may answer reads from its own state at the given time, as soon as it has
// applied what it knows to be chosen. now must have been read after the reads arrived.
func (c *Core) HoldsLease(now time.Duration) bool {
	return c.cfg.Leases && c.role == Leader && c.commit >= c.firstOfTerm && c.leaseBegan > 0 &&
		now < c.leaseBegan+c.cfg.ElectionTimeout/leaseParts*leaseShare
}

// startWantedRound starts a round for the reads that wait for one, unless one is under way.
func (c *Core) startWantedRound() {
	if c.roundWanted && c.confirmed == c.rounds.newest.number {
		c.stats.ReadRounds++
		c.startRound()
	}
}

// grantLease keeps this replica from promising another ballot for an election timeout.
func (c *Core) grantLease() {
	if c.cfg.Leases {
		c.leaseGranted = c.now + c.cfg.ElectionTimeout
	}
}

// HonourLeases says that earlier lives may have granted leases that last so long, under settings that may have been others
// than today's. It is called before the first Tick.
func (c *Core) HonourLeases(last time.Duration) { c.leaseGranted = max(c.leaseGranted, c.now+last) }

// LeasedUntil returns when the last lease ends that this replica, or an earlier life of it, may have granted. Until then it
// promises no ballot but its leader's, itself none either.
func (c *Core) LeasedUntil() time.Duration { return c.leaseGranted }

// leased reports whether a promise to a replica, this one included, would break a lease. Whether leases are granted now is
// another question.
func (c *Core) leased(id wire.ReplicaID) bool {
	return c.now < c.leaseGranted && id != c.leader && len(c.cfg.Replicas) > 1
}
