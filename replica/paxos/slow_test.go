package paxos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"paxosbench/pipeline"
	"paxosbench/wire"
)

// slowNet is a cluster on links with a bandwidth and a delay, in order and without loss. Disks are instant and there are
// no faults: it counts what catch-up and flow control put on the links.
type slowNet struct {
	t       *testing.T
	cfg     Config
	now     time.Duration
	nodes   map[wire.ReplicaID]*node
	pipes   map[link]*pipe
	elected int // times that a leader was first seen to lead
	leads   wire.ReplicaID
	bodies  map[link]int     // bytes of bodies that have been sent
	slots   map[linkSlot]int // how often a slot was sent on a link
	lose    func(m *wire.Message) bool
}

type linkSlot struct {
	on   link
	slot wire.Slot
}

// pipe is one direction of a link.
type pipe struct {
	bytesPerSecond int // 0: no limit
	delay          time.Duration
	free           time.Duration // when everything sent so far has left
	flight         []flying      // in order of arrival
}

func newSlowNet(t *testing.T, n int, change ...func(*Config)) *slowNet {
	s := &slowNet{
		t: t, cfg: labConfig(n), nodes: map[wire.ReplicaID]*node{}, pipes: map[link]*pipe{},
		bodies: map[link]int{}, slots: map[linkSlot]int{},
	}
	s.cfg.Heartbeat, s.cfg.ElectionTimeout = 50*time.Millisecond, 500*time.Millisecond
	s.cfg.Depth, s.cfg.WindowBytes, s.cfg.LogBytes = pipeline.Depth{N: 1024}, 64<<20, 64<<20
	for _, f := range change {
		f(&s.cfg)
	}
	for _, a := range s.cfg.Replicas {
		for _, b := range s.cfg.Replicas {
			s.pipes[link{a, b}] = &pipe{delay: 100 * time.Microsecond}
		}
		s.nodes[a] = newNode(t, a)
		s.nodes[a].start(s.cfg, 0)
	}
	return s
}

// narrow limits both directions between a replica and all others.
func (s *slowNet) narrow(id wire.ReplicaID, bytesPerSecond int, delay time.Duration) {
	for on, p := range s.pipes {
		if on.from == id || on.to == id {
			p.bytesPerSecond, p.delay = bytesPerSecond, delay
		}
	}
}

// step lets a millisecond pass.
func (s *slowNet) step() {
	s.now += time.Millisecond
	for _, a := range s.cfg.Replicas {
		for _, b := range s.cfg.Replicas {
			s.arrive(link{a, b})
		}
	}
	for _, id := range s.cfg.Replicas {
		s.at(id, func(n *node) { n.core.Tick(s.now) })
		if s.nodes[id].up && s.nodes[id].core.Role() == Leader && s.leads != id {
			s.leads = id
			s.elected++
		}
	}
}

func (s *slowNet) arrive(on link) {
	p := s.pipes[on]
	for len(p.flight) > 0 && p.flight[0].at <= s.now {
		m := p.flight[0].m
		p.flight = p.flight[1:]
		s.at(on.to, func(n *node) { n.step(s.now, m) })
	}
	if len(p.flight) > 0 && s.now >= p.flight[0].at-p.takes(&p.flight[0].m) {
		s.at(on.to, func(n *node) { n.core.Arriving(s.now, on.from, p.flight[0].m.Type) })
	}
}

// takes returns how long the bytes of a message take.
func (p *pipe) takes(m *wire.Message) time.Duration {
	if p.bytesPerSecond == 0 {
		return 0
	}
	return time.Duration(wire.MessageHeaderSize+len(m.Body)) * time.Second / time.Duration(p.bytesPerSecond)
}

// at lets a replica that is up act, and carries out what comes of it, its disk included.
func (s *slowNet) at(id wire.ReplicaID, act func(*node)) {
	n := s.nodes[id]
	if !n.up {
		return
	}
	act(n)
	for again := true; again; {
		ready := n.ready()
		if len(ready.Accusations) > 0 {
			s.t.Fatal(ready.Accusations)
		}
		for _, m := range ready.Messages {
			s.post(m)
		}
		for _, f := range ready.Fetches {
			s.post(n.answer(f))
		}
		again = len(n.pending) > 0
		if again {
			n.persist(s.now, len(n.pending))
		}
	}
}

