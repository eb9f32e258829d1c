package loop_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"paxosbench/wire"
	"paxosbench/wire/client/clienttest"
	"paxosbench/wire/client/loop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counter is a handler whose operation n of session i puts n under key i. It checks as it goes that answers come once
// and in order.
type counter struct {
	t        testing.TB
	readers  int // where they begin among the streams
	answered []loop.Number
	lost     int
	sent     int
	ready    int
	statuses map[wire.Status]int
	tooLong  loop.Number // the operation of every stream whose key is too long to be sent; 0: none's is
}

func (c *counter) AppendCommands(dst []byte, s *loop.Stream, first loop.Number, count, limit int) ([]byte, int) {
	key := binary.LittleEndian.AppendUint64(nil, uint64(s.Index))
	for i := range count {
		if i > 0 && len(dst) >= limit {
			return dst, i
		}
		if c.tooLong != 0 && first+loop.Number(i) == c.tooLong {
			dst = wire.AppendCommand(dst, wire.OpGet, 0, make([]byte, wire.MaxKey+1), nil)
			continue
		}
		if s.Index >= c.readers {
			dst = wire.AppendCommand(dst, wire.OpGet, 0, key, nil)
			continue
		}
		value := binary.LittleEndian.AppendUint64(nil, uint64(first)+uint64(i))
		dst = wire.AppendCommand(dst, wire.OpPut, 0, key, value)
	}
	return dst, count
}

func (c *counter) Sent(_ *loop.Stream, _ loop.Number, count int, _ time.Duration) {
	c.sent += count
}

func (c *counter) Answered(s *loop.Stream, first loop.Number, count int, status wire.Status, _ time.Duration) {
	if want := c.answered[s.Index] + 1; first != want {
		c.t.Errorf("session %d: answer to operation %d, want %d", s.Index, first, want)
	}
	c.answered[s.Index] += loop.Number(count)
	c.statuses[status] += count
}

func (c *counter) Result(s *loop.Stream, n loop.Number, status wire.Status, _ []byte, at time.Duration) {
	c.Answered(s, n, 1, status, at)
}

func (c *counter) Lost(s *loop.Stream, first loop.Number, count int, _ time.Duration) {
	if want := c.answered[s.Index] + 1; first != want {
		c.t.Errorf("session %d: lost from operation %d, want %d", s.Index, first, want)
	}
	c.answered[s.Index] += loop.Number(count)
	c.lost += count
}

func (c *counter) Ready(*loop.Stream) { c.ready++ }

// patience bounds how long tests wait for what must happen; nothing depends on how soon it does.
const patience = 20 * time.Second

// rig is a loop with its handler.
type rig struct {
	*loop.Loop
	*counter
	sessions, readers []*loop.Stream
	t                 testing.TB
}

func newRig(t testing.TB, cfg loop.Config) *rig {
	t.Helper()
	handler := &counter{t: t, answered: make([]loop.Number, 2*cfg.Sessions), statuses: make(map[wire.Status]int)}
	loop, err := loop.New(cfg, handler)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { loop.Close() })
	r := &rig{Loop: loop, counter: handler, t: t}
	r.sessions, r.readers = loop.Streams()
	handler.readers = len(r.sessions)
	return r
}

// until drives the loop until done.
func (r *rig) until(what string, done func() bool) {
	r.t.Helper()
	for end := r.Now() + patience; !done(); {
		if r.Now() > end {
			r.t.Fatalf("%s did not happen within %v; last error: %v", what, patience, r.LastError())
		}
		if err := r.Poll(r.Now() + 10*time.Millisecond); err != nil {
			r.t.Fatal(err)
		}
		r.Flush()
	}
}

// issue has every session answer count further operations, feeding them as there is room.
func (r *rig) issue(count int) {
	r.t.Helper()
	r.issueTo(r.sessions, count)
}

// issueTo is issue for some sessions or readers.
func (r *rig) issueTo(sessions []*loop.Stream, count int) {
	r.t.Helper()
	goals := make([]loop.Number, len(sessions))
	for i, s := range sessions {
		goals[i] = s.Assigned + loop.Number(count)
	}
	r.until("answers", func() bool {
		open := false
		for i, s := range sessions {
			if n := min(s.Room(), int(goals[i]-s.Assigned)); n > 0 {
				r.Assign(s, n)
			}
			open = open || s.Answered < goals[i]
		}
		r.Flush()
		return !open
	})
}

func (r *rig) register() {
	r.t.Helper()
	r.until("registration", func() bool { return r.Registered() == len(r.sessions) })
}

