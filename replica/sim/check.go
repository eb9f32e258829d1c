package sim

import (
	"paxosbench/pipeline"
	"paxosbench/wire"
)

// checker sees everything that the replicas do, and knows what must never happen.
type checker struct {
	w        *world
	proposed map[proposal]uint32 // checksum of the batch
	votes    map[proposal]*votes
	chosen   map[wire.Slot]proposal // that a quorum was the first to accept
	decided  map[wire.Slot]uint32   // checksum of the batch that a quorum has accepted, or a replica applied
	digests  map[wire.Slot]uint64   // of the state after the slot
	applied  map[*replica]wire.Slot // in the present life
	promises promises

	operations []*operation // of all clients, in the order in which they were made
}

type proposal struct {
	ballot wire.Ballot
	slot   wire.Slot
}

// votes are the acceptances of one value for one slot in one ballot, with the disks that they were made durable on.
type votes struct {
	set   pipeline.VoteSet
	disks [wire.MaxReplicas + 1]*disk
}

func newChecker(w *world) *checker {
	return &checker{
		w: w, proposed: map[proposal]uint32{}, votes: map[proposal]*votes{}, chosen: map[wire.Slot]proposal{},
		decided: map[wire.Slot]uint32{}, digests: map[wire.Slot]uint64{}, applied: map[*replica]wire.Slot{}, promises: newPromises(),
	}
}

// restarted: a replica comes back with what it had, and its state is that of its applied slot.
func (c *checker) restarted(r *replica) {
	if got := r.node.Core().Ballot(); got != r.disk.promised {
		c.w.fail("replica %d comes back with the promise of %v, durable is that of %v", r.id, got, r.disk.promised)
	}
	if got := r.node.Core().Commit(); !r.forgetful && got < r.disk.learnt {
		c.w.fail("replica %d comes back as a voter that knows the slots up to %d, but it was to know those up to %d", r.id, got, r.disk.learnt)
	}
	if got := r.node.Core().Commit(); got < r.disk.commit {
		c.w.fail("replica %d comes back with commit index %d, a record that carries %d is durable", r.id, got, r.disk.commit)
	}
	c.applied[r] = 0
	c.round(r)
}

// append: no record is made for a ballot below one that was promised durably, or that a leader counted on.
func (c *checker) append(r *replica, rec *wire.Record) {
	if !rec.Kind.IsVote() {
		return
	}
	if rec.Ballot < r.disk.promised {
		c.w.fail("replica %d appends a record of ballot %v, but has promised %v", r.id, rec.Ballot, r.disk.promised)
	}
	if rec.Kind == wire.RecordAccept {
		c.promises.accept(c.w, r, rec.Ballot)
	}
}

// send: one value for each ballot and slot; and nothing is said that the disk does not know yet.
func (c *checker) send(r *replica, m *wire.Message) {
	r.poll()
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
		for s := m.Slot; s <= m.Last(); s++ {
			// A higher ballot may have been accepted in the same sync, and what is chosen counts as accepted.
			if got := r.disk.slots[s]; got.ballot < m.Ballot && !got.decided && s > r.disk.snapshot && s > r.node.Core().Commit() {
				c.w.fail("replica %d answers Accept of slot %d in ballot %v before it is durable", r.id, s, m.Ballot)
			}
		}
	}
}

// delivered sees a message before its receiver does. order says when it was sent.
func (c *checker) delivered(to *replica, m *wire.Message, order uint64) {
	if m.Type == wire.TypePromise {
		c.promises.deliver(to, m, order)
	}
}

// accepted: a value that a phase-2 quorum has accepted in one ballot is chosen, whether or not anybody knows it yet, and
// there is one for each slot.
func (c *checker) accepted(r *replica, rec *wire.Record) {
	if rec.Kind != wire.RecordAccept {
		return
	}
	p := proposal{rec.Ballot, rec.Slot}
	v := c.votes[p]
	if v == nil {
		v = new(votes)
		c.votes[p] = v
	}
	v.set.Add(r.id)
	v.disks[r.id] = r.disk
	if v.set.Len() < c.w.quorum2 {
		return
	}
	c.decide(r, rec.Slot, rec.BodyCRC)
	if _, ok := c.chosen[rec.Slot]; !ok {
		c.chosen[rec.Slot] = p
	}
}

