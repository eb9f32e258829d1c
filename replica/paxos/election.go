package paxos

import (
	"time"

	"paxosbench/wire"
)

// resetDeadline draws the time at which this replica asks for votes unless it hears from a leader.
func (c *Core) resetDeadline() {
	if len(c.cfg.Replicas) == 1 && c.role == Follower {
		c.deadline = c.now // nobody to wait for, but, as a candidate, the disk
		return
	}
	c.deadline = c.now + c.cfg.ElectionTimeout + c.random(c.cfg.ElectionTimeout)
}

// follow takes note of a live leader.
func (c *Core) follow(id wire.ReplicaID, b wire.Ballot) {
	if b < c.leaderBallot {
		return
	}
	if c.role != Follower {
		c.stepDown()
	}
	if c.leader != id {
		c.stats.LeaderChanges++
	}
	c.leader, c.leaderBallot, c.leaderHeard, c.candidate, c.insisting = id, b, c.now, 0, 0
	c.see(b)
	c.resetDeadline()
}

// stepDown ends a candidacy or a leadership. What was proposed stays accepted; whoever leads next finds it.
func (c *Core) stepDown() {
	if c.role == Leader {
		c.stats.StepDowns++
	}
	if c.leader == c.cfg.Self {
		c.leader = 0
	}
	c.role = Follower
	c.phase1, c.backlog = phase1{}, nil
	c.resetDeadline()
}

// leaderAlive reports whether a leader was heard of within the election timeout. Such a replica gives no pre-vote, so
// that one that was merely cut off cannot depose a leader that others follow.
func (c *Core) leaderAlive() bool {
	return c.role == Leader || c.leader != 0 && c.now < c.leaderHeard+c.cfg.ElectionTimeout
}

// goneShare of the election timeout is what replicas that know of no leader wait at most, each a random part of it, so that one of
// them asks for votes before the others.
const goneShare = 16

// Gone says that a peer's process seems to have ended. Nobody has to wait then for the election timeout: who followed it
// follows nobody, and so gives and asks for pre-votes. It is a hint that changes no promise, breaks no lease, and needs to be
// right for no invariant. A leader that lives after all is not deposed by it, unless a quorum has been misled. Until it says
// something again it is asked for nothing, and a leader does not count on it instead of one that lags. Others may hear of it late or
// never, and refuse votes until they have not heard the leader for an election timeout: so votes are asked for again and again.
func (c *Core) Gone(now time.Duration, id wire.ReplicaID) {
	c.now, c.goneAt[id] = now, max(now, 1)
	if c.fetching.peer == id {
		c.fetchElsewhere()
	}
	if c.role == Leader {
		c.sendNeeded()
	}
	if c.role == Follower && c.leader == id {
		c.leader = 0
		c.insist()
	}
}

// Begin says that this replica can talk to others from now on, which it may have started before. Nobody can have heard a leader
// if all have just been started: none of them has to wait then. If there is a leader, it is heard sooner than a vote is given.
func (c *Core) Begin(now time.Duration) {
	c.now = now
	if c.role == Follower && c.leader == 0 {
		c.insist()
	}
}

// insist has votes asked for soon, and again and again.
func (c *Core) insist() {
	c.deadline = min(c.deadline, c.now+c.random(c.cfg.ElectionTimeout/goneShare))
	c.insisting = c.now + c.cfg.ElectionTimeout*5/4
}

// isGone reports whether a replica is said to be gone and has said nothing since.
func (c *Core) isGone(id wire.ReplicaID) bool {
	return c.goneAt[id] > 0 && c.heardOf[id] <= c.goneAt[id]
}

// sendNeeded has a leader send what it has not sent to those whom it could spare as long as another was there.
func (c *Core) sendNeeded() {
	for _, id := range c.cfg.Replicas {
		if id != c.cfg.Self {
			c.sendOpen(id)
		}
	}
}

// electing reports whether promises are being gathered, by this replica or another that gives signs of life: a candidate
// gives up when it makes no progress.
func (c *Core) electing() bool {
	return c.gathering() || c.candidate != 0 && c.now < c.candidateHeard+c.cfg.ElectionTimeout
}

// tickElection begins or continues what a replica does that does not lead. A promise to itself would break a lease that it
// has granted as much as one to another.
func (c *Core) tickElection() {
	switch {
	case c.now >= c.deadline && c.leased(c.cfg.Self):
		c.deadline = c.leaseGranted + c.random(c.cfg.ElectionTimeout)
	case c.now >= c.deadline:
		c.startPreVote()
	case c.role == Candidate:
		c.tickCandidate()
	}
}

// startPreVote asks whether an election could be won, without raising anybody's promise.
func (c *Core) startPreVote() {
	if c.exhausted() {
		c.resetDeadline()
		return
	}
	c.role, c.leader = PreCandidate, 0
	c.phase1 = phase1{}
	c.preVoteBallot = max(c.promised, c.maxSeen).Next(c.cfg.Self)
	c.preVotes, c.preVotesRefused = 0, 0
	c.preVotes.Add(c.cfg.Self)
	c.resetDeadline()
	if c.now < c.insisting {
		c.deadline = c.now + c.cfg.ElectionTimeout/goneShare + c.random(c.cfg.ElectionTimeout/goneShare)
	}
	c.broadcast(wire.NewPreVote(c.preVoteBallot, c.commit))
	c.countPreVotes()
}