func listen(t testing.TB, cfg clienttest.Config) *clienttest.Server {
	t.Helper()
	s, err := clienttest.Listen("", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestOperationsAreAnsweredOnceInOrder(t *testing.T) {
	server := listen(t, clienttest.Config{})
	r := newRig(t, loop.Config{Addrs: []string{server.Addr()}, Conns: 3, Sessions: 7})
	r.register()
	r.issue(5000)
	if got := server.State().Executed(); got != 7*5000 {
		t.Errorf("%d commands executed, want %d", got, 7*5000)
	}
	if c := r.Report().Counters; c.Resent+c.Duplicates+c.Violations+c.Disconnects != 0 || c.Connects != 3 {
		t.Errorf("counters of an undisturbed exchange: %+v", c)
	}
	if r.sent != 7*5000 || r.ready < 7 {
		t.Errorf("%d operations reported sent, %d sessions ready", r.sent, r.ready)
	}
}

func TestWindowIsNeverExceeded(t *testing.T) {
	var outstanding atomic.Int64
	server := listen(t, clienttest.Config{Window: 10, Intercept: func(run *wire.Run) clienttest.Action {
		if n := outstanding.Add(int64(run.Count)); run.Count > 10 {
			t.Errorf("a run of %d commands past a window of 10 (%d so far)", run.Count, n)
		}
		return clienttest.Action{}
	}})
	r := newRig(t, loop.Config{Addrs: []string{server.Addr()}, Conns: 1, Sessions: 3, Window: 1000})
	r.register()
	if got := r.Report().Granted; got != 10 {
		t.Errorf("granted %d, want 10", got)
	}
	for _, s := range r.sessions {
		if s.Room() != 3 {
			t.Errorf("room %d for one of 3 sessions on a window of 10, want 3", s.Room())
		}
	}
	r.issue(100)
}

func TestLeaderIsFoundThroughTheWelcome(t *testing.T) {
	state := clienttest.NewState()
	leader := listen(t, clienttest.Config{ID: 2, State: state})
	follower := listen(t, clienttest.Config{ID: 1, State: state, Leader: func() (wire.ReplicaID, string) { return 2, leader.Addr() }})
	r := newRig(t, loop.Config{Addrs: []string{follower.Addr()}, Conns: 2, Sessions: 2})
	r.register()
	r.issue(100)
	if r.Report().Leader != 2 || r.Report().Counters.Redirects == 0 {
		t.Errorf("leader %d after %d redirects, want 2 after at least one", r.Report().Leader, r.Report().Counters.Redirects)
	}
}

// TestFaults sends operations through one kind of trouble each and wants every one of them executed once.
func TestFaults(t *testing.T) {
	tests := []struct {
		name   string
		action clienttest.Action
		check  func(c loop.Counters) bool
	}{
		{"disconnect before execution", clienttest.Action{Disconnect: true}, func(c loop.Counters) bool { return c.Disconnects == 1 && c.Resent > 0 }},
		{"disconnect after execution", clienttest.Action{DropReply: true}, func(c loop.Counters) bool { return c.Disconnects == 1 && c.Resent > 0 }},
		{"busy", clienttest.Action{Refuse: wire.StatusBusy}, func(c loop.Counters) bool { return c.Busy > 0 && c.Resent >= c.Busy }},
		{"gap", clienttest.Action{Refuse: wire.StatusGap}, func(c loop.Counters) bool { return c.Gaps > 0 && c.Resent >= c.Gaps }},
		{"damaged frame", clienttest.Action{BreakFrame: true}, func(c loop.Counters) bool { return c.CorruptFrames == 1 && c.Disconnects == 1 }},
		{"redirect to nowhere", clienttest.Action{Redirect: &wire.Redirect{}}, func(c loop.Counters) bool { return c.Redirects == 1 && c.Disconnects == 1 }},
		{"repeated reply", clienttest.Action{RepeatReply: true}, func(c loop.Counters) bool { return c.Duplicates > 0 && c.Violations == 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var runs atomic.Int64
			server := listen(t, clienttest.Config{Window: 64, Intercept: func(run *wire.Run) clienttest.Action {
				if run.Session != 0 && runs.Add(1) == 3 {
					return tt.action
				}
				return clienttest.Action{}
			}})
			r := newRig(t, loop.Config{Addrs: []string{server.Addr()}, Conns: 1, Sessions: 2})
			r.register()
			r.issue(1000)
			if got := server.State().Executed(); got != 2000 {
				t.Errorf("%d commands executed, want 2000", got)
			}
			if c := r.Report().Counters; !tt.check(c) {
				t.Errorf("counters: %+v", c)
			}
		})
	}
}

// TestManyFaults is the dumb twin: random trouble, and a server that counts what it executes.
func TestManyFaults(t *testing.T) {
	const seed = 7
	state := clienttest.NewState()
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 0))
	untrue := make(map[wire.SessionID]wire.Seq) // the last run of a session that was refused with a gap that is none: twice in a row is not trouble, but a loss
	intercept := func(run *wire.Run) clienttest.Action {
		mu.Lock()
		defer mu.Unlock()
		switch rng.IntN(40) {
		case 0:
			return clienttest.Action{Disconnect: true}
		case 1:
			return clienttest.Action{DropReply: true}
		case 2:
			return clienttest.Action{Refuse: wire.StatusBusy}
		case 3:
			if untrue[run.Session] == run.First {
				return clienttest.Action{}
			}
			untrue[run.Session] = run.First
			return clienttest.Action{Refuse: wire.StatusGap}
		case 4:
			return clienttest.Action{BreakFrame: true}
		case 5:
			return clienttest.Action{Redirect: &wire.Redirect{}}
		case 6:
			return clienttest.Action{RepeatReply: true}
		}
		return clienttest.Action{}
	}
	var addrs []string
	for range 3 {
		addrs = append(addrs, listen(t, clienttest.Config{State: state, Window: 32, Intercept: intercept}).Addr())
	}
	r := newRig(t, loop.Config{Addrs: addrs, Conns: 3, Sessions: 6, Nonce: seed})
	r.register()
	r.issue(1500)
	if got := state.Executed(); got != 6*1500 {
		t.Errorf("seed %d: %d commands executed, want %d", seed, got, 6*1500)
	}
	if c := r.Report().Counters; c.Violations != 0 || c.LostSessions != 0 {
		t.Errorf("seed %d: counters %+v, reports %v", seed, c, r.Report().Violations)
	}
	for i := range r.sessions {
		key := binary.LittleEndian.AppendUint64(nil, uint64(i))
		if v := state.Value(key); len(v) != 8 || binary.LittleEndian.Uint64(v) != 1500 {
			t.Errorf("seed %d: session %d's last value is %x, want 1500", seed, i, v)
		}
	}
}

