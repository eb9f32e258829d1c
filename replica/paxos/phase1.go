package paxos

import (
	"time"

	"paxosbench/pipeline"
	"paxosbench/wire"
)

// A candidate pulls promises in parts. It asks each acceptor for a part, whose size follows the way to it (see Flow), and
// for the next when that has come. Every part is progress, and extends the candidacy; one that is lost is asked for again,
// with growing patience, and what arrives is not asked for twice. So a suffix of any length is gathered in one candidacy,
// over any link that carries a part within an election timeout.
//
// Meanwhile a Prepare that asks for nothing, every heartbeat, is a sign of life: who has promised waits, and gives nobody
// else a pre-vote. A candidate that makes no progress gives up; one that has its promises and has yet to fetch what is chosen
// gives no more signs, because who need not fetch leads sooner.
//
// What is adopted waits as a backlog, beside what this replica has accepted itself, and is proposed again as the window
// has room, before anything new.

// maxHole bounds the slots in a row of which an acceptor that is ahead of its commit index has accepted none. It takes
// nothing that is more than Limits.MaxAhead above the index. What a promise says beyond is not what an acceptor can have.
const maxHole = 1 << 20

// phase1 is what a candidate has gathered for its ballot.
type phase1 struct {
	promises pipeline.VoteSet
	parts    [wire.MaxReplicas + 1]promiseParts // by acceptor
	frontier wire.Slot                          // highest commit index among the promises
	adopted  map[wire.Slot]Entry                // above that, what others have accepted under a higher ballot than this replica
	last     wire.Slot                          // highest of these
	signed   time.Duration                      // when the last sign of life was given
}

// promiseParts is how far an acceptor's promise has come.
type promiseParts struct {
	covered wire.Slot     // the slots up to here have been reported on
	asked   time.Duration // when the part after it was asked for
	again   bool          // not for the first time: nothing tells which question is answered

	arriving time.Duration // when bytes of a part were last seen to come
}

// startPhase1 begins a candidacy. Nobody is asked before the candidate's own promise is durable: a ballot that others
// may have heard of must not be used again by a later life, and a replica whose disk hangs must not depose a leader.
func (c *Core) startPhase1(b wire.Ballot) {
	c.role, c.ballot, c.leader = Candidate, b, 0
	c.stats.Elections++
	c.rejections = 0
	c.phase1 = phase1{frontier: c.commit, adopted: map[wire.Slot]Entry{}}
	c.resetDeadline()
	c.promise(b)
	c.waiting = append(c.waiting, waiting{record: c.appended, kind: wire.RecordPromise, ballot: b})
}

// onOwnPromiseDurable counts the candidate's own promise and asks every other acceptor to promise, for all slots from the
// first one not known chosen.
func (c *Core) onOwnPromiseDurable() {
	if c.role != Candidate || c.phase1.promises.Has(c.cfg.Self) {
		return
	}
	c.phase1.signed = c.now
	for _, id := range c.cfg.Replicas {
		if id != c.cfg.Self {
			c.phase1.parts[id].covered = c.commit
			c.promising[id].Resume()
			c.askForPart(id)
		}
	}
	c.promisedBy(c.cfg.Self)
}

// askForPart asks an acceptor for the next part of its promise.
func (c *Core) askForPart(id wire.ReplicaID) {
	part := &c.phase1.parts[id]
	part.asked = c.now
	c.sendTo(id, wire.NewPrepare(c.ballot, part.covered+1, c.promising[id].Bytes()))
}

// gathering reports whether this replica is a candidate that waits for promises.
func (c *Core) gathering() bool {
	return c.role == Candidate && c.phase1.promises.Len() < c.cfg.Quorum1
}

// tickCandidate shows that the candidate lives, and asks again for parts that seem to be lost.
func (c *Core) tickCandidate() {
	p := &c.phase1
	if !p.promises.Has(c.cfg.Self) {
		return
	}
	if c.gathering() && c.now >= p.signed+c.cfg.Heartbeat {
		p.signed = c.now
		c.broadcast(wire.NewPrepare(c.ballot, c.commit+1, 0))
	}
	for _, id := range c.cfg.Replicas {
		if !p.promises.Has(id) && c.now >= max(p.parts[id].asked, p.parts[id].arriving)+c.partPatience(id) {
			c.promising[id].Silent()
			c.askForPart(id)
			p.parts[id].again = true
		}
	}
}

