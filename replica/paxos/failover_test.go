package paxos

import (
	"fmt"
	"testing"
	"time"

	"paxosbench/wire"
)

// small proposes some small batches each millisecond, for a while: 2,000 slots a second.
func (s *slowNet) small(leader *node, d time.Duration) {
	for end := s.now + d; s.now < end; s.step() {
		s.propose(leader, 2, 16)
	}
}

// others returns the followers of a leader.
func (s *slowNet) others(leader *node) (ids []wire.ReplicaID) {
	for _, id := range s.cfg.Replicas {
		if id != leader.id {
			ids = append(ids, id)
		}
	}
	return ids
}

// hiccup has a follower miss what is proposed for a while, however it is sent. Heartbeats come.
func (s *slowNet) hiccup(leader *node, late wire.ReplicaID, d time.Duration) {
	s.lose = func(m *wire.Message) bool {
		return m.To == late && (m.Type == wire.TypeAccept || m.Type == wire.TypeEntries)
	}
	s.small(leader, d)
	s.lose = nil
}

// A follower that has missed something for a moment is sent what is proposed again, and does not live on fetches for as long as
// the load lasts: it would know of what is chosen as late as heartbeats come, and the leader's end would find it far behind.
func TestAHiccupLeavesNobodyBehind(t *testing.T) {
	for _, missed := range []time.Duration{40 * time.Millisecond, 150 * time.Millisecond, 2 * time.Second, 6 * time.Second} {
		t.Run(missed.String(), func(t *testing.T) {
			s := newSlowNet(t, 3)
			leader := s.elect(3)
			s.small(leader, 400*time.Millisecond)
			s.hiccup(leader, 3, missed)
			s.small(leader, 2*time.Second)
			fetched, before := s.nodes[3].core.Stats().Fetched, leader.core.Commit()
			s.small(leader, time.Second)
			if n := s.nodes[3].core.Stats().Fetched - fetched; n > 0 {
				t.Errorf("two seconds after it missed %v it still fetches, %d of %d slots: %s", missed, n, leader.core.Commit()-before, s)
			}
		})
	}
}

// The same where much is chosen in the time that answers take: what an acceptor has not told yet is no lag.
func TestALongWayLeavesNobodyBehind(t *testing.T) {
	for _, size := range []int{16, 20_000} {
		for _, way := range []time.Duration{100 * time.Microsecond, 4 * time.Millisecond, 10 * time.Millisecond} {
			t.Run(fmt.Sprintf("%v/%d", way, size), func(t *testing.T) {
				s := newSlowNet(t, 3)
				leader := s.elect(3)
				s.narrow(3, 0, way)
				load := func(d time.Duration) {
					for end := s.now + d; s.now < end; s.step() {
						if n, _ := leader.core.window.InFlight(); n < 6 {
							s.propose(leader, 3, size)
						}
					}
				}
				load(400 * time.Millisecond)
				s.lose = func(m *wire.Message) bool {
					return m.To == 3 && (m.Type == wire.TypeAccept || m.Type == wire.TypeEntries)
				}
				load(150 * time.Millisecond)
				s.lose = nil
				load(4 * time.Second)
				fetched, before := s.nodes[3].core.Stats().Fetched, leader.core.Commit()
				load(500 * time.Millisecond)
				if n, chosen := s.nodes[3].core.Stats().Fetched-fetched, leader.core.Commit()-before; n > 0 || chosen < 1000 {
					t.Errorf("it still fetches, %d of %d slots: %s", n, chosen, s)
				}
			})
		}
	}
}

// Whom a new leader has not heard of is not one that it can do with instead of another, who lags.
func TestANewLeaderSparesNobodyForTheDead(t *testing.T) {
	for _, told := range []bool{true, false} {
		s := newSlowNet(t, 3)
		leader := s.elect(3)
		s.small(leader, 400*time.Millisecond)
		others := s.others(leader)
		s.hiccup(leader, others[0], 300*time.Millisecond)
		if leader.up = false; told {
			s.tell(leader.id, others...)
		}
		s.until("next leader", 3*s.cfg.ElectionTimeout, func() bool { return s.leads != leader.id })
		next := s.nodes[s.leads]
		s.small(next, 2*s.cfg.Heartbeat)
		if next.core.Commit() < next.core.firstOfTerm+50 {
			t.Errorf("told %v: two heartbeats after its election the leader has chosen nothing: %s", told, s)
		}
	}
}

