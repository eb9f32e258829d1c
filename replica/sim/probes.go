package sim

import (
	"errors"
	"slices"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// A probe tries a healthy cluster in one way. plan.probe counts them from 1.
var probes = []func(w *world, leader *replica){
	(*world).probeStalledDisk, (*world).probeDeaf, (*world).probeIsolated, (*world).probeComeback, (*world).probeRestart, (*world).probeSteady,
	(*world).probeDivergence, (*world).probeKilled, (*world).probeRumour,
}

// runProbe runs the probe that the plan has, if the cluster is large enough for it.
func (w *world) runProbe() {
	if w.probe == 0 || w.plan.replicas-1 < max(w.quorum1, w.quorum2) {
		return
	}
	if !w.await(w.settleTime, w.healthy) {
		w.fail("no leader, or not everybody votes, within %v although all replicas are up and connected: %s", w.settleTime, w.describe())
	}
	w.counts.Probes++
	leader := w.leader()
	probes[w.probe-1](w, leader)
	w.reconnect()
	for _, r := range w.replicas {
		r.heal()
	}
}

// The leader fails in one way, and the others must get on without it: a leader that only looks alive must not hold them up.

func (w *world) probeStalledDisk(leader *replica) {
	if w.durability == journal.DurabilityNone {
		return
	}
	leader.stall(time.Hour)
	w.expectSuccessor(leader.node.Core(), w.others(leader), w.failoverTime, "its disk has stalled")
}

func (w *world) probeDeaf(leader *replica) {
	others := w.others(leader)
	w.cut(others, []*replica{leader})
	w.expectSuccessor(leader.node.Core(), others, w.failoverTime, "it hears nobody, though all hear it")
	w.expectStepDown(leader)
}

func (w *world) probeIsolated(leader *replica) {
	w.isolate([]*replica{leader})
	w.expectSuccessor(leader.node.Core(), w.others(leader), w.failoverTime, "it is cut off")
	w.expectStepDown(leader)
}

// A leader that a quorum follows is not disturbed by who comes back.

func (w *world) probeComeback(leader *replica) {
	leader = w.followedByAll(leader)
	r := w.others(leader)[0]
	w.isolate([]*replica{r})
	w.runFor(w.between(w.electionTimeout, 8*w.electionTimeout))
	w.reconnect()
	w.expectSteady(leader, 8, "replica %d, which was cut off, has come back", r.id)
}

// followedByAll returns the leader once all others follow it. One of them may have promised more than the leader has, in what came before the
// probe, and be elected yet: who leads for that reason is not what is to be disturbed.
func (w *world) followedByAll(before *replica) *replica {
	leader := before
	followed := func() bool {
		leader = w.leader()
		return leader != nil && !slices.ContainsFunc(w.replicas, func(r *replica) bool { return r.node.Core().Leader() != leader.id })
	}
	if !w.await(w.settleTime, followed) {
		w.fail("there is no leader that all others follow within %v: %s", w.settleTime, w.describe())
		return before
	}
	return leader
}

func (w *world) probeRestart(leader *replica) {
	leader = w.followedByAll(leader)
	r := w.others(leader)[0]
	r.crash(false)
	w.runFor(w.between(0, 4*w.electionTimeout))
	r.heal()
	w.expectSteady(leader, 8, "replica %d has been started again", r.id)
}

// probeSteady lets a healthy cluster work. The leader sends no more again than it has sent at first.
func (w *world) probeSteady(leader *replica) {
	w.runFor(2 * w.electionTimeout) // what was under way has arrived
	core := leader.node.Core()
	resent, from := core.Stats().Resent, core.Commit()
	w.expectSteady(leader, 20, "nothing has happened")
	needed := uint64(core.Commit()-from) * uint64(w.plan.replicas-1)
	if again := core.Stats().Resent - resent; again > needed+repeatSlack {
		w.fail("replica %d leads a healthy cluster and has sent %d accepts again, of %d that were needed", leader.id, again, needed)
	}
}

// repeatSlack is how many accepts may be sent again whatever was needed.
const repeatSlack = 64

// expectSteady: the leader leads on, with the same ballot.
func (w *world) expectSteady(leader *replica, timeouts time.Duration, why string, args ...any) {
	w.logf("probe: %d leads, and "+why, append([]any{leader.id}, args...)...)
	ballot := leader.node.Core().Ballot()
	if w.await(timeouts*w.electionTimeout, func() bool { return !leader.leads() || leader.node.Core().Ballot() != ballot }) {
		w.fail("replica %d led with ballot %v, and no longer does, although "+why+": %s", append(append([]any{leader.id, ballot}, args...), w.describe())...)
	}
}

// expectSuccessor waits until another replica leads than the one that had a core, within some time, and has got on, for which it may
// need a follower that has to catch up. Links with a rate have the time for that, and for promises.
func (w *world) expectSuccessor(before *paxos.Core, others []*replica, within time.Duration, why string) {
	leader, ballot, commit := before.Leader(), before.Ballot(), before.Commit()
	w.logf("probe: %d leads, and %s", leader, why)
	catchUp := w.catchUpTime(before, others)
	within += catchUp
	toGetOn := 2*w.failoverTime + catchUp
	end := w.now + toGetOn
	succeeds := func(from wire.Slot) bool {
		return slices.ContainsFunc(others, func(r *replica) bool {
			core := r.node.Core()
			return r.leads() && core.Ballot() > ballot && core.Commit() >= from
		})
	}
	if !w.await(within, func() bool { return succeeds(0) }) {
		w.fail("replica %d led, and %s, but none of the others has taken over within %v: %s", leader, why, within, w.describe())
	}
	if !w.await(end-w.now, func() bool { return succeeds(commit + 1) }) {
		w.fail("replica %d led, and %s; another one has taken over, but not got on within %v: %s", leader, why, toGetOn, w.describe())
	}
}

// catchUpTime is what links with a rate take at most until the others have what the leader had, which the quorum may need: twice
// the bytes, and some answers of the leader that are waited for in vain, each for a multiple of what such links take.
func (w *world) catchUpTime(before *paxos.Core, others []*replica) time.Duration {
	if w.streams.rate == 0 {
		return 0
	}
	lag, proposed, batches := wire.Slot(0), uint64(0), uint64(0)
	for _, r := range w.replicas {
		stats := r.node.Stats()
		proposed, batches = proposed+stats.BytesProposed, batches+stats.BatchesProposed
	}
	for _, r := range others {
		lag = max(lag, before.Commit()-min(r.node.Core().Commit(), before.Commit()))
	}
	bytes := uint64(lag) * (wire.EntryHeaderSize + proposed/max(batches, 1))
	return 40*w.electionTimeout + 2*time.Duration(bytes)*time.Second/time.Duration(w.streams.rate)
}

// expectStepDown: who has no quorum knows it within an election timeout, or a few ticks more, by its own clock.
func (w *world) expectStepDown(leader *replica) {
	if !w.await(2*w.electionTimeout, func() bool { return !leader.leads() }) {
		w.fail("replica %d leads on although it has no quorum: %s", leader.id, w.describe())
	}
}

// probeDivergence has a replica, leader or not, execute a command that was never chosen: a registration, which no client
// knows of. It must stop, and none of the others may. Its operator repairs it.
func (w *world) probeDivergence(*replica) {
	r := w.victim()
	if w.visitors != 0 || w.plan.replicas < 3 || !r.mayForget() || w.durability == journal.DurabilityNone {
		return // a full table would drop a client's session, and without a journal who lags would take over its state
	}
	if !w.await(w.settleTime, w.abreast) {
		return
	}
	r.tempted = true
	if !w.await(w.settleTime, func() bool { return !r.tempted }) {
		w.fail("no batch within %v that replica %d could go astray in: %s", w.settleTime, r.id, w.describe())
	}
	if !w.await(w.settleTime, func() bool { return !r.astray }) {
		w.fail("replica %d differs from the others and goes on: %s", r.id, w.describe())
	}
	w.progress(w.healTime, "replica %d has stopped because it differed, and the others are up", r.id)
}

// maybeStray has a replica that is tempted go astray if it is about to apply a batch: it ends with that, and no snapshot begins in
// its midst.
func (r *replica) maybeStray() {
	state := r.node.State()
	if !r.tempted || r.node.Core().Commit() == state.Applied() {
		return
	}
	r.w.counts.Diverged++
	r.w.logf("probe: %d goes astray, it leads: %v", r.id, r.leads())
	register := wire.AppendCommand(nil, wire.OpRegister, 0, nil, wire.AppendStamp(nil, wire.Stamp{Random: 1}))
	state.ApplyRun(state.Applied()+1, &wire.Run{First: 1, Count: 1, Commands: register}, nil, false)
	r.tempted, r.astray = false, true
}

// abreast reports whether nobody lags, and nobody needs a snapshot: that of a replica which has gone astray is no better than its state.
func (w *world) abreast() bool {
	leader := w.leader()
	for _, r := range w.replicas {
		if leader == nil || !r.up || r.node.Core().Commit()+16 < leader.node.Core().Commit() ||
			r.node.Core().Commit()+1 < leader.node.Core().FirstSlot() || r.node.Snapshots().Fetching != 0 {
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
