package paxos

import (
	"slices"
	"testing"
	"time"

	"paxosbench/wire"
)

// follows makes the core a follower of replica 1 in ballot 1.1, which knows slots up to commit chosen.
func (h hand) follows(commit wire.Slot) []wire.Message {
	h.Tick(time.Millisecond)
	h.gets(1, wire.NewHeartbeat(ballot(1, 1), 1, 0, commit)) // it is up to date
	return h.gets(1, wire.NewHeartbeat(ballot(1, 1), 2, commit, commit))
}

func fetches(messages []wire.Message) []wire.Message { return only(messages, wire.TypeFetch) }

// What a heartbeat says is chosen may have been overtaken by it. It is fetched once something sent later has come, or
// half an election timeout has passed.
func TestWhatMayArriveIsNotFetched(t *testing.T) {
	h := newHand(t, 3, 3)
	if got := fetches(h.follows(4)); len(got) != 0 {
		t.Fatalf("fetched at once: %v", got)
	}
	if got := fetches(h.gets(1, accept(ballot(1, 1), 1, 4, "a"))); len(got) != 0 || h.commit != 1 {
		t.Fatalf("fetched while Accepts come: %v, commit %d", got, h.commit)
	}
	got := fetches(h.waits(h.cfg.ElectionTimeout/2 + time.Millisecond))
	if len(got) != 1 || got[0].To != 1 || got[0].Slot != 2 || got[0].Last() != 4 {
		t.Fatalf("fetched after half an election timeout: %v", got)
	}

	h = newHand(t, 3, 3)
	h.follows(4)
	got = fetches(h.gets(1, accept(ballot(1, 1), 3, 4, "c")))
	if len(got) != 1 || got[0].Slot != 1 || got[0].Last() != 2 {
		t.Fatalf("fetched when a later Accept has come: %v", got)
	}
}

// A candidate does not wait: no leader sends it anything.
func TestCandidateFetchesAtOnce(t *testing.T) {
	h := newHand(t, 1, 3)
	b := h.runs()
	if got := fetches(h.gets(2, promise(b, 3))); len(got) != 1 || got[0].Last() != 3 {
		t.Fatalf("fetched: %v", got)
	}
}

// A peer that is known to be gone is not waited for: the next one is asked at the next tick. The end of another one changes nothing.
func TestAPeerThatIsGoneIsNotAsked(t *testing.T) {
	for _, gone := range []wire.ReplicaID{1, 2} {
		h := newHand(t, 3, 3)
		h.follows(4)
		if got := fetches(h.gets(1, accept(ballot(1, 1), 3, 4, "c"))); len(got) != 1 || got[0].To != 1 {
			t.Fatalf("fetched: %v", got)
		}
		h.Gone(h.now, gone)
		got := fetches(h.waits(time.Millisecond))
		if asks := len(got) == 1 && got[0].To == 2 && got[0].Slot == 1; asks != (gone == 1) {
			t.Errorf("%d is gone; fetched: %v", gone, got)
		}
	}
}

// Nor is it asked later, for what it has said to be chosen and nobody else has: what is missing may have been on its way as an Accept
// when it ended.
func TestAPeerThatIsGoneIsNotAskedLater(t *testing.T) {
	for _, back := range []bool{false, true} {
		h := newHand(t, 3, 3)
		if got := fetches(h.gets(1, accept(ballot(1, 1), 1, 4, "a"))); len(got) != 0 {
			t.Fatalf("fetched what may be on its way: %v", got)
		}
		h.Gone(h.now, 1)
		h.now += time.Microsecond
		want := wire.ReplicaID(2)
		if back {
			h.gets(1, wire.NewPreVote(ballot(9, 1), 4))
			want = 1
		}
		if got := fetches(h.waits(time.Millisecond)); len(got) != 1 || got[0].To != want || got[0].Slot != 2 {
			t.Errorf("it is back: %v; fetched: %v, want that of %d", back, got, want)
		}
	}
}

// Nor does it wait for the rest of a promise whose first part says what is chosen: it cannot lead without that, whether the rest comes
// or not.
func TestCandidateFetchesWithTheFirstPartOfAPromise(t *testing.T) {
	h := newHand(t, 1, 5)
	b := h.runs()
	got := fetches(h.gets(2, promisePart(b, 3, 4, true, accepted(4, ballot(1, 2), "d"))))
	if len(got) != 1 || got[0].To != 2 || got[0].Slot != 1 || got[0].Last() != 3 {
		t.Fatalf("fetched: %v", got)
	}
}

