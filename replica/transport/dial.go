package transport

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"

	"paxosbench/wire"
)

// Dialling: between two attempts passes a time that doubles from minBackoff to maxBackoff, less a random part of up to
// half so that replicas do not keep step. A peer that refuses this replica will hardly change its mind soon.
const (
	dialTimeout    = 2 * time.Second
	minBackoff     = 50 * time.Millisecond
	maxBackoff     = time.Second
	refusedBackoff = 2 * time.Second
)

// dialer keeps one peer connected. It has a goroutine of its own.
type dialer struct {
	t    *Transport
	id   wire.ReplicaID
	addr string

	backoff   time.Duration // before the next attempt
	lastError string        // of dialling, so that it is logged once per change
}

func newDialer(t *Transport, id wire.ReplicaID, addr string) *dialer {
	return &dialer{t: t, id: id, addr: addr, backoff: minBackoff}
}

// run dials again and again until ctx is done.
func (d *dialer) run(ctx context.Context) {
	for ctx.Err() == nil {
		if l, err := d.dial(ctx); err != nil {
			d.failed(ctx, err)
		} else {
			select {
			case <-l.done:
				d.ended(l)
			case <-ctx.Done():
				return
			}
		}
		sleep(ctx, d.backoff/2+rand.N(d.backoff/2))
	}
}

// dial connects and hands the connection to the loop, which sends the hello.
func (d *dialer) dial(ctx context.Context) (*link, error) {
	nd := net.Dialer{Timeout: dialTimeout, Control: d.t.sockets.peerControl}
	nc, err := nd.DialContext(ctx, "tcp", d.addr)
	if err != nil {
		return nil, err
	}
	l := newLink(d.t, nc, d.id)
	return l, d.t.enroll(nc, l)
}

func (d *dialer) failed(ctx context.Context, err error) {
	d.backoff = min(2*d.backoff, maxBackoff)
	d.t.setProblem(d.id, err.Error())
	if text := err.Error(); text != d.lastError && ctx.Err() == nil {
		d.lastError = text
		d.t.log.Warn("cannot reach peer, will keep trying", "peer", d.id, "addr", d.addr, "error", text)
	}
}

// ended chooses the back-off after a link that was open. The loop has logged why it ended.
func (d *dialer) ended(l *link) {
	var refused refusal
	d.lastError = ""
	switch {
	case errors.As(l.reason, &refused):
		d.backoff = refusedBackoff
	case l.wasUp:
		d.backoff = minBackoff
	default:
		d.backoff = min(2*d.backoff, maxBackoff)
	}
}

// sleep waits for d or until ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
