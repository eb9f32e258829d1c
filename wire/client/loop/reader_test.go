package loop_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"paxosbench/wire"
	"paxosbench/wire/client/clienttest"
	"paxosbench/wire/client/loop"
)

// both returns the rig's sessions and readers.
func (r *rig) both() []*loop.Stream { return slices.Concat(r.sessions, r.readers) }

func TestReadersAskBesideTheirSessions(t *testing.T) {
	server := listen(t, clienttest.Config{Reads: wire.ReadsIndex})
	r := newRig(t, loop.Config{Addrs: []string{server.Addr()}, Conns: 2, Sessions: 5})
	r.register()
	if !r.Queries() {
		t.Error("gets go through the log")
	}
	for i, s := range r.readers {
		if s.Index != 5+i {
			t.Errorf("reader %d has index %d", i, s.Index)
		}
	}
	r.issueTo(r.both(), 3000)
	if executed, queried := server.State().Executed(), server.State().Queried(); executed != 5*3000 || queried != 5*3000 {
		t.Errorf("%d commands and %d queries executed, want %d of each", executed, queried, 5*3000)
	}
	if r.statuses[wire.StatusNotFound] != 5*3000 { // no session has written under a reader's index
		t.Errorf("answers %v", r.statuses)
	}
	if c := r.Report().Counters; c.Resent+c.Duplicates+c.Violations+c.Disconnects != 0 {
		t.Errorf("counters of an undisturbed exchange: %+v", c)
	}
}

// Random trouble for queries and commands alike: every operation is answered once, every command executed once.
func TestManyFaultsWithReaders(t *testing.T) {
	const seed = 11
	state := clienttest.NewState()
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 0))
	troubles := []clienttest.Action{
		{Disconnect: true}, {DropReply: true}, {Refuse: wire.StatusBusy}, {BreakFrame: true}, {Redirect: &wire.Redirect{}},
	}
	intercept := func(*wire.Run) clienttest.Action {
		mu.Lock()
		defer mu.Unlock()
		if rng.IntN(10) != 0 {
			return clienttest.Action{}
		}
		return troubles[rng.IntN(len(troubles))]
	}
	var addrs []string
	for range 3 {
		addrs = append(addrs, listen(t, clienttest.Config{State: state, Window: 32, Reads: wire.ReadsLease, Intercept: intercept}).Addr())
	}
	r := newRig(t, loop.Config{Addrs: addrs, Conns: 3, Sessions: 6, Nonce: seed})
	r.register()
	r.issueTo(r.both(), 1000)
	if executed, queried := state.Executed(), state.Queried(); executed != 6*1000 || queried < 6*1000 {
		t.Errorf("seed %d: %d commands and %d queries executed, want %d and at least as many", seed, executed, queried, 6*1000)
	}
	if c := r.Report().Counters; c.Violations != 0 || c.LostSessions != 0 || c.Resent == 0 {
		t.Errorf("seed %d: counters %+v, reports %v", seed, c, r.Report().Violations)
	}
}

// A query that is refused says nothing about the one behind it, which may be answered: both are asked for again, and
// nothing is answered out of order.
func TestRefusedQueryIsAskedForAgain(t *testing.T) {
	var runs atomic.Int64
	server := listen(t, clienttest.Config{Reads: wire.ReadsIndex, Window: 4, Intercept: func(run *wire.Run) clienttest.Action {
		if run.Session != 0 && runs.Add(1)%3 == 1 {
			return clienttest.Action{Refuse: wire.StatusBusy}
		}
		return clienttest.Action{}
	}})
	r := newRig(t, loop.Config{Addrs: []string{server.Addr()}, Conns: 1, Sessions: 1})
	r.register()
	reader := r.readers
	for range 2 { // frames of their own: the first is refused, the second answered
		r.Assign(reader[0], 1)
		r.Flush()
	}
	r.issueTo(reader, 200)
	if c := r.Report().Counters; c.Busy == 0 || c.Violations != 0 || c.Resent < c.Busy {
		t.Errorf("counters %+v, reports %v", c, r.Report().Violations)
	}
}

func TestReaderIsNotAnsweredLikeASession(t *testing.T) {
	var runs atomic.Int64
	server := listen(t, clienttest.Config{Reads: wire.ReadsIndex, Window: 16, Intercept: func(run *wire.Run) clienttest.Action {
		if run.Session != 0 && runs.Add(1) == 3 {
			return clienttest.Action{Refuse: wire.StatusNoSession}
		}
		return clienttest.Action{}
	}})
	r := newRig(t, loop.Config{Addrs: []string{server.Addr()}, Conns: 1, Sessions: 1})
	r.register()
	r.issueTo(r.readers, 100)
	if got := r.Report().Violations; len(got) != 1 || !strings.Contains(got[0], "no-session") || r.Report().Counters.LostSessions != 0 {
		t.Errorf("violations %q, counters %+v", got, r.Report().Counters)
	}
}

// A cluster that comes back with another way of serving gets is not the one that the operations were dealt out for.
func TestWayOfServingGetsMustNotChange(t *testing.T) {
	first := listen(t, clienttest.Config{Reads: wire.ReadsIndex})
	addr := first.Addr()
	r := newRig(t, loop.Config{Addrs: []string{addr}, Conns: 1, Sessions: 1})
	r.register()
	first.Close()
	second, err := clienttest.Listen(addr, clienttest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	r.until("the refusal", func() bool { return r.LastError() != nil && strings.Contains(r.LastError().Error(), "begin anew") })
	if r.Open() != 0 {
		t.Error("the connection is used")
	}
}
