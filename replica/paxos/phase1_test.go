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

// suffix returns records of batches that were accepted under ballot 1.1 and of which nobody knows whether they were chosen.
func suffix(slots, size int) (records []wire.Record) {
	body := batch(strings.Repeat("x", size))
	for s := range slots {
		records = append(records, wire.Record{Kind: wire.RecordAccept, Ballot: ballot(1, 1), Slot: wire.Slot(s + 1), Payload: body.Payload})
	}
	return records
}

// withSuffix returns a cluster in which some replicas come back with a suffix, and 1 is down.
func withSuffix(t *testing.T, records []wire.Record, holders ...wire.ReplicaID) *slowNet {
	s := newSlowNet(t, 3, func(c *Config) { c.Depth, c.WindowBytes = pipeline.Depth{N: 64}, 1<<20 })
	s.nodes[1].up = false
	for _, id := range holders {
		s.nodes[id].journal = records
		s.nodes[id].start(s.cfg, 0)
	}
	return s
}

// elections returns how many candidacies there were.
func (s *slowNet) elections() (n uint64) {
	for _, id := range s.cfg.Replicas {
		n += s.nodes[id].core.Stats().Elections
	}
	return n
}

// A suffix that takes much longer than a candidacy is gathered in one, whoever has it, and chosen within the bounds of the
// window.
func TestRule29LongSuffixElectsInOneCandidacy(t *testing.T) {
	for name, c := range map[string]struct{ slots, size, rate int }{
		"16 MiB at 10 MB/s":      {256, 64 << 10, 10_000_000},
		"50000 slots at 10 MB/s": {50_000, 16, 10_000_000},
		"2 MiB at 250 KB/s":      {128, 16 << 10, 250_000},
	} {
		for _, holders := range [][]wire.ReplicaID{{2}, {3}, {2, 3}} {
			t.Run(fmt.Sprintf("%s, held by %v", name, holders), func(t *testing.T) {
				s := withSuffix(t, suffix(c.slots, c.size), holders...)
				s.narrow(2, c.rate, 10*time.Millisecond)
				s.until("leader", 5*time.Minute, func() bool { return s.leads != 0 })
				if n := s.elections(); n != 1 {
					t.Errorf("%d candidacies", n)
				}
				leader, most := s.nodes[s.leads].core, 0
				s.until("commit of all", 5*time.Minute, func() bool {
					slots, bytes := leader.InFlight()
					if most = max(most, bytes); slots > s.cfg.Depth.N {
						t.Fatalf("%d slots in flight", slots)
					}
					return leader.Commit() == wire.Slot(c.slots)+1
				})
				if most > s.cfg.WindowBytes+c.size || s.elected != 1 {
					t.Errorf("%d bytes in flight, %d elected", most, s.elected)
				}
				if e := leader.Stats(); e.NoOps != 1 {
					t.Errorf("%d no-ops", e.NoOps)
				}
			})
		}
	}
}

// Where a peer's queue holds less than the suffix, what does not fit is lost, and nothing more: not the same place each
// time.
func TestRule29SuffixAboveAPeersQueueElects(t *testing.T) {
	const slots, size, queue = 320, 64 << 10, 2 << 20
	s := withSuffix(t, suffix(slots, size), 2, 3)
	s.narrow(2, 50_000_000, time.Millisecond)
	s.lose = func(m *wire.Message) bool {
		waits := 0
		for _, f := range s.pipes[linkOf(m)].flight {
			waits += len(f.m.Body)
		}
		return waits+len(m.Body) > queue
	}
	s.until("commit of all", time.Minute, func() bool { return s.leads != 0 && s.nodes[s.leads].core.Commit() == slots+1 })
	if s.elections() != 1 {
		t.Errorf("%d candidacies", s.elections())
	}
}

