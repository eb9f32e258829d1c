package paxos

import (
	"testing"
	"time"

	"paxosbench/wire"
)

// The rules have the numbers under which docs/protocol.md explains them.

func TestRule1OneRecordHoldsPromiseAndAcceptance(t *testing.T) {
	h := newHand(t, 2, 3)
	if got := h.gets(1, accept(ballot(4, 1), 1, 0, "x")); len(got) != 0 {
		t.Fatalf("answered %v before the record was durable", got)
	}
	again := newHand(t, 2, 3)
	for _, r := range h.spare.Records {
		again.Restore(&r)
	}
	if h.appended != 1 || again.promised != ballot(4, 1) || again.log.get(1).Ballot != ballot(4, 1) {
		t.Fatalf("%d records, restored promise %v", h.appended, again.promised)
	}
}

func TestRule1PromiseReportsTheBallotOfTheAcceptance(t *testing.T) {
	h := newHand(t, 2, 3)
	h.gets(1, accept(ballot(1, 1), 1, 0, "x"))
	if got := h.gets(3, wire.NewPrepare(ballot(9, 3), 1, 1<<20)); len(got) != 0 {
		t.Fatalf("promised %v before it was durable", got)
	}
	got := only(h.syncs(), wire.TypePromise)
	if len(got) != 1 || got[0].Ballot != ballot(9, 3) {
		t.Fatalf("promises: %v", got)
	}
	if e, _, err := wire.DecodeEntry(got[0].Body); err != nil || e.Ballot != ballot(1, 1) || string(e.Body) != "x" {
		t.Fatalf("reports %v %q, %v", e.Ballot, e.Body, err)
	}
}

// A promise given, for a ballot that never got anywhere, must not outrank what was accepted later under a lower one.
func TestRule1HighestAcceptedBallotWins(t *testing.T) {
	h := newHand(t, 1, 5)
	b := h.runs()
	h.gets(2, promise(b, 0, accepted(1, ballot(2, 2), "newer")))
	h.gets(3, promise(b, 0, accepted(1, ballot(1, 3), "older"), accepted(2, ballot(1, 3), "alone")))
	if h.Role() != Leader || h.value(1) != "newer" || h.value(2) != "alone" {
		t.Fatalf("%v, slot 1: %s, slot 2: %s", h.Role(), h.value(1), h.value(2))
	}
}

func TestRule1NothingBelowThePromiseIsAccepted(t *testing.T) {
	h := newHand(t, 2, 3)
	h.gets(3, wire.NewPrepare(ballot(5, 3), 1, 1<<20))
	h.syncs()
	for _, m := range []wire.Message{accept(ballot(4, 1), 1, 0, "x"), wire.NewPrepare(ballot(5, 1), 1, 1<<20)} {
		got := h.gets(1, m)
		if len(got) != 1 || got[0].Type != wire.TypeReject || got[0].Promised() != ballot(5, 3) {
			t.Errorf("%v answered by %v", m.Type, got)
		}
	}
	if h.value(1) != "nothing" || h.promised != ballot(5, 3) {
		t.Fatalf("slot 1: %s, promised %v", h.value(1), h.promised)
	}
}

// Copies of a Prepare that arrive while the disk is slow are answered by the one answer that waits for it.
func TestRepeatedPrepareWaitsOnce(t *testing.T) {
	h := newHand(t, 2, 3)
	for range 100 {
		h.gets(3, wire.NewPrepare(ballot(5, 3), 1, 1<<20))
	}
	if got := h.syncs(); len(got) != 1 {
		t.Fatalf("100 copies of a Prepare are answered %d times when the promise is durable", len(got))
	}
	if got := h.gets(3, wire.NewPrepare(ballot(5, 3), 1, 1<<20)); len(got) != 1 {
		t.Fatalf("a copy that comes later is answered by %v", got)
	}
}

// applied returns an acceptor that has applied "a" and "b" under ballot 1.1, and keeps keep bytes of that.
func applied(t *testing.T, keep int) hand {
	h := newHand(t, 2, 3, func(c *Config) { c.LogBytes = keep })
	h.gets(1, accept(ballot(1, 1), 1, 0, "a"))
	h.gets(1, accept(ballot(1, 1), 2, 1, "b"))
	h.syncs()
	h.gets(1, wire.NewHeartbeat(ballot(1, 1), 0, 2, 2))
	h.Trim(2)
	if h.Commit() != 2 {
		t.Fatalf("commit %d", h.Commit())
	}
	return h
}

func TestRule3NoAcceptBelowWhatWasTruncated(t *testing.T) {
	h := applied(t, 0)
	if h.FirstSlot() != 3 {
		t.Fatalf("log starts at %d", h.FirstSlot())
	}
	got := h.gets(3, accept(ballot(2, 3), 1, 0, "other"))
	if len(got) != 1 || got[0].Type != wire.TypeReject || got[0].Commit != 2 {
		t.Fatalf("answered by %v", got)
	}
}

