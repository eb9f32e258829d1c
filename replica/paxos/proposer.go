package paxos

import (
	"fmt"

	"paxosbench/pipeline"
	"paxosbench/wire"
)

// phase1 is what a candidate has gathered for its ballot.
type phase1 struct {
	promises pipeline.VoteSet
	reported [wire.MaxReplicas + 1]wire.Slot // by acceptor: the slots up to here are covered by what it has promised
	frontier wire.Slot                       // highest frontier among the promises
	adopted  slotLog                         // per slot, the value accepted under the highest ballot
}

// startPhase1 begins a candidacy. Nobody is asked before the candidate's own promise is durable: a ballot that others
// may have heard of must not be used again by a later life, and a replica whose disk hangs must not depose a leader.
func (c *Core) startPhase1(b wire.Ballot) {
	c.role, c.ballot, c.leader = Candidate, b, 0
	c.stats.Elections++
	c.phase1 = phase1{frontier: c.commit, adopted: newSlotLog(c.cfg.Buffers)}
	c.phase1.adopted.restart(c.commit)
	c.resetDeadline()
	c.promise(b)
	c.waiting = append(c.waiting, waiting{record: c.appended, kind: wire.RecordPromise, ballot: b})
}

// promisedByself counts the candidate's own promise, which is durable now, with what it has accepted itself, and asks
// every other acceptor to promise, for all slots from the first one not known chosen.
func (c *Core) promisedByself() {
	if c.role != Candidate || c.phase1.promises.Has(c.cfg.Self) {
		return
	}
	for s := c.commit + 1; s < c.log.next; s++ {
		if e := c.log.get(s); e != nil {
			c.adopt(&wire.Entry{Slot: s, Ballot: e.Ballot, Payload: e.Payload})
		}
	}
	c.broadcast(wire.NewPrepare(c.ballot, c.commit+1, c.cfg.Limits.PromiseBytes))
	c.promisedBy(c.cfg.Self, c.commit)
}

// onPromise takes one part of an acceptor's promise, which reports on a range of slots. Ranges must follow each other
// without a gap, whether they come from one answer or, if the Prepare was doubled, from two; a lost part leaves the
// promise incomplete, and the next candidacy asks again. Everything that a part says holds, even if no other comes.
func (c *Core) onPromise(m *wire.Message) {
	p := &c.phase1
	covered := max(p.reported[m.From], m.Commit)
	if c.role != Candidate || m.Ballot != c.ballot || p.promises.Has(m.From) || m.Slot > covered+1 {
		c.stats.Ignored++
		return
	}
	p.frontier = max(p.frontier, m.Commit)
	p.adopted.restart(p.frontier) // chosen: this replica leads only once it knows them, however far that is
	for rest := m.Body; len(rest) > 0; {
		entry, n, err := wire.DecodeEntry(rest)
		if err != nil || entry.Ballot == 0 || entry.Slot > m.Last() || entry.Slot > p.frontier+2*c.cfg.Limits.MaxAhead {
			c.stats.Ignored++ // no acceptor takes what is so far ahead; what cannot be adopted must not be passed over
			return
		}
		rest = rest[n:]
		c.adopt(&entry)
	}
	p.reported[m.From] = max(covered, m.Last())
	if !m.More() {
		c.promisedBy(m.From, m.Commit)
	}
}

// adopt keeps, for a slot not known chosen, the value accepted under the highest ballot (Paxos Made Simple, P2c).
func (c *Core) adopt(entry *wire.Entry) {
	adopted := &c.phase1.adopted
	if entry.Slot < adopted.first {
		return
	}
	if e := adopted.get(entry.Slot); e != nil && e.Ballot >= entry.Ballot {
		return
	}
	e := Entry{Ballot: entry.Ballot, Payload: entry.Payload}
	e.Body = append(c.cfg.Buffers.Get(len(entry.Body)), entry.Body...)
	adopted.put(entry.Slot, e)
}

func (c *Core) promisedBy(id wire.ReplicaID, frontier wire.Slot) {
	c.phase1.promises.Add(id)
	c.learnTarget(id, frontier)
	c.continuePhase1()
}