// tell has replicas hear that one is gone.
func (s *slowNet) tell(gone wire.ReplicaID, whom ...wire.ReplicaID) {
	for _, id := range whom {
		s.at(id, func(n *node) { n.core.Gone(s.now, gone) })
	}
}

// Nor does a leader do without one that lags once another is gone: what it has not been sent is sent at once.
func TestWhoIsGoneIsNotCountedOn(t *testing.T) {
	h := newHand(t, 1, 3, func(c *Config) { c.WindowBytes = 1 << 20 })
	b := h.leads()
	h.gets(2, wire.NewAccepted(b, 1, 1, 0))
	h.syncs()
	sent := func() (sent bool) {
		s := h.Propose(h.now, 1, batch("x"))
		for _, m := range h.sends() {
			sent = sent || m.To == 3 && m.Type == wire.TypeAccept && m.Slot == s
		}
		h.syncs()
		h.gets(3, wire.NewAccepted(b, s, s, 1)) // its commit index stays where it is
		h.gets(2, wire.NewAccepted(b, s, s, s-1))
		return sent
	}
	for range 2 * lagWindows * leastLag {
		sent()
	}
	for range lagHeartbeats + 2 {
		h.Tick(h.now + h.cfg.Heartbeat)
		h.syncs()
		h.sends()
		h.gets(2, wire.NewHeartbeatReply(b, h.rounds.newest.number, 1, h.Commit(), h.Commit()))
		h.gets(3, wire.NewHeartbeatReply(b, h.rounds.newest.number, 1, 1, 1))
	}
	if sent() {
		t.Fatal("one that lags far behind is sent what is proposed")
	}
	h.Gone(h.now, 2)
	if !sent() {
		t.Error("although the only other one is gone, one that lags is not sent what is proposed")
	}
}

// Where only one replica hears of the leader's end, there is another as soon as the others give votes again.
func TestOneIsEnoughToKnowThatTheLeaderIsGone(t *testing.T) {
	for seed := range uint64(10) {
		s := newSlowNet(t, 3, func(c *Config) { c.Seed = seed })
		leader := s.elect(3)
		s.small(leader, 400*time.Millisecond)
		died := s.now
		leader.up = false
		s.tell(leader.id, s.others(leader)[seed%2])
		s.until("next leader", 3*s.cfg.ElectionTimeout, func() bool { return s.leads != leader.id })
		if took := s.now - died; took > s.cfg.ElectionTimeout*5/4 {
			t.Errorf("seed %d: there is a leader %v after the end of the last", seed, took)
		}
	}
}

// Replicas that have all just been started do not wait for a leader that nobody can have heard, and one that is started again
// deposes none.
func TestWhoHasBegunDoesNotWait(t *testing.T) {
	for seed := range uint64(10) {
		s := newSlowNet(t, 3, func(c *Config) { c.Seed = seed })
		s.begin(s.cfg.Replicas...)
		s.until("leader", s.cfg.ElectionTimeout/4, func() bool { return s.leads != 0 })
		leader := s.nodes[s.leads]
		s.small(leader, 100*time.Millisecond)
		for _, id := range s.others(leader) {
			s.nodes[id].crash(false)
			s.nodes[id].start(s.cfg, s.now)
			s.begin(id)
			s.small(leader, 2*s.cfg.ElectionTimeout)
		}
		if s.elected != 1 || leader.core.Role() != Leader {
			t.Errorf("seed %d: %d elections: %s", seed, s.elected, s)
		}
	}
}

func (s *slowNet) begin(ids ...wire.ReplicaID) {
	for _, id := range ids {
		s.at(id, func(n *node) { n.core.Begin(s.now) })
	}
}
