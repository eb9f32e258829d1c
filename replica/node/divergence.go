package node

import (
	"fmt"
	"strings"
	"time"

	"paxosbench/pipeline"
	"paxosbench/wire"
)

// Replicas that have applied the same slots have the same digest, which chains what was applied to what the state held
// after each slot (see machine.State.Digest): who has differed once differs for ever, and who is equal at a slot was equal
// at every one before. The leader judges. Every heartbeat asks for the digest after a slot, every answer tells it, or that of
// the newest slot applied if the follower is not so far; the leader has its own of the slots before. When it sees a
// difference it goes on asking for that one slot until a majority of the cluster has been found to agree there. Who differs
// from the majority stops, the leader itself or a follower that it tells, before more is built on it. If no majority is to be
// found, because too few are up or all are different, nobody can know who is right, and all that differ stop.
//
// A follower that is told looks for itself (see inquiry.go). So a message of long ago, a doubled one or one that is not true
// harms nobody.

// judge is what a leader knows about who agrees. It is forgotten with the leadership.
type judge struct {
	equal [wire.MaxReplicas + 1]wire.Slot     // by follower, the newest slot after which it had the leader's digest
	heard [wire.MaxReplicas + 1]time.Duration // its last answer

	slot  wire.Slot     // in question, because a follower differs; 0: none
	found wire.Digests  // after that slot
	since time.Duration // when the question came up
	told  bool          // there is no majority, and all that are known have been told

	reported pipeline.VoteSet // followers that hold more than the leader has proposed
}

const (
	// An open question is answered within answerTimeouts election timeouts, or never; by those that lag behind the slot within
	// lagTimeouts. The leader stops one later, so that those whom it has told have heard of it.
	answerTimeouts = 2
	lagTimeouts    = 20
)

// compare takes what a message says about digests.
func (n *Node) compare(now time.Duration, m *wire.Message) {
	switch m.Type {
	case wire.TypeHeartbeat:
		n.asked = m.Question()
	case wire.TypeHeartbeatReply:
		n.reportBeyond(m)
		n.hearDigest(now, m)
	case wire.TypeReject:
		n.reportBeyond(m)
	case wire.TypeDiverged:
		n.onDiverged(now, m)
	}
}

// question returns the slot whose digest followers are asked for.
func (n *Node) question() wire.Slot {
	if n.judge.slot != 0 {
		return n.judge.slot
	}
	return n.state.Applied()
}

// addDigest adds to a heartbeat's answer the digest that was asked for, or that of the newest slot applied.
func (n *Node) addDigest(m *wire.Message) {
	slot := n.asked
	digest, ok := n.digests.at(slot)
	if !ok {
		slot, digest = n.state.Applied(), n.state.Digest()
	}
	m.SetDigest(slot, digest)
}

// hearDigest takes what a follower has answered to this leader.
func (n *Node) hearDigest(now time.Duration, m *wire.Message) {
	j := &n.judge
	if !n.leading || m.Ballot != n.core.Ballot() {
		return
	}
	j.heard[m.From] = now
	slot, digest, ok := m.Digest()
	own, known := n.digests.at(slot)
	if !ok || !known {
		return
	}
	if digest == own {
		j.equal[m.From] = max(j.equal[m.From], slot)
	} else if j.slot < slot {
		n.raise(now, slot)
	}
	if j.slot == 0 {
		return
	}
	if slot == j.slot {
		j.found[m.From] = wire.Digest{Known: true, Value: digest}
	} else if j.equal[m.From] > j.slot {
		j.found[m.From] = j.found[n.cfg.Paxos.Self]
	}
	n.tickJudge(now)
}

// raise makes a slot the one in question, if need be in the place of an earlier one: a replica that has taken over a snapshot
// since knows nothing of that, and who differed there differs here.
func (n *Node) raise(now time.Duration, slot wire.Slot) {
	j := &n.judge
	if j.slot == 0 {
		j.since, j.told = now, false
	}
	own, _ := n.digests.at(slot)
	j.slot, j.found = slot, wire.Digests{}
	for _, id := range n.cfg.Paxos.Replicas {
		if id == n.cfg.Paxos.Self || j.equal[id] >= slot {
			j.found[id] = wire.Digest{Known: true, Value: own}
		}
	}
}

// tickJudge decides the open question, if there is one and it can be.
func (n *Node) tickJudge(now time.Duration) {
	j := &n.judge
	if j.slot == 0 {
		return
	}
	right, decided := majority(&j.found, len(n.cfg.Paxos.Replicas))
	limit, waited := n.patience(now, &j.found, &j.heard), now-j.since
	switch {
	case agree(&j.found):
		j.slot = 0 // what has differed has been repaired meanwhile
	case decided:
		n.tellDiverged(right, true)
		if own := j.found[n.cfg.Paxos.Self]; own.Value != right {
			n.failDiverged(j.slot, &j.found)
		}
		j.slot = 0
	case waited >= limit+n.cfg.Paxos.ElectionTimeout:
		n.failDiverged(j.slot, &j.found)
	case waited >= limit && !j.told:
		n.tellDiverged(0, false)
		j.told = true
	}
}

