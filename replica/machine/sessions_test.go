package machine

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

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
	if d.Index() != b.Index() || d == b {
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
		if id := openSession(s); id != wire.MakeSessionID(uint64(i)+1, uint32(i%1000)) {
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

// register applies a registration and returns the session, 0 if it is refused.
func register(t *testing.T, s *State, stamp wire.Stamp) wire.SessionID {
	t.Helper()
	run := wire.Run{First: 1, Count: 1, Commands: registration(stamp)}
	results := flatten(t, s.ApplyRun(s.Applied()+1, &run, nil, true))
	s.EndBatch(s.Applied()+1, 0)
	if results[0].Status == wire.StatusBusy {
		return 0
	}
	return wire.SessionID(binary.LittleEndian.Uint64([]byte(results[0].Value)))
}

// TestNewcomersEvictNobodyAtWork: a session that was active less than a minute ago keeps its place, whatever registers; those
// that have executed nothing yet give way, and where there are none a newcomer is refused. What a restored state does is the
// same.
func TestNewcomersEvictNobodyAtWork(t *testing.T) {
	s := NewState(NewKV(HashKey{}), Config{MaxSessions: 3, ActiveFor: time.Minute})
	draw := uint64(0)
	come := func(term uint64, at time.Duration) wire.SessionID {
		t.Helper()
		draw++
		stamp := wire.Stamp{Random: draw << 20, Term: term, At: at}
		restored, err := restoreAll(takeAll(s.BeginSnapshot(), nil, 1<<16), 1<<16, KindKV, s.config)
		if err != nil {
			t.Fatal(err)
		}
		id := register(t, s, stamp)
		if other := register(t, restored, stamp); other != id || s.Digest() != restored.Digest() {
			t.Fatalf("session %x, and %x after a restore", id, other)
		}
		checkHeld(t, s)
		return id
	}
	works := func(id wire.SessionID, seq wire.Seq) bool {
		return uniform(t, s, puts(id, seq, seq-1, 1))[0] == wire.StatusOK
	}
	a, b, c := come(1, 0), come(1, 0), come(1, 0)
	works(a, 1)
	works(b, 1)
	d := come(1, time.Second) // c has done nothing
	if d.Index() != c.Index() || works(c, 1) || !works(a, 2) || !works(d, 1) {
		t.Fatalf("a newcomer gets %x, not the place of %x", d, c)
	}
	for range 1000 {
		if id := come(1, 2*time.Second); id != 0 {
			t.Fatalf("one more newcomer gets %x", id)
		}
	}
	if come(1, time.Minute) != 0 { // the first mark is a minute old, and all have been active since
		t.Fatal("evicted before it was known to be idle")
	}
	works(a, 3)
	works(d, 2)
	if e := come(1, 2*time.Minute); e.Index() != b.Index() || works(b, 2) || !works(a, 4) || !works(d, 3) || !works(e, 1) {
		t.Fatalf("after a minute a newcomer gets %x, not the place of %x", e, b)
	}
	if id := come(2, 0); id != 0 {
		t.Fatalf("another leadership's time was compared: %x", id)
	}
	if got := s.Stats(); got.Refused != 1002 || got.Evictions != 2 {
		t.Errorf("%+v", got)
	}
}

// TestSessionIsItsOwners: what is known of a session's owner is what its stamp says, in a snapshot too.
func TestSessionIsItsOwners(t *testing.T) {
	s := NewState(NewKV(HashKey{}), Config{MaxSessions: 2})
	a := register(t, s, wire.Stamp{Random: 1 << 20, Owner: 7})
	open := register(t, s, wire.Stamp{Random: 2 << 20})
	restored, err := restoreAll(takeAll(s.BeginSnapshot(), nil, 1<<16), 1<<16, KindKV, s.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*State{s, restored} {
		if !s.MayUse(a, 7) || s.MayUse(a, 8) || s.MayUse(a, 0) || !s.MayUse(open, 0) || s.MayUse(open, 7) || !s.MayUse(a+1<<20, 8) {
			t.Error("sessions are not their owners'")
		}
		checkHeld(t, s)
	}
	register(t, s, wire.Stamp{Random: 3 << 20, Owner: 9})
	if checkHeld(t, s); !s.MayUse(a, 8) {
		t.Error("the owner of an evicted session has kept it")
	}
}

// TestRegistrationWithoutAStamp: no replica proposes one; it is refused, by all.
func TestRegistrationWithoutAStamp(t *testing.T) {
	s := NewState(NewKV(HashKey{}), DefaultConfig())
	for _, value := range [][]byte{nil, {1}, make([]byte, wire.StampSize+1), bytes.Repeat([]byte{0xff}, wire.StampSize)} {
		run := wire.Run{First: 1, Count: 1, Commands: wire.AppendCommand(nil, wire.OpRegister, 0, nil, value)}
		if got := uniform(t, s, &run); got[0] != wire.StatusBusy || s.Sessions() != 0 {
			t.Errorf("a stamp of %d bytes: %v", len(value), got)
		}
	}
}
