package load

import (
	"errors"
	"fmt"
	"time"

	"paxosbench/bench/client"
	"paxosbench/bench/record"
)

// After the load has drained, and its figures have been taken, the replicas are examined: every key is read once and what
// it holds compared with the last write acknowledged; then keys are exercised in rounds, at the beginning of which every
// connection is closed, so that commands are sent again that have been executed, and all are read once more. So a load that
// only puts vouches for what it has put.

// auditTime bounds reading back; the cluster may be slow, or not there any more. A variable for tests.
var auditTime = 10 * time.Second

const (
	// roundsMost bounds the rounds of all threads: enough to find one of a million puts that is dropped.
	roundsMost = 4_000_000
	// auditWindow is the least number of operations in flight per connection: a load that has fewer would take long to
	// read what it has written.
	auditWindow = 256
)

// audit examines the replicas with the sessions of this thread. all are the verifiers of all threads.
func (e *engine) audit(all []*verifier) error {
	v := e.verifier
	if v == nil {
		return nil
	}
	if why := e.unfit(); why != "" {
		v.leave("what was written was not read back: " + why)
		return nil
	}
	e.rec = recorder{set: record.NewSet(), next: never}
	e.connectedAt = e.loop.Now()
	v.settle(all)
	e.cutPlans() // a recall may have begun when the load ended
	if e.cfg.Window > 0 && e.cfg.Window < auditWindow || e.cfg.SessionWindow > 0 {
		e.loop.Restart(auditWindow)
	}
	err := e.examine(e.loop.Now() + auditTime)
	if errors.Is(err, ErrUnreachable) {
		v.leave("not everything that was written was read back: " + err.Error())
		return nil
	}
	return err
}

// unfit returns why a thread cannot examine anything, if it cannot.
func (e *engine) unfit() string {
	if e.stop.Load() {
		return "the run was interrupted"
	}
	if e.cfg.ValueSize.min() < valueIDBytes {
		return fmt.Sprintf("values of fewer than %d bytes cannot be told apart", valueIDBytes)
	}
	for _, s := range e.streams.all {
		if s.Answered() != s.Assigned() {
			return "operations were still without an answer"
		}
	}
	return ""
}

// examine reads back, and exercises what was read.
func (e *engine) examine(end time.Duration) error {
	v := e.verifier
	v.probing = true
	whole, err := e.stretch(stretchReadBack, func(int) uint64 { return 1 }, end)
	v.probing = false
	switch {
	case err != nil:
		return err
	case !whole:
		e.leaveUnread()
		return nil
	case v.nothing == int64(e.streams.clients()):
		v.leave("what was written was not read back: the replicas keep no values")
		return nil
	}
	if whole, err = e.readBack(end); err != nil || !whole {
		return err
	}
	switch {
	case e.cfg.Generator.Of > 1 && e.cfg.KeyDist.shared():
		v.leave("order and compare-and-sets were not exercised: other generators write the same keys")
		return nil
	case e.work.owned(e.streams.clients()-1) < 2:
		v.leave("order and compare-and-sets were not exercised: that takes two keys per session")
		return nil
	case e.cfg.Examine == 0:
		return nil
	}
	if err := e.rounds(e.loop.Now() + e.cfg.Examine); err != nil {
		return err
	}
	_, err = e.readBack(e.loop.Now() + auditTime)
	return err
}

// readBack reads every key once.
func (e *engine) readBack(end time.Duration) (whole bool, err error) {
	v := e.verifier
	before := v.found.Reads - v.found.NotJudged
	whole, err = e.stretch(stretchReadBack, e.work.owned, end)
	v.found.ReadBack = max(v.found.ReadBack, v.found.Reads-v.found.NotJudged-before)
	if !whole && err == nil {
		e.leaveUnread()
	}
	return whole, err
}

// leaveUnread notes why keys were not read.
func (e *engine) leaveUnread() {
	if e.stop.Load() {
		e.verifier.leave("not all keys were read back: the run was interrupted")
		return
	}
	e.verifier.leave(fmt.Sprintf("not all keys were read back: it would have taken more than %v", auditTime))
}

// cutPlans takes from the plans what no session has begun.
func (e *engine) cutPlans() {
	for session := range e.work.plans {
		e.work.plans[session].cut(e.streams.assignedUpTo(session))
	}
}

// stretch carries out a stretch of every session. It returns false if there was no time for all of it.
func (e *engine) stretch(kind stretchKind, count func(session int) uint64, end time.Duration) (whole bool, err error) {
	for session := range e.work.plans {
		e.work.insert(session, kind, e.streams.assignedUpTo(session), count(session))
	}
	f := newCountedFeeder(e, count)
	e.offerAll()
	answered := func() bool { return f.sum == 0 && e.outstanding == 0 }
	err = e.drive(f, end, answered)
	e.cutPlans()
	return answered(), err
}

// rounds exercises keys until the time is over, or enough of them, and awaits the answers.
func (e *engine) rounds(end time.Duration) error {
	e.prepareRounds()
	most := uint64(roundsMost / e.cfg.Threads / e.streams.clients() / blockRounds * blockSteps)
	f := newCountedFeeder(e, func(int) uint64 { return max(most, blockSteps) })
	e.offerAll()
	f.feed(e, e.loop.Now())
	e.loop.Flush()
	e.loop.Restart(0)
	if err := e.drive(f, end, func() bool { return f.sum == 0 && e.outstanding == 0 }); err != nil {
		return err
	}
	for session := range e.work.plans {
		assigned := e.streams.assignedUpTo(session)
		p := &e.work.plans[session]
		e.verifier.found.Rounds += (int64(assigned) - int64(p.stretches[len(p.stretches)-1].first)) * blockRounds / blockSteps
		p.cut(assigned)
	}
	return e.drive(idleFeeder{}, e.loop.Now()+auditTime, func() bool { return e.outstanding == 0 })
}

// prepareRounds notes what the keys hold that compare-and-sets are to be tried on.
func (e *engine) prepareRounds() {
	held := e.verifier.keys.(*settledKeys).ownKeys
	for session := range e.work.plans {
		p := &e.work.plans[session]
		p.held = p.held[:0]
		for i := range e.work.casKeys(session) {
			p.held = append(p.held, held[e.work.own(session, i)])
		}
		e.work.insert(session, stretchRounds, e.streams.assignedUpTo(session), endless)
	}
}

// recallMore is how many answered operations are recalled beside those that were under way.
const recallMore = 256

// recall has a session read the keys of its last operations before it goes on: it comes from a lost connection, and
// perhaps to another leader, and what it writes next would cover what has been lost.
func (e *engine) recall(session int) {
	if e.verifier == nil || !e.recalls {
		return
	}
	if e.verifier.keys == nil {
		e.verifier.keys = e.verifier.replay(replayMost)
	}
	assigned, plan := e.streams.assignedUpTo(session), &e.work.plans[session]
	if assigned <= client.Number(plan.end) {
		return
	}
	s := e.streams.all[session]
	count := min(uint64(s.Assigned()-s.Answered())+recallMore, uint64(assigned)-plan.end)
	e.work.insert(session, stretchRecall, assigned, count)
}

// replayMost bounds how far a session is replayed while the load waits for it.
const replayMost = 1 << 20