func TestSessionThatIsLostRegistersAnew(t *testing.T) {
	server := listen(t, clienttest.Config{Window: 16})
	r := newRig(t, loop.Config{Addrs: []string{server.Addr()}, Conns: 1, Sessions: 2})
	r.register()
	r.issue(100)
	server.State().EvictAll()
	r.issue(100)
	r.register()
	r.issue(100)
	c := r.Report().Counters
	if c.LostSessions != 2 || r.lost == 0 {
		t.Errorf("%d sessions and %d operations lost, want 2 and some", c.LostSessions, r.lost)
	}
	if got := server.State().Executed(); got != int64(600-r.lost) {
		t.Errorf("%d commands executed, want 600 less %d lost ones", got, r.lost)
	}
}

func TestSilentLeaderIsLeft(t *testing.T) {
	state := clienttest.NewState()
	stuck := make(chan struct{})
	var runs atomic.Int64
	first := listen(t, clienttest.Config{ID: 1, State: state, Window: 16, Intercept: func(run *wire.Run) clienttest.Action {
		if runs.Add(1) > 5 {
			<-stuck
			return clienttest.Action{Disconnect: true}
		}
		return clienttest.Action{}
	}})
	defer close(stuck)
	second := listen(t, clienttest.Config{ID: 2, State: state, Window: 16})
	r := newRig(t, loop.Config{Addrs: []string{first.Addr(), second.Addr()}, Conns: 1, Sessions: 1, StallTimeout: 50 * time.Millisecond})
	r.register()
	r.issue(1000)
	if c := r.Report().Counters; c.Stalls == 0 || r.Report().Leader != 2 {
		t.Errorf("%d stalls, leader %d, want at least 1 and 2", c.Stalls, r.Report().Leader)
	}
	if got := state.Executed(); got != 1000 {
		t.Errorf("%d commands executed, want 1000", got)
	}
}

