package paxos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"paxosbench/pipeline"
	"paxosbench/wire"
)

func TestRule2LaggardLeadsOnlyOnceItKnowsWhatIsChosen(t *testing.T) {
	l := newLab(t, 3)
	l.elect(1)
	l.cut[link{1, 3}], l.cut[link{2, 3}] = true, true
	l.propose(1, "x", "y")
	l.settle()
	l.wait(l.cfg.Heartbeat)
	l.tick(1) // 2 learns that both are chosen
	l.settle()
	l.crash(1, false)
	clear(l.cut)

	l.wait(2 * l.cfg.ElectionTimeout)
	l.tick(3)
	for _, step := range []link{{3, 2}, {2, 3}} {
		l.deliver(step) // pre-vote
	}
	l.persist(3, 0)
	l.deliver(link{3, 2})
	l.persist(2, 0)
	l.deliver(link{2, 3})
	if l.core(3).Role() != Candidate || len(only(l.flight, wire.TypeFetch)) != 1 || len(only(l.flight, wire.TypeAccept)) != 0 {
		t.Fatalf("with the promises of a quorum, and slots missing, replica 3 is a %v:\n%s", l.core(3).Role(), &l.trace)
	}
	l.settle()
	if l.core(3).Role() != Leader || fmt.Sprint(batches(l.nodes[3])) != "[ x y ]" {
		t.Fatalf("replica 3 is a %v and has applied %q", l.core(3).Role(), batches(l.nodes[3]))
	}
}

// batches returns what a node has applied.
func batches(n *node) (texts []string) {
	for i := range n.history {
		texts = append(texts, string(n.history[i].Body))
	}
	return texts
}

// What an acceptor reports lies above its own frontier, which may be far above the candidate's.
func TestRule2PromiseFromFarAheadCounts(t *testing.T) {
	h := newHand(t, 1, 3)
	b := h.runs()
	far := 5 * Limits{}.withDefaults().MaxAhead
	h.gets(3, promise(b, far, accepted(far+1, ballot(1, 3), "x")))
	if h.Role() != Candidate {
		t.Fatalf("a %v that knows %d of %d slots", h.Role(), h.Commit(), far)
	}
	h.InstallSnapshot(far)
	if h.Role() != Leader || h.value(far+1) != "x" {
		t.Fatalf("%v, slot %d: %s", h.Role(), far+1, h.value(far+1))
	}
}

// A part of a promise already tells how much is chosen, even if the rest of that promise never comes.
func TestRule2FrontierOfAnIncompletePromiseCounts(t *testing.T) {
	h := newHand(t, 1, 3)
	b := h.runs()
	h.gets(2, promisePart(b, 10, 11, true, accepted(11, ballot(1, 2), "k")))
	h.gets(3, promise(b, 0, accepted(1, ballot(1, 2), "a")))
	if h.Role() == Leader && h.value(1) != "a" {
		t.Fatalf("slot 1 is chosen, and the new leader proposes %q for it", h.value(1))
	}
}

// Two answers to one Prepare, between which the acceptor has learnt more, are cut into different parts.
func TestPromisePartsOfTwoAnswersMayNotLeaveAGap(t *testing.T) {
	h := newHand(t, 1, 3)
	b := h.runs()
	h.gets(2, promisePart(b, 0, 1, true, accepted(1, ballot(1, 2), "a"), accepted(2, ballot(1, 2), "b")))
	h.gets(2, promisePart(b, 2, 5, false, accepted(5, ballot(1, 2), "e"))) // behind a part about slots 3 and 4, which was lost
	h.InstallSnapshot(2)
	if h.Role() != Candidate {
		t.Fatalf("became a %v without having heard about slots 3 and 4", h.Role())
	}
	h.gets(2, promise(b, 2, accepted(3, ballot(1, 2), "c"), accepted(4, ballot(1, 2), "d"), accepted(5, ballot(1, 2), "e")))
	if h.Role() != Leader || h.value(3) != "c" || h.value(4) != "d" {
		t.Fatalf("%v, slot 3: %s, slot 4: %s", h.Role(), h.value(3), h.value(4))
	}
}

