package transport

import "paxosbench/wire"

// The first message of a lane in an iteration leaves at once: the peer works while this replica writes its journal.
// Further short ones are gathered until the round ends or a long one takes them along, because a system call costs
// more than copying them: in BenchmarkSend, 16 messages of 1 KiB took 380 microseconds one by one and take 130 so.
const (
	gatherBody = 16 << 10 // the longest body that is copied to be gathered
	gatherMax  = 64 << 10 // bytes gathered before they are written all the same
)

// maxControlOutbound bounds what may wait for a peer on the control lane, in bytes: ten thousand messages and more.
const maxControlOutbound = 1 << 20

// Send sends m to a peer, in the order of its lane; control messages may overtake bulk. m.BodyCRC must be the body's checksum; the body, which is not copied unless it is
// short or the socket is full, is the caller's again when Send returns. It reports false, and the message is lost, if
// the peer is down or has too many bytes waiting on the lane (for bulk Config.MaxPeerOutbound): the protocol sends again what matters.
func (t *Transport) Send(to wire.ReplicaID, m *wire.Message) bool {
	lane, limit := m.Type.Lane(), maxControlOutbound
	if lane == wire.LaneBulk {
		limit = t.cfg.MaxPeerOutbound
	}
	p := &t.peers[to]
	if !p.up() || p.lane(lane).backlog()+wire.MessageHeaderSize+len(m.Body) > limit {
		t.stats.DroppedSends++
		return false
	}
	l := p.lane(lane)
	l.out = wire.AppendMessageHeader(l.out, m)
	if l.sent && len(m.Body) <= gatherBody {
		l.out = append(l.out, m.Body...)
		if len(l.out) >= gatherMax {
			l.writeOut(nil)
		}
	} else {
		l.sent = true
		l.writeOut(m.Body)
	}
	return l.live()
}

// backlog returns the bytes that wait for the peer, in gnet and here.
func (l *link) backlog() int { return l.raw.OutboundBuffered() + len(l.out) }

// writeOut writes what has been gathered and the body behind it, in one system call. The link may be closed
// afterwards.
func (l *link) writeOut(body []byte) {
	switch {
	case len(body) == 0:
		l.write(l.out)
	case l.records != nil:
		l.seal(l.out, body)
	default:
		l.t.vector = [2][]byte{l.out, body}
		l.t.stats.Writes++
		l.t.stats.BytesOut += uint64(len(l.out) + len(body))
		_, _ = l.raw.Writev(l.t.vector[:]) // changes the vector; an error has closed the link
		l.t.vector = [2][]byte{}
	}
	l.out = l.out[:0]
}

// flushPeers writes what has been gathered for each peer.
func (t *Transport) flushPeers() {
	for i := range t.peers {
		for _, l := range t.peers[i].lanes {
			if l == nil {
				continue
			}
			l.sent = false
			if len(l.out) > 0 {
				l.writeOut(nil)
			}
		}
	}
}
