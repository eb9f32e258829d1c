package node

import (
	"slices"
	"time"

	"paxosbench/replica/machine"
	"paxosbench/replica/paxos"
	"paxosbench/replica/snapshot"
	"paxosbench/wire"
)

// A snapshot takes the place of the log that it covers: of the journal, so that it does not grow for ever, and of what
// a peer has missed, if nobody has kept that. It is taken a piece a round, between batches, and written by the storage on a
// thread of its own. Peers pull it as it is stored (see pull.go for the other side).

// SnapshotStore is the part of Storage that keeps snapshots. They are stored one after the other, in the order of the calls;
// when one is durable, or cannot be stored, the storage calls SnapshotStored or SnapshotFailed.
type SnapshotStore interface {
	// BeginSnapshot starts storing the snapshot of a slot, which comes in the given form. It takes the place of one
	// that was begun and not ended.
	BeginSnapshot(slot wire.Slot, form snapshot.Form)

	// WriteSnapshot hands the next piece over, which stays the node's.
	WriteSnapshot(piece []byte)

	// EndSnapshot says that the snapshot is complete. It becomes the newest one, and older ones go.
	EndSnapshot()

	// AbortSnapshot gives up the one that was begun and not ended, if there is one.
	AbortSnapshot()

	// ClearSnapshots removes all of them.
	ClearSnapshots()

	// SnapshotRoom reports whether the store keeps up: if not, no piece is handed over until it does.
	SnapshotRoom() bool

	// SendSnapshot answers a peer's SnapshotFetch from what is stored (see snapshot.Store.Answer).
	SendSnapshot(to wire.ReplicaID, slot wire.Slot, offset uint64, maxBytes int)
}

const (
	// snapshotPiece is the default of Config.SnapshotPiece.
	snapshotPiece = 256 << 10

	// batchOverhead is what a batch can cost the journal beside its bytes, if it is written alone: a block.
	batchOverhead = 4 << 10

	// pinTimeouts is how many election timeouts a peer that catches up may be silent before nothing is kept for it.
	pinTimeouts = 40
)

// snapshots is what a node knows about its own snapshots.
type snapshots struct {
	taking  *machine.Snapshot // nil: none
	piece   []byte            // the one being handed over, kept because a new one each time would have to be cleared
	storing wire.Slot         // of the one that has been taken and is not durable yet; 0: none
	newest  snapshot.Info     // durable
	before  wire.Slot         // of the durable one before it
	since   int               // bytes applied since the newest was begun, as they count in the journal
	pins    [wire.MaxReplicas + 1]pin
	pinned  wire.Slot // the lowest of the pins, paxos.NoPin without any
}

// newSnapshots returns the state of a node that has no snapshot. The replicas begin at different distances from their
// first one, so that they do not all take theirs at the same time.
func newSnapshots(cfg *Config) snapshots {
	replicas := cfg.Paxos.Replicas
	headStart := cfg.SnapshotBytes / len(replicas) * slices.Index(replicas, cfg.Paxos.Self)
	return snapshots{since: headStart, pinned: paxos.NoPin}
}

// pin says that a peer is catching up from here.
type pin struct {
	active bool
	slot   wire.Slot // it has everything up to this one, or gets it with the snapshot that it pulls
	heard  time.Duration
}

// SnapshotStatus says how a node stands with snapshots.
type SnapshotStatus struct {
	Newest   snapshot.Info  // the newest durable one of this replica
	Fetching wire.ReplicaID // the peer whose snapshot is being pulled, 0 if none
}

// Snapshots returns how the node stands with snapshots.
func (n *Node) Snapshots() SnapshotStatus {
	return SnapshotStatus{Newest: n.snapshots.newest, Fetching: n.pull.peer}
}

// Restorer returns what restores a snapshot into the state of a node like this one.
func (n *Node) Restorer() *machine.Restorer {
	return machine.NewRestorer(machine.New(n.cfg.Machine, n.cfg.hashKey()), n.cfg.State)
}

// RestoreSnapshot takes the state of the newest snapshot of an earlier life, before the records of its journal: those of
// slots that it covers are passed over.
func (n *Node) RestoreSnapshot(state *machine.State, info snapshot.Info) {
	n.snapshots.newest, n.snapshots.before = info, info.Slot
	n.snapshots.since = 0
	n.state = state
	n.digests.note(state.Applied(), state.Digest())
	n.core.RestoreSnapshot(state.Applied())
}

