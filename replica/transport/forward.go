package transport

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// forwarder hands clients on to the leader: it connects to the address where the leader serves clients, and from then on
// copies bytes both ways without looking at them. The client talks to the leader and does not know; flow control, deadlines
// and limits are the leader's. When either side closes, so does the other, and the client connects anew: to wherever this
// replica thinks by then that the leader is.
//
// The connections to the leader have places of their own. A client for which there is none is served here, which tells it
// who leads.
//
// Connections do not go in circles. Who follows a leader knows its ballot, and so does that leader; if it hands clients on as
// well it follows another in a higher one. Ballots grow with every hop.
type forwarder struct {
	t      *Transport
	places places
	relays relays
	addr   atomic.Pointer[string] // where the leader serves clients; nil or empty: here, or nobody knows
	group  sync.WaitGroup
}

// ForwardTo has clients that connect from now on handed on to the leader at addr; with an empty addr they are served by
// this replica. Any goroutine may call it.
func (t *Transport) ForwardTo(addr string) { t.forwards.addr.Store(&addr) }

func (f *forwarder) target() string {
	if addr := f.addr.Load(); addr != nil {
		return *addr
	}
	return ""
}

// forward serves the client until one of the sides closes or ctx ends, and reports whether there was a leader to hand it
// on to.
func (f *forwarder) forward(ctx context.Context, client *net.TCPConn) bool {
	dialer := net.Dialer{Timeout: dialTimeout, Control: f.t.sockets.control}
	conn, err := dialer.DialContext(ctx, "tcp", f.target())
	if err != nil {
		f.t.log.Warn("cannot hand a client on to the leader", "remote", client.RemoteAddr(), "addr", f.target(), "error", err)
		return false
	}
	f.t.forwarded.Add(1)
	defer f.t.forwarded.Add(-1)
	leader := conn.(*net.TCPConn)
	closeBoth := func() {
		_ = client.Close() // closing twice is harmless
		_ = leader.Close()
	}
	defer closeBoth()
	defer context.AfterFunc(ctx, closeBoth)()
	var answers sync.WaitGroup
	answers.Go(func() {
		defer closeBoth()
		f.relays.relay(client, leader)
	})
	f.relays.relay(leader, client)
	closeBoth()
	answers.Wait()
	return true
}
