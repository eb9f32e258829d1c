package node

import (
	"time"

	"paxosbench/replica/machine"
	"paxosbench/replica/snapshot"
	"paxosbench/wire"
)

const (
	// A pull asks again after 1/retriesPerTimeout of the election timeout, and turns to another peer, if the core has
	// named one, after silentTimeouts of them without any answer.
	retriesPerTimeout = 2
	silentTimeouts    = 4
)

// pull is a snapshot that is being fetched from a peer, one chunk at a time. What has come is decoded into a new state
// and handed to the storage to be stored at once. A lost message is asked for again at the same offset; if the peer has
// another snapshot meanwhile, the pull begins anew.
type pull struct {
	peer  wire.ReplicaID // 0: nothing is being fetched
	begun wire.Slot      // commit frontier when the peer was named
	heard time.Duration  // last answer
	asked time.Duration
	held  bool // the next chunk has not been asked for yet, because the store does not keep up

	slot    wire.Slot // 0: not known yet
	total   uint64    // bytes of the snapshot
	offset  uint64    // bytes that have come
	decoder *snapshot.Decoder
	state   *machine.State // complete, and being stored
}

// beginPull fetches the snapshot of a peer, unless another peer's is on its way.
func (n *Node) beginPull(now time.Duration, peer wire.ReplicaID) {
	p := &n.pull
	if n.leading || p.state != nil || p.held || p.peer != 0 && now <= p.heard+silentTimeouts*n.cfg.Paxos.ElectionTimeout {
		return
	}
	n.cancelPull()
	n.pull = pull{peer: peer, begun: n.core.Commit(), heard: now}
	n.ask(now)
}

// ask asks for the next chunk, as soon as the store has room for it.
func (n *Node) ask(now time.Duration) {
	p := &n.pull
	if p.held = !n.storage.SnapshotRoom(); p.held {
		return
	}
	p.asked = now
	n.send(p.peer, wire.NewSnapshotFetch(p.slot, p.offset))
}

// onSnapshotChunk takes a chunk of the snapshot being pulled. The body goes to the store.
func (n *Node) onSnapshotChunk(now time.Duration, m *wire.Message) {
	p := &n.pull
	if m.From != p.peer || p.state != nil {
		return
	}
	p.heard = now
	switch {
	case m.Size() == 0: // there is none yet, or none any more
		n.restartPull(0, 0)
	case m.Slot <= n.state.Applied():
		n.cancelPull()
	case m.Slot != p.slot:
		n.restartPull(m.Slot, m.Size())
		if m.Offset() != 0 {
			n.ask(now)
			return
		}
		fallthrough
	default:
		n.takeChunk(now, m)
	}
}

// restartPull begins anew with the snapshot of another slot, or with 0 waits until the peer has one.
func (n *Node) restartPull(slot wire.Slot, total uint64) {
	p := &n.pull
	if p.slot != 0 {
		n.storage.AbortSnapshot()
	}
	*p = pull{peer: p.peer, begun: p.begun, heard: p.heard, asked: p.asked, slot: slot, total: total}
	if slot == 0 {
		return
	}
	n.cancelTaking()
	p.decoder = snapshot.NewDecoder(n.cfg.Identity, n.Restorer())
	n.storage.BeginSnapshot(slot, snapshot.Stored)
}

// takeChunk takes the bytes at the present offset. Others are late answers to a question that was asked twice.
func (n *Node) takeChunk(now time.Duration, m *wire.Message) {
	p := &n.pull
	if m.Offset() != p.offset || len(m.Body) == 0 {
		return
	}
	p.offset += uint64(len(m.Body))
	err := p.decoder.Write(m.Body)
	n.storage.WriteSnapshot(m.Body)
	if err == nil && p.offset >= p.total {
		p.state, err = p.decoder.Finish()
	}
	switch {
	case err != nil: // the core finds another peer
		n.stats.SnapshotsRefused++
		n.cancelPull()
	case p.state != nil:
		n.storage.EndSnapshot()
	default:
		n.ask(now)
	}
}

// cancelPull gives up.
func (n *Node) cancelPull() {
	if n.pull.slot != 0 && n.pull.state == nil {
		n.storage.AbortSnapshot()
	}
	n.pull = pull{}
}

// tickPull asks again for what has not come, and gives up what is not needed any more: this replica leads, or the log
// has brought what was missing after all.
func (n *Node) tickPull(now time.Duration) {
	p := &n.pull
	switch {
	case p.peer == 0 || p.state != nil:
	case n.leading || p.slot == 0 && n.core.Commit() > p.begun || p.slot != 0 && p.slot <= n.state.Applied():
		n.cancelPull()
	case !p.held && now >= p.asked+n.cfg.Paxos.ElectionTimeout/retriesPerTimeout:
		n.ask(now)
	}
}

// resumePull asks for the next chunk if the store has become able to take it.
func (n *Node) resumePull(now time.Duration) {
	if n.pull.held {
		n.ask(now)
	}
}