// continuePhase1 ends phase 1 once a quorum has promised and everything that one of them knows chosen is known here
// too: those slots must not be proposed again.
func (c *Core) continuePhase1() {
	if c.role != Candidate || c.phase1.promises.Len() < c.cfg.Quorum1 || c.commit < c.phase1.frontier {
		return
	}
	c.lead()
}

// lead begins phase 2: what may have been chosen is proposed again under the new ballot, holes are filled with no-ops,
// and one more no-op marks from where on everything known chosen was chosen or confirmed under this ballot.
func (c *Core) lead() {
	c.role, c.leader, c.leaderBallot = Leader, c.cfg.Self, c.ballot
	c.stats.Leaderships++
	c.stopFetching()
	for id := range c.heard {
		c.heard[id] = c.now
	}
	c.round = round{number: c.round.number}
	c.confirmed, c.leaseBegan = c.round.number, 0
	c.rejoins = [wire.MaxReplicas + 1]rejoin{}
	c.window.Reset(c.ballot, c.commit+1)
	for id := range c.sending {
		c.sending[id].restart(c.commit + 1)
	}
	adopted := &c.phase1.adopted
	for s := c.commit + 1; s < adopted.next; s++ {
		c.reopen(s, adopted.get(s))
	}
	c.opened = c.reopen(c.window.Next(), nil)
	c.phase1 = phase1{}
	c.startRound()
}

// reopen proposes an adopted value, or a no-op, for the next slot.
func (c *Core) reopen(s wire.Slot, adopted *Entry) wire.Slot {
	e := Entry{}
	if adopted != nil {
		e = *adopted
		*adopted = Entry{} // the body moves to the log
	} else {
		c.stats.NoOps++
	}
	if got := c.window.OpenForced(len(e.Body), c.now); got != s {
		panic(fmt.Sprintf("BUG: replica %d opens slot %d for %d", c.cfg.Self, got, s))
	}
	c.propose(s, e)
	return s
}

// propose sends the Accept and accepts it here, side by side: the leader is an acceptor like the others, and its own
// vote counts when its own record is durable.
func (c *Core) propose(s wire.Slot, e Entry) {
	e.Ballot = c.ballot
	c.accept(c.ballot, s, e)
	for _, id := range c.cfg.Replicas {
		if id != c.cfg.Self {
			c.sendOpen(id)
		}
	}
}

func (c *Core) acceptMessage(s wire.Slot, e *Entry) wire.Message {
	return wire.NewAccept(c.ballot, s, c.commit, e.Payload)
}

// onAccepted counts an acceptor's votes.
func (c *Core) onAccepted(m *wire.Message) {
	if c.role != Leader || m.Ballot != c.ballot {
		c.stats.Ignored++
		return
	}
	c.hears(m.From)
	c.vote(m.From, m.Ballot, m.Slot, m.Last())
	c.acknowledge(m.From, m.Last(), m.Commit)
}

// vote counts an acceptor's votes for the slots [first, last].
func (c *Core) vote(from wire.ReplicaID, b wire.Ballot, first, last wire.Slot) {
	if c.role == Leader && b == c.ballot {
		c.window.Ack(from, b, first, last)
	}
}

// advanceLeader moves the commit frontier over the decided slots.
func (c *Core) advanceLeader() {
	frontier := c.window.Advance(c.now)
	if frontier < c.commit {
		panic(fmt.Sprintf("BUG: window frontier %d behind commit %d", frontier, c.commit))
	}
	c.commit = frontier
}

// onReject takes note of a higher ballot, or of an acceptor that knows more, and gives way.
func (c *Core) onReject(m *wire.Message) {
	promised := m.Promised()
	c.maxSeen = max(c.maxSeen, promised)
	if m.Ballot != c.ballot || c.role != Candidate && c.role != Leader {
		c.stats.Ignored++
		return
	}
	if promised > c.ballot || m.Commit > c.commit {
		c.stepDown()
		c.learnTarget(m.From, m.Commit)
	}
}
