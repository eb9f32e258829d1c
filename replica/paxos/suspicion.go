package paxos

import (
	"fmt"
	"time"

	"paxosbench/wire"
)

// A checksum says that a message is what its sender has sent, not that it is true. What cannot be is not believed, and what
// contradicts what this replica knows makes it neither stop nor follow: it says so and goes on. One replica alone can stop no
// other. (That the states of replicas differ is judged by a majority, see package node.)

// Accusation is what a peer has said that no replica says which follows the protocol and has its memory.
type Accusation struct {
	Peer wire.ReplicaID
	Text string
}

// Ballots advance by one round with every candidacy. A replica may be any number of candidacies behind, and believes at once
// what candidacies of decades, ten a second, can have come to: believedRound for one that has heard of nothing, because it is
// new, and maxRoundStep above what it has heard of for any. What it believes of steps beyond believedRound it has left grows
// back by stepsPerMillisecond, a thousand times what an honest cluster needs, so that steps do not add up: who does nothing
// else but to raise ballots needs five centuries to use up the rounds that there are, or 2^24 restarts of a replica. What two
// peers claim is believed as well, as far as both do: so a replica that has missed more than that follows the others at once.
const (
	believedRound       = 1 << 40
	maxRoundStep        = 1 << 32
	stepsPerMillisecond = 1 << 12
	lastRound           = 1<<56 - maxRoundStep
)

// accuseEvery is how often a peer is accused at most: it may send nothing else.
const accuseEvery = time.Second

// suspicion is what a core notes about claims that cannot be.
type suspicion struct {
	steps   uint64        // rounds above the highest heard of that are believed, as of
	since   time.Duration // this time
	claimed [wire.MaxReplicas + 1]wire.Ballot
	accused [wire.MaxReplicas + 1]time.Duration
}

// see takes note of a ballot that somebody uses or has promised.
func (c *Core) see(b wire.Ballot) {
	if b <= c.maxSeen {
		return
	}
	if from := max(c.maxSeen.Round(), believedRound); b.Round() > from {
		steps := c.steps()
		c.suspicion.steps, c.suspicion.since = steps-min(steps, b.Round()-from), c.now
	}
	c.maxSeen = b
}

// steps returns how many rounds above the highest heard of are believed now.
func (c *Core) steps() uint64 {
	s := &c.suspicion
	return min(maxRoundStep, s.steps+uint64((c.now-s.since)/time.Millisecond)*stepsPerMillisecond)
}

// plausible reports whether the ballots that a message speaks of are some that replicas can have come to.
func (c *Core) plausible(m *wire.Message) bool {
	b := m.Ballot
	if m.Type == wire.TypePreVoteReply || m.Type == wire.TypeReject {
		b = max(b, m.Promised())
	}
	if b <= c.maxSeen || b.Round() <= min(max(c.maxSeen.Round(), believedRound)+c.steps(), lastRound) {
		return true
	}
	c.suspicion.claimed[m.From] = max(c.suspicion.claimed[m.From], b)
	if b.Round() <= lastRound && c.claimants(b) > 1 {
		return true
	}
	c.stats.Implausible++
	c.accuse(m.From, "it speaks of ballot %v, this replica has heard of none above %v", b, c.maxSeen)
	return false
}

// claimants returns how many peers have spoken of a ballot, or a higher one.
func (c *Core) claimants(b wire.Ballot) (n int) {
	for _, claimed := range c.suspicion.claimed {
		if claimed >= b {
			n++
		}
	}
	return n
}

// exhausted reports whether there is no ballot left that others would believe.
func (c *Core) exhausted() bool { return max(c.promised, c.maxSeen).Round() >= lastRound }

// accuse says what a peer has done, but not every time.
func (c *Core) accuse(peer wire.ReplicaID, format string, args ...any) {
	last := &c.suspicion.accused[peer]
	if *last != 0 && c.now < *last+accuseEvery {
		return
	}
	*last = max(c.now, 1)
	c.out.Accusations = append(c.out.Accusations, Accusation{peer, fmt.Sprintf(format, args...)})
}

// mistrust says what a leader has done, and does not follow it under that ballot any more: neither its batches nor its rounds
// are acknowledged.
func (c *Core) mistrust(m *wire.Message, format string, args ...any) {
	c.stats.Contradicted++
	c.faulty = m.Ballot
	if c.leader == m.From {
		c.leader = 0
	}
	c.resetDeadline()
	c.accuse(m.From, format, args...)
}

// contradicts reports whether an Accept holds another value than this replica has for the slot under its ballot or, if the slot
// is chosen, under any.
func (c *Core) contradicts(m *wire.Message) bool {
	e := c.log.get(m.Slot)
	if e == nil || e.Same(&m.Payload) || e.Ballot > m.Ballot || e.Ballot < m.Ballot && m.Slot > c.commit {
		return false
	}
	if e.Ballot == m.Ballot {
		c.mistrust(m, "it proposes two values for slot %d under ballot %v", m.Slot, m.Ballot)
	} else {
		c.mistrust(m, "slot %d is chosen, and it leads with ballot %v and proposes another value for it: %s", m.Slot, m.Ballot, holdsMore)
	}
	return true
}

// isBeyond reports whether this replica knows slots to be chosen that the leader of a higher ballot has not proposed.
//
// That cannot be. The value of a chosen slot stands in the log with the ballot x of an acceptance, and the slot was chosen
// under x or a lower ballot: advance and advanceLeader pass a slot under the ballot of the leader that says it is chosen,
// and a fetched entry comes with the ballot that it has where it was chosen or fetched itself. If x is below the leader's
// ballot b, a phase-2 quorum has accepted the value under x or below. Any phase-1 quorum of b has a member of that one, which
// had accepted before it promised b, because afterwards it takes nothing of a lower ballot. So the leader has found the slot
// in a promise, accepted or below its commit index, and it was known chosen or among those to be proposed before the first
// heartbeat (see lead): no heartbeat of ballot b, however old, names a lower slot as the highest proposed.
//
// If it is so all the same, the leader lies, or members of the quorum have forgotten what they had accepted: disks were lost,
// or set back. This replica may be the last to hold what was acknowledged.
func (c *Core) isBeyond(m *wire.Message) bool {
	if c.commit <= m.Proposed() {
		return false
	}
	e := c.log.get(c.commit)
	if e == nil || e.Ballot >= m.Ballot {
		return false
	}
	c.mistrust(m, "slot %d is chosen, under ballot %v, and it leads with ballot %v and has proposed none above %d: %s",
		c.commit, e.Ballot, m.Ballot, m.Proposed(), holdsMore)
	return true
}

// holdsMore is what an operator has to know where a leader does not know what is chosen.
const holdsMore = "either it is broken, or those who elected it have lost what they had accepted, and this replica holds more than " +
	"they do. Then stop the others, and do not start this one with --repair before its data has been looked at"