// install puts the state of a peer's snapshot in the place of the node's, if it is newer, and reports whether it is. A
// leader keeps its own: it has the slots in between in its window.
func (n *Node) install(state *machine.State) bool {
	if state.Applied() <= n.state.Applied() || n.leading {
		return false
	}
	n.cancelTaking()
	n.begun = begun{} // its answers are nobody's: this replica does not lead
	n.state = state
	n.digests.note(state.Applied(), state.Digest())
	n.core.InstallSnapshot(state.Applied())
	n.snapshots.since = 0
	n.observe()
	return true
}

// SnapshotStored tells the node that the snapshot of a slot is durable and the newest one. It reports whether the
// node's state has been replaced by it: it was pulled from a peer. What the journal holds for the slots up to it may
// then be something else than what was chosen.
func (n *Node) SnapshotStored(info snapshot.Info) (installed bool) {
	s := &n.snapshots
	s.before, s.newest = s.newest.Slot, info
	if s.storing == info.Slot {
		s.storing = 0
		n.stats.SnapshotsTaken++
	}
	state := n.pull.state
	if state == nil || state.Applied() != info.Slot {
		return false
	}
	n.core.Prefer(n.pull.peer)
	n.pull = pull{}
	if installed = n.install(state); installed {
		n.stats.SnapshotsFetched++
	}
	return installed
}

// SnapshotFailed tells the node that the snapshot of a slot could not be stored. The next one is taken when it is due.
func (n *Node) SnapshotFailed(slot wire.Slot) {
	n.stats.SnapshotsFailed++
	if n.snapshots.storing == slot {
		n.snapshots.storing = 0
	}
	if n.pull.state != nil && n.pull.slot == slot {
		n.pull = pull{}
	}
}

// Releasable returns the slot up to which the journal is of no more use: a durable snapshot stands for it, and no peer
// that is catching up will ask for it. For such a peer at most what has gathered since the snapshot before is kept.
func (n *Node) Releasable() wire.Slot {
	return max(n.snapshots.before, min(n.snapshots.newest.Slot, n.snapshots.pinned))
}

// takeSnapshot begins a snapshot if one is due, and takes the next piece of one that was begun.
func (n *Node) takeSnapshot() {
	s := &n.snapshots
	if s.taking == nil {
		if n.cfg.SnapshotBytes == 0 || s.since < n.snapshotLimit() || !n.mayTake() {
			return
		}
		n.beginTaking()
	}
	if !n.storage.SnapshotRoom() {
		return
	}
	var done bool
	var err error
	if s.piece, done, err = s.taking.Next(s.piece[:0], n.cfg.SnapshotPiece); err != nil {
		n.fail("snapshot of slot %d: %w", s.taking.Slot(), err)
		n.cancelTaking()
		return
	}
	if len(s.piece) > 0 {
		n.storage.WriteSnapshot(s.piece)
	}
	if done {
		n.storage.EndSnapshot()
		s.taking, s.storing = nil, s.taking.Slot()
	}
}

// snapshotLimit is how many bytes are applied before the next snapshot: at least as many as the newest one is long, so that
// snapshots never take more of the disk than the log does. While peers pull the present one, or read what the next would release, it
// waits a while longer: they would have to begin anew.
func (n *Node) snapshotLimit() int {
	limit := max(n.cfg.SnapshotBytes, int(n.snapshots.newest.Bytes))
	if n.snapshots.pinned != paxos.NoPin {
		limit += n.cfg.Paxos.PinBytes
	}
	return limit
}

// mayTake reports whether a snapshot can be begun: no batch is applied in part, there is something new to put into it, and the store
// is not busy with another one.
func (n *Node) mayTake() bool {
	s := &n.snapshots
	return n.begun.slot == 0 && s.taking == nil && s.storing == 0 && n.pull.slot == 0 && n.state.Applied() > s.newest.Slot
}

func (n *Node) beginTaking() {
	n.snapshots.taking = n.state.BeginSnapshot()
	n.snapshots.since = 0
	n.storage.BeginSnapshot(n.snapshots.taking.Slot(), snapshot.Raw)
}