// partPatience returns how long to wait for a part. A candidacy is short: where nothing is known of the way, its first
// question is repeated within it.
func (c *Core) partPatience(id wire.ReplicaID) time.Duration {
	if f := &c.promising[id]; f.shortest == 0 {
		return f.patience << f.silences
	}
	return c.promising[id].Patience()
}

// onPromise takes one part of an acceptor's promise, which reports on a range of slots. Ranges must follow each other
// without a gap. Everything that a part says holds, even if no other comes.
func (c *Core) onPromise(m *wire.Message) {
	p := &c.phase1
	part := &p.parts[m.From]
	covered := max(part.covered, m.Commit)
	if c.role != Candidate || m.Ballot != c.ballot || p.promises.Has(m.From) || m.Slot > covered+1 {
		c.stats.Ignored++
		return
	}
	p.frontier = max(p.frontier, m.Commit) // this replica leads only once it knows all that, however much it is
	c.learnTarget(m.From, m.Commit)        // and so it asks for it with the first part, not with the last
	if !c.adoptPart(m) || m.More() && max(covered, m.Last()) == part.covered {
		c.stats.Ignored++ // not what an acceptor can have, or a copy of what has come
		return
	}
	part.covered = max(covered, m.Last())
	if !part.again {
		c.promising[m.From].Took(c.now-part.asked, len(m.Body))
	}
	part.again = false
	c.resetDeadline()
	if m.More() {
		c.askForPart(m.From)
		return
	}
	c.promisedBy(m.From)
}

// adoptPart adopts the entries of a part, and reports whether all of it is what an acceptor can have accepted. What cannot
// be adopted must not be passed over.
func (c *Core) adoptPart(m *wire.Message) bool {
	if m.Slot == 0 || m.Last() < m.Slot-1 {
		return false
	}
	before := max(m.Slot-1, m.Commit)
	for rest := m.Body; len(rest) > 0; {
		entry, n, err := wire.DecodeEntry(rest)
		if err != nil || entry.Ballot == 0 || entry.Ballot >= c.ballot || entry.Slot > m.Last() ||
			entry.Slot <= before || entry.Slot-before > maxHole {
			return false
		}
		rest = rest[n:]
		before = entry.Slot
		c.adopt(&entry)
	}
	return m.Last() <= before || m.Last()-before <= maxHole
}

// adopt keeps, for a slot not known chosen, the value accepted under the highest ballot (Paxos Made Simple, P2c).
func (c *Core) adopt(entry *wire.Entry) {
	p := &c.phase1
	if entry.Slot <= max(p.frontier, c.commit) {
		return
	}
	if own := c.log.get(entry.Slot); own != nil && own.Ballot >= entry.Ballot {
		return
	}
	if e, ok := p.adopted[entry.Slot]; ok && e.Ballot >= entry.Ballot {
		return
	}
	e := Entry{Ballot: entry.Ballot, Payload: entry.Payload}
	e.Body = append(c.cfg.Buffers.Get(len(entry.Body)), entry.Body...)
	p.adopted[entry.Slot] = e
	p.last = max(p.last, entry.Slot)
}

func (c *Core) promisedBy(id wire.ReplicaID) {
	c.phase1.promises.Add(id)
	c.maybeBecomeLeader()
}

// maybeBecomeLeader ends phase 1 once a quorum has promised and everything that one of them knows chosen is known here
// too: those slots must not be proposed again.
func (c *Core) maybeBecomeLeader() {
	if c.role != Candidate || c.phase1.promises.Len() < c.cfg.Quorum1 || c.commit < c.phase1.frontier {
		return
	}
	c.lead()
}

// takeBacklog returns what is to be proposed for a slot again: what others have accepted under the highest ballot, or this
// replica itself, or nothing, in which case the hole is filled with a no-op.
func (c *Core) takeBacklog(s wire.Slot) Entry {
	if e, ok := c.backlog[s]; ok {
		delete(c.backlog, s)
		return e
	}
	if c.log.get(s) != nil {
		return c.log.take(s)
	}
	c.stats.NoOps++
	return Entry{}
}

// newPromising returns the flows of a candidate that has not asked for anything.
func newPromising(cfg *Config) (flows [wire.MaxReplicas + 1]Flow) {
	for _, id := range cfg.Replicas {
		flows[id] = NewFlow(cfg.Limits.PromiseBytes, cfg.ElectionTimeout, cfg.ElectionTimeout/2)
	}
	return flows
}