func TestForbiddenAnswersAreViolations(t *testing.T) {
	tests := []struct {
		name   string
		first  func(*wire.Run) wire.Seq
		report string
	}{
		{"to what was never sent", func(run *wire.Run) wire.Seq { return run.First + 1000 }, "of which only those up to"},
		{"to the last operation first", (*wire.Run).Last, "answered before operation"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var runs atomic.Int64
			server := listen(t, clienttest.Config{State: clienttest.NewNoopState(), Window: 16, Intercept: func(run *wire.Run) clienttest.Action {
				if run.Session == 0 || run.Count < 2 || runs.Add(1) != 3 {
					return clienttest.Action{}
				}
				session, first := run.Session, tt.first(run)
				return clienttest.Action{OnlyReply: func() []byte {
					out := wire.BeginFrame(nil)
					out = wire.AppendUniformReply(out, session, first, 1, wire.StatusOK)
					wire.EndFrame(out, 0, wire.TypeReply)
					return out
				}}
			}})
			r := newRig(t, loop.Config{Addrs: []string{server.Addr()}, Conns: 1, Sessions: 1})
			r.register()
			r.issue(100)
			if got := r.Report().Violations; r.Report().Counters.Violations != 1 || !strings.Contains(fmt.Sprint(got), tt.report) {
				t.Errorf("%d violations: %q, want one with %q", r.Report().Counters.Violations, got, tt.report)
			}
		})
	}
}

// What is refused may have been executed all the same: by a copy that an earlier connection left behind. Then what follows
// it is answered, which is no violation, and everything is asked for again.
func TestAnswersBehindARefusalAreAskedForAgain(t *testing.T) {
	var runs atomic.Int64
	server := listen(t, clienttest.Config{Window: 16, Intercept: func(run *wire.Run) clienttest.Action {
		if run.Session == 0 || run.Count < 2 || runs.Add(1) != 3 {
			return clienttest.Action{}
		}
		session, first, behind := run.Session, run.First, run.Count-1
		return clienttest.Action{OnlyReply: func() []byte {
			out := wire.BeginFrame(nil)
			out = wire.AppendUniformReply(out, session, first, 1, wire.StatusBusy)
			out = wire.AppendUniformReply(out, session, first+1, behind, wire.StatusOK)
			wire.EndFrame(out, 0, wire.TypeReply)
			return out
		}}
	}})
	r := newRig(t, loop.Config{Addrs: []string{server.Addr()}, Conns: 1, Sessions: 1})
	r.register()
	r.issue(100)
	if c := r.Report().Counters; c.Violations != 0 || c.LostSessions != 0 || c.Busy != 1 {
		t.Errorf("counters %+v, reports %q", c, r.Report().Violations)
	}
	if got := server.State().Executed(); got != 100 {
		t.Errorf("%d commands executed, want 100", got)
	}
}

func TestUnreachableAddressesAreReported(t *testing.T) {
	server := listen(t, clienttest.Config{})
	addr := server.Addr()
	server.Close()
	r := newRig(t, loop.Config{Addrs: []string{addr}, Conns: 1, Sessions: 1})
	r.until("failed attempts", func() bool { return r.Report().Counters.DialFailures >= 3 })
	if err := r.LastError(); err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("last error %v, want one that names %s", err, addr)
	}
}

func TestConfigIsValidated(t *testing.T) {
	_, err := loop.New(loop.Config{Conns: 0, Sessions: -1, Window: -1}, nil)
	for _, want := range []string{"no addresses", "0 connections", "-1 sessions", "window of -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %q", err, want)
		}
	}
	if _, err := loop.New(loop.Config{Addrs: []string{"nonsense"}, Conns: 1, Sessions: 1}, nil); err == nil {
		t.Error("an address without a port is accepted")
	}
}

// An operation that cannot be sent costs its session the operations that are under way, and says so; it does not keep the session,
// or any other, for ever.
func TestUnsendable(t *testing.T) {
	server := listen(t, clienttest.Config{Reads: wire.ReadsLease})
	r := newRig(t, loop.Config{Addrs: []string{server.Addr()}, Conns: 1, Sessions: 2})
	r.tooLong = 5
	r.register()
	for _, s := range r.both() {
		r.Assign(s, 4)
	}
	all := func(n loop.Number) func() bool {
		return func() bool { return slices.Min(r.answered) == n }
	}
	r.until("answers", all(4))
	for _, s := range r.both() {
		r.Assign(s, 3)
	}
	var unsendable *loop.UnsendableError
	r.until("operations that are given up", func() bool {
		if err := r.LastError(); errors.As(err, &unsendable) && !errors.Is(err, wire.ErrLength) {
			t.Fatal(err)
		}
		return all(7)()
	})
	if unsendable == nil || unsendable.First > 5 || r.lost == 0 {
		t.Errorf("%d operations lost, error %v", r.lost, unsendable)
	}
	r.until("sessions that can be used again", func() bool { return r.sessions[0].Room() > 0 && r.sessions[1].Room() > 0 })
	for _, s := range r.both() {
		r.Assign(s, 3)
	}
	r.until("answers", all(10))
}