// With batches this large a promise takes several parts.
func TestPromiseComesInPartsOfBoundedSize(t *testing.T) {
	l := newLab(t, 3, func(c *Config) { c.WindowBytes = 8 << 20 })
	l.elect(1)
	var large []string
	for i := range 10 {
		large = append(large, strings.Repeat(fmt.Sprint(i), 300<<10))
	}
	l.propose(1, large...)
	for range 2 * len(large) {
		l.deliver(link{1, 2})
		l.persist(2, 0)
		l.deliver(link{2, 1})
	}
	l.takeAll()
	l.crash(1, false)
	l.wait(2 * l.cfg.ElectionTimeout)
	l.tick(3)
	parts := 0
	for l.core(3).Role() != Leader {
		if len(l.flight) == 0 {
			l.persist(2, 0)
			l.persist(3, 0)
		}
		for _, m := range only(l.flight, wire.TypePromise) {
			parts++
			if limit := (Limits{}).withDefaults().PromiseBytes + wire.EntryHeaderSize; len(m.Body) > limit {
				t.Errorf("a part has %d bytes, limit %d", len(m.Body), limit)
			}
		}
		for _, m := range l.takeAll() {
			l.arrive(m)
		}
	}
	l.settle()
	if parts < 4 || !strings.HasSuffix(strings.Join(batches(l.nodes[3]), ""), strings.Join(large, "")) {
		t.Fatalf("%d parts, %d slots applied", parts, l.nodes[3].applied())
	}
}

func TestRule4HolesAreFilledWithNoOps(t *testing.T) {
	h := newHand(t, 1, 3)
	b := h.runs()
	h.gets(2, promise(b, 1, accepted(3, ballot(1, 2), "c"), accepted(6, ballot(1, 2), "f")))
	h.gets(2, chosen(1, accepted(1, ballot(1, 2), "a")))
	got := ""
	for s := wire.Slot(1); s < h.log.next; s++ {
		got += fmt.Sprintf("%d:%s ", s, h.value(s))
	}
	if h.Role() != Leader || got != "1:a 2: 3:c 4: 5: 6:f 7: " {
		t.Fatalf("%v, log %s", h.Role(), got)
	}
	if h.Stats().NoOps != 4 || !h.CanPropose(h.now, false) {
		t.Fatalf("%d no-ops, may propose: %v", h.Stats().NoOps, h.CanPropose(h.now, false))
	}
}

func TestRule5DuplicatedAnswersAreNotAQuorum(t *testing.T) {
	h := newHand(t, 1, 5)
	h.waits(2 * h.cfg.ElectionTimeout)
	for range 3 {
		h.gets(2, wire.NewPreVoteReply(h.preVoteBallot, true, 0, 0))
	}
	if h.Role() != PreCandidate {
		t.Fatalf("a %v by one replica's pre-votes", h.Role())
	}
	b := h.runs()
	for range 3 {
		h.gets(2, promise(b, 0))
	}
	if h.Role() != Candidate {
		t.Fatalf("a %v by one replica's promises", h.Role())
	}
	h.gets(3, promise(b, 0))
	h.syncs() // its own vote for the no-op in slot 1
	for range 3 {
		h.gets(2, wire.NewAccepted(b, 1, 1, 0))
		h.gets(2, wire.NewHeartbeatReply(b, h.rounds.newest.number, 1, 1, 0))
	}
	if h.Commit() != 0 {
		t.Fatal("decided by two of five replicas")
	}
	h.gets(3, wire.NewAccepted(b, 1, 1, 0))
	if h.Commit() != 1 {
		t.Fatal("not decided by three of five replicas")
	}
}

func TestRule5AnswersToAnotherBallotDoNotCount(t *testing.T) {
	h := newHand(t, 1, 3)
	b := h.runs()
	h.gets(2, promise(b-1<<8, 0))
	h.gets(2, promise(b+1<<8, 0))
	if h.Role() != Candidate {
		t.Fatalf("a %v by promises of other ballots", h.Role())
	}
	h.gets(2, promise(b, 0))
	for _, other := range []wire.Ballot{b - 1<<8, b + 1<<8, b + 1} {
		h.gets(2, wire.NewAccepted(other, 1, 1, 0))
		h.gets(3, wire.NewHeartbeatReply(other, h.rounds.newest.number, 1, 1, 0))
	}
	h.syncs()
	if h.Commit() != 0 {
		t.Fatal("decided by acceptances under other ballots")
	}
}

