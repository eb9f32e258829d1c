package sim

import (
	"paxosbench/pipeline"
	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// promises checks that a promise that a leader has counted on is kept: the acceptor accepts nothing of a lower ballot
// after having given it, whatever becomes of its disk (Paxos Made Simple, P1a). It says so as soon as one is broken, and
// not only when a second value comes of it.
type promises struct {
	counted map[wire.Ballot]*candidacy
	floor   [wire.MaxReplicas + 1]wire.Ballot            // by acceptor: the highest ballot that it helped to leadership
	last    [wire.MaxReplicas + 1]map[wire.Ballot]uint64 // by acceptor and ballot: when it last accepted in it
}

// candidacy is what a candidate has been promised.
type candidacy struct {
	by   pipeline.VoteSet
	sent [wire.MaxReplicas + 1]uint64 // when the promise was given
	led  bool
}

func newPromises() promises {
	p := promises{counted: map[wire.Ballot]*candidacy{}}
	for i := range p.last {
		p.last[i] = map[wire.Ballot]uint64{}
	}
	return p
}

// deliver: a candidate is about to count a promise. Its last part makes it complete.
func (p *promises) deliver(to *replica, m *wire.Message, order uint64) {
	core := to.node.Core()
	if core.Role() != paxos.Candidate || core.Ballot() != m.Ballot || m.More() {
		return
	}
	c := p.counted[m.Ballot]
	if c == nil {
		c = new(candidacy)
		p.counted[m.Ballot] = c
	}
	if !c.by.Has(m.From) {
		c.by.Add(m.From)
		c.sent[m.From] = order
	}
}

// round: whoever leads counts on all promises that it was given as a candidate.
func (p *promises) round(w *world, r *replica) {
	if core := r.node.Core(); core.Role() == paxos.Leader {
		p.leads(w, core.Ballot())
	}
}

// leads: a ballot has a leader.
func (p *promises) leads(w *world, b wire.Ballot) {
	c := p.counted[b]
	if c == nil || c.led {
		return
	}
	c.led = true
	for _, o := range w.replicas {
		if !c.by.Has(o.id) {
			continue
		}
		p.floor[o.id] = max(p.floor[o.id], b)
		if lower := p.brokenBy(o.id, b, c.sent[o.id]); lower != 0 {
			w.fail("replica %d has accepted in ballot %v after having promised %v, and replica %d leads by that promise", o.id, lower, b, b.Replica())
		}
	}
}

// brokenBy returns the highest ballot below b that an acceptor has accepted in after the given time, 0 if there is none.
func (p *promises) brokenBy(id wire.ReplicaID, b wire.Ballot, promised uint64) (highest wire.Ballot) {
	for lower, order := range p.last[id] {
		if lower < b && order > promised {
			highest = max(highest, lower)
		}
	}
	return highest
}

// accept: an acceptor is about to accept something.
func (p *promises) accept(w *world, r *replica, b wire.Ballot) {
	if b < p.floor[r.id] {
		w.fail("replica %d accepts in ballot %v, although ballot %v leads by its promise", r.id, b, p.floor[r.id])
	}
	w.order++
	p.last[r.id][b] = w.order
}