// A lost part is asked for again, what arrives is not.
func TestRule29LostPartIsAskedForAgain(t *testing.T) {
	h := newHand(t, 1, 5)
	b := h.runs()
	h.gets(2, promisePart(b, 0, 1, true, accepted(1, ballot(1, 2), "a")))
	h.gets(2, promisePart(b, 0, 1, true, accepted(1, ballot(1, 2), "a"))) // a copy asks for nothing
	asked := h.asks(2)
	if len(asked) != 0 {
		t.Errorf("a copy of a part is answered by %v", asked)
	}
	h.waits(h.partPatience(2) - 1)
	if asked := h.asks(2); len(asked) != 0 {
		t.Errorf("asked again within the patience: %v", asked)
	}
	first := h.partPatience(2)
	h.waits(1)
	if asked := h.asks(2); len(asked) != 1 || asked[0].Slot != 2 {
		t.Fatalf("asked %v, want from slot 2 on", asked)
	}
	if h.partPatience(2) <= first {
		t.Error("the patience does not grow")
	}
}

// asks returns the Prepares to a peer that ask for something, among what has been sent last.
func (h hand) asks(id wire.ReplicaID) []wire.Message {
	return slices.DeleteFunc(only(h.spare.Messages, wire.TypePrepare), func(m wire.Message) bool { return m.To != id || m.MaxBytes() == 0 })
}

// Each part extends the candidacy; a candidate without progress gives up.
func TestRule29CandidacyLastsAsLongAsItMakesProgress(t *testing.T) {
	h := newHand(t, 1, 5)
	b := h.runs()
	for s := wire.Slot(1); s <= 20; s++ {
		h.waits(h.cfg.ElectionTimeout - 1)
		h.gets(2, promisePart(b, 0, s, true, accepted(s, ballot(1, 2), "a")))
		if h.Role() != Candidate || h.ballot != b {
			t.Fatalf("a %v of ballot %v after %d parts", h.Role(), h.ballot, s)
		}
	}
	for range 20 {
		h.waits(h.cfg.ElectionTimeout / 10)
		h.gets(2, promisePart(b, 0, 20, true, accepted(20, ballot(1, 2), "a"))) // nothing new
	}
	if h.Role() != PreCandidate {
		t.Errorf("a %v that has made no progress for two timeouts", h.Role())
	}
}

// While a candidate lives, those who have promised it neither start an election nor help with another.
func TestRule13CandidateThatLivesIsWaitedFor(t *testing.T) {
	h := newHand(t, 2, 3)
	b := ballot(5, 1)
	h.gets(1, wire.NewPrepare(b, 1, 1<<10))
	h.syncs()
	for range 20 {
		h.waits(h.cfg.ElectionTimeout - 1)
		if got := h.gets(1, wire.NewPrepare(b, 1, 0)); len(got) != 0 {
			t.Fatalf("a sign of life is answered by %v", got)
		}
		got := h.gets(3, wire.NewPreVote(ballot(6, 3), 0))
		if len(got) != 1 || got[0].Granted() || h.Role() != Follower {
			t.Fatalf("a %v answers a pre-vote by %v", h.Role(), got)
		}
	}
	h.Tick(h.now + h.cfg.ElectionTimeout)
	if got := h.gets(3, wire.NewPreVote(ballot(6, 3), 0)); len(got) == 0 || !got[len(got)-1].Granted() {
		t.Errorf("after a silence of the candidate: %v", got)
	}
}

// A candidate shows that it lives to all, at every heartbeat.
func TestCandidateGivesSignsOfLife(t *testing.T) {
	h := newHand(t, 1, 5)
	h.runs()
	for range 3 {
		signs := only(h.waits(h.cfg.Heartbeat), wire.TypePrepare)
		signs = slices.DeleteFunc(signs, func(m wire.Message) bool { return m.MaxBytes() > 0 })
		if len(signs) != 4 {
			t.Fatalf("%d signs of life to 4 others", len(signs))
		}
	}
}

