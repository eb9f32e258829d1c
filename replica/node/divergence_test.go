package node_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"paxosbench/wire"
)

// derail has a replica execute a command that was never chosen. It shows with the next batch.
func (r *replica) derail() {
	state := r.node.State()
	put := wire.AppendCommand(nil, wire.OpPut, 0, []byte("k"), []byte("v"))
	seq := r.trio.seq + 1
	run := wire.Run{Session: wire.MakeSessionID(1, 0), First: seq, Seen: seq - 1, Count: 1, Commands: put}
	state.ApplyRun(state.Applied()+1, &run, nil, false)
	r.doomed = true
}

// differing returns a trio that has done something, and a replica of it that has gone astray since: the leader or not.
func differing(c *trio, leads bool) *replica {
	c.start()
	c.put(20, 10)
	c.settle()
	r := c.follower()
	if leads {
		r = c.leader()
	}
	r.derail()
	return r
}

// Exactly the replica that differs from the majority stops, whatever it is and whatever goes on.
func TestReplicaThatDiffersStops(t *testing.T) {
	for _, leads := range []bool{false, true} {
		for name, act := range map[string]func(c *trio, r *replica){
			"idle":   func(c *trio, _ *replica) { c.put(1, 10) },
			"loaded": func(c *trio, _ *replica) { c.puts(20) },
			"behind": func(c *trio, r *replica) { c.lags(r.id, 20) },
			"far behind": func(c *trio, r *replica) {
				c.kept = 16
				c.lags(r.id, 40)
			},
			"others behind": func(c *trio, r *replica) { c.lags(c.other(r).id, 20) },
		} {
			t.Run(fmt.Sprintf("%s, leader %v", name, leads), func(t *testing.T) {
				modes(t, func(t *testing.T, c *trio) {
					r := differing(c, leads)
					act(c, r)
					c.until("end of the replica that differs", func() bool { return r.died != nil })
					want := fmt.Sprintf("Replica %d differs from the majority. Start it with --repair", r.id)
					if text := r.died.Error(); !strings.Contains(text, want) {
						t.Errorf("it says: %s", text)
					}
					c.until("another leader", func() bool { return c.leader() != nil })
					c.puts(5) // the others go on
					c.settle()
				})
			})
		}
	}
}

// puts writes one record after the other, whoever leads, as long as anybody does.
func (c *trio) puts(n int) {
	for range n {
		if c.leader() != nil {
			c.put(1, 10)
		}
	}
}

// lags writes so many records while nothing but heartbeats reaches a replica.
func (c *trio) lags(id wire.ReplicaID, n int) {
	c.lose = func(m *wire.Message) bool { return m.To == id && m.Type.Bulk() }
	c.puts(n)
	c.lose = nil
}

// other returns a replica that is up and neither the leader nor r.
func (c *trio) other(r *replica) *replica {
	for _, o := range c.replicas[1:] {
		if o != r && o.up && !o.node.Leads() {
			return o
		}
	}
	return nil
}

// Of two that differ nobody can say who is right. Both stop.
func TestWithoutAMajorityAllThatDifferStop(t *testing.T) {
	for _, leads := range []bool{false, true} {
		c := newTrio(t, false)
		r := differing(c, leads)
		leader, follower := c.leader(), r
		if leads {
			follower = c.follower()
		}
		leader.doomed, follower.doomed = true, true
		for _, o := range c.replicas[1:] {
			if o != leader && o != follower {
				o.stop()
			}
		}
		c.put(1, 10)
		c.until("end of both", func() bool { return leader.died != nil && follower.died != nil })
		for _, err := range []error{leader.died, follower.died} {
			if !strings.Contains(err.Error(), "No majority agrees") {
				t.Errorf("it says: %v", err)
			}
		}
	}
}

// A replica that cannot be compared for a while is waited for, and then it decides.
func TestThirdReplicaDecides(t *testing.T) {
	c := newTrio(t, false)
	r := differing(c, true)
	third := c.other(r)
	c.lose = func(m *wire.Message) bool { return m.To == third.id && (m.Type.Bulk() || m.Type == wire.TypeHeartbeat) }
	c.put(1, 10)
	for range int(testTimeout / testTick) {
		c.step()
	}
	if r.died != nil {
		t.Fatalf("the leader stopped although one follower had not been heard: %v", r.died)
	}
	c.lose = nil
	c.until("end", func() bool { return r.died != nil })
	c.until("another leader", func() bool { return c.leader() != nil })
	c.puts(5)
	c.settle()
}

// One that lags is waited for as long as it answers.
func TestReplicaThatLagsDecides(t *testing.T) {
	c := newTrio(t, false)
	r := differing(c, true)
	third := c.other(r)
	c.lose = func(m *wire.Message) bool { return m.To == third.id && m.Type.Bulk() }
	c.put(1, 10)
	for range 6 * int(testTimeout/testTick) {
		c.step()
	}
	if r.died != nil {
		t.Fatalf("the leader stopped although one follower had yet to come to the slot: %v", r.died)
	}
	c.lose = nil
	c.until("end", func() bool { return r.died != nil })
	c.until("another leader", func() bool { return c.leader() != nil })
	c.puts(5)
	c.settle()
}