// round: slots are applied in order, the same on all replicas, and only what is chosen.
func (c *checker) round(r *replica) {
	state, core := r.node.State(), r.node.Core()
	r.poll()
	c.promises.round(c.w, r)
	if r.forgetful && core.Voting() && r.disk.learnt == 0 {
		r.disk.learnt = core.Commit()
	}
	last, now := c.applied[r], state.Applied()
	if now < last {
		c.w.fail("replica %d has applied slot %d, after slot %d", r.id, now, last)
	}
	if now > core.Commit() {
		c.w.fail("replica %d has applied slot %d, commit frontier %d", r.id, now, core.Commit())
	}
	for s := max(last+1, core.FirstSlot()); s <= now; s++ {
		c.decide(r, s, core.Entry(s).BodyCRC)
		if _, ok := c.chosen[s]; !ok {
			c.w.fail("replica %d applies slot %d before it is chosen: it is on %d disks, the quorum is %d", r.id, s, c.holders(s), c.w.quorum2)
		}
	}
	if now == last {
		return
	}
	c.applied[r] = now
	if r.astray {
		return
	}
	if digest, ok := c.digests[now]; ok && digest != state.Digest() {
		c.w.fail("replica %d differs from others at slot %d", r.id, now)
	}
	c.digests[now] = state.Digest()
}

// holders returns how many disks hold what was decided for a slot.
func (c *checker) holders(s wire.Slot) (n int) {
	for _, r := range c.w.replicas {
		if r.disk.holds(s, c.decided[s]) {
			n++
		}
	}
	return n
}

// decide: there is one value for each slot.
func (c *checker) decide(r *replica, s wire.Slot, crc uint32) {
	if before, ok := c.decided[s]; ok && before != crc {
		c.w.fail("a second value is chosen for slot %d, as replica %d knows", s, r.id)
	}
	c.decided[s] = crc
}

// answered: what a client is told has been accepted by a phase-2 quorum in one ballot, and is on all disks of that
// quorum that have not been lost since.
func (c *checker) answered(r *replica) {
	r.poll()
	slot := r.node.State().Applied() + 1
	crc := r.node.Core().Entry(slot).BodyCRC
	c.decide(r, slot, crc)
	p, ok := c.chosen[slot]
	if !ok {
		c.w.fail("slot %d is answered before it is chosen: it is on %d disks, the quorum is %d", slot, c.holders(slot), c.w.quorum2)
	}
	v := c.votes[p]
	for _, o := range c.w.replicas {
		if v.set.Has(o.id) && v.disks[o.id] == o.disk && !o.disk.holds(slot, crc) {
			c.w.fail("slot %d is answered, but replica %d, which had accepted it in ballot %v, holds it no more", slot, o.id, p.ballot)
		}
	}
}

// end: all replicas hold the same, every command was executed exactly once, and the histories are linearizable. Of the
// commands of a session that was evicted, those without an answer may or may not have been executed.
func (c *checker) end() {
	w := c.w
	var made, answered uint64
	for _, client := range w.clients {
		made += client.made
		answered += client.answeredEver
	}
	w.counts.Answered = answered
	if w.replicas[0].node.State().Applied() > longLife {
		w.counts.LongRuns++
	}
	first := w.replicas[0].node.State()
	for _, r := range w.replicas {
		state := r.node.State()
		if state.Digest() != first.Digest() {
			w.fail("replicas 1 and %d have applied slot %d and differ", r.id, state.Applied())
		}
		if n := state.Stats().Executed; n > made || n < answered {
			w.fail("replica %d has executed %d commands, the clients have sent %d and had answers to %d", r.id, n, made, answered)
		}
	}
	stats := first.Stats()
	w.counts.Duplicates, w.counts.Gaps, w.counts.Evictions = stats.Duplicates, stats.Gaps, stats.Evictions
	if w.hoard > 0 && w.visitors == 0 && stats.Evictions > 0 {
		w.counts.HoardRuns++
	}
	for _, r := range w.replicas {
		p := r.node.Core().Stats()
		w.counts.Elections += p.Leaderships
		w.counts.Fetched += p.Fetched
		w.counts.Resent += p.Resent
		w.counts.NoOps += p.NoOps
	}
	w.checkHistories()
}