func (s *slowNet) post(m wire.Message) {
	on := linkOf(&m)
	s.count(on, &m)
	if s.lose != nil && s.lose(&m) {
		return
	}
	p := s.pipes[on]
	p.free = max(p.free, s.now) + p.takes(&m)
	p.flight = append(p.flight, flying{p.free + p.delay, m})
}

func (s *slowNet) count(on link, m *wire.Message) {
	s.bodies[on] += len(m.Body)
	switch m.Type {
	case wire.TypeAccept:
		s.slots[linkSlot{on, m.Slot}]++
	case wire.TypeEntries:
		for slot := m.Slot; slot <= m.Last(); slot++ {
			s.slots[linkSlot{on, slot}]++
		}
	}
}

func (s *slowNet) until(what string, within time.Duration, done func() bool) {
	s.t.Helper()
	for end := s.now + within; !done(); s.step() {
		if s.now > end {
			s.t.Fatalf("no %s within %v: %s", what, within, s)
		}
	}
}

func (s *slowNet) run(d time.Duration) {
	for end := s.now + d; s.now < end; {
		s.step()
	}
}

// elect waits for a leader that is not the given replica, and settles.
func (s *slowNet) elect(not wire.ReplicaID) *node {
	s.nodes[not].up = false
	s.until("leader", 10*time.Second, func() bool { return s.leads != 0 })
	s.nodes[not].up = true
	s.until("first commit of all", 10*time.Second, func() bool { return s.nodes[not].core.Commit() > 0 })
	return s.nodes[s.leads]
}

// propose has the leader propose up to so many batches of a size, as far as its window has room.
func (s *slowNet) propose(n *node, batches, size int) (proposed int) {
	s.at(n.id, func(n *node) {
		for ; proposed < batches && n.core.CanPropose(s.now, false); proposed++ {
			n.core.Propose(s.now, 1, batch(strings.Repeat("x", size)))
		}
	})
	return proposed
}

func (s *slowNet) String() string {
	text := fmt.Sprintf("at %v ", s.now)
	for _, id := range s.cfg.Replicas {
		k := s.nodes[id].core
		text += fmt.Sprintf("[%d %v commit %d target %d log %d..%d fetching %+v] ", id, k.role, k.commit, k.target, k.log.first, k.log.next-1, k.fetching.peer)
	}
	return text
}

// fill has a cluster without one replica commit some bytes in batches of a size, and brings it back on a narrow link.
func (s *slowNet) fall(late wire.ReplicaID, bytes, size int) (leader *node) {
	leader = s.elect(late)
	s.nodes[late].up = false
	for sent := 0; sent < bytes; s.step() {
		sent += size * s.propose(leader, (bytes-sent+size-1)/size, size)
	}
	s.until("commit", 10*time.Second, func() bool {
		return leader.core.Commit() == leader.core.log.next-1
	})
	for _, p := range s.pipes {
		p.flight = nil
	}
	clear(s.bodies)
	clear(s.slots)
	return leader
}

// A follower that is far behind catches up at no less than half the rate of a slow link, whatever its batches are, and
// nobody else is elected meanwhile: heartbeats wait behind what was asked for.
func TestCatchUpUsesASlowLink(t *testing.T) {
	const bytes = 10 << 20
	for _, link := range []struct {
		rate  int
		delay time.Duration
		size  int
	}{
		{250_000, 20 * time.Millisecond, 1 << 10},
		{250_000, 45 * time.Millisecond, 16 << 10},
		{1_000_000, 120 * time.Millisecond, 4 << 10},
		{10_000_000, 45 * time.Millisecond, 64 << 10},
	} {
		t.Run(fmt.Sprintf("%d B/s, %v", link.rate, link.delay), func(t *testing.T) {
			s := newSlowNet(t, 3)
			late := wire.ReplicaID(3)
			leader := s.fall(late, bytes, link.size)
			s.narrow(late, link.rate, link.delay)
			s.nodes[late].start(s.cfg, s.now)
			elected, began := s.elected, s.now
			s.until("catch-up", time.Hour, func() bool { return s.nodes[late].core.Commit() >= leader.core.Commit() })
			took := s.now - began
			if ideal := time.Duration(bytes) * time.Second / time.Duration(link.rate); took > 2*ideal {
				t.Errorf("%v, want at most twice the %v that the bytes take", took, ideal)
			}
			if s.elected != elected || leader.core.Role() != Leader {
				t.Errorf("the leader has changed")
			}
			s.checkRepeated(late, bytes, 1.1)
			t.Logf("%v, %v", took, s.bodies)
		})
	}
}

