package sim

import (
	"slices"
	"time"

	"paxosbench/wire"
)

// Replicas are told that another's process has ended: soon, late, not at all, or though it has not. With the machine nobody
// is left who could say so.

// tellGone has each of the others hear, with some probability and within some time, that a replica is gone.
func (w *world) tellGone(gone *replica, p float64, within time.Duration) {
	for _, r := range w.others(gone) {
		if w.chance(p) {
			r.whileAlive(w.between(0, within), func() { r.hearGone(gone) })
		}
	}
}

func (r *replica) hearGone(gone *replica) {
	r.w.counts.Hints++
	r.w.logf("%d hears that %d is gone", r.id, gone.id)
	r.act(func() { r.node.Gone(r.clock(), gone.id) }, true)
}

// hintedFailover is for how many election timeouts a cluster may be without a leader whose end everybody was told of: some
// of it if all goes well, and a whole one for votes that were split.
const hintedFailover = 4

// probeKilled ends the leader's process, as a signal does.
func (w *world) probeKilled(leader *replica) {
	if !leader.mayForget() {
		return
	}
	before := leader.node.Core()
	leader.crash(false)
	for _, r := range w.others(leader) {
		r.hearGone(leader)
	}
	within := hintedFailover * w.electionTimeout
	if w.reads == wire.ReadsLease {
		within += 2 * w.electionTimeout // the others wait for the lease that they have granted
	}
	within += w.promiseTime(w.others(leader))
	if w.stale > 0 {
		within = w.failoverTime // messages of the dead go on coming, and are believed
	}
	w.expectSuccessor(before, w.replicas, within, "its process has ended") // it may have been started again
}

// promiseTime is what small parts of a promise take on top of that: as many round trips, twice as long as they are on average, as
// there are slots to report on, and in a second candidacy once more.
func (w *world) promiseTime(of []*replica) time.Duration {
	if w.limits.paxos.PromiseBytes == 0 {
		return 0
	}
	slots := 0
	for _, r := range of {
		slots = max(slots, r.node.Core().Ahead())
	}
	return 2 * time.Duration(slots) * 2 * 2 * w.delay
}

// probeRumour has one replica believe, again and again, that the leader is gone. It has nobody's vote.
func (w *world) probeRumour(leader *replica) {
	if w.quorum1 < 2 {
		return // it has its own
	}
	if !w.await(w.electionTimeout, func() bool { return w.follow(leader) }) {
		return // one that has just started may follow nobody yet, and is believed what it says of that
	}
	r := w.others(leader)[0]
	for at := time.Duration(0); at < 8*w.electionTimeout; at += w.between(w.heartbeat, w.electionTimeout) {
		r.whileAlive(at, func() { r.hearGone(leader) })
	}
	w.expectSteady(leader, 9, "replica %d has heard that it is gone", r.id)
}

// follow reports whether everybody follows a leader.
func (w *world) follow(leader *replica) bool {
	return !slices.ContainsFunc(w.replicas, func(r *replica) bool { return r.node.Core().Leader() != leader.id })
}
