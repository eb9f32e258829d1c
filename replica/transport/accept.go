package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/secure"
)

// places counts down the connections a listener may still bring. It is taken by the acceptor and given back by the
// loop when the connection has closed.
type places chan struct{}

func (p places) take() bool {
	select {
	case p <- struct{}{}:
		return true
	default:
		return false
	}
}

func (p places) give() {
	select {
	case <-p:
	default:
		panic("BUG: more places for connections given back than taken")
	}
}

const (
	// newPeers is how many connections there may be to the port for peers that have not said a hello which makes them one. Those
	// that have are two for each member at most. Both are apart from the clients', so that clients cannot crowd peers out.
	newPeers = 48

	// newClients is how many clients may be proving who they are at a time, beside those that have, and clientGrace how long one
	// more waits for one of them to be through.
	newClients  = 1024
	clientGrace = 2 * time.Millisecond
)

// OwnFiles is how many descriptors a Transport may have open at a time besides those of clients, which have Config.MaxClients
// and MaxForwarded places: those of peers, accepted and dialled, the two listeners, the event loop's, and the one that
// each acceptor and dialer has in its hand, which is two for the moment in which the loop takes it. With credentials it is more,
// by SecuredFiles.
const OwnFiles = newPeers + wire.LaneCount*wire.MaxReplicas + (wire.LaneCount+2)*wire.MaxReplicas + 2 + 4 + 2*2

// SecuredFiles is how many connections may be proving who they are, two descriptors each for the moment in which the loop takes them.
const SecuredFiles = 2 * newClients

// acceptPause is the wait after a failed accept, most likely for want of descriptors: nothing but time helps.
const acceptPause = 50 * time.Millisecond

// acceptor brings the connections of one listener to the loop. It has a goroutine of its own.
type acceptor struct {
	t        *Transport
	listener net.Listener
	endpoint func(o *origin) endpoint

	places    places                      // of clients; nil: peers have theirs
	newcomers *newcomers                  // who has yet to show who it is
	allows    func(secure.Identity) error // says why the holder of a certificate may not connect here
	forwards  *forwarder                  // nil: every connection is for this replica

	lastError string // of Accept, so that it is logged once per change
	crowded   bool   // the last client to be handed on found no place for that
}

// run accepts until the listener is closed.
func (a *acceptor) run(ctx context.Context) {
	for {
		nc, err := a.listener.Accept()
		switch {
		case err == nil:
			a.lastError = ""
			a.admit(ctx, nc)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			a.failed(err)
			sleep(ctx, acceptPause)
		}
	}
}

func (a *acceptor) failed(err error) {
	if text := err.Error(); text != a.lastError {
		a.lastError = text
		a.t.log.Warn("cannot accept, will keep trying", "addr", a.listener.Addr(), "error", text)
	}
}

// admit has the connection handed on to the leader, or received here.
func (a *acceptor) admit(ctx context.Context, nc net.Conn) {
	o := origin{remote: nc.RemoteAddr().String(), host: hostOf(nc.RemoteAddr())}
	switch {
	case !a.handsOn():
		a.receive(ctx, nc, o)
	case a.place(ctx, o.host):
		a.forwards.group.Go(func() { a.forward(ctx, nc.(*net.TCPConn), o) })
	default:
		a.forwards.places.give()
		a.refuse(nc)
	}
}

// placeTries is how often a connection has another one give way: somebody else may be faster to take that one's place.
const placeTries = 8

// place takes a place for a connection: a free one, or that of a client that gives way.
func (a *acceptor) place(ctx context.Context, host string) bool {
	if a.places == nil || a.places.take() {
		return true
	}
	for range placeTries {
		if !a.t.makeRoom(ctx, host) {
			return false
		}
		if a.places.take() {
			return true
		}
	}
	return false
}

// handsOn reports whether a connection is to be handed on to the leader. If so it has taken a place for that.
func (a *acceptor) handsOn() bool {
	if a.forwards == nil || a.forwards.target() == "" {
		return false
	}
	taken := a.forwards.places.take()
	if !taken && !a.crowded {
		a.t.log.Warn("no place to hand clients on to the leader, they are told its address", "places", cap(a.forwards.places))
	}
	a.crowded = !taken
	return taken
}

// forward hands the connection on to the leader. If that cannot be reached the client is told here who it is.
func (a *acceptor) forward(ctx context.Context, nc *net.TCPConn, o origin) {
	done := a.forwards.forward(ctx, nc)
	a.forwards.places.give()
	a.places.give()
	if !done {
		a.receive(ctx, nc, o)
	}
}

// receive takes the connection for this replica, at once or when it has proved who it is. Who has to show that first has a place
// among the newcomers until then.
func (a *acceptor) receive(ctx context.Context, nc net.Conn, o origin) {
	e := a.endpoint(&o)
	if a.t.cfg.Credentials == nil {
		a.keep(ctx, nc, e)
		return
	}
	if e.base().newcomer = a.newcomers.enter(ctx, o.host, func() { _ = nc.Close() }); e.base().newcomer == nil {
		_ = nc.Close()
		return
	}
	a.t.proofs.Go(func() { a.prove(ctx, nc, e) })
}

// keep brings the connection to the loop, if there is a place for it. It waits until the loop has taken it: while the loop is busy,
// further connections stay in the backlog.
func (a *acceptor) keep(ctx context.Context, nc net.Conn, e endpoint) {
	c := e.base()
	if a.places == nil && c.newcomer == nil {
		c.newcomer = a.newcomers.enter(ctx, c.origin.host, func() {
			a.t.Post(func() { c.fault(FaultNewcomer, "too many connections without a hello") })
		})
	}
	if !a.place(ctx, c.origin.host) {
		a.refuse(nc)
		return
	}
	if err := a.t.bring(nc, e); err != nil {
		c.newcomer.leave()
		a.leave()
		a.t.log.Warn("cannot take connection", "remote", c.origin.remote, "error", err)
	}
}

// leave gives back the place of a connection that has not become one.
func (a *acceptor) leave() {
	if a.places != nil {
		a.places.give()
	}
}

func (a *acceptor) refuse(nc net.Conn) {
	a.t.full.Add(1)
	text := fmt.Sprintf("all %d places for connections are taken, try later", cap(a.places))
	_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = nc.Write(wire.AppendFault(nil, text)) // a courtesy
	_ = nc.Close()
}