// checkRepeated checks that what was sent to a replica is not more than a factor of what it needed.
func (s *slowNet) checkRepeated(to wire.ReplicaID, needed int, factor float64) {
	s.t.Helper()
	total := 0
	for on, bytes := range s.bodies {
		if on.to == to {
			total += bytes
		}
	}
	if float64(total) > factor*float64(needed) {
		s.t.Errorf("%d bytes were sent to replica %d, which needed %d", total, to, needed)
	}
}

// A batch that takes longer than any patience passes, and is sent once: it is seen to arrive.
func TestCatchUpPassesALargeBatch(t *testing.T) {
	const size = 1 << 20
	s := newSlowNet(t, 3)
	leader := s.fall(3, 4*size, size)
	s.narrow(3, 250_000, 45*time.Millisecond)
	s.nodes[3].start(s.cfg, s.now)
	s.until("catch-up", 5*time.Minute, func() bool { return s.nodes[3].core.Commit() >= leader.core.Commit() })
	t.Logf("%v, %v", s.now, s.bodies)
	s.checkRepeated(3, 4*size, 1.1)
}

// load has the leader propose as fast as its window has room, for a while, and returns how many bytes it has committed.
func (s *slowNet) load(leader *node, d time.Duration, size int) (bytes int) {
	before := leader.core.Commit()
	for end := s.now + d; s.now < end; s.step() {
		s.propose(leader, max(1, 10<<10/size), size)
	}
	return int(leader.core.Commit()-before) * size
}

// backlog returns how long what is sent now would wait before it leaves for a replica.
func (s *slowNet) backlog(to wire.ReplicaID) (longest time.Duration) {
	for on, p := range s.pipes {
		if on.to == to {
			longest = max(longest, p.free-s.now)
		}
	}
	return longest
}

// A follower on a slow link does not hold up the others, is sent no more than its link carries, and keeps hearing its
// leader. Once there is less to do it comes to have everything, without much of it being sent twice.
func TestSlowFollowerIsSentWhatItsLinkCarries(t *testing.T) {
	for _, link := range []struct {
		rate  int
		delay time.Duration
		size  int
	}{{250_000, 20 * time.Millisecond, 1 << 10}, {250_000, 45 * time.Millisecond, 16 << 10}, {2_000_000, 100 * time.Millisecond, 16 << 10}} {
		t.Run(fmt.Sprintf("%d B/s, %v", link.rate, link.delay), func(t *testing.T) {
			s := newSlowNet(t, 3)
			leader := s.elect(3)
			s.narrow(3, link.rate, link.delay)
			elected, longest := s.elected, time.Duration(0)
			bytes := 0
			for range 30 {
				bytes += s.load(leader, 100*time.Millisecond, link.size)
				longest = max(longest, s.backlog(3))
			}
			if bytes < 4*link.rate*3 {
				t.Errorf("%d bytes committed in 3 s: the slow follower holds up the others", bytes)
			}
			if longest > s.cfg.ElectionTimeout*5/4 {
				t.Errorf("up to %v of messages wait for the slow follower", longest)
			}
			s.until("catch-up", time.Hour, func() bool { return s.nodes[3].core.Commit() == leader.core.Commit() })
			if s.elected != elected {
				t.Errorf("%d elections", s.elected-elected)
			}
			s.checkRepeated(3, bytes, 1.2)
			t.Logf("%d bytes, backlog %v, sent %v", bytes, longest, s.bodies)
		})
	}
}

