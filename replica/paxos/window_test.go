package paxos

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"paxosbench/pipeline"
	"paxosbench/wire"
)

// An acceptor takes whatever window a leader with the same configuration has in flight, also if the first Accept of it is lost,
// and its log is full: however small the batches are, and however the bounds in bytes and in slots stand to each other.
func TestAcceptorHoldsAWindow(t *testing.T) {
	for _, tt := range []struct{ depth, windowBytes, logBytes, batch int }{
		{4096, 1 << 20, 1 << 20, 50}, // most slots, smallest buffers
		{4096, 200 << 10, 1 << 20, 50},
		{4096, 256 << 10, 0, 0}, // nothing but no-ops
		{64, 2 << 10, 0, 64},
		{64, 2 << 10, 2 << 10, 513}, // half of each buffer is empty
		{256, 1 << 20, 64 << 10, 4097},
		{8, 1, 0, 5000}, // one batch at a time
		{1, 1 << 20, 0, 100},
	} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			same := func(cfg *Config) {
				cfg.Depth, cfg.WindowBytes, cfg.LogBytes = pipeline.Depth{N: tt.depth}, tt.windowBytes, tt.logBytes
			}
			leader, acceptor := newHand(t, 1, 3, same), newHand(t, 2, 3, same)
			b := leader.leads()
			leader.syncs()
			// propose fills the leader's window, and returns the Accepts for all of it.
			propose := func() (accepts []wire.Message) {
				for leader.CanPropose(leader.now, true) {
					e := batch(strings.Repeat("x", tt.batch))
					s := leader.Propose(leader.now, 1, e)
					accepts = append(accepts, wire.NewAccept(b, s, leader.Commit(), e.Payload))
				}
				leader.syncs()
				return accepts
			}
			give := func(accepts []wire.Message) {
				for _, m := range accepts {
					m.Body = append(acceptor.cfg.Buffers.Get(len(m.Body)), m.Body...)
					acceptor.gets(1, m)
				}
				acceptor.syncs()
				acceptor.Trim(acceptor.Commit())
			}
			give([]wire.Message{wire.NewAccept(b, 1, 0, wire.Payload{})}) // the first of the term
			leader.gets(3, wire.NewAccepted(b, 1, 1, 0))
			leader.syncs()
			for range 3 { // the log is full with what is chosen
				accepts := propose()
				give(accepts)
				leader.gets(3, wire.NewAccepted(b, 1, accepts[len(accepts)-1].Slot, 0))
				leader.syncs()
			}
			accepts := propose()
			acceptor.gets(1, wire.NewHeartbeat(b, 1, leader.Commit(), leader.Proposed()))
			ignored := acceptor.Stats().Ignored
			give(accepts[1:])
			if n := acceptor.Stats().Ignored - ignored; n > 0 {
				t.Errorf("%d of %d Accepts in flight were turned away", n, len(accepts))
			}
			if missing := slices.IndexFunc(accepts[1:], func(m wire.Message) bool { return acceptor.log.get(m.Slot) == nil }); missing >= 0 {
				t.Errorf("slot %d was not accepted", accepts[1+missing].Slot)
			}
		})
	}
}

// Once the path is measured a batch that may still grow keeps its distance from the one before it; one that is full gains nothing by that.
func TestOnlyWhatMayGrowIsPaced(t *testing.T) {
	const roundTrip = 20 * time.Millisecond
	leader := newHand(t, 1, 3, func(cfg *Config) { cfg.Depth = pipeline.Depth{Adaptive: true, N: 64} })
	b := leader.leads()
	leader.waits(leader.cfg.Heartbeat)
	for range 100 { // the depth grows
		for leader.window.HasRoom() {
			leader.Propose(leader.now, 1, batch("x"))
		}
		leader.syncs()
		leader.waits(roundTrip)
		leader.gets(2, leader.heartbeatReply())
		for s := leader.Commit() + 1; s < leader.window.Next(); s++ {
			leader.gets(2, wire.NewAccepted(b, s, s, s-1))
		}
	}
	for leader.CanPropose(leader.now, false) {
		leader.Propose(leader.now, 1, batch("x"))
	}
	slots, _ := leader.InFlight()
	if slots == 0 || !leader.window.HasRoom() || !leader.CanPropose(leader.now, true) {
		t.Fatalf("%v, %d slots in flight of %d: no room for a full batch", leader.Role(), slots, leader.Depth())
	}
	if !leader.CanPropose(leader.now+roundTrip, false) {
		t.Fatalf("%d slots in flight of %d: still paced after a round trip", slots, leader.Depth())
	}
}
