package node

import (
	"slices"
	"time"

	"paxosbench/replica/machine"
	"paxosbench/replica/paxos"
	"paxosbench/replica/snapshot"
	"paxosbench/wire"
)

const (
	// silentTimeouts is after how many election timeouts without any answer a pull turns to another peer, if the core has
	// named one.
	silentTimeouts = 4

	// A peer that has no snapshot yet is asked again after 1/retriesPerTimeout of the election timeout.
	retriesPerTimeout = 2
)

// pull is a snapshot that is being fetched from a peer. What has come is decoded into a new state and handed to the storage
// to be stored at once. Two chunks are asked for at a time, so that a long round trip costs no bandwidth; their size and how
// long they are waited for follow the link (see paxos.Flow). Every chunk has its place: what was not asked for, or has come
// already, is not taken. A lost one is asked for again at the same offset. Only if the peer has a newer snapshot, and so no
// longer the one begun, does the pull begin anew.
type pull struct {
	peer  wire.ReplicaID // 0: nothing is being fetched
	begun wire.Slot      // commit index when the peer was named
	heard time.Duration  // last answer
	acted time.Duration  // last answer or question
	held  bool           // nothing has been asked for, because the store does not keep up

	slot    wire.Slot // 0: not known yet
	total   uint64    // bytes of the snapshot
	offset  uint64    // bytes that have come
	asked   []chunk   // not answered, in order
	reached uint64    // bytes that have ever been asked for
	ahead   []byte    // answers the second of them, before the first is answered
	decoder *snapshot.Decoder
	failed  error          // of the decoder
	state   *machine.State // complete, and being stored
}

// chunk is a question for bytes of a snapshot.
type chunk struct {
	offset uint64
	bytes  int
	at     time.Duration // when it was asked; 0: not for the first time, so that nothing tells which question is answered
}

// chunksAsked is how many chunks are asked for at a time.
const chunksAsked = 2

func newChunkFlows(cfg *paxos.Config) (flows [wire.MaxReplicas + 1]paxos.Flow) {
	for id := range flows {
		flows[id] = paxos.NewFlow(snapshot.ChunkBytes, cfg.ElectionTimeout, cfg.ElectionTimeout/retriesPerTimeout)
	}
	return flows
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

// ask asks for the next chunks, as soon as the store has room for them. The first answer tells how many there are.
func (n *Node) ask(now time.Duration) {
	p := &n.pull
	next := p.offset
	for _, c := range p.asked {
		next = c.offset + uint64(c.bytes)
	}
	for len(p.asked) < chunksAsked && (next < p.total || next == 0) {
		if p.held = !n.storage.SnapshotRoom(); p.held {
			return
		}
		c := chunk{offset: next, bytes: n.chunks[p.peer].Bytes()}
		if next >= p.reached {
			c.at = now
		}
		next += uint64(c.bytes)
		p.asked, p.acted, p.reached = append(p.asked, c), now, max(p.reached, next)
		n.send(p.peer, wire.NewSnapshotFetch(p.slot, c.offset, c.bytes))
	}
}

// onSnapshotChunk takes a chunk of the snapshot being pulled. The body goes to the store.
func (n *Node) onSnapshotChunk(now time.Duration, m *wire.Message) {
	p := &n.pull
	if m.From != p.peer || p.state != nil || m.Slot < p.slot || len(p.asked) == 0 {
		return
	}
	switch {
	case m.Size() == 0: // there is none yet, or none any more
		if m.Slot == p.slot && m.Offset() == p.asked[0].offset {
			n.restartPull(0, 0)
			p.heard, p.acted = now, now
		}
	case m.Slot <= n.state.Applied():
		n.cancelPull()
	case m.Slot == p.slot:
		n.takeChunk(now, m)
	case m.Offset() == 0:
		first := p.asked[0]
		n.restartPull(m.Slot, m.Size())
		p.asked, p.reached = append(p.asked, chunk{bytes: first.bytes, at: first.at}), uint64(first.bytes)
		n.takeChunk(now, m)
	}
}

// restartPull begins anew with the snapshot of another slot, or with 0 waits until the peer has one.
func (n *Node) restartPull(slot wire.Slot, total uint64) {
	p := &n.pull
	if p.slot != 0 {
		n.storage.AbortSnapshot()
	}
	*p = pull{peer: p.peer, begun: p.begun, heard: p.heard, acted: p.acted, asked: p.asked[:0], slot: slot, total: total}
	if slot == 0 {
		return
	}
	n.cancelTaking()
	p.decoder = snapshot.NewDecoder(n.cfg.Identity, n.Restorer())
	n.storage.BeginSnapshot(slot, snapshot.Stored)
}

// takeChunk takes the answer to an open question, and with the first one's the second's, if that has come before.
func (n *Node) takeChunk(now time.Duration, m *wire.Message) {
	p := &n.pull
	switch i := slices.IndexFunc(p.asked, func(c chunk) bool { return c.offset == m.Offset() }); {
	case i < 0 || len(m.Body) == 0:
	case i > 0:
		p.ahead = m.Body
	default:
		if at := p.asked[0].at; at != 0 {
			n.chunks[p.peer].Took(now-at, len(m.Body))
		}
		p.heard, p.acted = now, now
		n.storeChunk(m.Body)
		if ahead := p.ahead; ahead != nil && len(p.asked) > 0 {
			p.ahead = nil
			n.storeChunk(ahead)
		}
		n.endChunk(now)
	}
}

// storeChunk passes the bytes on that answer the oldest question.
func (n *Node) storeChunk(body []byte) {
	p := &n.pull
	if p.offset += uint64(len(body)); len(body) < p.asked[0].bytes { // the last one, or the peer has other ideas
		p.asked, p.ahead = p.asked[:0], nil
	} else {
		p.asked = append(p.asked[:0], p.asked[1:]...)
	}
	if p.failed == nil {
		p.failed = p.decoder.Write(body)
	}
	n.storage.WriteSnapshot(body)
}

// endChunk goes on with the pull after one or two chunks.
func (n *Node) endChunk(now time.Duration) {
	p := &n.pull
	err := p.failed
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
	case len(p.asked) > 0 && now >= p.acted+n.chunks[p.peer].Patience():
		n.chunks[p.peer].Silent()
		p.asked, p.ahead = p.asked[:0], nil
		n.ask(now)
	case len(p.asked) == 0 && !p.held && now >= p.acted+n.cfg.Paxos.ElectionTimeout/retriesPerTimeout:
		n.ask(now)
	}
}

// resumePull asks for the next chunks if the store has become able to take them.
func (n *Node) resumePull(now time.Duration) {
	if n.pull.held {
		n.ask(now)
	}
}