// Only what is not held is asked for, and the next step leaves with the first part of an answer.
func TestFetchAsksForNothingTwice(t *testing.T) {
	b := ballot(1, 1)
	h := newHand(t, 3, 3)
	h.follows(9)
	h.gets(1, accept(b, 5, 9, "e"))
	asked := fetches(h.gets(1, accept(b, 6, 9, "f")))
	if len(asked) != 0 {
		t.Fatalf("asked again: %v", asked)
	}
	first := chosen(9, accepted(1, b, "a"), accepted(2, b, "b"))
	first.SetThrough(4)
	asked = fetches(h.gets(1, first))
	if len(asked) != 1 || asked[0].Slot != 7 || asked[0].Last() != 9 {
		t.Fatalf("asked with the first part: %v", asked)
	}
	if asked = fetches(h.gets(1, chosen(9, accepted(3, b, "c"), accepted(4, b, "d")))); len(asked) != 0 || h.commit != 6 {
		t.Fatalf("asked with the second part: %v, commit %d", asked, h.commit)
	}
	h.gets(1, chosen(9, accepted(7, b, "g"), accepted(8, b, "h"), accepted(9, b, "i")))
	if asked = fetches(h.waits(time.Minute)); len(asked) != 0 || h.commit != 9 {
		t.Fatalf("asked for more than there is: %v, commit %d", asked, h.commit)
	}
}

// A peer that has been given up may still answer. What it brings is used, and it is asked for nothing more meanwhile.
func TestLateAnswerIsUsed(t *testing.T) {
	b := ballot(1, 1)
	h := newHand(t, 3, 3)
	h.follows(4)
	h.waits(h.cfg.ElectionTimeout/2 + time.Millisecond)
	asked := fetches(h.waits(h.cfg.ElectionTimeout + time.Millisecond))
	if len(asked) != 1 || asked[0].To != 2 {
		t.Fatalf("asked after a silence: %v", asked)
	}
	if asked = fetches(h.gets(1, chosen(4, accepted(1, b, "a"), accepted(2, b, "b")))); len(asked) != 0 || h.commit != 2 {
		t.Fatalf("a late answer: asked %v, commit %d", asked, h.commit)
	}
	asked = fetches(h.gets(2, chosen(4, accepted(1, b, "a"), accepted(2, b, "b"), accepted(3, b, "c"))))
	if len(asked) != 1 || asked[0].To != 2 || asked[0].Slot != 4 || h.commit != 3 {
		t.Fatalf("the answer of the other: asked %v, commit %d", asked, h.commit)
	}
}

// A peer that has nothing of what is wanted has answered: another one is asked soon, however patient this one was with the
// first, and not at once, because it may have nothing either.
func TestPeerThatHasNothingIsNotWaitedFor(t *testing.T) {
	h := newHand(t, 3, 3)
	h.follows(4)
	h.waits(h.cfg.ElectionTimeout/2 + time.Millisecond)
	for range 10 {
		h.fetching.flows[1].Silent()
	}
	if asked := fetches(h.gets(1, wire.NewEntries(1, 0, 0, nil))); len(asked) != 0 {
		t.Fatalf("asked at once: %v", asked)
	}
	asked := fetches(h.waits(h.cfg.Heartbeat))
	if len(asked) != 1 || asked[0].To != 2 || asked[0].Slot != 1 {
		t.Fatalf("asked a heartbeat later: %v", asked)
	}
}

// A part that has overtaken the one before it is kept until that has come, and asked for no more.
func TestPartThatIsAheadIsKept(t *testing.T) {
	b := ballot(1, 1)
	h := newHand(t, 3, 3)
	h.follows(8)
	h.waits(h.cfg.ElectionTimeout/2 + time.Millisecond)
	asked := fetches(h.gets(1, chosen(8, accepted(3, b, "c"), accepted(4, b, "d"))))
	if len(asked) != 0 || h.commit != 0 {
		t.Fatalf("with the second part: asked %v, commit %d", asked, h.commit)
	}
	first := chosen(8, accepted(1, b, "a"), accepted(2, b, "b"))
	first.SetThrough(4)
	asked = fetches(h.gets(1, first))
	if len(asked) != 1 || asked[0].Slot != 5 || h.commit != 4 || h.value(4) != "d" {
		t.Fatalf("with the first part: asked %v, commit %d, slot 4 holds %s", asked, h.commit, h.value(4))
	}
}

