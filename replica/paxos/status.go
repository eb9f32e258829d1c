package paxos

import (
	"time"

	"paxosbench/pipeline"
	"paxosbench/wire"
)

// Election says how it stands with finding a leader, for people who wonder why there is none.
type Election struct {
	// Of the present or last attempt of this replica, which sets of replicas have granted it a pre-vote and refused one,
	// have promised it the ballot, or promised another or know more.
	PreVotes, PreVotesRefused pipeline.VoteSet
	Promises, Rejections      pipeline.VoteSet

	// NonVoting are the replicas that have said of late that they do not vote, and this one if it does not.
	NonVoting pipeline.VoteSet

	// Heard is when each peer was last heard of, 0: never; LeaderHeard when the leader that this replica follows was, as one that leads.
	Heard       [wire.MaxReplicas + 1]time.Duration
	LeaderHeard time.Duration

	DiskStalled bool          // records of this replica have waited for longer than an election timeout
	LeasedUntil time.Duration // until then this replica promises nothing, because of a lease that it may have granted

	// Impossible says that so many replicas do not vote that there can be no leader, and so nobody who could tell them what
	// they have voted: not before one of them gets its data back.
	Impossible bool
}

// Election returns how it stands with finding a leader.
func (c *Core) Election() Election {
	e := Election{
		PreVotes: c.preVotes, PreVotesRefused: c.preVotesRefused, Promises: c.phase1.promises, Rejections: c.rejections,
		NonVoting: c.nonVoting(), Heard: c.heardOf, LeaderHeard: c.leaderHeard, DiskStalled: c.diskStalled(c.cfg.ElectionTimeout), LeasedUntil: c.leaseGranted,
	}
	e.Impossible = len(c.cfg.Replicas)-e.NonVoting.Len() < max(c.cfg.Quorum1, c.cfg.Quorum2)
	return e
}

// nonVoting returns who has said of late that it does not vote: it repeats that every heartbeat, by a Rejoin or by its
// answers to a leader.
func (c *Core) nonVoting() (set pipeline.VoteSet) {
	for _, id := range c.cfg.Replicas {
		at := c.saidNonVoting[id]
		if id == c.cfg.Self && c.forgot || at != 0 && c.now < at+c.cfg.ElectionTimeout {
			set.Add(id)
		}
	}
	return set
}
