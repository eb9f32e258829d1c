package sim

import (
	"errors"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/node"
	"paxosbench/wire"
)

// numProbes is how many probes there are; plan.probe counts from 1.
const numProbes = 4

// runProbe has the leader of a healthy cluster fail in one way. The others must get on without it: a leader that only
// looks alive must not hold them up. Or any replica of it goes astray, and must stop.
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
	if w.probe == 4 {
		w.probeDivergence(w.victim())
		return
	}
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

// probeDivergence has a replica, leader or not, execute a command that was never chosen: a registration, which no client
// knows of. It must stop, and none of the others may. Its operator repairs it.
func (w *world) probeDivergence(r *replica) {
	if w.visitors != 0 || w.plan.replicas < 3 || !r.mayForget() || w.durability == journal.DurabilityNone {
		return // a full table would drop a client's session, and without a journal who lags would take over its state
	}
	if !w.await(w.settleTime, w.abreast) {
		return
	}
	w.counts.Diverged++
	w.logf("probe: %d goes astray, it leads: %v", r.id, r.leads())
	state := r.node.State()
	register := wire.AppendCommand(nil, wire.OpRegister, 0, nil, nil)
	state.ApplyRun(state.Applied()+1, &wire.Run{First: 1, Count: 1, Commands: register}, nil, false)
	r.astray = true
	if !w.await(w.settleTime, func() bool { return !r.astray }) {
		w.fail("replica %d differs from the others and goes on: %s", r.id, w.describe())
	}
	w.progress(w.healTime, "replica %d has stopped because it differed, and the others are up", r.id)
}

// abreast reports whether nobody needs a snapshot: that of a replica which has gone astray is no better than its state.
func (w *world) abreast() bool {
	leader := w.leader()
	for _, r := range w.replicas {
		if leader == nil || !r.up || r.node.Core().Commit()+1 < leader.node.Core().FirstSlot() || r.node.Snapshots().Fetching != 0 {
			return false
		}
	}
	return true
}

// stopAstray ends the process of a replica that has found out that it differs, and replaces what it holds.
func (r *replica) stopAstray(err error) bool {
	diverged, ok := errors.AsType[*node.DivergedError](err)
	if !ok || !r.astray {
		return false
	}
	r.w.logf("%d stops: %v", r.id, diverged)
	r.astray = false
	r.end(false)
	r.replaceDisk(true)
	return true
}