// A candidate that has its promises, and far to go to what is chosen, does not keep the others from electing one that has not.
func TestCandidateThatCatchesUpIsNotWaitedFor(t *testing.T) {
	h := newHand(t, 1, 3)
	b := h.runs()
	h.gets(2, promise(b, 100))
	if signs := only(h.waits(h.cfg.Heartbeat), wire.TypePrepare); h.Role() != Candidate || len(signs) != 0 {
		t.Errorf("a %v gives signs of life: %v", h.Role(), signs)
	}
	if got := only(h.gets(2, wire.NewPreVote(b.Next(2), 100)), wire.TypePreVoteReply); len(got) != 1 || !got[0].Granted() {
		t.Errorf("one that knows what is chosen is answered by %v", got)
	}
}

// Numbers that no acceptor can have make nothing loop or grow, and are not passed over.
func TestRule31PromiseOfImpossibleSlots(t *testing.T) {
	far := wire.Slot(1) << 60
	for name, part := range map[string]func(b wire.Ballot) wire.Message{
		"entry": func(b wire.Ballot) wire.Message { return promise(b, 0, accepted(far, ballot(1, 2), "x")) },
		"range": func(b wire.Ballot) wire.Message { return wire.NewPromise(b, 0, 1, far, false, nil) },
		"order": func(b wire.Ballot) wire.Message {
			return promise(b, 0, accepted(2, ballot(1, 2), "x"), accepted(1, ballot(1, 2), "x"))
		},
		"own ballot": func(b wire.Ballot) wire.Message { return promise(b, 0, accepted(1, b, "x")) },
		"slot 0":     func(b wire.Ballot) wire.Message { return wire.NewPromise(b, 0, 0, ^wire.Slot(0), false, nil) },
	} {
		h := newHand(t, 1, 3)
		b := h.runs()
		h.gets(2, part(b))
		if h.Role() != Candidate {
			t.Errorf("%s: a %v", name, h.Role())
		}
		h.gets(3, promise(b, 0, accepted(1, ballot(1, 2), "a")))
		if h.Role() != Leader || h.log.next > 10 {
			t.Errorf("%s: %v, log up to %d, after an honest promise", name, h.Role(), h.log.next)
		}
	}
}

// What has been adopted is proposed in order as the window has room, new commands come after it, and reads wait for it.
func TestBacklogWaitsForRoom(t *testing.T) {
	for _, depth := range []pipeline.Depth{{N: 4}, {Adaptive: true, N: 16}} {
		t.Run(fmt.Sprint(depth), func(t *testing.T) {
			testBacklogWaitsForRoom(t, newHand(t, 1, 3, func(c *Config) { c.Depth = depth }))
		})
	}
}

func testBacklogWaitsForRoom(t *testing.T, h hand) {
	b := h.runs()
	var entries []entryAt
	for s := wire.Slot(1); s <= 10; s++ {
		entries = append(entries, accepted(s, ballot(1, 2), fmt.Sprint(s)))
	}
	h.gets(2, promise(b, 0, entries...))
	for s := wire.Slot(1); s <= 11; s++ {
		slots, _ := h.InFlight()
		if h.CanPropose(h.now, true) && h.window.Next() <= 11 || slots > h.Depth() {
			t.Fatalf("commit %d: may propose %v, %d slots in flight", h.Commit(), h.CanPropose(h.now, true), slots)
		}
		if _, index := h.ReadRound(); index != 11 || h.HoldsLease(h.now) {
			t.Fatalf("read index %d", index)
		}
		h.gets(2, wire.NewAccepted(b, s, s, s-1))
		h.gets(3, wire.NewAccepted(b, s, s, s-1))
		if h.Commit() != s || h.value(s) != map[bool]string{true: fmt.Sprint(s), false: ""}[s <= 10] {
			t.Fatalf("commit %d, slot %d: %q", h.Commit(), s, h.value(s))
		}
	}
	if !h.CanPropose(h.now, true) {
		t.Error("nothing may be proposed after the backlog")
	}
}

