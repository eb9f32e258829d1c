package paxos

import (
	"testing"
	"time"

	"paxosbench/wire"
)

// heartbeatReply is a follower's answer to the present round of a leader.
func (h hand) heartbeatReply() wire.Message {
	return wire.NewHeartbeatReply(h.ballot, h.rounds.newest.number, 0, 0, h.commit)
}

// opens has the no-op chosen with which a leadership begins, and the round confirmed with which it begins.
func (h hand) opens(from wire.ReplicaID) {
	h.syncs()
	h.gets(from, wire.NewAccepted(h.ballot, 1, h.firstOfTerm, 0))
	h.gets(from, h.heartbeatReply())
	if h.Commit() < h.firstOfTerm || h.Confirmed() != h.rounds.newest.number {
		h.t.Fatalf("commit %d, opened %d, round %d, confirmed %d", h.Commit(), h.firstOfTerm, h.rounds.newest.number, h.Confirmed())
	}
}

func withLeases(c *Config) { c.Leases = true }

// A round that was under way when a read came proves nothing about it; the next one does, and begins as soon as that
// one has ended.
func TestReadWaitsForARoundThatBeginsAfterIt(t *testing.T) {
	h := newHand(t, 1, 3)
	h.leads()
	h.opens(2)
	h.waits(h.cfg.Heartbeat) // a round begins
	round, index := h.ReadRound()
	if index != h.Commit() {
		t.Errorf("index %d, commit %d", index, h.Commit())
	}
	if beats := only(h.sends(), wire.TypeHeartbeat); len(beats) != 0 {
		t.Fatalf("a second round begins while one is under way: %v", beats)
	}
	beats := only(h.gets(2, h.heartbeatReply()), wire.TypeHeartbeat)
	if h.Confirmed() >= round {
		t.Fatalf("round %d confirms a read that waits for %d", h.Confirmed(), round)
	}
	if len(beats) != 2 || beats[0].Round() != round {
		t.Fatalf("after the round that was under way: %v, want round %d", beats, round)
	}
	h.gets(2, h.heartbeatReply())
	if h.Confirmed() != round {
		t.Fatalf("round %d is answered, confirmed %d", round, h.Confirmed())
	}
	if beats := only(h.sends(), wire.TypeHeartbeat); len(beats) != 0 {
		t.Errorf("nobody waits, and a round begins: %v", beats)
	}
	if got := h.Stats().ReadRounds; got != 1 {
		t.Errorf("%d rounds for reads, want 1", got)
	}
}

// Any phase-1 quorum must have one of those that answered: with five replicas and a phase-2 quorum of two that is one
// besides the leader, with one of four it is three.
func TestRoundIsConfirmedByAPhase2Quorum(t *testing.T) {
	for _, quorum2 := range []int{1, 2, 3, 4, 5} {
		h := newHand(t, 1, 5, func(c *Config) { c.Quorum1, c.Quorum2 = 6-quorum2, quorum2 })
		h.leads()
		for others := range quorum2 {
			if confirmed := h.Confirmed() == h.rounds.newest.number; confirmed != (others+1 >= quorum2) {
				t.Errorf("quorum2 %d: with %d answers the round is confirmed: %v", quorum2, others, confirmed)
			}
			h.gets(wire.ReplicaID(others+2), h.heartbeatReply())
		}
		if h.Confirmed() != h.rounds.newest.number {
			t.Errorf("quorum2 %d: the round is not confirmed by as many", quorum2)
		}
	}
}

// A new leader may not know what was chosen before it has had something chosen itself.
func TestFreshLeaderReadsBehindItsNoOp(t *testing.T) {
	h := newHand(t, 1, 3, withLeases)
	h.leads()
	h.syncs()
	h.gets(2, h.heartbeatReply())
	_, index := h.ReadRound()
	if index != h.firstOfTerm || index <= h.Commit() {
		t.Errorf("read index %d, no-op in slot %d, commit %d", index, h.firstOfTerm, h.Commit())
	}
	if h.HoldsLease(h.now) {
		t.Error("a leader whose no-op is not chosen holds a lease")
	}
	h.gets(2, wire.NewAccepted(h.ballot, 1, h.firstOfTerm, 0))
	if !h.HoldsLease(h.now) {
		t.Error("no lease after the no-op was chosen and a round confirmed")
	}
}

// The lease counts from when the round began, not from when it was answered, and is shorter than what was granted.
func TestLeaseEndsBeforeTheGrants(t *testing.T) {
	h := newHand(t, 1, 3, withLeases)
	h.leads()
	h.opens(2)
	h.waits(h.cfg.Heartbeat)
	began := h.now
	answer := h.heartbeatReply()
	h.Tick(began + h.cfg.Heartbeat/2)
	h.gets(2, answer)
	end := began + h.cfg.ElectionTimeout*9/10 // the share that docs/safety.md names
	if !h.HoldsLease(end - 1) {
		t.Error("the lease ends early")
	}
	if h.HoldsLease(end) {
		t.Error("the lease lasts as long as the grants do, or longer")
	}
}

func TestLeaseEndsWithLeadership(t *testing.T) {
	h := newHand(t, 1, 3, withLeases)
	b := h.leads()
	h.opens(2)
	if !h.HoldsLease(h.now) {
		t.Fatal("no lease")
	}
	h.gets(3, wire.NewReject(b, b.Next(3), 0))
	if h.HoldsLease(h.now) {
		t.Error("a replica that has stepped down holds a lease")
	}
}

