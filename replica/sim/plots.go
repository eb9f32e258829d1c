package sim

import (
	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// A plot is a sequence of faults that chance alone would hardly ever draw: it waits for the cluster to get into a
// certain state, and strikes there. Each does only what a network, a scheduler and disks may do. Most are about
// replicas that lose their memory, because their safety rests on an argument about who had answered whom when
// (replica/paxos/rejoin.go). Nothing is checked here: the checkers see what comes of it.
//
// In all of them the leader of ballot b, in the end or at the beginning, is to believe or to be believed something that
// was true once, with the help of a replica that has forgotten.

// plot runs one plot, with the cluster healthy before and after it, and no other faults but, half of the time, those of
// the network.
func (w *world) plot() {
	loss, duplication, stale := w.loss, w.duplication, w.stale
	w.plotting = true
	w.reconnect()
	if w.chance(0.5) {
		w.loss, w.duplication, w.stale = 0, 0, 0
	}
	for _, r := range w.replicas {
		r.heal()
	}
	if w.await(w.stepTime, w.healthy) {
		w.counts.Plots++
		[]func(leader *replica){w.trap, w.retrap, w.usurp, w.usurp, w.straggle, w.straggle, w.halve, w.relapse, w.comeBack}[w.rng.IntN(9)](w.leader())
	}
	w.loss, w.duplication, w.stale = loss, duplication, stale
	w.spy = nil
	w.reconnect()
	for _, r := range w.replicas {
		if r.paused {
			r.resume()
		}
	}
	w.plotting = false
	w.logf("plot ends")
}

// healthy reports whether there is a leader, and nobody is down or without memory.
func (w *world) healthy() bool {
	for _, r := range w.replicas {
		if !r.up || !r.votes() || r.forgetful {
			return false
		}
	}
	return w.leader() != nil
}

// others returns the replicas but for some, in random order.
func (w *world) others(but ...*replica) (others []*replica) {
	for _, at := range w.rng.Perm(len(w.replicas)) {
		r := w.replicas[at]
		found := false
		for _, b := range but {
			found = found || b == r
		}
		if !found {
			others = append(others, r)
		}
	}
	return others
}

// isolate cuts a group off from all others, in both directions.
func (w *world) isolate(group []*replica) {
	rest := w.others(group...)
	w.cut(group, rest)
	w.cut(rest, group)
}

// forget has a replica lose its disk and come back at once, and reports whether it did.
func (w *world) forget(r *replica) bool {
	r.loseDisk()
	if r.up {
		return false
	}
	r.restartIn(w.between(0, tickInterval))
	return w.await(w.stepTime, func() bool { return r.up })
}

// rejoined waits until a replica votes again.
func (w *world) rejoined(r *replica) bool {
	return w.await(w.stepTime, func() bool { return r.up && !r.forgetful })
}

// successor waits until one of a group leads with a higher ballot, and returns it, or nil.
func (w *world) successor(group []*replica, b wire.Ballot) (leader *replica) {
	w.await(w.stepTime, func() bool {
		for _, r := range group {
			if r.leads() && r.node.Core().Ballot() > b {
				leader = r
			}
		}
		return leader != nil
	})
	return leader
}

// trap: values are chosen by a bare quorum; one of it forgets, and finds itself with all those who know nothing of them.
// They are a quorum for phase 1 if it votes.
func (w *world) trap(leader *replica) { w.forgetAmongStrangers(leader, w.others(leader), nil) }

// retrap: the same with a replica that forgets for the second time, and hears once more what it was told the first time.
func (w *world) retrap(leader *replica) {
	others := w.others(leader)
	r := others[0]
	var heard []func()
	w.spy = func(_, to *replica, _ *wire.Message, deliver func()) bool {
		if to == r {
			heard = append(heard, deliver)
		}
		return false
	}
	w.logf("plot: trap %d twice", r.id)
	done := w.forget(r) && w.rejoined(r)
	w.spy = nil
	if leader = w.leader(); done && leader != nil && leader != r {
		w.forgetAmongStrangers(leader, append([]*replica{r}, w.others(leader, r)...), heard)
	}
}

// forgetAmongStrangers springs the trap on the first of the others. Then it hears again what it has heard before.
func (w *world) forgetAmongStrangers(leader *replica, others []*replica, heard []func()) {
	r, strangers := others[0], others[w.quorum2-1:]
	w.logf("plot: trap %d, which knows what %v do not", r.id, ids(strangers))
	w.isolate(strangers)
	w.runFor(w.between(w.heartbeat, 2*w.electionTimeout))
	if !w.forget(r) {
		return
	}
	w.reconnect()
	w.isolate(w.others(append([]*replica{r}, strangers...)...))
	w.runFor(w.between(tickInterval, 2*w.heartbeat))
	for _, deliver := range heard {
		w.after(w.between(0, w.heartbeat), deliver)
	}
	w.runFor(w.between(2*w.electionTimeout, w.stepTime))
}

// usurp: a leader is not scheduled while it is deposed. Its successor's quorum has one replica in it that then forgets,
// and comes back to the old leader, which resumes where it was: with answers from before the election still to arrive.
func (w *world) usurp(leader *replica) {
	others := w.others(leader)
	loyal, r, rivals := append([]*replica{leader}, others[:w.quorum2-2]...), others[w.quorum2-2], others[w.quorum2-1:]
	b := leader.node.Core().Ballot()
	w.logf("plot: %d leads with %v, is deposed by %v with %d, and finds %d again", leader.id, ids(loyal), ids(rivals), r.id, r.id)
	w.clog(rivals, loyal)
	w.runFor(w.between(w.heartbeat, 3*w.heartbeat))
	leader.paused = true
	w.cut(loyal, rivals)
	w.cut(loyal, []*replica{r})
	w.cut([]*replica{r}, loyal)
	w.runFor(w.between(0, w.heartbeat))
	answers := w.drain(rivals, loyal)
	if w.successor(rivals, b) == nil {
		return
	}
	w.runFor(w.between(0, w.electionTimeout))
	w.cut(rivals, []*replica{r})
	w.cut([]*replica{r}, rivals)
	w.join(loyal, []*replica{r})
	w.join([]*replica{r}, loyal)
	if !w.forget(r) {
		return
	}
	w.runFor(w.between(tickInterval, 2*w.heartbeat))
	w.cut(rivals, loyal)
	for _, deliver := range answers {
		deliver()
	}
	if leader.up && leader.paused {
		leader.resume()
	}
	w.runFor(w.between(w.electionTimeout/2, 4*w.electionTimeout))
}

// straggle: what a deposed leader had proposed arrives at a replica that has promised its successor to take nothing of
// it, and has forgotten that.
func (w *world) straggle(leader *replica) {
	others := w.others(leader)
	r := others[0]
	b := leader.node.Core().Ballot()
	w.logf("plot: what %d has proposed to %d arrives late", leader.id, r.id)
	w.clog([]*replica{leader}, []*replica{r})
	w.cut([]*replica{leader}, others[1:])
	w.cut([]*replica{r}, []*replica{leader})
	next := w.successor(others[1:], b)
	if next == nil || !w.forget(r) {
		return
	}
	w.join(w.replicas, w.replicas)
	if w.await(w.stepTime, r.node.Core().Voting) {
		w.unclog(w.link(leader, r))
		w.runFor(w.between(w.heartbeat, 4*w.electionTimeout))
	}
}

// halve: a candidate has half of the promises that it needs, one of them from a replica that forgets. The others get the
// question only after that replica votes again.
func (w *world) halve(leader *replica) {
	others := w.others(leader)
	candidate, r := others[0], others[1%len(others)]
	w.logf("plot: %d is promised something by %d, which forgets it, and by others only then", candidate.id, r.id)
	var late, answers []func()
	w.spy = func(from, to *replica, m *wire.Message, deliver func()) bool {
		switch {
		case m.Type == wire.TypePreVote && from != candidate:
		case m.Type == wire.TypePrepare && to != r:
			late = append(late, deliver)
		case to == leader && leader.paused && from != candidate && m.Type == wire.TypeHeartbeatReply:
			answers = append(answers, deliver)
		case to == leader && from == candidate || from == leader && to == candidate:
		default:
			return false
		}
		return true
	}
	leader.paused = true
	if !w.await(w.stepTime, func() bool { return w.promised(candidate, r) }) || !w.forget(r) {
		return
	}
	for _, deliver := range answers {
		deliver()
	}
	if leader.up && leader.paused {
		leader.resume()
	}
	w.await(2*w.electionTimeout, r.node.Core().Voting)
	w.runFor(w.between(0, 2*w.heartbeat))
	spied := w.spy
	w.spy = func(from, to *replica, m *wire.Message, deliver func()) bool {
		return m.Type != wire.TypePrepare && m.Type != wire.TypePromise && spied(from, to, m, deliver)
	}
	for _, deliver := range late {
		deliver()
	}
	w.runFor(w.between(w.heartbeat, 2*w.electionTimeout))
}

// relapse: a replica that has forgotten learns what it needs to vote again, and loses power before that is on its disk.
func (w *world) relapse(leader *replica) {
	r := w.others(leader)[0]
	w.logf("plot: %d forgets, and forgets again what it is told", r.id)
	if !w.forget(r) {
		return
	}
	r.stall(w.stepTime)
	if w.await(w.stepTime, r.node.Core().Voting) {
		w.runFor(w.between(0, w.heartbeat))
		r.crash(true)
	}
}

// comeBack: a leader hears nothing of what is accepted, gives way, is elected again, and then hears it, before it has
// been heard itself.
func (w *world) comeBack(leader *replica) {
	b := leader.node.Core().Ballot()
	w.logf("plot: %d gives way, comes back, and hears what was accepted before", leader.id)
	var answers, accepts []func()
	w.spy = func(from, to *replica, m *wire.Message, deliver func()) bool {
		switch {
		case to == leader && (m.Type == wire.TypeAccepted || m.Type == wire.TypeHeartbeatReply):
			answers = append(answers, deliver)
		case from == leader && m.Type == wire.TypeAccept && m.Ballot > b:
			accepts = append(accepts, deliver)
		default:
			return m.Type == wire.TypePreVote && from != leader
		}
		return true
	}
	w.await(w.stepTime, func() bool { return !leader.leads() })
	if w.successor([]*replica{leader}, b) == nil {
		return
	}
	w.spy = nil
	for _, deliver := range answers {
		deliver()
	}
	w.runFor(w.between(0, w.heartbeat))
	for _, deliver := range accepts {
		deliver()
	}
	w.runFor(w.between(w.heartbeat, 2*w.electionTimeout))
}

// promised reports whether a candidate has been promised its ballot by r.
func (w *world) promised(candidate, r *replica) bool {
	core := candidate.node.Core()
	c := w.check.promises.counted[core.Ballot()]
	return core.Role() == paxos.Candidate && c != nil && c.by.Has(r.id)
}