// A replica that has lost its disk may have voted for what stands in the backlog of a new leader.
func TestRule11RejoinWaitsForTheBacklog(t *testing.T) {
	h := newHand(t, 1, 3, func(c *Config) { c.Depth = pipeline.Depth{N: 1} })
	b := h.runs()
	h.gets(2, promise(b, 0, accepted(1, ballot(1, 2), "a"), accepted(2, ballot(1, 2), "b"), accepted(3, ballot(1, 2), "c")))
	h.gets(3, wire.NewRejoin(7))
	h.waits(h.cfg.Heartbeat)
	got := only(h.gets(2, h.heartbeatReply()), wire.TypeRejoinReply)
	if len(got) != 1 || got[0].Proposed() != 4 {
		t.Errorf("answered by %v, slot 4 is the first of the term", got)
	}
}

// What the candidate has accepted itself counts by its ballot, like everybody's.
func TestRule1OwnAcceptanceIsOutranked(t *testing.T) {
	h := newHand(t, 1, 3)
	h.gets(3, accept(ballot(1, 3), 1, 0, "older"))
	h.gets(3, accept(ballot(2, 3), 2, 0, "newer"))
	h.syncs()
	b := h.runs()
	h.gets(2, promise(b, 0, accepted(1, ballot(2, 2), "newer"), accepted(2, ballot(1, 2), "older")))
	if h.Role() != Leader || h.value(1) != "newer" || h.value(2) != "newer" {
		t.Errorf("%v, slot 1: %s, slot 2: %s", h.Role(), h.value(1), h.value(2))
	}
}

// A replica that hears a leader helps nobody to depose it, however high the ballot.
func TestRule13NoPreVoteWhileALeaderIsHeard(t *testing.T) {
	h := newHand(t, 2, 3)
	for range 10 {
		h.gets(1, wire.NewHeartbeat(ballot(1, 1), 1, 0, 0))
		h.Tick(h.now + h.cfg.ElectionTimeout - 1)
		if got := h.gets(3, wire.NewPreVote(ballot(9, 3), 0)); len(got) != 1 || got[0].Granted() {
			t.Fatalf("answered by %v", got)
		}
	}
	h.Tick(h.now + 1)
	if got := only(h.gets(3, wire.NewPreVote(ballot(9, 3), 0)), wire.TypePreVoteReply); len(got) != 1 || !got[0].Granted() {
		t.Errorf("after an election timeout of silence: %v", got)
	}
}

// Who is told that the leader's process has ended waits no longer for it, and gives and asks for votes; but it breaks no
// lease, and a leader that lives is followed again.
func TestRule13ALeaderThatIsGoneIsNotWaitedFor(t *testing.T) {
	for _, leases := range []bool{false, true} {
		h := newHand(t, 2, 3, func(c *Config) { c.Leases = leases })
		h.gets(1, wire.NewHeartbeat(ballot(1, 1), 1, 0, 0))
		h.Gone(h.now, 3)
		if h.Leader() != 1 {
			t.Fatal("the end of another replica matters")
		}
		h.Gone(h.now, 1)
		if got := h.gets(3, wire.NewPreVote(ballot(9, 3), 0)); h.Leader() != 0 || len(got) != 1 || got[0].Granted() == leases {
			t.Errorf("leases %v: follows %d, a pre-vote is answered by %v", leases, h.Leader(), got)
		}
		if got := h.waits(h.cfg.ElectionTimeout / goneShare); h.Role() == Follower != leases {
			t.Errorf("leases %v: a %v, sends %v", leases, h.Role(), got)
		}
		h.gets(1, wire.NewHeartbeat(ballot(1, 1), 2, 0, 0))
		if h.Leader() != 1 || h.Role() != Follower {
			t.Errorf("leases %v: a %v of %d, want a follower of 1, which lives", leases, h.Role(), h.Leader())
		}
	}
}
