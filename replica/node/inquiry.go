package node

import (
	"time"

	"paxosbench/wire"
)

// inquiry is how a follower looks for itself when the leader says that replicas differ: it asks the others what their digests
// are, and believes of each only what it says about itself. If a majority has what this replica has, whoever says otherwise is
// wrong; if a majority has something else, this replica stops; and so it does if no majority is to be found in time, because
// too few answer or all are different. One replica alone stops nobody, unless there is nobody else to ask.
type inquiry struct {
	slot  wire.Slot // in question; 0: none
	found wire.Digests
	since time.Duration
	asked time.Duration
	heard [wire.MaxReplicas + 1]time.Duration // last answer, which may be that it does not know
}

// onDiverged takes a message about digests: the leader's verdict, or the question or the answer of another replica.
func (n *Node) onDiverged(now time.Duration, m *wire.Message) {
	said := wire.DecodeDigests(m.Body)
	if m.Asks() {
		n.send(m.From, n.ownDigest(m.Slot))
	}
	if m.From == n.core.Leader() && m.Ballot == n.core.Ballot() && n.inquiry.slot == 0 {
		n.inquire(now, m.Slot, said)
	}
	if q := &n.inquiry; q.slot != 0 && q.slot == m.Slot {
		q.heard[m.From] = now
		if d := said[m.From]; d.Known {
			q.found[m.From] = d
		}
		n.tickInquiry(now)
	}
}

// ownDigest returns what this replica's state was after a slot, as a message.
func (n *Node) ownDigest(slot wire.Slot) wire.Message {
	var own wire.Digests
	if digest, known := n.digests.at(slot); known {
		own[n.cfg.Paxos.Self] = wire.Digest{Known: true, Value: digest}
	}
	return wire.NewDiverged(n.core.Ballot(), slot, &own)
}

// inquire begins an inquiry about a slot, if this replica knows of it and is not among those who are right by what is said.
func (n *Node) inquire(now time.Duration, slot wire.Slot, found wire.Digests) {
	own, known := n.digests.at(slot)
	if !known {
		return
	}
	found[n.cfg.Paxos.Self] = wire.Digest{Known: true, Value: own}
	right, decided := majority(&found, len(n.cfg.Paxos.Replicas))
	if agree(&found) || decided && right == own {
		return
	}
	n.inquiry = inquiry{slot: slot, since: now}
	n.inquiry.found[n.cfg.Paxos.Self] = found[n.cfg.Paxos.Self]
	n.askDigests(now)
}

// askDigests asks those whose digests are not known.
func (n *Node) askDigests(now time.Duration) {
	q := &n.inquiry
	q.asked = now
	for _, id := range n.cfg.Paxos.Replicas {
		if !q.found[id].Known {
			m := n.ownDigest(q.slot)
			m.SetAsks()
			n.send(id, m)
		}
	}
}

// tickInquiry decides the inquiry, if there is one and it can be.
func (n *Node) tickInquiry(now time.Duration) {
	q := &n.inquiry
	if q.slot == 0 {
		return
	}
	right, decided := majority(&q.found, len(n.cfg.Paxos.Replicas))
	switch own := q.found[n.cfg.Paxos.Self]; {
	case decided && right != own.Value, !agree(&q.found) && !decided && now-q.since >= n.patience(now, &q.found, &q.heard):
		n.failDiverged(q.slot, &q.found)
		q.slot = 0
	case decided, now-q.since >= n.patience(now, &q.found, &q.heard):
		q.slot = 0
	case now-q.asked >= n.cfg.Paxos.Heartbeat:
		n.askDigests(now)
	}
}
