package machine

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"paxosbench/wire"
)

// outcomeBytes returns what the outcomes of all sessions take, and checks the order and the weights.
func outcomeBytes(t *testing.T, s *State) (held, spare int) {
	t.Helper()
	table := &s.sessions.outcomes
	weight := 0
	walk := func(class int, ends ends) {
		before, active := nobody, uint64(0)
		for place := ends.oldest; place != nobody; place = s.sessions.at(place).links[1].newer {
			it := s.sessions.at(place)
			if it.links[1].older != before || it.active <= active || ringClass(it.remembered()) != class {
				t.Fatalf("outcomes of place %d are not where they should be", place)
			}
			held += outcomesBytes + len(it.outcomes.ring)
			weight += int(it.outcomes.weight)
			before, active = place, it.active
		}
		if before != ends.newest {
			t.Fatalf("class %d ends with %d, want %d", class, ends.newest, before)
		}
	}
	for class, ends := range s.sessions.ends[amongRemembering:] {
		walk(class, ends)
	}
	for _, owner := range s.sessions.owners.all {
		for class, ends := range owner.ends {
			walk(modestClasses+class, ends)
		}
	}
	if weight != table.weight || held > 2*weight {
		t.Fatalf("outcomes take %d bytes and weigh %d, the table has %d", held, weight, table.weight)
	}
	for class, o := range table.spare {
		for ; o != nil; o = o.next {
			if len(o.ring) != minRing<<class {
				t.Fatalf("ring of %d bytes in class %d", len(o.ring), class)
			}
			spare += len(o.ring)
		}
	}
	if spare != table.spareBytes || spare > maxSpareRings {
		t.Fatalf("%d bytes of spare rings, the table has %d", spare, table.spareBytes)
	}
	return held, spare
}

// gets is puts with gets.
func gets(session wire.SessionID, first, seen wire.Seq, n int) *wire.Run {
	run := &wire.Run{Session: session, First: first, Seen: seen, Count: n}
	for range n {
		run.Commands = wire.AppendCommand(run.Commands, wire.OpGet, 0, []byte("key"), nil)
	}
	return run
}

func (s *State) applyQuietly(run *wire.Run) {
	s.ApplyRun(s.Applied()+1, run, nil, false)
	s.EndBatch(s.Applied()+1, 0)
}

// TestOutcomesAreBounded fills the window of many more sessions than can be remembered: the least recently active ones are
// evicted, and no others. What is confirmed afterwards takes no memory.
func TestOutcomesAreBounded(t *testing.T) {
	if n := unsafe.Sizeof(outcomes{}); n > outcomesBytes {
		t.Fatalf("outcomes have %d bytes, %d are counted", n, outcomesBytes)
	}
	if n := unsafe.Sizeof(session{}); n != sessionBytes {
		t.Fatalf("a session has %d bytes, documented are %d", n, sessionBytes)
	}
	const sessions, room = 40, 15
	s := NewState(NewKV(HashKey{}), DefaultConfig())
	s.sessions.outcomes.limit = room * (outcomesBytes + wire.MaxSessionWindow)
	var ids []wire.SessionID
	for range sessions {
		ids = append(ids, openSession(s))
	}
	for _, id := range ids {
		s.applyQuietly(gets(id, 1, 0, wire.MaxSessionWindow))
		if held, _ := outcomeBytes(t, s); held > s.sessions.outcomes.limit {
			t.Fatalf("%d bytes, limit %d", held, s.sessions.outcomes.limit)
		}
	}
	if n := s.Stats().Evictions; n != sessions-room {
		t.Fatalf("%d sessions evicted, want %d", n, sessions-room)
	}
	for i, id := range ids {
		if found := s.sessions.find(id) != nil; found != (i >= sessions-room) {
			t.Fatalf("session %d is there: %v", i, found)
		}
	}
	for _, id := range ids[sessions-room:] {
		s.applyQuietly(puts(id, wire.MaxSessionWindow+1, wire.MaxSessionWindow, 1))
	}
	if held, _ := outcomeBytes(t, s); held != 0 {
		t.Fatalf("%d bytes after everything was confirmed", held)
	}
	checkHeld(t, s)
}

// TestWhoKeepsMostGoesFirst: sessions that leave many replies unconfirmed evict each other, however recently they were active and
// however many they are, and none that leaves fewer; of several that leave as many the one goes that was active the longest ago.
func TestWhoKeepsMostGoesFirst(t *testing.T) {
	for _, tt := range []struct {
		name          string
		hoard, modest int // commands that are left unconfirmed
	}{
		{"whole windows", wire.MaxSessionWindow, 4096},
		{"twice as many", 600, 300},
		{"a few more than fit the smallest ring", minRing + 1, minRing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const room = 16
			s := NewState(NewKV(HashKey{}), DefaultConfig())
			weight := func(n int) int { return outcomesBytes + minRing<<ringClass(n) }
			s.sessions.outcomes.limit = room*weight(tt.hoard) + weight(tt.modest)
			modest := openSession(s)
			s.applyQuietly(gets(modest, 1, 0, tt.modest))
			var hoarders []wire.SessionID
			for range 4 * room {
				hoarders = append(hoarders, openSession(s))
				s.applyQuietly(gets(hoarders[len(hoarders)-1], 1, 0, tt.hoard))
			}
			if s.sessions.find(modest) == nil {
				t.Fatal("who keeps little is evicted")
			}
			for i, id := range hoarders {
				if found := s.sessions.find(id) != nil; found != (i >= 3*room) {
					t.Fatalf("session %d, of %d with room for %d, is there: %v", i, len(hoarders), room, found)
				}
			}
			outcomeBytes(t, s)
			checkHeld(t, s)
			restored, err := restoreAll(takeAll(s.BeginSnapshot(), nil, 1<<20), 1<<16, KindKV, DefaultConfig())
			if err != nil {
				t.Fatal(err)
			}
			outcomeBytes(t, restored)
			s.sessions.outcomes.limit = 0
			restored.sessions.outcomes.limit = 0
			for _, state := range []*State{s, restored} { // what goes next is the same
				state.applyQuietly(gets(hoarders[len(hoarders)-1], wire.Seq(tt.hoard)+1, wire.Seq(tt.hoard), 1))
			}
			if s.sessions.held != restored.sessions.held {
				t.Error("after a restore others are evicted")
			}
		})
	}
}