// A slot known chosen counts as accepted again, for whoever proposes the same batch.
func TestRule3ChosenBatchIsAcknowledged(t *testing.T) {
	h := applied(t, 1<<20)
	got := h.gets(3, accept(ballot(2, 3), 1, 0, "a"))
	if len(got) != 1 || got[0].Type != wire.TypeAccepted || got[0].Slot != 1 || got[0].Last() != 1 {
		t.Fatalf("answered by %v", got)
	}
}

// An Accept of a leader long gone may arrive when its slot has been decided otherwise, at a replica that has learnt the
// decision from a peer and never promised the ballot under which it was made. That is no fault of anybody's.
func TestRule3StaleAcceptForAChosenSlotIsRefused(t *testing.T) {
	h := newHand(t, 3, 3)
	h.gets(2, wire.NewHeartbeat(ballot(2, 2), 0, 1, 1))
	h.gets(2, chosen(1, accepted(1, ballot(2, 2), "chosen")))
	got := h.gets(1, accept(ballot(1, 1), 1, 0, "stale"))
	if len(got) != 1 || got[0].Type != wire.TypeReject || got[0].Commit != 1 {
		t.Fatalf("answered by %v", got)
	}
}

// A leader that proposes two batches for a slot under one ballot, or another one for a slot that is chosen, is not followed any
// more under that ballot, and changes nothing. Nobody stops for it.
func TestSecondBatchUnderOneBallotIsRefused(t *testing.T) {
	for name, commit := range map[string]wire.Slot{"open": 0, "chosen": 1} {
		h := newHand(t, 2, 3)
		h.gets(1, accept(ballot(1, 1), 1, 0, "x"))
		h.gets(1, wire.NewHeartbeat(ballot(1, 1), 0, commit, 1))
		for _, b := range []wire.Ballot{ballot(1, 1), ballot(2, 1)} {
			if b.Round() > 1 && commit == 0 {
				continue // another ballot may propose another batch for what is open
			}
			m := accept(b, 1, 0, "y")
			m.From = 1
			h.Step(h.now+accuseEvery, &m)
			r := h.Ready()
			if len(r.Accusations) != 1 || len(only(r.Messages, wire.TypeReject)) != 1 || len(r.Records) != 0 || string(h.log.get(1).Body) != "x" {
				t.Errorf("%s slot, ballot %v: accused %v, sent %v, %d records", name, b, r.Accusations, r.Messages, len(r.Records))
			}
			for _, m := range []wire.Message{wire.NewHeartbeat(b, 7, commit, 1), accept(b, 2, 0, "z"), wire.NewPrepare(b, 1, 1)} {
				if got := h.gets(1, m); len(got) != 1 || got[0].Type != wire.TypeReject || h.Leader() != 0 {
					t.Errorf("%s slot: a %v of the same ballot is answered by %v", name, m.Type, got)
				}
			}
		}
		if got := only(h.gets(1, wire.NewHeartbeat(ballot(3, 1), 8, commit, 1)), wire.TypeHeartbeatReply); len(got) != 1 || h.Leader() != 1 {
			t.Errorf("%s slot: it is not followed under another ballot", name)
		}
	}
}

func TestRule7AcceptanceIsSaidOnceItIsDurable(t *testing.T) {
	h := newHand(t, 2, 3)
	for s := range wire.Slot(3) {
		h.gets(1, accept(ballot(1, 1), s+1, 0, "x"))
	}
	h.gets(1, accept(ballot(1, 1), 2, 0, "x")) // again: not durable, no answer
	h.Persisted(0, 2)
	got := h.sends()
	if len(got) != 1 || got[0].Slot != 1 || got[0].Last() != 2 {
		t.Fatalf("2 of 3 records durable, sent %v", got)
	}
	if got := h.gets(1, accept(ballot(1, 1), 2, 0, "x")); len(got) != 1 || got[0].Slot != 2 {
		t.Fatalf("a durable acceptance asked for again is answered by %v", got)
	}
	got = h.gets(1, wire.NewHeartbeat(ballot(1, 1), 0, 0, 3))
	if len(got) != 1 || got[0].Durable() != 2 || got[0].Received() != 3 {
		t.Fatalf("heartbeat answered by %v, slot 3 is received and not durable", got)
	}
}

