package transport

import "paxosbench/wire"

// peer is another replica as this one knows it. A link to it is on its lane from the moment when both hellos have been
// exchanged until it closes. It belongs to the loop.
type peer struct {
	lanes [wire.LaneCount]*link
	ups   uint64 // how often it has come up
}

// lane returns the link on a lane, nil if there is none.
func (p *peer) lane(l wire.Lane) *link { return p.lanes[l-1] }

// up reports whether messages may go to the peer: both its lanes are there.
func (p *peer) up() bool { return p.lanes[0] != nil && p.lanes[1] != nil }

// linked reports whether there is any link to the peer.
func (p *peer) linked() bool { return p.lanes[0] != nil || p.lanes[1] != nil }

// PeerState says how it stands with the connections to a peer.
type PeerState struct {
	ID      wire.ReplicaID
	Addr    string
	Up      bool   // both lanes are: messages go to it
	Control bool   // the lane of heartbeats, elections and acknowledgements is
	Bulk    bool   // the lane of batches, entries and snapshots is
	Ups     uint64 // how often it has come up since the process started
	Problem string // how the last connection ended, or the last attempt at one failed; empty while it is up
}

// PeerStates returns that of all peers, by id.
func (t *Transport) PeerStates() []PeerState {
	var states []PeerState
	for id := wire.ReplicaID(1); id <= wire.MaxReplicas; id++ {
		if addr, ok := t.cfg.Peers[id]; ok {
			p := &t.peers[id]
			states = append(states, PeerState{ID: id, Addr: addr, Up: p.up(), Ups: p.ups, Problem: t.problem(id),
				Control: p.lane(wire.LaneControl) != nil, Bulk: p.lane(wire.LaneBulk) != nil})
		}
	}
	return states
}

// setProblem notes what is wrong with a peer, or with an empty text that nothing is. Any goroutine may call it.
func (t *Transport) setProblem(id wire.ReplicaID, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.problems[id] = text
}

func (t *Transport) problem(id wire.ReplicaID) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.problems[id]
}

// join puts a link whose hellos have been exchanged on its lane, in the place of an earlier one.
func (t *Transport) join(l *link) {
	p := &t.peers[l.id]
	p.lanes[l.lane-1] = l
	if !p.up() {
		return
	}
	p.ups++
	t.setProblem(l.id, "")
	t.log.Info("peer up", "peer", l.id, "addr", l.origin.remote)
}

// leave takes a link that has closed off its lane.
func (t *Transport) leave(l *link) {
	if p := &t.peers[l.id]; p.lane(l.lane) == l {
		p.lanes[l.lane-1] = nil
		t.left(l.id)
	}
}

// supersede ends the links that a new one takes the place of: those of an earlier process of the peer, and an earlier one
// on the same lane.
func (t *Transport) supersede(l *link) {
	for _, old := range t.peers[l.id].lanes {
		if old != nil && (old.incarnation != l.incarnation || old.lane == l.lane) {
			old.end(errReplaced)
		}
	}
}

// ended notes why a link has closed. It is logged once per change, however often it is retried. What happens before a peer
// has named itself counts as peer 0; that Run ends is no news.
func (t *Transport) ended(l *link) {
	text := l.reason.Error()
	if l.reason == errClosed || t.problem(l.id) == text {
		return
	}
	t.setProblem(l.id, text)
	if l.reason == errUnnamed {
		return // sayNameless speaks of it
	}
	t.log.Warn("peer connection ended", "peer", l.id, "lane", l.lane, "addr", l.origin.remote, "reason", text)
}
