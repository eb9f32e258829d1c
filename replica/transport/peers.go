package transport

import "paxosbench/wire"

// PeerState says how it stands with the connection to a peer.
type PeerState struct {
	ID      wire.ReplicaID
	Addr    string
	Up      bool
	Problem string // how the last connection ended, or the last attempt at one failed; empty while it is up
}

// PeerStates returns that of all peers, by id.
func (t *Transport) PeerStates() []PeerState {
	var states []PeerState
	for id := wire.ReplicaID(1); id <= wire.MaxReplicas; id++ {
		if addr, ok := t.cfg.Peers[id]; ok {
			states = append(states, PeerState{ID: id, Addr: addr, Up: t.peers[id] != nil, Problem: t.problem(id)})
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
