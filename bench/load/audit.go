package load

import (
	"errors"
	"fmt"
	"time"

	"paxosbench/bench/load/pacing"
	"paxosbench/bench/load/verify"
	"paxosbench/bench/load/workload"
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
func (e *engine) audit(all []*verify.Verifier) error {
	v := e.verifier
	if v == nil {
		return nil
	}
	if why := e.unfit(); why != "" {
		v.Leave("what was written was not read back: " + why)
		return nil
	}
	e.rec = recorder{set: record.NewSet(), next: pacing.Never}
	e.connectedAt = e.loop.Now()
	v.Settle(all)
	e.cutPlans() // a recall may have begun when the load ended
	if e.cfg.Window > 0 && e.cfg.Window < auditWindow || e.cfg.SessionWindow > 0 {
		e.loop.Restart(auditWindow)
	}
	err := e.examine(e.loop.Now() + auditTime)
	if errors.Is(err, ErrUnreachable) {
		v.Leave("not everything that was written was read back: " + err.Error())
		return nil
	}
	return err
}

// unfit returns why a thread cannot examine anything, if it cannot.
func (e *engine) unfit() string {
	if e.stop.Load() {
		return "the run was interrupted"
	}
	if !e.cfg.can().Get {
		return "the system has no gets"
	}
	if err := e.cfg.ReadableBack(); err != nil {
		return err.Error()
	}
	for _, s := range e.streams.All {
		if s.Answered != s.Assigned {
			return "operations were still without an answer"
		}
	}
	return ""
}

// examine reads back, and exercises what was read.
func (e *engine) examine(end time.Duration) error {
	v := e.verifier
	v.Probe(true)
	whole, err := e.stretch(workload.ReadBack, func(int) uint64 { return 1 }, end)
	nothing := v.Probe(false)
	switch {
	case err != nil:
		return err
	case !whole:
		e.leaveUnread()
		return nil
	case nothing == int64(e.streams.Clients()):
		v.Leave("what was written was not read back: the replicas keep no values")
		return nil
	}
	if whole, err = e.readBack(end); err != nil || !whole {
		return err
	}
	switch {
	case e.cfg.Generator.Of > 1 && e.cfg.KeyDist.Shared():
		v.Leave("order and compare-and-sets were not exercised: other generators write the same keys")
		return nil
	case e.work.Owned(e.streams.Clients()-1) < 2:
		v.Leave("order and compare-and-sets were not exercised: that takes two keys per session")
		return nil
	case !e.cfg.can().CompareAndSet:
		v.Leave("order and compare-and-sets were not exercised: the system has no compare-and-sets")
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
	before := v.Judged()
	whole, err = e.stretch(workload.ReadBack, e.work.Owned, end)
	found := v.Found()
	found.ReadBack = max(found.ReadBack, v.Judged()-before)
	if !whole && err == nil {
		e.leaveUnread()
	}
	return whole, err
}

// leaveUnread notes why keys were not read.
func (e *engine) leaveUnread() {
	if e.stop.Load() {
		e.verifier.Leave("not all keys were read back: the run was interrupted")
		return
	}
	e.verifier.Leave(fmt.Sprintf("not all keys were read back: it would have taken more than %v", auditTime))
}

// cutPlans takes from the plans what no session has begun.
func (e *engine) cutPlans() {
	for session := range e.streams.Clients() {
		e.work.Cut(session, e.streams.AssignedUpTo(session))
	}
}

// stretch carries out a stretch of every session. It returns false if there was no time for all of it.
func (e *engine) stretch(kind workload.Stretch, count func(session int) uint64, end time.Duration) (whole bool, err error) {
	for session := range e.streams.Clients() {
		e.work.Insert(session, kind, e.streams.AssignedUpTo(session), count(session))
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
	for session := range e.streams.Clients() {
		e.work.BeginRounds(session, e.streams.AssignedUpTo(session), e.verifier.Held)
	}
	most := workload.RoundsOf(roundsMost / e.cfg.Threads / e.streams.Clients())
	f := newCountedFeeder(e, func(int) uint64 { return most })
	e.offerAll()
	f.feed(e, e.loop.Now())
	e.loop.Flush()
	e.loop.Restart(0)
	if err := e.drive(f, end, func() bool { return f.sum == 0 && e.outstanding == 0 }); err != nil {
		return err
	}
	for session := range e.streams.Clients() {
		e.verifier.Found().Rounds += e.work.EndRounds(session, e.streams.AssignedUpTo(session))
	}
	return e.drive(idleFeeder{}, e.loop.Now()+auditTime, func() bool { return e.outstanding == 0 })
}

// recallMore is how many answered operations are recalled beside those that were under way.
const recallMore = 256

// recall has a session read the keys of its last operations before it goes on: it comes from a lost connection, and
// perhaps to another leader, and what it writes next would cover what has been lost.
func (e *engine) recall(session int) {
	if e.verifier == nil || !e.recalls || !e.cfg.can().Sessions {
		return
	}
	e.verifier.KeepTrack(replayMost)
	assigned, planned := e.streams.AssignedUpTo(session), e.work.Planned(session)
	if assigned <= planned {
		return
	}
	s := e.streams.All[session]
	count := min(uint64(s.Assigned-s.Answered)+recallMore, uint64(assigned-planned))
	e.work.Insert(session, workload.Recall, assigned, count)
}

// replayMost bounds how far a session is replayed while the load waits for it.
const replayMost = 1 << 20