// patience returns how long a question may be open: longer while one that answers has yet to come to the slot.
func (n *Node) patience(now time.Duration, found *wire.Digests, heard *[wire.MaxReplicas + 1]time.Duration) time.Duration {
	timeout := n.cfg.Paxos.ElectionTimeout
	for _, id := range n.cfg.Paxos.Replicas {
		if !found[id].Known && heard[id] != 0 && now <= heard[id]+timeout {
			return lagTimeouts * timeout
		}
	}
	return answerTimeouts * timeout
}

// tellDiverged tells the followers that are known to differ from what is right, or all if nobody knows what is.
func (n *Node) tellDiverged(right uint64, decided bool) {
	j := &n.judge
	for _, id := range n.cfg.Paxos.Replicas {
		if d := j.found[id]; id == n.cfg.Paxos.Self || !d.Known || decided && d.Value == right {
			continue
		}
		m := wire.NewDiverged(n.core.Ballot(), j.slot, &j.found)
		m.From, m.To = n.cfg.Paxos.Self, id
		n.driver.Send(&m)
		n.driver.Warn(verdict(j.slot, &j.found, len(n.cfg.Paxos.Replicas)))
	}
}

// reportBeyond reports, once, a follower that knows slots to be chosen which this leader has never proposed. Either this
// replica is no longer the leader, which it is about to learn, or it was elected by replicas that have lost what they had
// accepted, and the follower stops (see paxos.Core).
func (n *Node) reportBeyond(m *wire.Message) {
	j := &n.judge
	if proposed := n.core.Proposed(); n.leading && m.Ballot == n.core.Ballot() && m.Commit > proposed && !j.reported.Has(m.From) {
		j.reported.Add(m.From)
		n.driver.Warn(fmt.Sprintf("replica %d knows slots up to %d to be chosen, this leader has proposed none above %d: unless another leader "+
			"has been elected meanwhile, replica %d holds more than the others. Do not start it with --repair before its data has been looked at",
			m.From, m.Commit, proposed, m.From))
	}
}

// failDiverged stops this replica.
func (n *Node) failDiverged(slot wire.Slot, found *wire.Digests) {
	n.Fail(&DivergedError{Self: n.cfg.Paxos.Self, Replicas: len(n.cfg.Paxos.Replicas), Slot: slot, Found: *found})
}

// DivergedError is what ends a replica whose state differs from those of others.
type DivergedError struct {
	Self     wire.ReplicaID
	Replicas int       // in the cluster
	Slot     wire.Slot // that they are compared at
	Found    wire.Digests
}

// Error implements error.
func (e *DivergedError) Error() string {
	return fmt.Sprintf("replica %d: %s", e.Self, verdict(e.Slot, &e.Found, e.Replicas))
}

// verdict says who differs after a slot, and what to do about it.
func verdict(slot wire.Slot, found *wire.Digests, replicas int) string {
	var all, wrong []string
	right, decided := majority(found, replicas)
	for id, d := range found {
		if d.Known {
			all = append(all, fmt.Sprintf("%x on replica %d", d.Value, id))
			if d.Value != right {
				wrong = append(wrong, fmt.Sprint(id))
			}
		}
	}
	text := fmt.Sprintf("the states differ: after slot %d the digest is %s. ", slot, strings.Join(all, ", "))
	if !decided {
		return text + "No majority agrees, so it cannot be told which is right: start the one to be kept with --accept-loss, and the others with --repair"
	}
	return text + fmt.Sprintf("Replica %s differs from the majority. Start it with --repair", strings.Join(wrong, " and "))
}

// agree reports whether all digests that are known are equal.
func agree(d *wire.Digests) bool {
	_, most, known := mostHeld(d)
	return most == known
}

// majority returns the digest that a majority of so many replicas has, if there is one.
func majority(d *wire.Digests, replicas int) (value uint64, ok bool) {
	value, most, _ := mostHeld(d)
	return value, 2*most > replicas
}

// mostHeld returns the digest that most replicas have, how many these are, and how many are known.
func mostHeld(d *wire.Digests) (value uint64, most, known int) {
	for _, a := range d {
		if !a.Known {
			continue
		}
		known++
		same := 0
		for _, b := range d {
			if b == a {
				same++
			}
		}
		if same > most {
			value, most = a.Value, same
		}
	}
	return value, most, known
}
