package node

import (
	"fmt"

	"paxosbench/wire"
)

// Replicas that have applied the same slots hold the same hash chain (see machine.State.Digest). Every heartbeat tells
// how far its sender has applied and the chain up to there, and whoever hears it compares that with its own chain when
// it has come to the same slot. So a replica that went another way than the leader, for whatever reason, is found
// within a heartbeat or two, and stops before more is built on it.

// chainCheck is a comparison that is due when the slot has been applied. That has happened, or been passed over by a
// snapshot, if the slot is not above the state's: there is none then.
type chainCheck struct {
	peer  wire.ReplicaID
	slot  wire.Slot
	chain uint64
}

// addChain adds to a heartbeat what this replica has applied.
func (n *Node) addChain(m *wire.Message) {
	m.SetChain(n.state.Applied(), n.state.Digest())
}

// noteChain takes a heartbeat's chain for comparison, unless an earlier one is still to be compared: one heartbeat after
// the other would put it off for ever while this replica lags behind.
func (n *Node) noteChain(m *wire.Message) {
	applied, chain, ok := m.Chain()
	if !ok || n.check.slot > n.state.Applied() || applied < n.state.Applied() {
		return
	}
	n.check = chainCheck{m.From, applied, chain}
	n.compareChain()
}

// compareChain makes the comparison if its slot is the newest that has been applied.
func (n *Node) compareChain() {
	c := &n.check
	if c.slot != n.state.Applied() || c.chain == n.state.Digest() {
		return
	}
	n.Fail(&DivergedError{Self: n.cfg.Paxos.Self, Peer: c.peer, Slot: c.slot, Own: n.state.Digest(), Other: c.chain})
}

// DivergedError is what ends a replica whose state differs from that of another.
type DivergedError struct {
	Self, Peer wire.ReplicaID
	Slot       wire.Slot // the newest that both have applied
	Own, Other uint64    // hash chains
}

// Error implements error.
func (e *DivergedError) Error() string {
	return fmt.Sprintf("replica %d: state differs from that of replica %d: after slot %d the hash chain is %x here and %x there. One of "+
		"the two has not applied what was chosen. Compare /status of all replicas; start the one that differs from the others with --repair",
		e.Self, e.Peer, e.Slot, e.Own, e.Other)
}