// A slow acceptor that the quorum needs gets Accepts as fast as its link carries them.
func TestSlowAcceptorOfTheQuorumIsKeptBusy(t *testing.T) {
	const rate, size = 1_000_000, 8 << 10
	s := newSlowNet(t, 3)
	leader := s.elect(3)
	for _, id := range s.cfg.Replicas {
		if id != 3 && id != leader.id {
			s.nodes[id].up = false
		}
	}
	s.narrow(3, rate, 20*time.Millisecond)
	elected := s.elected
	s.load(leader, 2*time.Second, size)
	bytes := s.load(leader, 10*time.Second, size)
	if bytes < 10*rate*8/10 || s.elected != elected {
		t.Errorf("%d bytes committed in 10 s over %d a second, %d elections", bytes, rate, s.elected-elected)
	}
	if resent := leader.core.Stats().Resent; resent > 20 {
		t.Errorf("%d Accepts were sent again", resent)
	}
}

// On a fast network the bound is that of the window, within a few round trips.
func TestFastAcceptorsAreSentAWindow(t *testing.T) {
	const size = 64 << 10
	s := newSlowNet(t, 3, func(c *Config) { c.WindowBytes = 4 << 20 })
	leader := s.elect(3)
	for range 50 {
		s.propose(leader, 100, size)
		s.step()
	}
	for _, id := range s.cfg.Replicas {
		if p := &leader.core.sending[id]; id != leader.id && p.flow.Bytes() != s.cfg.WindowBytes {
			t.Errorf("replica %d is sent %d bytes at once after 50 ms", id, p.flow.Bytes())
		}
	}
	if leader.core.Stats().Resent > 0 {
		t.Errorf("%d Accepts were sent again", leader.core.Stats().Resent)
	}
}

// What a reset of the connections has lost comes again before anybody gives up, once.
func TestResetIsMadeUpFor(t *testing.T) {
	const size = 1 << 10
	for _, delay := range []time.Duration{100 * time.Microsecond, 45 * time.Millisecond, 120 * time.Millisecond} {
		t.Run(fmt.Sprint(delay), func(t *testing.T) {
			s := newSlowNet(t, 3)
			leader := s.elect(3)
			for _, p := range s.pipes {
				p.delay = delay
			}
			for _, id := range s.cfg.Replicas {
				if id != 3 && id != leader.id {
					s.nodes[id].up = false
				}
			}
			s.load(leader, 2*time.Second, size)
			elected := s.elected
			for on, p := range s.pipes {
				if on.to == 3 || on.from == 3 {
					p.flight = nil
				}
			}
			commit, proposed := leader.core.Commit(), leader.core.window.Next()-1
			s.until("commit", 3*s.cfg.ElectionTimeout, func() bool { return leader.core.Commit() > commit })
			s.until("all that was lost", 10*s.cfg.ElectionTimeout, func() bool { return leader.core.Commit() >= proposed })
			if s.elected != elected {
				t.Errorf("%d elections", s.elected-elected)
			}
			if resent := leader.core.Stats().Resent; resent > uint64(s.cfg.Depth.N)*3/2 {
				t.Errorf("%d Accepts were sent again for %d in flight", resent, s.cfg.Depth.N)
			}
		})
	}
}

// Proposing, sending, acknowledging and committing a batch allocates nothing.
func TestFlowControlAllocatesNothing(t *testing.T) {
	h := newHand(t, 1, 3)
	b := h.leads()
	h.gets(2, wire.NewAccepted(b, 1, 1, 0))
	h.syncs()
	m := new(wire.Message)
	round := func() {
		s := h.Propose(h.now, 1, Entry{})
		for id := wire.ReplicaID(2); id <= 3; id++ {
			*m = wire.NewAccepted(b, s, s, s-1)
			m.From, m.To = id, 1
			h.Step(h.now+time.Millisecond, m)
		}
		h.Ready()
		h.Persisted(h.now, h.appended)
		h.Ready()
		h.Trim(h.Commit())
	}
	for range 3000 { // queues and the log have their size
		round()
	}
	if n := testing.AllocsPerRun(1000, round); n != 0 {
		t.Errorf("%v allocations per batch", n)
	}
	if p := &h.sending[2]; p.bytes != 0 || p.underway.Len() != 0 {
		t.Errorf("%d bytes under way, although all is acknowledged", p.bytes)
	}
}