// A body that has been handed out may not be reused before it has been carried out, whatever happens to its slot.
func TestBodiesOutliveTheirSlot(t *testing.T) {
	h := newHand(t, 2, 3)
	owned := func(text string) []byte { return append(h.cfg.Buffers.Get(len(text)), text...) }
	first := accept(ballot(1, 1), 1, 0, "first")
	first.From, first.Body = 1, owned("first")
	h.Step(0, &first)
	second := accept(ballot(2, 3), 1, 0, "second")
	second.From, second.Body = 3, owned("second")
	h.Step(0, &second)
	h.cfg.Buffers.Put(owned("overwritten"))
	for i, r := range h.Ready().Records {
		if want := []string{"first", "second"}[i]; string(r.Body) != want {
			t.Errorf("record %d is %q, want %q", i, r.Body, want)
		}
	}
}

// A replica does not follow the leader of a higher ballot that has not proposed what it knows to be chosen. Heartbeats of the
// ballot under which that was chosen may be old, and say nothing.
func TestReplicaBeyondItsLeaderDoesNotFollow(t *testing.T) {
	for _, tt := range []struct {
		ballot   wire.Ballot
		proposed wire.Slot
		refuses  bool
	}{
		{ballot(1, 1), 1, false}, {ballot(1, 1), 3, false}, {ballot(2, 2), 3, false}, {ballot(2, 2), 4, false},
		{ballot(2, 2), 2, true}, {ballot(2, 2), 0, true}, {ballot(9, 1), 2, true},
	} {
		h := newHand(t, 3, 3)
		for s := wire.Slot(1); s <= 3; s++ {
			h.gets(1, accept(ballot(1, 1), s, 0, "x"))
		}
		h.gets(1, wire.NewHeartbeat(ballot(1, 1), 5, 3, 3))
		if h.commit != 3 {
			t.Fatalf("commit %d", h.commit)
		}
		m := wire.NewHeartbeat(tt.ballot, 1, 0, tt.proposed)
		m.From = tt.ballot.Replica()
		h.Step(h.now, &m)
		r := h.Ready()
		want := wire.TypeHeartbeatReply
		if tt.refuses {
			want = wire.TypeReject
		}
		if (len(r.Accusations) > 0) != tt.refuses || len(only(r.Messages, want)) != 1 || h.commit != 3 {
			t.Errorf("ballot %v has proposed up to %d: %v, messages %v", tt.ballot, tt.proposed, r.Accusations, r.Messages)
		}
	}
}

// One message must not use up the rounds that there are, whatever its type. What honest replicas can have come to while this
// one was away is believed.
func TestRule31BallotsAdvanceByABoundedStep(t *testing.T) {
	far := ballot(1<<56-1, 3)
	for _, m := range []wire.Message{
		wire.NewPrepare(far, 1, 1<<20), accept(far, 1, 0, "x"), wire.NewHeartbeat(far, 1, 0, 0), wire.NewPreVote(far, 0),
		wire.NewPreVoteReply(ballot(1, 2), false, far, 0), wire.NewReject(ballot(1, 2), far, 0), wire.NewRejoinReply(1, far, 0),
		wire.NewPrepare(ballot(1<<41, 3), 1, 1<<20),
	} {
		h := newHand(t, 2, 3)
		h.gets(3, m)
		h.records()
		if h.maxSeen != 0 || h.promised != 0 || h.leaderBallot != 0 || h.Stats().Implausible != 1 {
			t.Errorf("%v: seen %v, promised %v, follows %v, %d counted", m.Type, h.maxSeen, h.promised, h.leaderBallot, h.Stats().Implausible)
		}
	}
	h := newHand(t, 2, 3)
	for _, tt := range []struct {
		from     wire.ReplicaID
		round    uint64
		after    time.Duration
		believed bool
	}{
		{3, 1 << 40, 0, true}, {3, 1<<40 + 1<<32 - 8, 0, true}, {3, 1<<40 + 1<<32, 0, true},
		{3, 1<<40 + 1<<32 + 9, 0, false}, // steps add up
		{3, 1<<40 + 1<<32 + 9, time.Millisecond, true}, {3, 1<<40 + 1<<32 + 1<<31, time.Hour, true},
		{3, 1 << 50, time.Hour, false}, {1, 1<<50 - 1, 0, true}, // the first was said by one peer alone, this by both
	} {
		h.Tick(h.now + tt.after)
		h.gets(tt.from, wire.NewPrepare(ballot(tt.round, tt.from), 1, 1<<20))
		if (h.promised == ballot(tt.round, tt.from)) != tt.believed {
			t.Errorf("round %d of replica %d, after %d: believed %v", tt.round, tt.from, h.maxSeen.Round(), !tt.believed)
		}
	}
	h.promise(ballot(lastRound, 1))
	h.gets(3, wire.NewPrepare(ballot(lastRound+1, 3), 1, 1<<20))
	if next := h.promised.Next(2); h.promised != ballot(lastRound, 1) || next < h.promised {
		t.Errorf("promised %v, the next ballot is %v", h.promised, next)
	}
}
