package node

import (
	"slices"
	"strings"
	"testing"

	"paxosbench/wire"
)

// derail has a replica execute a command that was never chosen.
func (r *replica) derail() {
	state := r.node.State()
	put := wire.AppendCommand(nil, wire.OpPut, 0, []byte("k"), []byte("v"))
	seq := r.trio.seq + 1
	run := wire.Run{Session: wire.MakeSessionID(1, 0), First: seq, Seen: seq - 1, Count: 1, Commands: put}
	state.ApplyRun(state.Applied()+1, &run, nil, false)
}

func TestReplicaThatDiffersStops(t *testing.T) {
	modes(t, func(t *testing.T, c *trio) {
		c.start()
		c.put(20, 10)
		c.settle()
		r := c.follower()
		r.doomed = true
		r.derail()
		for range 20 { // one after the other, so that it lags whenever a heartbeat comes
			c.put(1, 10)
		}
		c.until("end of the replica that differs", func() bool { return r.died != nil })
		if text := r.died.Error(); !strings.Contains(text, "state differs from that of replica") || !strings.Contains(text, "--repair") {
			t.Errorf("it says: %s", text)
		}
		c.settle() // the others go on
	})
}

// A chain far ahead is kept for comparison, however many heartbeats come until its slot has been applied.
func TestChainIsComparedByALaggard(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	c.put(5, 10)
	c.settle()
	r := c.follower()
	r.doomed = true
	due := r.node.State().Applied() + 10
	r.node.Step(c.now, chainAt(c.leader().id, due, make([]byte, 8)))
	c.until("end", func() bool {
		c.put(1, 10)
		return r.died != nil
	})
	if got := r.node.State().Applied(); got != due {
		t.Errorf("it stopped after slot %d, the wrong chain was that of %d: %v", got, due, r.died)
	}
}

func TestChainsThatSayNothing(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	c.put(5, 10)
	c.settle()
	r := c.follower()
	applied := r.node.State().Applied()
	for _, slot := range []wire.Slot{0, 1, applied - 1, applied} {
		for _, body := range [][]byte{nil, {1}, slices.Repeat([]byte{1}, 9)} {
			r.node.Step(c.now, chainAt(c.leader().id, slot, body))
		}
	}
	for _, slot := range []wire.Slot{0, 1, applied - 1} { // passed already
		r.node.Step(c.now, chainAt(c.leader().id, slot, make([]byte, 8)))
	}
	c.put(5, 10)
	c.settle()
}

// chainAt returns a heartbeat with a body in the place of the chain.
func chainAt(from wire.ReplicaID, applied wire.Slot, body []byte) *wire.Message {
	return &wire.Message{Type: wire.TypeHeartbeat, From: from, Slot: applied, Payload: wire.Payload{Body: body}}
}
