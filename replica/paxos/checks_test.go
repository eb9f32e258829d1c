package paxos

import (
	"testing"

	"paxosbench/wire"
)

// checks is what Paxos promises, looked at after every step of a cluster: one batch per (ballot, slot), one decided
// batch per slot, promises and frontiers that do not move backwards, and a quorum's disks behind every decision.
type checks struct {
	t            *testing.T
	nodes        map[wire.ReplicaID]*node
	quorum2      int
	disksAreLost bool // then a decision outlives some of the disks that it was made on

	decided  map[wire.Slot]string
	proposed map[proposal]string
	lives    map[wire.ReplicaID]life
}

// proposal is the right to propose one batch.
type proposal struct {
	ballot wire.Ballot
	slot   wire.Slot
}

// life is what must not move backwards while a core runs; what is durable not even beyond.
type life struct {
	promised, durable wire.Ballot
	commit            wire.Slot
	checked           wire.Slot // applied, and compared with decided
}

func newChecks(t *testing.T, nodes map[wire.ReplicaID]*node, quorum2 int) checks {
	return checks{
		t: t, nodes: nodes, quorum2: quorum2,
		decided: map[wire.Slot]string{}, proposed: map[proposal]string{}, lives: map[wire.ReplicaID]life{},
	}
}

// started looks at a core after it has been restored.
func (c *checks) started(n *node) {
	old := c.lives[n.id]
	if !n.forgot && n.core.promised < old.durable {
		c.t.Fatalf("replica %d restored promise %v, %v was durable", n.id, n.core.promised, old.durable)
	}
	c.lives[n.id] = life{promised: n.core.promised, commit: n.core.Commit()}
	c.observe(n, &Ready{})
}

// observe looks at a core after what it had ready has been carried out.
func (c *checks) observe(n *node, ready *Ready) {
	l := c.lives[n.id]
	if n.core.promised < l.promised || n.core.Commit() < l.commit {
		c.t.Fatalf("replica %d went from promise %v and commit %d back to %v and %d",
			n.id, l.promised, l.commit, n.core.promised, n.core.Commit())
	}
	for i := range ready.Records {
		c.proposedOnce(&ready.Records[i])
	}
	for s := l.checked + 1; s <= n.applied(); s++ {
		c.decidedOnce(n, s)
	}
	if n.core.Role() == Leader {
		for s := l.commit + 1; s <= n.core.Commit(); s++ {
			c.isDurable(n, s)
		}
	}
	c.lives[n.id] = life{n.core.promised, n.ballot, n.core.Commit(), n.applied()}
}

func (c *checks) proposedOnce(r *wire.Record) {
	if r.Kind == wire.RecordPromise {
		return
	}
	p := proposal{r.Ballot, r.Slot}
	if old, ok := c.proposed[p]; ok && old != string(r.Body) {
		c.t.Fatalf("two batches for slot %d under ballot %v: %.20q and %.20q", p.slot, p.ballot, old, r.Body)
	}
	c.proposed[p] = string(r.Body)
}

func (c *checks) decidedOnce(n *node, s wire.Slot) {
	got := string(n.history[s-1].Body)
	if old, ok := c.decided[s]; ok && old != got {
		c.t.Fatalf("slot %d decided twice: %.20q and, by replica %d, %.20q", s, old, n.id, got)
	}
	c.decided[s] = got
}

// isDurable checks that what a leader takes for decided is on the disks of a quorum.
func (c *checks) isDurable(leader *node, s wire.Slot) {
	disks := 0
	for _, n := range c.nodes {
		if n.hasDurable(s, c.decided[s]) {
			disks++
		}
	}
	if disks < c.quorum2 && !c.disksAreLost {
		c.t.Fatalf("replica %d leads and takes slot %d for decided; it is on %d disks, quorum %d", leader.id, s, disks, c.quorum2)
	}
}

// hasDurable reports whether a batch for slot s is on the node's disk.
func (n *node) hasDurable(s wire.Slot, body string) bool {
	if s <= n.snapshot {
		return true
	}
	for i := len(n.journal) - 1; i >= 0; i-- {
		if r := &n.journal[i]; r.Kind != wire.RecordPromise && r.Slot == s && string(r.Body) == body {
			return true
		}
	}
	return false
}
