package transport

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paxosbench/wire"
)

// Who says nothing at the port for peers does not keep out a peer, however many do.
func TestSilentNewcomersMakeRoom(t *testing.T) {
	h := newTestHandler()
	tr, _ := start(t, peered(1, 2, "unused:1"), h)
	_, addr := tr.Addrs()
	var silent []*remote
	for range 3 * newPeers {
		silent = append(silent, dial(t, addr))
	}
	joinPeer(t, tr, peerHello())
	awaitPeer(t, tr, 2, 1)
	dropped := 0
	for _, r := range silent {
		_ = r.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := r.Read(make([]byte, 1)); err == nil {
			dropped++
		}
	}
	if dropped < 2*newPeers {
		t.Errorf("%d of %d silent connections were dropped, for which there are %d places", dropped, len(silent), newPeers)
	}
	if n := counters(tr).Faults[FaultNewcomer]; n < 2*newPeers {
		t.Errorf("%d counted", n)
	}
	// Neither do those that come again and again, nor those that say something else.
	ctx, cancel := context.WithCancel(t.Context())
	var strangers sync.WaitGroup
	defer strangers.Wait()
	defer cancel()
	for range 4 {
		strangers.Go(func() {
			for ctx.Err() == nil {
				nc, err := net.Dial("tcp", addr.String())
				if err != nil {
					continue
				}
				_, _ = nc.Write(wire.AppendClientHello(nil, wire.ClientHello{})[:10])
				_ = nc.SetReadDeadline(time.Now().Add(time.Second))
				_, _ = nc.Read(make([]byte, 1))
				_ = nc.(*net.TCPConn).SetLinger(0)
				_ = nc.Close()
			}
		})
	}
	for range 10 {
		joinLane(t, tr, peerHello(), wire.LaneBulk)
	}
}

// The one that is dropped is of the address that has most.
func TestNewcomersOfTheMostNumerousGo(t *testing.T) {
	n := newNewcomers(8, 0)
	var few, many atomic.Int32
	enter := func(host string, count *atomic.Int32) *newcomer {
		var one *newcomer
		one = n.enter(t.Context(), host, func() {
			count.Add(1)
			one.leave()
			one.leave() // once more does nothing
		})
		return one
	}
	for range 2 {
		enter("few", &few)
	}
	for range 100 {
		enter("many", &many)
	}
	if few.Load() != 0 || many.Load() != 94 {
		t.Errorf("dropped %d of the few and %d of the many", few.Load(), many.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	full := newNewcomers(1, time.Hour)
	if full.enter(t.Context(), "", func() {}) == nil || full.enter(ctx, "", func() {}) != nil {
		t.Error("entering does not end with its context")
	}
	(*newcomer)(nil).leave()
}

func TestHosts(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1:7001": "10.0.0.1", "[::ffff:10.0.0.1]:7001": "10.0.0.1", "[2001:db8:1:2:3:4:5:6]:7001": "2001:db8:1:2::/64", "[fe80::1%eth0]:1": "fe80::/64",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := hostOf(tcp); got != want {
			t.Errorf("%s counts as %s, want %s", addr, got, want)
		}
	}
}
