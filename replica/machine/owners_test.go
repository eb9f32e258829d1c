package machine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"paxosbench/wire"
)

// checkOwners checks what the table knows of owners against its sessions.
func checkOwners(t *testing.T, s *State) {
	t.Helper()
	table := &s.sessions
	sessions, hoarded := map[uint64]int{}, map[uint64]int{}
	for place := range table.count {
		if rest := table.asideOf(place); rest.owner != nil {
			sessions[rest.owner.id]++
			hoarded[rest.owner.id] += table.at(place).hoarded()
		} else if table.at(place).tag&vacant == 0 {
			t.Fatalf("place %d has a session and no owner", place)
		}
	}
	most := 0
	for id, o := range table.owners.all {
		if o.id != id || o.sessions != sessions[id] || o.hoarded != hoarded[id] || o.hoarded > 0 && table.owners.hoards[o.place] != o {
			t.Fatalf("owner %d, with %d sessions that hoard %d, is known as %+v", id, sessions[id], hoarded[id], o)
		}
		most = max(most, o.hoarded)
	}
	if len(table.owners.all) != len(sessions) {
		t.Fatalf("%d owners are known, there are %d", len(table.owners.all), len(sessions))
	}
	if hoards := table.owners.hoards; len(hoards) > 0 && hoards[0].hoarded != most || len(hoards) == 0 && most > 0 {
		t.Fatalf("somebody hoards %d, of the %d known to hoard the first one is not it", most, len(hoards))
	}
}

// TestNobodyGoesForWhatOthersHoard: sessions without end that leave as many replies unconfirmed as another owner's, or fewer, or more,
// and are more recently active, evict each other and not that one's, as long as it does not hoard more than they do together.
func TestNobodyGoesForWhatOthersHoard(t *testing.T) {
	const window, room = 4096, 16
	weight := func(n int) int { return outcomesBytes + minRing<<ringClass(n) }
	for _, hoard := range []int{257, window / 2, window, 2 * window, wire.MaxSessionWindow} {
		t.Run(fmt.Sprint(hoard), func(t *testing.T) {
			s := NewState(NewKV(HashKey{}), DefaultConfig())
			s.sessions.outcomes.limit = room * max(weight(window), weight(hoard))
			draw := uint64(0)
			come := func(owner uint64, n int) wire.SessionID {
				draw++
				id := register(t, s, wire.Stamp{Random: draw << 20, Owner: owner})
				s.applyQuietly(gets(id, 1, 0, n))
				return id
			}
			var own []wire.SessionID
			for range room / 3 {
				own = append(own, come(7, window))
			}
			for range 3 * s.sessions.outcomes.limit / weight(hoard) {
				come(8, hoard)
			}
			if s.Stats().Evictions == 0 {
				t.Fatal("nothing is evicted: this shows nothing")
			}
			for i, id := range own {
				if s.sessions.find(id) == nil {
					t.Fatalf("session %d of %d goes for what another owner hoards", i, len(own))
				}
			}
			outcomeBytes(t, s)
			checkOwners(t, s)
			checkHeld(t, s)
		})
	}
}

// hoarding is the reference: a session, and what it leaves unconfirmed, all of it gets.
type hoarding struct {
	id         wire.SessionID
	owner      uint64
	last, seen wire.Seq
	active     int
}

func (h *hoarding) weight() int {
	if h.last == h.seen {
		return 0
	}
	return outcomesBytes + minRing<<ringClass(int(h.last-h.seen))
}

func (h *hoarding) hoards() bool { return h.last-h.seen > 256 }

// goes returns the one that goes if another is at work: of the owner that hoards most what weighs most for longest, if nobody hoards of all.
func goes(all []*hoarding, self *hoarding) (first *hoarding) {
	sums, most := map[uint64]int{}, uint64(0)
	for _, h := range all {
		if h != self && h.hoards() {
			sums[h.owner] += h.weight()
		}
	}
	for owner, sum := range sums {
		if best := sums[most]; sum > best || sum == best && owner < most {
			most = owner
		}
	}
	for _, h := range all {
		switch {
		case h == self || h.weight() == 0 || sums[most] > 0 && (!h.hoards() || h.owner != most):
		case first == nil || h.weight() > first.weight() || h.weight() == first.weight() && h.active < first.active:
			first = h
		}
	}
	return first
}

// TestWhoGoesAgainstReference: with owners and windows of all sizes those go that a simple table says, and the same after a restore.
func TestWhoGoesAgainstReference(t *testing.T) {
	const limit = 20_000
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 21))
		s := NewState(NewKV(HashKey{}), DefaultConfig())
		s.sessions.outcomes.limit = limit
		var all []*hoarding
		for step := range 1500 {
			if len(all) < 40 {
				owner := 1 + rng.Uint64N(5)
				all = append(all, &hoarding{id: register(t, s, wire.Stamp{Random: uint64(step+1) << 20, Owner: owner}), owner: owner})
			}
			h := all[rng.IntN(len(all))]
			h.active = step
			if h.seen = min(h.last, h.seen+wire.Seq(rng.IntN(4)/3*rng.IntN(2000))); h.last-h.seen > 8000 {
				h.seen = h.last
			}
			n := 1 + rng.IntN(1<<rng.IntN(12))
			s.applyQuietly(gets(h.id, h.last+1, h.seen, n))
			h.last += wire.Seq(n)
			all = evictAsReference(all, h, limit)
			for _, h := range all {
				if s.sessions.find(h.id) == nil {
					t.Fatalf("seed %d, step %d: session %+v went", seed, step, h)
				}
			}
			if there := s.Stats().Registered - s.Stats().Evictions; there != uint64(len(all)) {
				t.Fatalf("seed %d, step %d: %d sessions are there, want %d", seed, step, there, len(all))
			}
			if step%250 == 0 {
				outcomeBytes(t, s)
				checkOwners(t, s)
				checkHeld(t, s)
				s = restored(t, s)
			}
		}
		if s.Stats().Evictions < 50 {
			t.Errorf("seed %d: %d evictions show nothing", seed, s.Stats().Evictions)
		}
	}
}

// evictAsReference returns those that are left.
func evictAsReference(all []*hoarding, self *hoarding, limit int) []*hoarding {
	for {
		total := 0
		for _, h := range all {
			total += h.weight()
		}
		first := goes(all, self)
		if total <= limit || first == nil {
			return all
		}
		all = slices.DeleteFunc(all, func(h *hoarding) bool { return h == first })
	}
}

// restored returns the state as it comes out of a snapshot.
func restored(t *testing.T, s *State) *State {
	t.Helper()
	other, err := restoreAll(takeAll(s.BeginSnapshot(), nil, 1<<20), 1<<16, KindKV, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	other.sessions.outcomes.limit = s.sessions.outcomes.limit
	checkOwners(t, other)
	if other.sessions.held != s.sessions.held {
		t.Fatal("what is restored differs")
	}
	return other
}
