package node

import (
	"time"

	"paxosbench/replica/machine"
	"paxosbench/wire"
)

// What tests outside the package look at and change. They are outside because a replica with its storage takes replica/storage, which
// imports this package.

const (
	SnapshotPiece = snapshotPiece
	RoundWork     = roundWork
	MostLag       = mostLag
)

// Pull is how far the fetching of a peer's snapshot has come.
type Pull struct {
	Peer          wire.ReplicaID
	Slot          wire.Slot
	Offset, Total uint64
}

func (n *Node) Pull() Pull {
	return Pull{Peer: n.pull.peer, Slot: n.pull.slot, Offset: n.pull.offset, Total: n.pull.total}
}

func (n *Node) BeginPull(now time.Duration, peer wire.ReplicaID) { n.beginPull(now, peer) }

func (n *Node) Pinned() wire.Slot         { return n.snapshots.pinned }
func (n *Node) SnapshotBefore() wire.Slot { return n.snapshots.before }
func (n *Node) BeginTaking()              { n.beginTaking() }
func (n *Node) Taking() bool              { return n.snapshots.taking != nil }

func (n *Node) SetPendingBytes(bytes int) { n.cfg.PendingBytes = bytes }
func (n *Node) SetReads(reads wire.Reads) { n.cfg.Reads = reads }

// ForgetDigests has the node know the digest of its present state alone.
func (n *Node) ForgetDigests() {
	n.digests = newDigests(16)
	n.digests.note(n.state.Applied(), n.state.Digest())
}

// Judges reports whether the node has seen replicas differ, and compares.
func (n *Node) Judges() bool { return n.judge.slot != 0 }

// HasPulled has the node have a peer's snapshot, all of it, that is being stored.
func (n *Node) HasPulled(peer wire.ReplicaID, state *machine.State) {
	n.pull = pull{peer: peer, slot: state.Applied(), state: state}
}