func TestNoLeasesWithoutLeases(t *testing.T) {
	h := newHand(t, 1, 3)
	h.leads()
	h.opens(2)
	if h.HoldsLease(h.now) {
		t.Error("a lease that nobody has granted")
	}
}

// Who has answered a heartbeat promises no other ballot for an election timeout. The leader itself may have a new one.
func TestFollowerKeepsItsGrant(t *testing.T) {
	for _, leases := range []bool{false, true} {
		h := newHand(t, 2, 3, func(c *Config) { c.Leases = leases })
		h.waits(h.cfg.ElectionTimeout) // what an earlier life may have granted has passed
		leader := ballot(5, 1)
		h.gets(1, wire.NewHeartbeat(leader, 1, 0, 0))
		prepare := wire.NewPrepare(ballot(6, 3), 1, 1<<20)
		h.Tick(h.now + h.cfg.ElectionTimeout - 1)
		h.gets(3, prepare)
		if promised := h.promised == prepare.Ballot; promised == leases {
			t.Fatalf("leases %v: the ballot of another is promised within the grant: %v", leases, promised)
		}
		h.Tick(h.now + time.Nanosecond)
		h.gets(3, prepare)
		if h.promised != prepare.Ballot {
			t.Errorf("leases %v: nothing is promised after the grant: %v", leases, h.promised)
		}
	}
}

func TestLeaderMayHaveANewBallotUnderItsOwnGrant(t *testing.T) {
	h := newHand(t, 2, 3, withLeases)
	h.gets(1, wire.NewHeartbeat(ballot(5, 1), 1, 0, 0))
	h.gets(1, wire.NewPrepare(ballot(6, 1), 1, 1<<20))
	if h.promised != ballot(6, 1) {
		t.Errorf("promised %v", h.promised)
	}
}

// A replica that restarts does not know what it has granted.
func TestRestartedReplicaWaitsForForgottenGrants(t *testing.T) {
	h := newHand(t, 2, 3, withLeases)
	h.Restore(&wire.Record{Kind: wire.RecordPromise, Ballot: ballot(5, 1)})
	prepare := wire.NewPrepare(ballot(6, 3), 1, 1<<20)
	h.Tick(h.cfg.ElectionTimeout - 1)
	h.gets(3, prepare)
	if h.promised != ballot(5, 1) {
		t.Fatalf("promised %v although a lease may stand", h.promised)
	}
	h.Tick(h.cfg.ElectionTimeout)
	h.gets(3, prepare)
	if h.promised != prepare.Ballot {
		t.Errorf("promised %v after every lease has ended", h.promised)
	}
}

// A lease outlives the settings under which it was granted: a replica without leases keeps those of its earlier lives, and
// promises nothing to itself either.
func TestRule32LeasesOutliveSettings(t *testing.T) {
	for _, leases := range []bool{false, true} {
		h := newHand(t, 2, 3, func(c *Config) { c.Leases = leases })
		h.HonourLeases(3 * time.Second)
		prepare := wire.NewPrepare(ballot(6, 3), 1, 1<<20)
		for h.now < 3*time.Second-1 {
			h.Tick(min(h.now+h.cfg.Heartbeat, 3*time.Second-1))
			h.gets(3, prepare)
			got := h.gets(3, wire.NewPreVote(ballot(7, 3), 0))
			if h.promised != 0 || h.Role() != Follower || len(got) != 1 || got[0].Granted() {
				t.Fatalf("leases %v: at %v a %v, promised %v, pre-vote answered by %v", leases, h.now, h.Role(), h.promised, got)
			}
		}
		h.Tick(3 * time.Second)
		h.gets(3, prepare)
		if h.promised != prepare.Ballot {
			t.Errorf("leases %v: nothing is promised after every lease has ended", leases)
		}
	}
}

// A rolling restart from leases to none, with a shorter timeout: the last one that leads under a lease is not deposed
// while it may answer from it.
func TestRule32RollingRestartFromLeases(t *testing.T) {
	old := func(c *Config) { c.Leases, c.ElectionTimeout = true, 3*time.Second }
	s := newSlowNet(t, 3, old)
	leader := s.elect(3)
	s.run(time.Second)
	s.cfg.Leases, s.cfg.ElectionTimeout = false, 300*time.Millisecond
	for _, id := range s.cfg.Replicas {
		if id == leader.id {
			continue
		}
		for _, p := range []link{{leader.id, id}, {id, leader.id}} {
			s.pipes[p].delay = time.Hour // the handshake refuses
		}
		s.nodes[id].crash(false)
		s.nodes[id].start(s.cfg, s.now)
		s.nodes[id].core.HonourLeases(3 * time.Second)
	}
	s.until("lease", 0, func() bool { return leader.core.HoldsLease(s.now) })
	s.until("another leader", 10*time.Second, func() bool {
		for _, n := range s.nodes {
			if n != leader && n.core.Role() == Leader {
				return true
			}
		}
		return false
	})
	if leader.core.HoldsLease(s.now) {
		t.Errorf("two may answer reads at %v", s.now)
	}
}
