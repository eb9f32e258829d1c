package transport

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"paxosbench/wire"
)

// A connection closes for many reasons, a process that has ended among them. Its machine says so within a round trip: nobody
// listens any more where it did. Both replicas of a pair ask, whichever of them dials.

// watch finds out whether a peer whose links have closed is gone. It has a goroutine of its own.
type watch struct {
	t     *Transport
	id    wire.ReplicaID
	addr  string
	alone chan struct{} // the last link to the peer has closed
}

// watchTimeout is for how long an answer is worth waiting for: without one the peer may as well be cut off.
const watchTimeout = 250 * time.Millisecond

// watchPauses come before the attempts. A process that ends closes its connections and its listeners one after the other, which
// takes a busy host its time; what it has accepted last it resets.
var watchPauses = [...]time.Duration{0, 2 * time.Millisecond, 8 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond}

func newWatch(t *Transport, id wire.ReplicaID, addr string) *watch {
	return &watch{t: t, id: id, addr: addr, alone: make(chan struct{}, 1)}
}

func (w *watch) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.alone:
		}
		if w.gone(ctx) {
			w.t.Post(w.tell)
		}
	}
}

// gone reports whether nobody listens at the peer's address.
func (w *watch) gone(ctx context.Context) bool {
	dialer := net.Dialer{Timeout: watchTimeout}
	for _, pause := range watchPauses {
		sleep(ctx, pause)
		nc, err := dialer.DialContext(ctx, "tcp", w.addr)
		switch {
		case err == nil:
			_ = nc.Close() // it had nothing to say
		case errors.Is(err, syscall.ECONNREFUSED):
			return true
		case !errors.Is(err, syscall.ECONNRESET):
			return false
		}
	}
	return false
}

// tell passes the news on, on the loop, unless it is old.
func (w *watch) tell() {
	if !w.t.peers[w.id].linked() {
		w.t.handler.Gone(w.id)
	}
}

// left has a peer watched whose last link has closed.
func (t *Transport) left(id wire.ReplicaID) {
	w := t.watches[id]
	if w == nil || t.peers[id].linked() {
		return
	}
	select {
	case w.alone <- struct{}{}:
	default: // it is being asked for
	}
}
