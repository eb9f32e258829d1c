package paxos

import (
	"testing"
	"time"

	"paxosbench/pipeline"
	"paxosbench/wire"
)

func setOf(ids ...wire.ReplicaID) (set pipeline.VoteSet) {
	for _, id := range ids {
		set.Add(id)
	}
	return set
}

// Who has said what to the present attempt.
func TestElectionSaysWhoStandsAgainstIt(t *testing.T) {
	h := newHand(t, 1, 5)
	h.waits(2 * h.cfg.ElectionTimeout)
	h.gets(2, wire.NewPreVoteReply(h.preVoteBallot, true, 0, 0))
	h.gets(3, wire.NewPreVoteReply(h.preVoteBallot, false, ballot(1, 4), 0))
	h.gets(5, wire.NewRejoin(7))
	e := h.Election()
	if e.PreVotes != setOf(1, 2) || e.PreVotesRefused != setOf(3) || e.NonVoting != setOf(5) || e.Impossible {
		t.Errorf("%+v", e)
	}
	if e.Heard[2] != h.now || e.Heard[3] != h.now || e.Heard[4] != 0 {
		t.Errorf("heard %v", e.Heard)
	}
	h.gets(4, wire.NewPreVoteReply(h.preVoteBallot, true, 0, 0))
	h.syncs()
	h.gets(2, promise(h.ballot, 0))
	if e := h.Election(); e.Promises != setOf(1, 2) || h.Role() != Candidate {
		t.Errorf("a %v, %+v", h.Role(), e)
	}
	h.gets(3, wire.NewReject(h.ballot, h.ballot.Next(4), 0))
	if e := h.Election(); e.Rejections != setOf(3) {
		t.Errorf("%+v", e)
	}
	h.Tick(h.now + h.cfg.ElectionTimeout)
	if e := h.Election(); e.NonVoting != 0 {
		t.Errorf("one that has been silent since does not vote: %+v", e)
	}
}

func TestElectionSaysThatTheDiskHasStalled(t *testing.T) {
	h := newHand(t, 1, 3)
	h.gets(2, accept(ballot(1, 2), 1, 0, "x"))
	h.Tick(h.now + h.cfg.ElectionTimeout + 1)
	if !h.Election().DiskStalled {
		t.Error("a record waits for longer than an election timeout")
	}
	h.syncs()
	if h.Election().DiskStalled {
		t.Error("nothing waits")
	}
}

// Two replicas, one lost disk, and the leader restarts: nobody can lead, and so nobody can tell the other what it has voted. Both can say so.
func TestElectionSaysThatItIsImpossible(t *testing.T) {
	l := newLab(t, 2)
	l.elect(1)
	l.crash(1, false)
	l.restart(1)
	l.crash(2, true)
	l.restart(2)
	for range 100 {
		l.wait(5 * time.Millisecond)
		for _, id := range l.cfg.Replicas {
			l.tick(id)
		}
		l.settle()
	}
	for _, id := range l.cfg.Replicas {
		if e := l.core(id).Election(); !e.Impossible || e.NonVoting != setOf(2) {
			t.Errorf("replica %d: %+v", id, e)
		}
	}
}
