package machine

import (
	"slices"
	"testing"

	"paxosbench/wire"
)

// puts returns a run of n puts, encoded.
func puts(session wire.SessionID, first, seen wire.Seq, n int) *wire.Run {
	run := &wire.Run{Session: session, First: first, Seen: seen, Count: n}
	for range n {
		run.Commands = wire.AppendCommand(run.Commands, wire.OpPut, 0, []byte("key"), []byte("value"))
	}
	return run
}

// uniform applies a run and returns the statuses of its reply runs, which must all be uniform.
func uniform(t *testing.T, s *State, run *wire.Run) (statuses []wire.Status) {
	t.Helper()
	out := s.ApplyRun(s.Applied()+1, run, nil, true)
	s.EndBatch(s.Applied()+1, 0)
	next := run.First
	for len(out) > 0 {
		reply, n, err := wire.DecodeReplyRun(out)
		if err != nil || !reply.Uniform || reply.Session != run.Session || reply.First != next {
			t.Fatalf("reply %+v, %v; want a uniform one from %d on", reply, err, next)
		}
		next += wire.Seq(reply.Count)
		statuses = append(statuses, reply.Status)
		out = out[n:]
	}
	if next != run.Last()+1 {
		t.Fatalf("%d answers, want %d", next-run.First, run.Count)
	}
	return statuses
}

func TestSessionWindow(t *testing.T) {
	const window = wire.MaxSessionWindow
	s := NewState(NewKV(HashKey{}), DefaultConfig())
	id := openSession(s)
	expect := func(run *wire.Run, want ...wire.Status) {
		t.Helper()
		if got := uniform(t, s, run); !slices.Equal(got, want) {
			t.Fatalf("run %d..%d with %d seen: %v, want %v", run.First, run.Last(), run.Seen, got, want)
		}
	}
	expect(puts(id, 1, 0, window-1), wire.StatusOK)
	expect(puts(id, window, 0, 2), wire.StatusBusy)
	expect(puts(id, window+1, 0, 1), wire.StatusGap)
	expect(puts(id, window, 0, 1), wire.StatusOK)
	expect(puts(id, window+1, 0, 1), wire.StatusBusy)
	expect(puts(id, 1, 0, window), wire.StatusOK) // all of it again, from memory
	expect(puts(id, window+1, 100, 100), wire.StatusOK)
	expect(puts(id, 50, 0, window), wire.StatusForgotten, wire.StatusOK)
	expect(puts(id, 1, 0, 100), wire.StatusForgotten)
	expect(puts(id, 2, 0, window), wire.StatusForgotten, wire.StatusOK)
	expect(puts(id, window+101, window+100, window), wire.StatusOK)
	expect(puts(id, window+50, 0, 51), wire.StatusForgotten)
	if s.sessions.at(0).outcomes != nil {
		t.Fatal("outcomes are kept although all are ok")
	}
	want := Stats{Executed: 2*window + 100, Duplicates: window + window - 50 - 1 + window - 99, Forgotten: 51 + 100 + 99 + 51, Busy: 3, Gaps: 1, Registered: 1}
	if got := s.Stats(); got != want {
		t.Fatalf("stats %+v\nwant %+v", got, want)
	}
}

// TestSeenBeyondLast checks that a client cannot confirm what was never executed.
func TestSeenBeyondLast(t *testing.T) {
	s := NewState(NewKV(HashKey{}), DefaultConfig())
	id := openSession(s)
	uniform(t, s, puts(id, 1, 0, 5))
	if got := uniform(t, s, puts(id, 1<<40, 1<<40-1, 1)); got[0] != wire.StatusGap {
		t.Fatalf("status %v, want gap", got)
	}
	if got := uniform(t, s, puts(id, 6, 5, 10)); got[0] != wire.StatusOK {
		t.Fatalf("status %v, want ok", got)
	}
}

func TestEvictionIsByActivity(t *testing.T) {
	s := NewState(NewKV(HashKey{}), Config{MaxSessions: 3})
	a, b, c := openSession(s), openSession(s), openSession(s)
	uniform(t, s, puts(a, 1, 0, 1))
	d := openSession(s) // in place of b
	if d.Index() != b.Index() || d.Generation() != 2 {
		t.Fatalf("session %x, want the place of %x", d, b)
	}
	for id, want := range map[wire.SessionID]wire.Status{a: wire.StatusGap, b: wire.StatusNoSession, c: wire.StatusGap, d: wire.StatusGap} {
		if got := uniform(t, s, puts(id, 10, 0, 1)); got[0] != want {
			t.Errorf("session %x: %v, want %v", id, got, want)
		}
	}
	if s.Sessions() != 3 || s.Stats().Evictions != 1 {
		t.Errorf("%d sessions, %+v", s.Sessions(), s.Stats())
	}
}

// TestReadsAreExecutedAgain checks that a get sent again sees the present value, and that a put under a get's number
// is not taken for new.
func TestReadsAreExecutedAgain(t *testing.T) {
	s := NewState(NewKV(HashKey{}), DefaultConfig())
	at := &script{session: openSession(s)}
	at.add(wire.OpPut, []byte("key"), []byte("old"))
	at.add(wire.OpGet, []byte("key"), nil)
	run := at.take()
	s.ApplyRun(s.Applied()+1, &run, nil, true)
	at.add(wire.OpPut, []byte("key"), []byte("new"))
	next := at.take()
	next.Seen = 0
	s.ApplyRun(s.Applied()+1, &next, nil, true)
	again := flatten(t, s.ApplyRun(s.Applied()+1, &run, nil, true))
	if again[0].Status != wire.StatusOK || again[1].Value != "new" {
		t.Fatalf("%+v", again)
	}
	if got := flatten(t, s.ApplyRun(s.Applied()+1, puts(at.session, 2, 0, 1), nil, true)); got[0].Status != wire.StatusForgotten {
		t.Fatalf("%+v", got)
	}
}

func TestManySessions(t *testing.T) {
	s := NewState(NewNoop(), Config{MaxSessions: 1000})
	for i := range 2500 {
		if id := openSession(s); id != wire.MakeSessionID(uint32(i/1000)+1, uint32(i%1000)) {
			t.Fatalf("session %d is %x", i, id)
		}
	}
	snapshot := takeAll(s.BeginSnapshot(), nil, 100)
	restored, err := restoreAll(snapshot, 1<<20, KindNoop, s.config)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1500 {
		if a, b := openSession(s), openSession(restored); a != b {
			t.Fatalf("session %d is %x, and %x after a restore", i, a, b)
		}
	}
}
