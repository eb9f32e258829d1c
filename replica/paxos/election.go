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
	c.leader, c.leaderBallot, c.leaderHeard, c.candidate = id, b, c.now, 0
	c.maxSeen = max(c.maxSeen, b)
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

// Ballots advance by one round with every candidacy. What claims to be further from all that has been heard of than
// candidacies of decades, ten a second, is not honest, and would use up the rounds that there are. A replica that is new,
// or has been away, has heard of nothing: the first rounds are believed at once.
const (
	maxRoundStep  = 1 << 32
	believedRound = 1 << 40
	lastRound     = 1<<56 - maxRoundStep
)

// plausible reports whether the ballots that a message speaks of are some that replicas can have come to.
func (c *Core) plausible(m *wire.Message) bool {
	b := m.Ballot
	if m.Type == wire.TypePreVoteReply || m.Type == wire.TypeReject {
		b = max(b, m.Promised())
	}
	return b <= c.maxSeen || b.Round() <= believedRound || b.Round() <= min(c.maxSeen.Round()+maxRoundStep, lastRound)
}

// leaderAlive reports whether a leader was heard of within the election timeout. Such a replica gives no pre-vote, so
// that one that was merely cut off cannot depose a leader that others follow.
func (c *Core) leaderAlive() bool {
	return c.role == Leader || c.leader != 0 && c.now < c.leaderHeard+c.cfg.ElectionTimeout
}

// goneShare of the election timeout is what replicas that hear of the leader's end wait at most, each a random part of it, so
// that one of them asks for votes before the others.
const goneShare = 16

// Gone says that a peer's process seems to have ended. Nobody has to wait then for the election timeout: who followed it
// follows nobody, and so gives and asks for pre-votes. It is a hint that changes no promise, breaks no lease, and needs to be
// right for no invariant. A leader that lives after all is not deposed by it, unless a quorum has been misled.
func (c *Core) Gone(now time.Duration, id wire.ReplicaID) {
	c.now = now
	if c.role == Follower && c.leader == id {
		c.leader = 0
		c.deadline = min(c.deadline, c.now+c.random(c.cfg.ElectionTimeout/goneShare))
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
	c.role, c.leader = PreCandidate, 0
	c.phase1 = phase1{}
	c.preVoteBallot = max(c.promised, c.maxSeen).Next(c.cfg.Self)
	c.preVotes, c.preVotesRefused = 0, 0
	c.preVotes.Add(c.cfg.Self)
	c.resetDeadline()
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
	c.maxSeen = max(c.maxSeen, m.Promised())
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

// quorumHeard reports whether enough replicas for either phase have answered within the election timeout.
func (c *Core) quorumHeard() bool { return c.heardBut(0) >= max(c.cfg.Quorum1, c.cfg.Quorum2) }

// canSpare reports whether this replica leads, and enough for either phase answer it without a replica.
func (c *Core) canSpare(id wire.ReplicaID) bool {
	return c.role == Leader && c.heardBut(id) >= max(c.cfg.Quorum1, c.cfg.Quorum2)
}

// heardBut returns how many replicas, this one included and but for one, have answered within the election timeout.
func (c *Core) heardBut(but wire.ReplicaID) int {
	n := 1
	for _, id := range c.cfg.Replicas {
		if id != c.cfg.Self && id != but && c.now <= c.heard[id]+c.cfg.ElectionTimeout {
			n++
		}
	}
	return n
}

func (c *Core) onHeartbeat(m *wire.Message) {
	if m.Ballot.Replica() != m.From || m.Ballot < max(c.promised, c.leaderBallot) {
		c.reject(m)
		return
	}
	c.follow(m.From, m.Ballot)
	c.checkNotBeyond(m)
	c.learnFrontier(m.From, m.Ballot, m.Commit)
	if c.forgot {
		c.sendTo(m.From, wire.NewNonVotingReply(m.Ballot, m.Round(), c.commit))
		return
	}
	c.grantLease()
	durable, received := c.contiguous(m)
	c.sendTo(m.From, wire.NewHeartbeatReply(m.Ballot, m.Round(), durable, received, c.commit))
}

// checkNotBeyond stops a replica that knows slots to be chosen which the leader of a higher ballot has not proposed.
//
// That cannot be. The value of a chosen slot stands in the log with the ballot x of an acceptance, and the slot was chosen
// under x or a lower ballot: advance and advanceLeader pass a slot under the ballot of the leader that says it is chosen,
// and a fetched entry comes with the ballot that it has where it was chosen or fetched itself. If x is below the leader's
// ballot b, a phase-2 quorum has accepted the value under x or below. Any phase-1 quorum of b has a member of that one, which
// had accepted before it promised b, because afterwards it takes nothing of a lower ballot. So the leader has found the slot
// in a promise, accepted or below its commit index, and it was known chosen or among those to be proposed before the first
// heartbeat (see lead): no heartbeat of ballot b, however old, names a lower slot as the highest proposed.
//
// If it is so all the same, members of the quorum have forgotten what they had accepted: disks were lost, or set back. This
// replica may be the last to hold what was acknowledged.
func (c *Core) checkNotBeyond(m *wire.Message) {
	if c.commit <= m.Proposed() {
		return
	}
	if e := c.log.get(c.commit); e != nil && e.Ballot < m.Ballot {
		c.fatal("slot %d is chosen, under ballot %v, and replica %d, which leads with ballot %v, has proposed none above %d: %s",
			c.commit, e.Ballot, m.From, m.Ballot, m.Proposed(), holdsMore)
	}
}

// holdsMore is what an operator has to know where a leader does not know what is chosen.
const holdsMore = "those who elected it have lost what they had accepted, and this replica holds more than they do. " +
	"Stop the others, and do not start this one with --repair before its data has been looked at"

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
