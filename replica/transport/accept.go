package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"paxosbench/wire"
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

// peerConns bounds the connections from peers: two lanes each, and room to connect anew before old ones have died.
// They are apart from the clients', so that clients cannot crowd peers out.
const peerConns = 4 * wire.LaneCount * wire.MaxReplicas

// OwnFiles is how many descriptors a Transport may have open at a time besides those of clients, which have Config.MaxClients
// and MaxForwarded places: those of peers, accepted and dialled, the two listeners, the event loop's, and the one that
// each acceptor and dialer has in its hand, which is two for the moment in which the loop takes it.
const OwnFiles = peerConns + (wire.LaneCount+2)*wire.MaxReplicas + 2 + 4 + 2*2

// acceptPause is the wait after a failed accept, most likely for want of descriptors: nothing but time helps.
const acceptPause = 50 * time.Millisecond

// acceptor brings the connections of one listener to the loop. It has a goroutine of its own.
type acceptor struct {
	t        *Transport
	listener net.Listener
	places   places
	endpoint func(nc net.Conn) endpoint
	forwards *forwarder // nil: every connection is for this replica

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

// admit gives the connection a place or refuses it.
func (a *acceptor) admit(ctx context.Context, nc net.Conn) {
	switch {
	case !a.places.take():
		a.refuse(nc)
	case a.handsOn():
		a.forwards.group.Go(func() { a.forward(ctx, nc.(*net.TCPConn)) })
	default:
		a.keep(nc)
	}
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
func (a *acceptor) forward(ctx context.Context, nc *net.TCPConn) {
	done := a.forwards.forward(ctx, nc)
	a.forwards.places.give()
	if done {
		a.places.give()
	} else {
		a.keep(nc)
	}
}

// keep brings the connection to the loop. It waits until the loop has taken it: while the loop is busy, further
// connections stay in the backlog.
func (a *acceptor) keep(nc net.Conn) {
	if err := a.t.enroll(nc, a.endpoint(nc)); err != nil {
		a.places.give()
		a.t.log.Warn("cannot take connection", "remote", nc.RemoteAddr(), "error", err)
	}
}

func (a *acceptor) refuse(nc net.Conn) {
	a.t.full.Add(1)
	text := fmt.Sprintf("all %d places for connections are taken, try later", cap(a.places))
	_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = nc.Write(wire.AppendFault(nil, text)) // a courtesy
	_ = nc.Close()
}
