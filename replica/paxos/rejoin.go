package paxos

import (
	"time"

	"paxosbench/wire"
)

// A replica that lost its journal, or never had one, may have promised ballots and accepted values that it no longer
// knows. If it voted as if it had not, two quorums could meet in it alone and neither would see the other: a chosen
// value could be replaced. So it asks the others first.
//
// It sends Rejoin with a nonce. The leader, of ballot b, then waits until so many others have answered, as voters, a
// heartbeat round that began after the request had come, that any quorum of either phase would have one of them. These need
// not be answers to the same round: each shows that at some moment after the replica had forgotten, who gave it had
// promised no ballot above b, and so had not before. A ballot above b that had its quorum of promises when the replica
// forgot had one of those others in it, which would not have answered.
//
// A ballot above b that did not have its quorum yet must never get it: its candidate would count the replica's old
// promise, while the replica votes under b again, which that promise had ruled out. So all others have to answer, those
// that have forgotten too, though these count for no quorum: the candidate is one of them. It had promised its ballot to
// itself before it asked anybody, and would not have answered, in whatever round after the request; and a candidate that has
// restarted since, with its memory or without, counts nothing of what it was promised before. It does not matter that one
// that has answered may promise a higher ballot afterwards: that is asked for after the replica had forgotten, and a promise
// that the replica gives then is one that it knows of.
//
// So under a ballot above b the replica has neither accepted anything nor promised anything that still counts. What it
// accepted under b was proposed before it forgot, and what was chosen with its vote under a lower ballot the leader had
// found in phase 1, proposed again or not. The leader answers with b and the highest of these slots; the replica promises
// b, catches up to the slot, and from then on it knows everything that its votes may have helped to choose, and votes
// again.
//
// The price: while another replica is away, none that has forgotten votes again. One that is gone for good has to be
// replaced first, by one that has forgotten as well.

// rejoin is a leader's note about one such replica.
type rejoin struct {
	nonce uint64 // the replica's; 0: none
	round uint64 // the first heartbeat round that began after the request
}

// rejoining is the replica's own side.
type rejoining struct {
	nonce  uint64
	asked  time.Duration
	target wire.Slot // catch up to here; valid once promised is set
	ballot wire.Ballot
}

// tickRejoin repeats the request until a leader has answered it.
func (c *Core) tickRejoin() {
	r := &c.rejoining
	if r.ballot != 0 {
		c.finishRejoin()
		return
	}
	if r.nonce != 0 && c.now < r.asked+c.cfg.Heartbeat {
		return
	}
	if r.nonce == 0 {
		r.nonce = uint64(c.random(1<<62)) + 1
	}
	r.asked = c.now
	c.broadcast(wire.NewRejoin(r.nonce))
}

// onRejoin notes the request; the next round answers it.
func (c *Core) onRejoin(m *wire.Message) {
	c.saidNonVoting[m.From] = c.now
	if c.role != Leader || c.rejoins[m.From].nonce == m.Nonce() {
		return
	}
	c.rejoins[m.From] = rejoin{nonce: m.Nonce(), round: c.rounds.newest.number + 1}
}

// answerRejoins answers the requests that enough answers to rounds have come for.
func (c *Core) answerRejoins() {
	for _, id := range c.cfg.Replicas {
		if r := c.rejoins[id]; r.nonce != 0 && c.mayRejoin(id, r.round) {
			c.rejoins[id] = rejoin{}
			c.sendTo(id, wire.NewRejoinReply(r.nonce, c.ballot, c.lastOpen()))
		}
	}
}

// mayRejoin reports whether all others have answered a round from first on, and enough of them as voters.
func (c *Core) mayRejoin(id wire.ReplicaID, first uint64) bool {
	voters, everybody := 0, 0
	for _, other := range c.cfg.Replicas {
		votes := c.rounds.answered[other] >= first
		if other != id && votes {
			voters++
		}
		if other != id && (votes || c.rounds.idle[other] >= first) {
			everybody++
		}
	}
	return voters > len(c.cfg.Replicas)-min(c.cfg.Quorum1, c.cfg.Quorum2) && everybody == len(c.cfg.Replicas)-1
}

func (c *Core) onRejoinReply(m *wire.Message) {
	r := &c.rejoining
	if !c.forgot || m.Nonce() != r.nonce || r.ballot != 0 || m.Ballot.Replica() != m.From {
		c.stats.Ignored++
		return
	}
	r.ballot, r.target = m.Ballot, m.Proposed()
	c.finishRejoin()
}

// finishRejoin makes the replica a voter once it knows every slot that it may have voted for.
func (c *Core) finishRejoin() {
	if c.commit < c.rejoining.target {
		return
	}
	c.forgot = false
	c.promise(max(c.promised, c.rejoining.ballot))
	c.rejoining = rejoining{}
	c.resetDeadline()
}
