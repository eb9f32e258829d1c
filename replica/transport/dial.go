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
	unnamedBackoff = 100 * time.Millisecond // a cluster that is being founded
)

// dialer keeps both lanes to one peer connected. It has a goroutine of its own.
type dialer struct {
	t     *Transport
	id    wire.ReplicaID
	addr  string
	links [wire.LaneCount]*link // those that are up, as far as the dialer has noticed

	backoff   time.Duration // before the next attempt
	lastError string        // of dialling, so that it is logged once per change
}

func newDialer(t *Transport, id wire.ReplicaID, addr string) *dialer {
	return &dialer{t: t, id: id, addr: addr, backoff: minBackoff}
}

// run connects what is not connected until ctx is done, the control lane first.
func (d *dialer) run(ctx context.Context) {
	for ctx.Err() == nil {
		if lane := d.missing(); lane != 0 {
			d.connect(ctx, lane)
		} else {
			d.watch(ctx)
		}
	}
}

// missing forgets links that have ended and returns the first lane that is not connected, 0 if both are.
func (d *dialer) missing() (lane wire.Lane) {
	for i := len(d.links) - 1; i >= 0; i-- {
		if l := d.links[i]; l != nil && l.over() {
			d.links[i] = nil
			d.ended(l)
		}
		if d.links[i] == nil {
			lane = wire.Lane(i + 1)
		}
	}
	return lane
}

// connect dials a lane and waits until it is up, or has ended, and then for the back-off.
func (d *dialer) connect(ctx context.Context, lane wire.Lane) {
	l, err := d.dial(ctx, lane)
	if err != nil {
		d.failed(ctx, err)
		d.pause(ctx)
		return
	}
	select {
	case <-l.greeted:
		d.links[lane-1] = l
	case <-l.done:
		d.ended(l)
		d.pause(ctx)
	case <-ctx.Done():
	}
}

// watch waits until a lane ends, and then for the back-off.
func (d *dialer) watch(ctx context.Context) {
	select {
	case <-d.links[0].done:
	case <-d.links[1].done:
	case <-ctx.Done():
		return
	}
	d.missing() // chooses the back-off
	d.pause(ctx)
}

func (d *dialer) pause(ctx context.Context) { sleep(ctx, d.backoff/2+rand.N(d.backoff/2)) }

// dial connects and hands the connection to the loop, which sends the hello.
func (d *dialer) dial(ctx context.Context, lane wire.Lane) (*link, error) {
	nd := net.Dialer{Timeout: dialTimeout, Control: d.t.sockets.peerControl, KeepAliveConfig: peerKeepAlive}
	nc, err := nd.DialContext(ctx, "tcp", d.addr)
	if err != nil {
		return nil, err
	}
	l := newLink(d.t, &origin{remote: nc.RemoteAddr().String()}, d.id, lane)
	if d.t.cfg.Credentials != nil {
		if nc, err = d.t.secured(ctx, nc, d.id); err != nil {
			return nil, err
		}
	}
	return l, d.t.bring(nc, l)
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
	case l.reason == errUnnamed:
		d.backoff = unnamedBackoff
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