// laggardTimeouts is for how many election timeouts without a leader a candidate that is far behind gets no pre-vote.
const laggardTimeouts = 4

// onPreVote grants a vote to a candidate that could win and is worth electing: it has a ballot of its own above every
// promise, nobody hears a leader, and it is not so far behind that its first act would be a long catch-up. If there is no
// leader for long, none that is worth more seems to be there.
func (c *Core) onPreVote(m *wire.Message) {
	if c.forgot {
		c.stats.Ignored++
		return
	}
	near := m.Commit >= c.commit || c.commit-m.Commit <= c.cfg.Limits.MaxAhead || c.now >= c.leaderHeard+laggardTimeouts*c.cfg.ElectionTimeout
	granted := m.Ballot > c.promised && !c.leaderAlive() && !c.electing() && !c.leased(m.From) && near
	c.sendTo(m.From, wire.NewPreVoteReply(m.Ballot, granted, c.promised, c.commit))
}

func (c *Core) onPreVoteReply(m *wire.Message) {
	c.see(m.Promised())
	if c.role != PreCandidate || m.Ballot != c.preVoteBallot {
		c.stats.Ignored++
		return
	}
	if !m.Granted() {
		c.preVotesRefused.Add(m.From)
		return
	}
	c.preVotes.Add(m.From)
	c.countPreVotes()
}

func (c *Core) countPreVotes() {
	if c.preVotes.Len() >= c.cfg.Quorum1 {
		c.startPhase1(max(c.promised, c.maxSeen).Next(c.cfg.Self))
	}
}

// tickLeader sends heartbeats while this replica's own disk makes progress and a quorum answers, and gives way when
// either has failed for an election timeout: a leader that cannot persist or is not heard must not hold up the others.
func (c *Core) tickLeader() {
	if c.now >= c.rounds.newest.started+c.cfg.Heartbeat && !c.diskStalled(c.cfg.ElectionTimeout/2) {
		c.startRound()
	}
	c.tickSending()
	if c.DiskStalled() || !c.quorumHeard() {
		c.stepDown()
	}
}

// diskStalled reports whether records have been waiting to become durable for longer than d.
func (c *Core) diskStalled(d time.Duration) bool {
	return c.persisted < c.appended && c.now > c.stalled+d
}

// DiskStalled reports whether this replica's records have waited to become durable for longer than a leader may let them.
func (c *Core) DiskStalled() bool { return c.diskStalled(c.cfg.ElectionTimeout) }

// quorumHeard reports whether enough replicas for either phase have answered within the election timeout, or may still do so
// because the leadership is young.
func (c *Core) quorumHeard() bool {
	n := 1
	for _, id := range c.cfg.Replicas {
		if id != c.cfg.Self && c.heardLately(id) {
			n++
		}
	}
	return n >= max(c.cfg.Quorum1, c.cfg.Quorum2)
}

// canSpare reports whether this replica leads, and enough for either phase answer it without a replica: not one that has neither
// promised nor answered, and may have been dead before, nor one that is gone.
func (c *Core) canSpare(spared wire.ReplicaID) bool {
	n := 1
	for _, id := range c.cfg.Replicas {
		if id != c.cfg.Self && id != spared && c.replied[id] && c.heardLately(id) && !c.isGone(id) {
			n++
		}
	}
	return c.role == Leader && n >= max(c.cfg.Quorum1, c.cfg.Quorum2)
}

func (c *Core) heardLately(id wire.ReplicaID) bool { return c.now <= c.heard[id]+c.cfg.ElectionTimeout }

func (c *Core) onHeartbeat(m *wire.Message) {
	if m.Ballot.Replica() != m.From || m.Ballot < max(c.promised, c.leaderBallot) || m.Ballot == c.faulty || c.isBeyond(m) {
		c.reject(m)
		return
	}
	c.follow(m.From, m.Ballot)
	c.learnFrontier(m.From, m.Ballot, m.Commit)
	if c.forgot {
		c.sendTo(m.From, wire.NewNonVotingReply(m.Ballot, m.Round(), c.commit))
		return
	}
	c.grantLease()
	durable, received := c.contiguous(m)
	c.sendTo(m.From, wire.NewHeartbeatReply(m.Ballot, m.Round(), durable, received, c.commit))
}

// contiguous returns up to where everything above the leader's frontier is durably accepted under its ballot (or known
// chosen), and up to where it has been received. A replica that is far behind asks for nothing: it could not take it
// before it has caught up.
func (c *Core) contiguous(m *wire.Message) (durable, received wire.Slot) {
	if m.Commit > c.commit+c.cfg.Limits.MaxAhead/2 {
		return m.Commit, m.Proposed()
	}
	received = max(c.commit, m.Commit)
	durable = received
	for received < m.Proposed() {
		e := c.log.get(received + 1)
		if e == nil || e.Ballot != m.Ballot {
			break
		}
		if e.durable && durable == received {
			durable++
		}
		received++
	}
	return durable, received
}
