package transport

import (
	"errors"
	"fmt"
	"strings"

	"github.com/panjf2000/gnet/v2"

	"paxosbench/wire"
)

// link is one connection to another replica, from the moment it is open; it carries the messages of one lane once it is
// up. Of each pair the replica with the higher id dials. It belongs to the loop.
type link struct {
	conn
	id          wire.ReplicaID // the peer: the one dialled, or the one that the hello claims; 0 before
	lane        wire.Lane      // chosen by who dials; 0 before the hello
	dialled     bool
	up          bool   // hellos exchanged
	incarnation uint64 // the peer's
	sent        bool   // something has been written in this iteration
	out         []byte // short messages gathered behind that, see Send

	greeted chan struct{} // closed when the link is up

	// done is closed when the link is. From then on reason and wasUp may be read by the goroutine that dialled.
	done  chan struct{}
	wasUp bool
}

// refusal is the text of a Fault from the peer.
type refusal string

func (r refusal) Error() string { return "refused by the peer: " + string(r) }

// errReplaced ends a link whose peer has connected anew.
var errReplaced = errors.New("the peer has connected anew")

// newLink prepares the endpoint of a connection to a peer; id and lane are 0 if the peer has dialled.
func newLink(t *Transport, o *origin, id wire.ReplicaID, lane wire.Lane) *link {
	return &link{conn: newConn(t, o, true), id: id, lane: lane, dialled: id != 0,
		greeted: make(chan struct{}), done: make(chan struct{})}
}

func (l *link) opened(raw gnet.Conn) {
	l.open(raw)
	l.t.links[l] = struct{}{}
	if l.dialled {
		l.writeHello()
	}
}

func (l *link) received(data []byte) {
	l.feed(data, l)
	if l.up && l.framer.inBody {
		l.t.handler.Arriving(l.id, l.framer.pending.Type)
	}
}

func (l *link) closed() {
	t := l.t
	l.detach()
	delete(t.links, l)
	t.ended(l)
	if l.up {
		l.up, l.wasUp = false, true
		t.leave(l)
	}
	close(l.done)
}

// over reports whether the link has closed. Any goroutine may call it.
func (l *link) over() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// end closes the link for a reason of this side's.
func (l *link) end(reason error) {
	if l.live() {
		l.reason = reason
		l.close()
	}
}

func (l *link) admit(h wire.Header) error {
	switch {
	case h.Type == wire.TypeFault:
		return checkBodyLen(h, wire.MaxText)
	case h.Type == wire.TypePeerHello && !l.up:
		return checkBodyLen(h, wire.MaxSettingsBytes)
	case h.Type >= wire.TypePreVote && l.up:
		return l.checkLane(h.Type)
	case h.Type == wire.TypeClientHello:
		return fmt.Errorf("%w: %v on the port for peers, check the client's addresses", errUnexpected, h.Type)
	}
	return unexpected(h.Type, l.up)
}

func (l *link) frame(h wire.Header, header, body []byte) error {
	switch h.Type {
	case wire.TypePeerHello:
		hello, err := wire.DecodePeerHello(header, body)
		l.t.cfg.Buffers.Put(body)
		if err != nil {
			return err
		}
		l.greet(&hello)
	case wire.TypeFault:
		text := string(body)
		l.t.cfg.Buffers.Put(body)
		l.end(refusal(text))
	default:
		if err := l.message(h, header, body); err != nil {
			return err
		}
	}
	if !l.live() {
		return errStopped
	}
	return nil
}

// message passes a message on to the Handler, which owns the body from then on.
func (l *link) message(h wire.Header, header, body []byte) error {
	m := &l.t.message
	if err := wire.DecodeMessageHeader(m, h, header); err != nil {
		l.t.cfg.Buffers.Put(body)
		return err
	}
	m.From, m.To, m.Body = l.id, l.t.cfg.Self, body
	return l.t.handler.Message(m)
}

