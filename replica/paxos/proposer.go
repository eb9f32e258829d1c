package paxos

import (
	"fmt"

	"paxosbench/wire"
)

// lead begins phase 2: what may have been chosen is proposed again under the new ballot, holes are filled with no-ops,
// and one more no-op, in the first slot of the term, marks from where on everything known chosen was chosen or confirmed
// under this ballot.
func (c *Core) lead() {
	c.role, c.leader, c.leaderBallot = Leader, c.cfg.Self, c.ballot
	c.stats.Leaderships++
	c.stopFetching()
	for id := range c.heard {
		c.heard[id], c.replied[id] = c.now, c.phase1.promises.Has(wire.ReplicaID(id))
	}
	c.rounds.restart()
	c.confirmed, c.leaseBegan = c.rounds.newest.number, 0
	c.rejoins = [wire.MaxReplicas + 1]rejoin{}
	c.window.Reset(c.ballot, c.commit+1)
	for id := range c.sending {
		c.sending[id].restart(c.commit+1, c.now)
	}
	c.backlog = c.phase1.adopted
	c.firstOfTerm = max(c.commit, c.phase1.last, c.log.next-1) + 1
	c.phase1 = phase1{}
	c.reopen()
	c.startRound()
}

// reopen proposes what is in the backlog, in slot order, as far as the window has room: it may be more than a link takes
// at once.
func (c *Core) reopen() {
	for c.window.Next() <= c.firstOfTerm && c.window.HasRoom() {
		e := c.takeBacklog(c.window.Next())
		c.propose(c.window.Open(len(e.Body), 0, c.now), e)
	}
}

// lastOpen returns the highest slot that this leader has proposed, or will before anything new.
func (c *Core) lastOpen() wire.Slot { return max(c.window.Next()-1, c.firstOfTerm) }

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
	c.reopen()
}

// onReject takes note of a higher ballot, or of an acceptor that knows more, and gives way: what that one knows chosen it does
// not accept again, and the quorum may need it. If the others are enough, the leader goes on with them: what it proposes for
// those slots is what has been chosen, and one that is ahead and cannot hand out what it knows, because its disk hangs, must
// not depose one leader after the other.
func (c *Core) onReject(m *wire.Message) {
	promised := m.Promised()
	c.see(promised)
	if m.Ballot != c.ballot || c.role != Candidate && c.role != Leader {
		c.stats.Ignored++
		return
	}
	if promised > c.ballot || m.Commit > c.commit && !c.canSpare(m.From) {
		c.rejections.Add(m.From)
		c.stepDown()
		c.learnTarget(m.From, m.Commit)
	}
}