// TestWhoKeepsMostIsTheSameInParts: the same sessions go, whether a run is taken whole or command by command.
func TestWhoKeepsMostIsTheSameInParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 0))
	whole, parts := NewState(NewKV(HashKey{}), DefaultConfig()), NewState(NewKV(HashKey{}), DefaultConfig())
	var ids []wire.SessionID
	for i := range uint64(50) {
		stamp := wire.Stamp{Random: i << 20, Owner: i % 4}
		ids = append(ids, register(t, whole, stamp))
		register(t, parts, stamp)
	}
	for _, s := range []*State{whole, parts} {
		s.sessions.outcomes.limit = 10_000
	}
	last := make([]wire.Seq, len(ids))
	for range 2000 {
		i := rng.IntN(len(ids))
		n := 1 + rng.IntN(1<<rng.IntN(11))
		run := gets(ids[i], last[i]+1, last[i]-min(last[i], wire.Seq(rng.IntN(400))), n)
		whole.applyQuietly(run)
		rest := *run
		for rest.Count > 0 {
			parts.ApplyPart(parts.Applied()+1, &rest, nil, false, Limits{Begin: math.MaxInt, Commands: 1 + rng.IntN(100)})
		}
		parts.EndBatch(parts.Applied()+1, 0)
		if s := whole.sessions.find(ids[i]); s != nil {
			last[i] = s.last
		}
		if whole.Digest() != parts.Digest() {
			t.Fatal("a run that is taken in parts evicts others")
		}
	}
	if whole.Stats().Evictions < 20 {
		t.Errorf("%d evictions show nothing", whole.Stats().Evictions)
	}
}

// TestPutsNeedNoOutcomes: a session whose commands all end well takes no more than its place.
func TestPutsNeedNoOutcomes(t *testing.T) {
	s := NewState(NewKV(HashKey{}), DefaultConfig())
	for range 20 {
		s.applyQuietly(puts(openSession(s), 1, 0, wire.MaxSessionWindow))
	}
	if held, spare := outcomeBytes(t, s); held+spare != 0 {
		t.Fatalf("%d and %d bytes of outcomes, all of them ok", held, spare)
	}
}

// TestOutcomesFollowTheirWindow has windows grow and shrink at random: at any time rings are at most twice what the windows
// need, and what is remembered is right.
func TestOutcomesFollowTheirWindow(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 0))
	s := NewState(NewKV(HashKey{}), DefaultConfig())
	type client struct {
		id         wire.SessionID
		last, seen wire.Seq
	}
	clients := make([]client, 20)
	for i := range clients {
		clients[i].id = openSession(s)
	}
	for step := range 3000 {
		c := &clients[rng.IntN(len(clients))]
		n := 1 + rng.IntN(1<<rng.IntN(12))
		c.seen += wire.Seq(rng.Uint64N(uint64(c.last-c.seen) + 1))
		if rng.IntN(10) == 0 || int(c.last-c.seen)+n > wire.MaxSessionWindow {
			c.seen = c.last
		}
		run := gets(c.id, c.last+1, c.seen, n)
		if rng.IntN(2) == 0 {
			run = puts(c.id, c.last+1, c.seen, n)
		}
		s.applyQuietly(run)
		c.last += wire.Seq(n)
		outcomeBytes(t, s)
		if step%500 == 0 {
			checkHeld(t, s)
		}
	}
	restored, err := restoreAll(takeAll(s.BeginSnapshot(), nil, 1<<20), 1<<16, KindKV, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if a, b := s.sessions.outcomes.weight, restored.sessions.outcomes.weight; a != b || restored.sessions.held != s.sessions.held {
		t.Fatalf("outcomes weigh %d, and %d after a restore", a, b)
	}
	outcomeBytes(t, restored)
}

// TestOutcomesDoNotAllocate: sessions that remember something, and then nothing, and windows that grow and shrink, use the
// same memory again.
func TestOutcomesDoNotAllocate(t *testing.T) {
	s := NewState(NewKV(HashKey{}), DefaultConfig())
	var ids []wire.SessionID
	for range 100 {
		ids = append(ids, openSession(s))
	}
	short, long, put := gets(0, 0, 0, 1), gets(0, 0, 0, 500), puts(0, 0, 0, 1)
	last := wire.Seq(0)
	round := func() {
		for _, run := range []*wire.Run{short, put, long, short, put} {
			run.First, run.Seen = last+1, last
			for _, id := range ids {
				run.Session = id
				rest := *run
				s.ApplyPart(s.Applied()+1, &rest, nil, false, Limits{Begin: 1})
			}
			s.EndBatch(s.Applied()+1, 0)
			last = run.Last()
		}
	}
	round()
	if n := testing.AllocsPerRun(20, round); n != 0 {
		t.Fatalf("%v allocations for five runs of each of %d sessions", n, len(ids))
	}
	if s.Stats().Executed == 0 || s.Stats().Gaps != 0 {
		t.Fatalf("%+v", s.Stats())
	}
}