// checkLane refuses messages that this lane is not for: they would be late, or make others late.
func (l *link) checkLane(t wire.Type) error {
	if t.Lane() != l.lane {
		return fmt.Errorf("%w: %v on the %v lane", errUnexpected, t, l.lane)
	}
	return nil
}

// greet judges the peer's hello and, if there is nothing against it, puts the link to use.
func (l *link) greet(h *wire.PeerHello) {
	t := l.t
	if !l.dialled && validID(h.From) {
		l.id = h.From
	}
	if err := t.checkHello(l, h); err != nil {
		l.fault(FaultIdentity, err.Error())
		return
	}
	settled, err := t.introduce(h)
	if err != nil {
		l.fault(FaultIdentity, err.Error())
		return
	}
	l.incarnation, l.lane = h.Incarnation, h.Lane
	if settled {
		t.supersede(l)
	}
	if !l.dialled {
		l.writeHello()
	}
	if !settled {
		l.end(errUnnamed)
	}
	if !l.live() {
		return
	}
	l.up = true
	l.newcomer.leave()
	t.join(l)
	close(l.greeted)
}

func (l *link) writeHello() {
	cfg := &l.t.cfg
	met, by := cfg.Membership.Met()
	l.write(wire.AppendPeerHello(l.t.scratch[:0], &wire.PeerHello{
		Cluster:     cfg.Membership.Cluster(),
		Incarnation: cfg.Incarnation,
		From:        cfg.Self,
		To:          l.id,
		Lane:        l.lane,
		Met:         met,
		MetBy:       by,
		Settings:    cfg.Settings,
	}))
}

// checkHello returns what is wrong with a peer's hello, naming both sides' values.
func (t *Transport) checkHello(l *link, h *wire.PeerHello) error {
	cfg := &t.cfg
	switch {
	case h.To != cfg.Self:
		return fmt.Errorf("replica id: replica %d looks for replica %d, this is replica %d: check the peer addresses",
			h.From, h.To, cfg.Self)
	case cfg.Peers[h.From] == "":
		return fmt.Errorf("replica id: %d is not a peer of replica %d", h.From, cfg.Self)
	case !l.dialled && l.origin.identity.Role != "" && h.From != replicaOf(l.origin.identity):
		return fmt.Errorf("replica id: %v says that it is replica %d", l.origin.identity, h.From)
	case l.dialled && h.From != l.id:
		return fmt.Errorf("replica id: replica %d answers at the address of replica %d: check the peer addresses",
			h.From, l.id)
	case l.dialled && h.Lane != l.lane:
		return fmt.Errorf("lane: replica %d answers on the %v lane, this is the %v lane", h.From, h.Lane, l.lane)
	case !l.dialled && h.From < cfg.Self:
		return fmt.Errorf("replica id: replica %d dialled replica %d, but of a pair the higher id dials",
			h.From, cfg.Self)
	}
	if err := t.checkMember(h); err != nil {
		return err
	}
	if err := cfg.compare(h); err != nil {
		return err
	}
	return t.checkIncarnation(h)
}

// checkIncarnation refuses a second process that claims a peer's id as long as the first one is connected, however silent it is:
// followers have little to say to each other. That its host is gone shows in time, see sockets.peerControl.
func (t *Transport) checkIncarnation(h *wire.PeerHello) error {
	for _, old := range t.peers[h.From].lanes {
		if old != nil && old.incarnation != h.Incarnation {
			return fmt.Errorf("replica id %d is already connected from %s: two processes with the same id?",
				h.From, old.origin.remote)
		}
	}
	return nil
}

// compare returns where the settings of a peer differ from this replica's.
func (c *Config) compare(h *wire.PeerHello) error {
	var texts []string
	for _, d := range h.Settings.Diff(c.Settings) {
		texts = append(texts, d.Text(fmt.Sprintf("replica %d", h.From), fmt.Sprintf("replica %d", c.Self)))
	}
	if texts == nil {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}
