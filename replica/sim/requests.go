package sim

import (
	"paxosbench/batching"
	"paxosbench/replica/node"
	"paxosbench/wire"
)

// user is who has connections: a client or a reader.
type user interface {
	// redirect is a replica's word that another one leads, 0 if it knows of none.
	redirect(leader wire.ReplicaID)
	// answer takes the body of a frame of answers.
	answer(r *replica, body []byte)
}

// origin names a connection: the number of its user, counted from 1, and how many connections the user had before.
func origin(user, number int) batching.Origin { return batching.Origin(number<<8 | user) }

// userOf returns whose connection an origin names. Readers come after the clients.
func (w *world) userOf(o batching.Origin) user {
	at := int(o&0xff) - 1
	if at < len(w.clients) {
		return w.clients[at]
	}
	return w.readers[at-len(w.clients)]
}

// connect returns the connection of an origin. A newer one of a user closes the one before.
func (r *replica) connect(o batching.Origin, window int) *node.Client {
	at := int(o & 0xff)
	for len(r.connections) <= at {
		r.connections = append(r.connections, &node.Client{})
	}
	if r.connections[at].Origin < o {
		r.node.ClientClosed(r.connections[at])
		r.connections[at] = r.node.NewClient(o, uint32(window))
		if r.w.owners > 0 {
			r.connections[at].Owner = uint64(1 + at%r.w.owners)
		}
	}
	return r.connections[at]
}

// Begin implements node.Driver. Whose connection is closed is not there any more.
func (r *replica) Begin(o batching.Origin) ([]byte, int, bool) {
	r.maybeStray() // a leader learns within its round what is chosen, and answers while it applies it
	return nil, r.room(), r.connections[o&0xff].Origin == o
}

// room is how much there is for values in a frame of answers: now all that is wanted, now none, so that queries have to wait and gets
// are refused. It comes and goes with the time, and not by a draw, which would change all that is drawn afterwards.
func (r *replica) room() int {
	const turn = 7 * tickInterval
	if r.w.now/turn%4 == 3 {
		return 0
	}
	return wire.MaxBody
}

// tellRoom tells the node about room that has come back, as the transport does.
func (r *replica) tellRoom() {
	for _, c := range r.connections {
		if r.room() > 0 {
			r.node.Room(c)
		}
	}
}

// End implements node.Driver.
func (r *replica) End(o batching.Origin, out []byte, answered int) {
	w := r.w
	c := r.connections[o&0xff]
	if c.Answered(answered); c.InFlight < 0 {
		w.fail("replica %d answers %d more than connection %d has in flight", r.id, -c.InFlight, o)
	}
	h, err := wire.DecodeHeader(out)
	if err != nil || h.CheckBody(out[h.Size:]) != nil {
		w.fail("replica %d answers connection %d with what is no frame: %v", r.id, o, err)
	}
	if h.Type == wire.TypeReply && answered > 0 {
		w.check.answered(r)
	}
	if r.astray {
		return // what it answers may hold for it alone (see docs/safety.md)
	}
	w.transmit(0, func() { w.userOf(o).answer(r, out[h.Size:]) })
}

// Redirect implements node.Driver.
func (r *replica) Redirect(o batching.Origin) {
	leader := r.node.Core().Leader()
	r.w.transmit(0, func() { r.w.userOf(o).redirect(leader) })
}

// Warn implements node.Driver.
func (r *replica) Warn(text string) { r.w.logf("%d warns: %s", r.id, text) }

// Accuse implements node.Driver: nobody here does what a replica is accused of.
func (r *replica) Accuse(peer wire.ReplicaID, text string) {
	r.w.fail("replica %d accuses replica %d: %s", r.id, peer, text)
}

// LeaderChanged implements node.Driver.
func (r *replica) LeaderChanged(lost bool) {
	r.w.logf("%d: leader %d, ballot %v, role %v", r.id, r.node.Core().Leader(), r.node.Core().Ballot(), r.node.Core().Role())
	for _, c := range r.connections {
		if lost && c.Origin != 0 {
			c.Forgotten()
			r.Redirect(c.Origin)
		}
	}
}