// cancelTaking gives up the snapshot being taken, if there is one.
func (n *Node) cancelTaking() {
	if n.snapshots.taking == nil {
		return
	}
	n.snapshots.taking.Cancel()
	n.snapshots.taking = nil
	n.storage.AbortSnapshot()
}

// onSnapshotFetch answers a peer that pulls a snapshot. If the log no longer goes on from the newest one, it would be of
// no use; one that is, is made then, and until it is there the answer is that there is none.
func (n *Node) onSnapshotFetch(now time.Duration, m *wire.Message) {
	s := &n.snapshots
	if s.newest.Slot != 0 && (m.Slot == s.newest.Slot || n.usable(s.newest.Slot)) {
		n.pin(now, m.From, s.newest.Slot)
		n.storage.SendSnapshot(m.From, m.Slot, m.Offset(), m.MaxBytes())
		return
	}
	if n.mayTake() {
		n.beginTaking()
	}
	switch {
	case s.taking != nil:
		n.pin(now, m.From, s.taking.Slot())
	case s.storing != 0:
		n.pin(now, m.From, s.storing)
	}
	n.send(m.From, wire.NewSnapshotChunk(m.Slot, 0, m.Offset(), nil))
}

// usable reports whether a peer that has the snapshot of a slot can get what follows. A journal reaches back to the
// newest snapshot; the memory does only if it was pinned.
func (n *Node) usable(slot wire.Slot) bool {
	return !n.cfg.Volatile || slot+1 >= n.core.FirstSlot()
}

// notePeer keeps the pins up to date with what the messages of peers say about them.
func (n *Node) notePeer(now time.Duration, m *wire.Message) {
	switch p := &n.snapshots.pins[m.From]; {
	case m.Type == wire.TypeFetch && n.lacks(m.Slot):
		n.pin(now, m.From, max(m.Slot, 1)-1)
	case m.Type == wire.TypeFetch:
		n.unpin(p)
	case m.Type != wire.TypeHeartbeatReply || !p.active:
	case !n.lacks(m.Commit + 1):
		n.unpin(p)
	case m.Commit > p.slot:
		p.slot = m.Commit
		n.repin()
	}
}

// lacks reports whether a peer that has everything before a slot needs what the memory holds only as long as it is pinned, or the
// journal as long as no snapshot takes its place. If what it needs is in memory, no snapshot has to wait for it.
func (n *Node) lacks(slot wire.Slot) bool { return n.cfg.Volatile || slot < n.core.FirstSlot() }

// pin keeps what follows a slot for a peer that is catching up, for as long as it goes on asking.
func (n *Node) pin(now time.Duration, peer wire.ReplicaID, slot wire.Slot) {
	n.snapshots.pins[peer] = pin{active: true, slot: slot, heard: now}
	n.repin()
}

func (n *Node) unpin(p *pin) {
	if p.active {
		*p = pin{}
		n.repin()
	}
}

// unpinSilent ends the pins of peers that have not asked for long.
func (n *Node) unpinSilent(now time.Duration) {
	for i := range n.snapshots.pins {
		if p := &n.snapshots.pins[i]; now > p.heard+pinTimeouts*n.cfg.Paxos.ElectionTimeout {
			n.unpin(p)
		}
	}
}

func (n *Node) repin() {
	s := &n.snapshots
	s.pinned = paxos.NoPin
	for i := range s.pins {
		if s.pins[i].active {
			s.pinned = min(s.pinned, s.pins[i].slot)
		}
	}
	if n.cfg.Volatile {
		n.core.Pin(s.pinned)
	}
}

// tickSnapshots does what takes time to become due.
func (n *Node) tickSnapshots(now time.Duration) {
	n.unpinSilent(now)
	n.tickPull(now)
	s := &n.snapshots
	if n.cfg.Volatile && s.pinned == paxos.NoPin && s.newest.Slot != 0 && s.taking == nil && s.storing == 0 && n.pull.peer == 0 {
		s.newest, s.before = snapshot.Info{}, 0 // it has served its purpose, and is soon out of date
		n.storage.ClearSnapshots()
	}
}

func (n *Node) isPeer(id wire.ReplicaID) bool {
	return id != n.cfg.Paxos.Self && slices.Contains(n.cfg.Paxos.Replicas, id)
}