// A part that has not come when the answer to the next question is complete is lost: it is asked for at once, and once.
func TestLostPartIsAskedForAtOnce(t *testing.T) {
	b := ballot(1, 1)
	for name, rest := range map[string][]wire.Message{
		"in one part":  {chosen(8, accepted(5, b, "e"), accepted(6, b, "f"), accepted(7, b, "g"), accepted(8, b, "h"))},
		"in two parts": {chosen(8, accepted(5, b, "e"), accepted(6, b, "f")), chosen(8, accepted(7, b, "g"), accepted(8, b, "h"))},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHand(t, 3, 3)
			h.follows(8)
			h.waits(h.cfg.ElectionTimeout/2 + time.Millisecond)
			first := chosen(8, accepted(1, b, "a"), accepted(2, b, "b"))
			first.SetThrough(4)
			if asked := fetches(h.gets(1, first)); len(asked) != 1 || asked[0].Slot != 5 {
				t.Fatalf("with the first part: asked %v", asked)
			}
			var asked []wire.Message
			for _, m := range rest {
				m.SetThrough(max(m.Last(), rest[len(rest)-1].Last()))
				asked = append(asked, fetches(h.gets(1, m))...)
			}
			again := rest[len(rest)-1]
			again.Body = slices.Clone(again.Body)
			asked = append(asked, fetches(h.gets(1, again))...)
			if len(asked) != 1 || asked[0].Slot != 3 || asked[0].To != 1 {
				t.Fatalf("slots 3 and 4 are lost: asked %v", asked)
			}
			if h.gets(1, chosen(8, accepted(3, b, "c"), accepted(4, b, "d"))); h.value(6) != "f" || h.commit < 6 {
				t.Errorf("commit %d", h.commit)
			}
		})
	}
}

// The journal is asked only for what has left the memory. Of a later slot its newest durable record may be of an earlier ballot, and
// hold what was never chosen.
func TestJournalIsAskedForNothingThatTheMemoryHas(t *testing.T) {
	h := newHand(t, 3, 3, func(cfg *Config) { cfg.LogBytes = 700 })
	old, b := ballot(1, 1), ballot(2, 2)
	for s := wire.Slot(1); s <= 20; s++ {
		h.gets(1, accept(old, s, s-1, "chosen"))
	}
	h.gets(1, accept(old, 22, 20, "never chosen"))
	h.syncs()
	h.gets(2, accept(b, 21, 20, "chosen"))
	h.gets(2, accept(b, 22, 20, "chosen")) // not durable yet
	h.gets(2, wire.NewHeartbeat(b, 1, 22, 22))
	h.Trim(h.commit)
	first := h.FirstSlot()
	if h.commit != 22 || first < 2 || first > 21 {
		t.Fatalf("commit %d, the memory begins with slot %d", h.commit, first)
	}
	for asked := wire.Slot(1); asked <= 22; asked++ {
		m := wire.NewFetch(asked, 22, 1<<20)
		m.From, m.To = 1, 3
		h.Step(h.now, &m)
		r := h.ready()
		switch entries := only(r.Messages, wire.TypeEntries); {
		case asked < first && (len(r.Fetches) != 1 || len(entries) != 0 || r.Fetches[0].From != asked || r.Fetches[0].Through != first-1):
			t.Errorf("slot %d has left the memory, which begins with slot %d: the journal is asked for %+v", asked, first, r.Fetches)
		case asked >= first && (len(r.Fetches) != 0 || len(entries) == 0):
			t.Errorf("slot %d is in the memory, which begins with slot %d: the journal is asked for %+v", asked, first, r.Fetches)
		}
	}
}

// Whatever a peer claims, nothing is believed that cannot be, and no time is spent on it.
func TestStrangeEntriesAreHarmless(t *testing.T) {
	b := ballot(1, 1)
	odd := []wire.Slot{0, 1, 2, 5, 1 << 20, ^wire.Slot(0)}
	for _, first := range odd {
		for _, last := range odd {
			for _, through := range odd {
				h := newHand(t, 3, 3)
				h.follows(4)
				h.waits(h.cfg.ElectionTimeout/2 + time.Millisecond)
				m := wire.NewEntries(first, last, 4, nil)
				m.SetThrough(through)
				h.gets(1, m)
				none := accepted(1, 0, "no ballot")
				m = wire.NewEntries(first, last, 4, appendEntry(nil, 1, &none.Entry))
				m.SetThrough(through)
				h.gets(1, m)
				if h.commit != 0 {
					t.Fatalf("commit %d by entries of no ballot", h.commit)
				}
				h.gets(1, wire.NewFetch(first, last, 1<<30))
				for range 20 { // it comes to ask again
					h.waits(h.cfg.ElectionTimeout)
				}
				h.gets(1, chosen(4, accepted(1, b, "a")))
				if h.commit != 1 {
					t.Fatalf("Entries %d to %d through %d: commit %d after what was wanted has come", first, last, through, h.commit)
				}
			}
		}
	}
}