// A replica that knows nothing of the slot where the difference was first seen decides all the same.
func TestReplicaWithAFreshSnapshotDecides(t *testing.T) {
	c := newTrio(t, false)
	r := differing(c, true)
	third := c.other(r)
	c.lose = func(m *wire.Message) bool { return m.From == third.id && m.Type == wire.TypeHeartbeatReply }
	c.put(1, 10)
	c.until("difference", func() bool { return r.node.Judges() })
	c.put(5, 10)
	third.node.ForgetDigests()
	c.lose = nil
	c.until("end", func() bool { return r.died != nil })
	if text := r.died.Error(); !strings.Contains(text, fmt.Sprintf("Replica %d differs from the majority", r.id)) {
		t.Errorf("it says: %s", text)
	}
	c.until("another leader", func() bool { return c.leader() != nil })
	c.puts(5)
	c.settle()
}

// What was said about a replica before it was repaired does not stop it again, and what was said to another does not stop it
// either.
func TestOldVerdictsAreHarmless(t *testing.T) {
	c := newTrio(t, false)
	r := differing(c, false)
	var told, answers []wire.Message
	c.lose = func(m *wire.Message) bool {
		kept := *m
		kept.Body = slices.Clone(m.Body)
		switch {
		case m.Type == wire.TypeDiverged:
			told = append(told, kept)
		case m.Type == wire.TypeHeartbeatReply && m.From == r.id:
			answers = append(answers, kept)
		}
		return false
	}
	c.put(1, 10)
	c.until("end", func() bool { return r.died != nil })
	c.lose = nil
	r.doomed, r.died = false, nil
	r.loseDisk()
	r.start(true)
	c.settle()
	if len(told) == 0 || len(answers) == 0 {
		t.Fatalf("%d verdicts, %d answers seen", len(told), len(answers))
	}
	for range 3 {
		for i := range told {
			for _, o := range c.replicas[1:] {
				m := told[i]
				o.node.Step(c.now, &m)
				o.round()
			}
		}
		for i := range answers {
			m := answers[i]
			m.Body = slices.Clone(m.Body)
			c.leader().node.Step(c.now, &m)
			c.leader().round()
		}
		c.put(3, 10)
	}
	c.settle()
}

// Whatever peers claim of digests, nobody stops who can tell that it is wrong, and nothing panics.
func TestStrangeDigestsAreHarmless(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	c.put(20, 10)
	c.settle()
	leader, f := c.leader(), c.follower()
	b, applied := leader.node.Core().Ballot(), leader.node.State().Applied()
	for _, slot := range []wire.Slot{0, applied + 1, 1 << 40, ^wire.Slot(0)} {
		m := wire.NewHeartbeatReply(b, 1, 0, 0, 0)
		m.From = f.id
		m.SetDigest(slot, 1)
		leader.node.Step(c.now, &m)
		for _, d := range []wire.Digests{{}, {1: {Known: true, Value: 1}}, {1: {Known: true}, 2: {Known: true}, 3: {Known: true}}} {
			m := wire.NewDiverged(b, slot, &d)
			m.From = leader.id
			f.node.Step(c.now, &m)
		}
	}
	for _, body := range [][]byte{nil, {1}, make([]byte, 17), make([]byte, 100)} {
		m := wire.NewHeartbeatReply(b, 1, 0, 0, 0)
		m.From, m.Payload = f.id, wire.MakeBody(body)
		leader.node.Step(c.now, &m)
		d := wire.Message{Type: wire.TypeDiverged, From: leader.id, Ballot: b, Slot: applied, Payload: wire.MakeBody(body)}
		f.node.Step(c.now, &d)
	}
	c.put(5, 10)
	c.settle()
}

// A replica that holds more than those who lead without it does not follow them, says so, and is reported by the leader.
func TestReplicaThatHoldsMoreThanTheOthersDoesNotFollow(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	c.put(20, 10)
	c.settle()
	more := c.replicas[3]
	for _, r := range c.replicas[1:] {
		r.stop()
	}
	c.queue = nil
	for _, r := range c.replicas[1:3] { // both are set back
		r.loseDisk()
		r.start(false)
	}
	for before := more.node.Core().Ballot(); c.leader() == nil || c.leader().node.Core().Ballot() <= before; { // and elect each other
		c.lose = func(m *wire.Message) bool { return c.leader() != nil }
		c.until("end of a leadership", func() bool { return c.leader() == nil })
		c.lose = nil
		c.until("leader", func() bool { return c.leader() != nil })
	}
	leader := c.leader()
	more.start(false)
	held := more.node.Core().Commit()
	c.until("accusation by the one that holds more", func() bool { return len(more.accusations) > 0 })
	if text := more.accusations[0]; !strings.Contains(text, "this replica holds more than they do") {
		t.Errorf("it says: %s", text)
	}
	for range 100 {
		c.step()
	}
	if more.node.Core().Leader() != 0 || c.leader() != leader {
		t.Errorf("it follows %d", more.node.Core().Leader())
	}
	if got := more.node.Core().Commit(); got != held {
		t.Errorf("its commit index went from %d to %d", held, got)
	}
	c.until("report", func() bool { return len(leader.warnings) > 0 })
	if text := leader.warnings[0]; !strings.Contains(text, "replica 3 holds more than the others") {
		t.Errorf("the leader says: %s", text)
	}
}
