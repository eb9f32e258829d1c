package paxos

import (
	"slices"
	"time"

	"paxosbench/wire"
)

// round is one exchange of heartbeats. A quorum of answers to a round proves that no higher ballot had been promised
// by a quorum when the round began.
//
// An answer counts for every round up to the one that it answers: who has promised no higher ballot by now had not when an
// earlier round began. So rounds are confirmed at any round trip, many of them under way at a time, each peer as far as its
// newest answer; and what an answer says is judged by what its own round had told, not by the newest.
type round struct {
	number   uint64
	started  time.Duration
	commit   wire.Slot // commit index when the round began
	proposed wire.Slot // highest slot open when the round began (see lastOpen)
}

// keptRounds is how many rounds are remembered: as many heartbeats as an answer may take to be of use.
const keptRounds = 256

// rounds are those of this leadership.
type rounds struct {
	newest   round
	kept     [keptRounds]round
	answered [wire.MaxReplicas + 1]uint64 // by replica: the newest round that it has answered as a voter, 0: none
	idle     [wire.MaxReplicas + 1]uint64 // the same, as one that does not vote
}

// restart begins a leadership. Numbers go on: no answer to an earlier one counts.
func (r *rounds) restart() {
	*r = rounds{newest: round{number: r.newest.number}}
}

// get returns a round, nil if it is not one of this leadership or no longer remembered.
func (r *rounds) get(number uint64) *round {
	if kept := &r.kept[number%keptRounds]; kept.number == number && number != 0 {
		return kept
	}
	return nil
}

// answeredBy returns the newest round that so many replicas have answered, or a later one.
func (r *rounds) answeredBy(n int) uint64 {
	newest := r.answered
	slices.Sort(newest[:])
	return newest[len(newest)-n]
}

// startRound asks all whether they still follow.
func (c *Core) startRound() {
	r := &c.rounds
	r.newest = round{number: r.newest.number + 1, started: c.now, commit: c.commit, proposed: c.lastOpen()}
	r.kept[r.newest.number%keptRounds] = r.newest
	r.answered[c.cfg.Self] = r.newest.number
	c.roundWanted = false
	c.confirmRounds()
	c.broadcast(wire.NewHeartbeat(c.ballot, r.newest.number, c.commit, r.newest.proposed))
}

// onHeartbeatReply counts the answer, the votes in it, whose own messages may have been lost, and sends again what the
// follower has not received although it was sent before the heartbeat.
func (c *Core) onHeartbeatReply(m *wire.Message) {
	if c.role != Leader || m.Ballot != c.ballot {
		c.stats.Ignored++
		return
	}
	r := c.rounds.get(m.Round())
	if !m.Voting() {
		c.onNonVotingReply(m, r)
		return
	}
	c.hears(m.From)
	if r == nil {
		c.stats.Ignored++
		return
	}
	c.vote(m.From, m.Ballot, r.commit+1, m.Durable())
	if r.number <= c.rounds.answered[m.From] {
		return // a copy, or overtaken by the answer to a later one
	}
	c.rounds.answered[m.From] = r.number
	c.confirmRounds()
	c.answerRejoins()
	c.sending[m.From].commit = m.Commit
	c.noteProgress(m.From, m.Commit, r)
	if m.Commit >= r.commit {
		c.acknowledge(m.From, m.Received(), m.Commit)
	}
	c.resendLost(m.From, m.Received(), r)
}

// onNonVotingReply takes the answer of a replica that does not vote: it does not campaign, either.
func (c *Core) onNonVotingReply(m *wire.Message, r *round) {
	c.saidNonVoting[m.From] = c.now
	if r != nil {
		c.rounds.idle[m.From] = max(c.rounds.idle[m.From], r.number)
		c.answerRejoins()
	}
}

// confirmRounds takes note of the rounds that so many replicas have answered that every phase-1 quorum has one of them.
func (c *Core) confirmRounds() {
	newest := c.rounds.answeredBy(len(c.cfg.Replicas) - c.cfg.Quorum1 + 1)
	if newest <= c.confirmed {
		return
	}
	c.confirmed = newest
	if r := c.rounds.get(newest); r != nil {
		c.leaseBegan = r.started
	}
}
