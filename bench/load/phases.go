package load

import (
	"fmt"
	"time"

	"paxosbench/bench/load/pacing"
	"paxosbench/wire"
)

// connect opens the connections, registers the sessions, and learns how gets are to be sent.
func (e *engine) connect() error {
	e.connectedAt = e.loop.Now()
	end := e.connectedAt + e.cfg.GiveUp
	all := func() bool { return e.loop.Registered() == e.streams.Clients() }
	if err := e.drive(idleFeeder{}, end, all); err != nil {
		return err
	}
	if all() || e.stop.Load() {
		if e.loop.Queries() && e.cfg.Mix.Share(wire.OpGet) > 0 {
			e.deal()
		}
		return nil
	}
	return fmt.Errorf("%w: %d of %d sessions registered within %v%w", ErrUnreachable,
		e.loop.Registered(), e.streams.Clients(), e.cfg.GiveUp, e.lastError())
}

// deal has gets go as queries from now on.
func (e *engine) deal() {
	e.streams.Deal()
	if e.verifier != nil {
		e.verifier.Deal()
	}
}

// preload writes every key once.
func (e *engine) preload() error {
	if !e.cfg.Preload {
		return nil
	}
	f := newCountedFeeder(e, e.work.Owned)
	e.offerAll()
	return e.drive(f, pacing.Never, func() bool { return f.sum == 0 && e.outstanding == 0 })
}

// offerAll puts every client on the list of those that can take operations, at the beginning of a phase.
func (e *engine) offerAll() {
	for i := range e.streams.Clients() {
		e.ready.push(i)
	}
}

// load sends from start to end, or until so many operations have been sent and answered.
func (e *engine) load(start, end time.Duration, total budget, pacer pacing.Pacer) (feeder, error) {
	e.recalls = true
	defer func() { e.recalls = false }()
	if err := e.drive(idleFeeder{}, start, nil); err != nil {
		return nil, err
	}
	e.offerAll()
	var f loadFeeder = &closedFeeder{end: end, left: total}
	if e.cfg.Open {
		open := newOpenFeeder(pacer, start, end, e.cfg.LeastGap(e.cfg.Threads))
		open.left = total
		f = open
	}
	err := e.drive(f, end, func() bool { return f.spent() && e.outstanding == 0 })
	return f, err
}

// warmUp loads from start on and awaits every answer. One that is interrupted awaits nothing: no figure would have it.
func (e *engine) warmUp(start time.Duration, seed uint64) error {
	if _, err := e.load(start, start+e.cfg.Warmup, unlimited, e.cfg.Pacer(e.thread, e.cfg.Threads, e.cfg.Generator, seed, true)); err != nil {
		return err
	}
	answered := func() bool { return e.outstanding == 0 }
	if err := e.drive(idleFeeder{}, e.loop.Now()+e.cfg.Timeout, answered); err != nil {
		return err
	}
	switch {
	case e.stop.Load():
		return errNotBegun
	case !answered():
		return fmt.Errorf("%w: %d operations of the warm-up unanswered after %v%w", ErrUnreachable,
			e.outstanding, e.cfg.Timeout, e.lastError())
	}
	return nil
}

// drain awaits outstanding answers for at most the timeout. It goes on when the run is told to stop.
func (e *engine) drain() error {
	end := e.loop.Now() + e.cfg.Timeout
	for e.outstanding > 0 && e.loop.Now() < end {
		if err := e.loop.Poll(min(e.loop.Now()+maxWait, end)); err != nil {
			return err
		}
		e.loop.Flush()
	}
	return nil
}
