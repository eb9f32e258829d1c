package node_test

import (
	"encoding/binary"
	"testing"
	"time"

	"paxosbench/replica/node"
	"paxosbench/wire"
)

// registrations returns a fragment of n of them.
func registrations(n int) []byte {
	var fragment []byte
	for i := range n {
		fragment = wire.AppendRunHeader(fragment, 0, wire.Seq(i)+1, 0, 1, wire.CommandHeaderSize)
		fragment = wire.AppendCommand(fragment, wire.OpRegister, 0, nil, nil)
	}
	return fragment
}

// statuses returns the statuses of all answers to an origin, as replies, and the sessions that were registered.
func (r *replica) statuses(origin uint64) (counts map[wire.Status]int, sessions []wire.SessionID) {
	counts = map[wire.Status]int{}
	for _, a := range r.answers {
		for rest := a.runs; uint64(a.origin) == origin && len(rest) > 0; {
			run, n, err := wire.DecodeReplyRun(rest)
			if err != nil {
				r.trio.t.Fatal(err)
			}
			rest = rest[n:]
			if run.Uniform {
				counts[run.Status] += run.Count
				continue
			}
			for len(run.Results) > 0 {
				result, n, err := wire.DecodeResult(run.Results)
				if err != nil {
					r.trio.t.Fatal(err)
				}
				run.Results = run.Results[n:]
				counts[result.Status]++
				if len(result.Value) == 8 {
					sessions = append(sessions, wire.SessionID(binary.LittleEndian.Uint64(result.Value)))
				}
			}
		}
	}
	r.answers = nil
	return counts, sessions
}

// asks sends a fragment and waits for what becomes of it.
func (r *replica) asks(c *node.Client, fragment []byte) (map[wire.Status]int, []wire.SessionID) {
	r.trio.t.Helper()
	if err := r.node.Request(r.trio.now, c, fragment); err != nil {
		r.trio.t.Fatal(err)
	}
	r.round()
	for range 5 {
		r.trio.step()
	}
	return r.statuses(uint64(c.Origin))
}

// TestRegistrationsAreStamped: ids are made of what the replica draws; a client cannot choose its stamp.
func TestRegistrationsAreStamped(t *testing.T) {
	c := newTrio(t, false)
	drawn := uint64(0)
	c.random = func() uint64 { drawn++; return drawn * 0x9e3779b97f4a7c15 }
	c.start()
	leader := c.leader()
	counts, sessions := leader.asks(leader.client(1), registrations(20))
	if counts[wire.StatusOK] != 20 || len(sessions) != 20 {
		t.Fatalf("%v, %d sessions", counts, len(sessions))
	}
	tags := map[uint64]bool{}
	for _, id := range sessions {
		tags[id.Tag()>>24] = true
	}
	if len(tags) != 20 {
		t.Errorf("the tags of %x do not look drawn", sessions)
	}
	own := wire.AppendCommand(nil, wire.OpRegister, 0, nil, wire.AppendStamp(nil, wire.Stamp{Random: 1 << 20}))
	fragment := append(wire.AppendRunHeader(nil, 0, 1, 0, 1, len(own)), own...)
	if err := leader.node.Request(c.now, leader.client(1), fragment); err == nil {
		t.Error("a client's own stamp is taken")
	}
	c.settle()
}

// TestRegistrationsAreLimited: a connection that registers without end is answered BUSY for what is too much, and other
// connections are not.
func TestRegistrationsAreLimited(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	leader := c.leader()
	counts, _ := leader.asks(leader.client(1), registrations(6000))
	if counts[wire.StatusOK] < 4096 || counts[wire.StatusOK] > 4200 || counts[wire.StatusOK]+counts[wire.StatusBusy] != 6000 {
		t.Errorf("of 6000 at once: %v", counts)
	}
	if counts, _ := leader.asks(leader.client(2), registrations(100)); counts[wire.StatusOK] != 100 {
		t.Errorf("of 100 of another connection: %v", counts)
	}
	for range int(time.Second / testTick) {
		c.step()
	}
	if counts, _ := leader.asks(leader.client(1), registrations(1000)); counts[wire.StatusOK] != 1000 {
		t.Errorf("of 1000 after a second: %v", counts)
	}
	if in := leader.client(1).InFlight; in != 0 {
		t.Errorf("%d in flight", in)
	}
	c.settle()
}

// TestSessionOfAnother: where clients prove who they are, a session that somebody else has registered does not exist for them, in
// whatever fragment it comes; what is beside it in the fragment does.
func TestSessionOfAnother(t *testing.T) {
	c := newTrio(t, false)
	c.owners = true
	c.start()
	leader := c.leader()
	victim, thief := leader.client(1), leader.client(2)
	victim.Owner, thief.Owner = 7, 8
	_, ids := leader.asks(victim, registrations(1))
	_, own := leader.asks(thief, registrations(1))
	put := func(id wire.SessionID, seq wire.Seq) []byte {
		command := wire.AppendCommand(nil, wire.OpPut, 0, keyOf(uint64(id)), keyOf(1))
		return append(wire.AppendRunHeader(nil, id, seq, seq-1, 1, len(command)), command...)
	}
	counts, _ := leader.asks(thief, append(put(ids[0], 1), put(own[0], 1)...))
	if counts[wire.StatusNoSession] != 1 || counts[wire.StatusOK] != 1 || leader.node.Stats().Foreign != 1 {
		t.Errorf("a session of another and an own one: %v", counts)
	}
	if counts, _ := leader.asks(victim, put(ids[0], 1)); counts[wire.StatusOK] != 1 {
		t.Errorf("the owner's own command: %v", counts)
	}
	if counts, _ := leader.asks(victim, put(ids[0]^1<<30, 1)); counts[wire.StatusNoSession] != 1 {
		t.Errorf("a guess: %v", counts)
	}
	c.settle()
}
