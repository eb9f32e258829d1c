package loop_test

import (
	"sync/atomic"
	"testing"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/client/clienttest"
	"paxosbench/wire/client/loop"
)

// leastWait is how long a session has to have waited when it has been refused n times in a row: 1 ms, doubling up to 50.
func leastWait(n int) (sum time.Duration) {
	for i := range n {
		sum += min(50*time.Millisecond, time.Millisecond<<i)
	}
	return sum
}

// TestRegistrationsBackOff refuses the first registrations in every way there is. Each refusal is counted, and the time
// that the attempts took cannot be less than the waits between them.
func TestRegistrationsBackOff(t *testing.T) {
	const refusals = 10
	busy := clienttest.Action{Refuse: wire.StatusBusy}
	gap := clienttest.Action{Refuse: wire.StatusGap}
	senseless := clienttest.Action{Refuse: wire.StatusMismatch}
	redirect := clienttest.Action{Redirect: &wire.Redirect{}}
	for _, tt := range []struct {
		name    string
		actions []clienttest.Action // in turn
		waits   int
		want    loop.Counters
	}{
		{"busy", []clienttest.Action{busy}, 10, loop.Counters{Busy: 10}},
		{"gap", []clienttest.Action{gap}, 10, loop.Counters{Gaps: 10}},
		{"busy and redirected in turn", []clienttest.Action{busy, redirect}, 5, loop.Counters{Busy: 5, Redirects: 5}},
		{"busy and gap in turn", []clienttest.Action{busy, gap}, 10, loop.Counters{Busy: 5, Gaps: 5}},
		{"a status that is no answer", []clienttest.Action{senseless}, 10, loop.Counters{Violations: 10}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var attempts atomic.Int64
			server := listen(t, clienttest.Config{Intercept: func(run *wire.Run) clienttest.Action {
				if n := int(attempts.Add(1)) - 1; run.Session == 0 && n < refusals {
					return tt.actions[n%len(tt.actions)]
				}
				return clienttest.Action{}
			}})
			r := newRig(t, loop.Config{Addrs: []string{server.Addr()}, Conns: 1, Sessions: 1})
			r.register()
			if n := attempts.Load(); n != refusals+1 {
				t.Errorf("%d registrations, want %d and one that succeeds", n, refusals)
			}
			if at, least := r.Now(), leastWait(tt.waits); at < least {
				t.Errorf("registered after %v, want at least %v of waiting", at, least)
			}
			c := r.Report().Counters
			if got := (loop.Counters{Busy: c.Busy, Gaps: c.Gaps, Redirects: c.Redirects, Violations: c.Violations}); got != tt.want {
				t.Errorf("counted %+v\nwant %+v", got, tt.want)
			}
			r.issue(100)
		})
	}
}

// TestBackOffOutlivesItsConnection: a server that refuses and closes the connection is not asked again at once.
func TestBackOffOutlivesItsConnection(t *testing.T) {
	var attempts atomic.Int64
	server := listen(t, clienttest.Config{Intercept: func(run *wire.Run) clienttest.Action {
		if attempts.Add(1) <= 8 {
			return clienttest.Action{Refuse: wire.StatusBusy}
		}
		return clienttest.Action{}
	}})
	r := newRig(t, loop.Config{Addrs: []string{server.Addr()}, Conns: 1, Sessions: 1})
	for n := int64(1); n <= 8; n++ {
		r.until("a refusal", func() bool { return r.Report().Counters.Busy == n })
		server.DisconnectAll()
	}
	r.register()
	if at, least := r.Now(), leastWait(8); at < least {
		t.Errorf("registered after %v, want at least %v of waiting", at, least)
	}
}

// TestLostSessionsBackOff: where there are more sessions than places, registering anew at once would only cost another
// session its place.
func TestLostSessionsBackOff(t *testing.T) {
	const losses = 8
	var runs atomic.Int64
	server := listen(t, clienttest.Config{Intercept: func(run *wire.Run) clienttest.Action {
		if run.Session != 0 && runs.Add(1) <= losses {
			return clienttest.Action{Refuse: wire.StatusNoSession}
		}
		return clienttest.Action{}
	}})
	r := newRig(t, loop.Config{Addrs: []string{server.Addr()}, Conns: 1, Sessions: 1})
	s := r.sessions[0]
	r.until("an operation executed", func() bool {
		if s.Room() > 0 && s.Answered == s.Assigned && server.State().Executed() == 0 {
			r.Assign(s, 1)
		}
		return server.State().Executed() > 0
	})
	if c := r.Report().Counters; c.LostSessions != losses {
		t.Errorf("%d sessions lost, want %d", c.LostSessions, losses)
	}
	if at, least := r.Now(), leastWait(losses); at < least {
		t.Errorf("executed after %v, want at least %v of waiting", at, least)
	}
}