// Even where a phase-1 quorum is a single replica, a ballot that peers have heard of is never used again.
func TestRule6NoBallotIsUsedTwice(t *testing.T) {
	for _, q1 := range []int{1, 2} {
		l := newLab(t, 3, func(c *Config) { c.Quorum1, c.Quorum2 = q1, 3 })
		heard := map[wire.Ballot]int{}
		for life := range 5 {
			l.wait(2 * l.cfg.ElectionTimeout)
			l.tick(1)
			for _, step := range []link{{1, 2}, {2, 1}, {1, 2}} { // pre-vote, and the Prepare if there is one
				for _, m := range only(l.flight, wire.TypePrepare) {
					if before, again := heard[m.Ballot]; again && before != life {
						t.Fatalf("quorum1 %d: ballot %v used in lives %d and %d", q1, m.Ballot, before, life)
					}
					heard[m.Ballot] = life
				}
				l.deliver(step)
				if life%2 == 1 {
					l.persist(1, 0)
				}
			}
			l.takeAll()
			l.crash(1, false)
			l.restart(1)
		}
		if len(heard) == 0 {
			t.Fatalf("quorum1 %d: no ballot was used at all", q1)
		}
	}
}

func TestRule7LeadersVoteCountsOnceItsOwnDiskHasSynced(t *testing.T) {
	h := newHand(t, 1, 3)
	b := h.leads()
	h.gets(2, wire.NewAccepted(b, 1, 1, 0))
	if h.Commit() != 0 {
		t.Fatal("decided by one follower and a leader whose disk has not synced")
	}
	h.gets(3, wire.NewAccepted(b, 1, 1, 0))
	if h.Commit() != 1 || h.persisted == h.appended {
		t.Fatalf("commit %d by two followers, %d of %d records durable here", h.Commit(), h.persisted, h.appended)
	}
}

func TestRule7AloneNothingIsDecidedBeforeTheSync(t *testing.T) {
	h := newHand(t, 1, 1)
	h.waits(time.Millisecond)
	h.syncs()
	h.syncs()
	s := h.Propose(h.now, 1, batch("x"))
	h.Ready()
	if h.Commit() != s-1 {
		t.Fatalf("commit %d before slot %d was durable", h.Commit(), s)
	}
	h.syncs()
	if h.Commit() != s {
		t.Fatalf("commit %d once slot %d was durable", h.Commit(), s)
	}
}

// A sync may well take longer than the interval between ticks.
func TestLoneReplicaLeadsWithASlowDisk(t *testing.T) {
	h := newHand(t, 1, 1)
	h.waits(time.Millisecond)
	for range 10 {
		behind := h.appended
		for range 3 {
			h.waits(5 * time.Millisecond)
		}
		h.Persisted(h.now, behind)
		h.Ready()
	}
	if h.Role() != Leader || h.Stats().Elections != 1 {
		t.Fatalf("a %v after %d elections", h.Role(), h.Stats().Elections)
	}
}

func TestRule20WindowBoundsSlotsAndBytes(t *testing.T) {
	for _, limit := range []struct {
		depth, bytes, size int
		want               int
	}{
		{depth: 4, bytes: 1 << 20, size: 10, want: 4},
		{depth: 100, bytes: 1000, size: 300, want: 4}, // the batch that reaches the bound may pass it
	} {
		h := newHand(t, 1, 3, func(c *Config) {
			c.Depth, c.WindowBytes = pipeline.Depth{N: limit.depth}, limit.bytes
		})
		b := h.leads()
		h.gets(2, wire.NewAccepted(b, 1, 1, 0))
		h.syncs()
		n := 0
		for ; h.CanPropose(h.now, false); n++ {
			h.Propose(h.now, 1, batch(strings.Repeat("x", limit.size)))
		}
		if n != limit.want {
			t.Errorf("%d batches of %d bytes in flight, want %d", n, limit.size, limit.want)
		}
	}
}

func TestProposingWithoutRoomIsABug(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "BUG: replica 2") {
			t.Fatalf("recovered %v", r)
		}
	}()
	newHand(t, 2, 3).Propose(0, 1, batch("x"))
}

// An acceptor that knows more does not depose a leader that does without it: it may not be able to hand out what it knows. If the
// quorum needs it, the leader gives way and learns.
func TestRule13WhoIsAheadDeposesNobodyUnlessNeeded(t *testing.T) {
	h := newHand(t, 1, 3)
	b := h.leads()
	for range 3 {
		h.gets(3, wire.NewReject(b, b, 7))
		if h.Role() != Leader {
			t.Fatalf("a %v, although replicas 1 and 2 are enough", h.Role())
		}
	}
	h.waits(h.cfg.ElectionTimeout - 1)
	h.gets(3, wire.NewHeartbeatReply(b, h.rounds.newest.number, 0, 0, 7)) // replica 2 is silent
	h.waits(2)
	h.gets(3, wire.NewReject(b, b, 7))
	if h.Role() == Leader {
		t.Fatal("leads on, although no quorum is left without the one that knows more")
	}
}
