package paxos

import (
	"fmt"
	"testing"
	"time"

	"paxosbench/wire"
)

// beats has so many rounds begin, a heartbeat apart, and returns when each began.
func (h hand) beats(n int) (began []time.Duration) {
	for range n {
		h.waits(h.cfg.Heartbeat)
		began = append(began, h.now)
	}
	return began
}

// answers has a peer answer a round.
func (h hand) answers(from wire.ReplicaID, round uint64) []wire.Message {
	return h.gets(from, wire.NewHeartbeatReply(h.ballot, round, 0, 0, h.commit))
}

// A round trip of several heartbeats: no answer is to the newest round, and rounds are confirmed all the same. A lease dates
// from the start of the round that is confirmed.
func TestRule29AnswersCountForEarlierRounds(t *testing.T) {
	h := newHand(t, 1, 3, withLeases)
	h.leads()
	h.opens(2)
	first := h.rounds.newest.number + 1
	began := h.beats(4)
	h.answers(2, first+1)
	if h.Confirmed() != first+1 {
		t.Errorf("round %d is answered, confirmed %d", first+1, h.Confirmed())
	}
	if end := began[1] + h.cfg.ElectionTimeout*9/10; !h.HoldsLease(end-1) || h.HoldsLease(end) {
		t.Errorf("the lease does not date from the start of the round that was answered")
	}
	h.answers(2, first) // overtaken
	h.answers(2, first+2)
	h.answers(2, first+1)
	if h.Confirmed() != first+2 {
		t.Errorf("confirmed %d, want %d", h.Confirmed(), first+2)
	}
}

// Each peer counts as far as its newest answer: what a quorum has answered is confirmed, not what one of them has.
func TestRoundIsConfirmedAsFarAsAQuorumHasAnswered(t *testing.T) {
	h := newHand(t, 1, 5)
	h.leads()
	h.syncs()
	first := h.rounds.newest.number
	h.beats(5) // itself has answered all of them
	for _, step := range []struct {
		from  wire.ReplicaID
		round uint64
		want  uint64
	}{{2, 5, 0}, {3, 2, 2}, {4, 4, 4}, {3, 1, 4}, {5, 1, 4}, {5, 5, 5}} {
		h.answers(step.from, first+step.round)
		if step.want == 0 && h.Confirmed() >= first {
			t.Errorf("confirmed by two of five")
		} else if step.want > 0 && h.Confirmed() != first+step.want {
			t.Errorf("after an answer of %d to round %d confirmed %d, want %d", step.from, step.round, h.Confirmed()-first, step.want)
		}
	}
}

// Answers to rounds that never were, or are of another leadership, or of long ago, count for nothing.
func TestAnswersToOtherRoundsDoNotCount(t *testing.T) {
	h := newHand(t, 1, 3)
	h.leads()
	before := h.Confirmed()
	first := h.rounds.newest.number
	h.answers(2, first+1)
	h.answers(2, ^uint64(0))
	h.answers(2, 0)
	for range keptRounds {
		h.startRound()
		h.heard[2] = h.now
	}
	h.answers(2, first)
	if h.Confirmed() != before {
		t.Errorf("confirmed %d, before it was %d", h.Confirmed(), before)
	}
}

// Votes in an answer are for what its own heartbeat had told.
func TestVotesOfAnEarlierRoundCount(t *testing.T) {
	h := newHand(t, 1, 3)
	h.leads()
	h.syncs()
	h.beats(1)
	round := h.rounds.newest.number
	h.beats(3)
	h.gets(2, wire.NewHeartbeatReply(h.ballot, round, 1, 1, 0))
	if h.Commit() != 1 {
		t.Errorf("commit %d, slot 1 is on two disks", h.Commit())
	}
}

// Reads are answered at any round trip, a lease is held, and who has forgotten votes again.
func TestRule29RoundTripsOfManyHeartbeats(t *testing.T) {
	for _, delay := range []time.Duration{45 * time.Millisecond, 120 * time.Millisecond, 200 * time.Millisecond} {
		t.Run(fmt.Sprint(delay), func(t *testing.T) {
			s := newSlowNet(t, 3, withLeases, func(c *Config) { c.Heartbeat = 20 * time.Millisecond })
			leader := s.elect(3)
			for _, p := range s.pipes {
				p.delay = delay
			}
			s.run(time.Second)
			round, _ := leader.core.ReadRound()
			s.until("read by index", 2*delay+3*s.cfg.Heartbeat, func() bool { return leader.core.Confirmed() >= round })
			for end := s.now + time.Second; s.now < end; s.step() {
				if !leader.core.HoldsLease(s.now) {
					t.Fatalf("no lease at %v", s.now)
				}
			}
			elected := s.elected
			s.nodes[3].crash(true)
			s.nodes[3].start(s.cfg, s.now)
			s.until("rejoin", 20*delay+time.Second, func() bool { return s.nodes[3].core.Voting() })
			if s.elected != elected {
				t.Errorf("%d elections", s.elected-elected)
			}
		})
	}
}

func TestRoundsAllocateNothing(t *testing.T) {
	h := newHand(t, 1, 3)
	h.leads()
	h.opens(2)
	var m wire.Message
	round := func() {
		h.startRound()
		for _, id := range h.cfg.Replicas[1:] {
			m = wire.NewHeartbeatReply(h.ballot, h.rounds.newest.number, 0, 0, h.commit)
			m.From = id
			h.Step(h.now, &m)
		}
		h.Ready()
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations for a round with its answers", n)
	}
}
