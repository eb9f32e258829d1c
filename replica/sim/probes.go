package sim

import (
	"time"

	"paxosbench/replica/journal"
)

// numProbes is how many probes there are; plan.probe counts from 1.
const numProbes = 3

// runProbe has the leader of a healthy cluster fail in one way. The others must get on without it: a leader that only
// looks alive must not hold them up.
func (w *world) runProbe() {
	n := w.plan.replicas
	if w.probe == 0 || n-1 < max(w.quorum1, w.quorum2) || w.probe == 1 && w.durability == journal.DurabilityNone {
		return
	}
	if !w.await(w.settleTime, w.healthy) {
		w.fail("no leader, or not everybody votes, within %v although all replicas are up and connected: %s", w.settleTime, w.describe())
	}
	leader := w.leader()
	others := w.others(leader)
	w.counts.Probes++
	switch w.probe {
	case 1:
		leader.stall(time.Hour)
		w.expectSuccessor(leader, others, "its disk has stalled")
	case 2:
		w.cut(others, []*replica{leader})
		w.expectSuccessor(leader, others, "it hears nobody, though all hear it")
		w.expectStepDown(leader)
	case 3:
		w.isolate([]*replica{leader})
		w.expectSuccessor(leader, others, "it is cut off")
		w.expectStepDown(leader)
	}
	w.reconnect()
	leader.heal()
}

// expectSuccessor waits until another replica leads and has got on.
func (w *world) expectSuccessor(leader *replica, others []*replica, why string) {
	w.logf("probe: %d leads, and %s", leader.id, why)
	before := leader.node.Core()
	ballot, commit := before.Ballot(), before.Commit()
	next := func() bool {
		for _, r := range others {
			if core := r.node.Core(); r.leads() && core.Ballot() > ballot && core.Commit() > commit {
				return true
			}
		}
		return false
	}
	if !w.await(w.failoverTime, next) {
		w.fail("replica %d leads and %s, but none of the others has taken over within %v: %s", leader.id, why, w.failoverTime, w.describe())
	}
}

// expectStepDown: who has no quorum knows it within an election timeout, or a few ticks more, by its own clock.
func (w *world) expectStepDown(leader *replica) {
	if !w.await(2*w.electionTimeout, func() bool { return !leader.leads() }) {
		w.fail("replica %d leads on although it has no quorum: %s", leader.id, w.describe())
	}
}
