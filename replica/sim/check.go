package sim

import (
	"paxosbench/pipeline"
	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// disk is what is durable on one replica's disk, as the checkers know it.
type disk struct {
	promised wire.Ballot
	slots    map[wire.Slot]stored
	snapshot wire.Slot // stands for every slot up to here
}

type stored struct {
	ballot  wire.Ballot
	crc     uint32
	decided bool
}

func newDisk() disk { return disk{slots: map[wire.Slot]stored{}} }

func (d *disk) add(rec *paxos.Record) {
	if rec.Kind != paxos.RecordDecide {
		d.promised = max(d.promised, rec.Ballot)
	}
	if rec.Kind != paxos.RecordPromise {
		d.slots[rec.Slot] = stored{rec.Ballot, rec.BodyCRC, rec.Kind == paxos.RecordDecide}
	}
}

// checker sees everything that the replicas do, and knows what must never happen.
type checker struct {
	w        *world
	proposed map[proposal]uint32 // checksum of the batch
	votes    map[proposal]pipeline.VoteSet
	decided  map[wire.Slot]uint32   // checksum of the batch that a quorum has accepted, or a replica applied
	digests  map[wire.Slot]uint64   // of the state after the slot
	applied  map[*replica]wire.Slot // in the present life

	operations []*operation // of all clients, in the order in which they were made
}

type proposal struct {
	ballot wire.Ballot
	slot   wire.Slot
}

func newChecker(w *world) *checker {
	return &checker{
		w: w, proposed: map[proposal]uint32{}, votes: map[proposal]pipeline.VoteSet{}, decided: map[wire.Slot]uint32{}, digests: map[wire.Slot]uint64{},
		applied: map[*replica]wire.Slot{},
	}
}

// restarted: a replica comes back with what it had, and its state is that of its applied slot.
func (c *checker) restarted(r *replica) {
	c.applied[r] = 0
	c.round(r)
}

// append: no record is made for a ballot below one that was promised durably.
func (c *checker) append(r *replica, rec *paxos.Record) {
	if rec.Kind != paxos.RecordDecide && rec.Ballot < r.disk.promised {
		c.w.fail("replica %d appends a record of ballot %v, but has promised %v", r.id, rec.Ballot, r.disk.promised)
	}
}

// send: one value for each ballot and slot; and nothing is said that the disk does not know yet.
func (c *checker) send(r *replica, m *wire.Message) {
	switch m.Type {
	case wire.TypeAccept:
		p := proposal{m.Ballot, m.Slot}
		if crc, ok := c.proposed[p]; ok && crc != m.BodyCRC {
			c.w.fail("replica %d proposes a second value for slot %d in ballot %v", r.id, m.Slot, m.Ballot)
		}
		c.proposed[p] = m.BodyCRC
	case wire.TypePromise:
		if r.disk.promised < m.Ballot {
			c.w.fail("replica %d answers Prepare of ballot %v, but only %v is durable", r.id, m.Ballot, r.disk.promised)
		}
	case wire.TypeAccepted:
		for s := m.Slot; s <= m.Last; s++ {
			// A higher ballot may have been accepted in the same sync, and what is chosen counts as accepted.
			if got := r.disk.slots[s]; got.ballot < m.Ballot && !got.decided && s > r.disk.snapshot && s > r.node.Core().Commit() {
				c.w.fail("replica %d answers Accept of slot %d in ballot %v before it is durable", r.id, s, m.Ballot)
			}
		}
	}
}

// accepted: a value that a phase-2 quorum has accepted in one ballot is chosen, whether or not anybody knows it yet, and
// there is one for each slot.
func (c *checker) accepted(r *replica, rec *paxos.Record) {
	if rec.Kind != paxos.RecordAccept {
		return
	}
	p := proposal{rec.Ballot, rec.Slot}
	votes := c.votes[p]
	votes.Add(r.id)
	c.votes[p] = votes
	if votes.Len() >= c.w.quorum2 {
		c.decide(r, rec.Slot, rec.BodyCRC)
	}
}

// round: slots are applied in order, the same on all replicas.
func (c *checker) round(r *replica) {
	state, core := r.node.State(), r.node.Core()
	last, now := c.applied[r], state.Applied()
	if now < last {
		c.w.fail("replica %d has applied slot %d, after slot %d", r.id, now, last)
	}
	if now > core.Commit() {
		c.w.fail("replica %d has applied slot %d, commit frontier %d", r.id, now, core.Commit())
	}
	for s := max(last+1, core.FirstSlot()); s <= now; s++ {
		c.decide(r, s, core.Entry(s).BodyCRC)
	}
	if now == last {
		return
	}
	c.applied[r] = now
	if digest, ok := c.digests[now]; ok && digest != state.Digest() {
		c.w.fail("replica %d differs from others at slot %d", r.id, now)
	}
	c.digests[now] = state.Digest()
}

func (c *checker) decide(r *replica, s wire.Slot, crc uint32) {
	if before, ok := c.decided[s]; ok && before != crc {
		c.w.fail("a second value is chosen for slot %d, as replica %d knows", s, r.id)
	}
	c.decided[s] = crc
}

// answered: what a client is told is on the disks of a phase-2 quorum. A disk may have been lost since.
func (c *checker) answered(r *replica) {
	slot := r.node.State().Applied() + 1
	crc := r.node.Core().Entry(slot).BodyCRC
	c.decide(r, slot, crc)
	holders := 0
	for _, o := range c.w.replicas {
		if got, ok := o.disk.slots[slot]; ok && got.crc == crc || o.disk.snapshot >= slot {
			holders++
		}
	}
	needed := c.w.quorum2
	if c.w.counts.LostDisks > 0 {
		needed--
	}
	if holders < needed {
		c.w.fail("slot %d is answered while it is on %d disks of %d", slot, holders, needed)
	}
}

// end: all replicas hold the same, every command was executed exactly once, and the histories are linearizable.
func (c *checker) end() {
	w := c.w
	var assigned uint64
	for _, client := range w.clients {
		assigned += client.assigned
		w.counts.Answered += client.answeredEver
	}
	for _, r := range w.replicas {
		state := r.node.State()
		if first := w.replicas[0].node.State(); state.Digest() != first.Digest() || state.ContentDigest() != first.ContentDigest() {
			w.fail("replicas 1 and %d have applied slot %d and differ", r.id, state.Applied())
		}
		stats := state.Stats()
		if stats.Executed != assigned {
			w.fail("replica %d has executed %d commands, the clients have sent %d", r.id, stats.Executed, assigned)
		}
	}
	stats := w.replicas[0].node.State().Stats()
	w.counts.Duplicates, w.counts.Gaps = stats.Duplicates, stats.Gaps
	for _, r := range w.replicas {
		p := r.node.Core().Stats()
		w.counts.Elections += p.Leaderships
		w.counts.Fetched += p.Fetched
		w.counts.Resent += p.Resent
		w.counts.NoOps += p.NoOps
	}
	w.checkHistories()
}
