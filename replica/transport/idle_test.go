package transport

import (
	"fmt"
	"net"
	"testing"
	"time"

	"paxosbench/wire"
)

// idleFor makes all clients look as if they had been silent for that long already.
func idleFor(t *Transport, d time.Duration) {
	onLoop(t, func() {
		for at := t.idle.order.Front(); at != nil; at = at.Next() {
			at.Value.(*Client).silentSince -= d
		}
	})
}

// Where all places are taken, the client that has been idle longest gives way: not one that waits for an answer, and not one that
// has just been heard.
func TestIdleClientGivesWay(t *testing.T) {
	cfg := testConfig()
	cfg.MaxClients = 3
	h := newTestHandler()
	waits := make(chan *Client, 1)
	h.request = func(c *Client, body []byte) error {
		c.Data = "waits"
		waits <- c
		return nil
	}
	tr, _ := start(t, cfg, h)
	addr, _ := tr.Addrs()
	waiting, idle, heard := join(t, tr), join(t, tr), join(t, tr)
	waiting.send(requestFrame([]byte("x")))
	receive(t, waits)
	dial(t, addr).expectFault("all 3 places for connections are taken")
	idleFor(tr, 2*leastIdle)
	heard.send(wire.AppendClientHello(nil, wire.ClientHello{})[:4]) // as much as keeps it from being idle
	for deadline := patienceEnds(); ; deadline.check(t, "the bytes to be noticed") {
		var since time.Duration
		onLoop(tr, func() { since = tr.now - tr.idle.order.Back().Value.(*Client).silentSince })
		if since < leastIdle {
			break
		}
	}
	fresh := join(t, tr)
	idle.expectFault("idle for 2s, and all 3 places are taken")
	dial(t, addr).expectFault("all 3 places for connections are taken")
	for _, r := range []*remote{waiting, heard, fresh} {
		_ = r.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := r.Read(make([]byte, 1)); !isTimeout(err) {
			t.Errorf("one that is not idle was closed: %v", err)
		}
	}
	if n := counters(tr).Faults[FaultIdle]; n != 1 {
		t.Errorf("%d clients counted that were idle, want 1", n)
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

// An address that has more than its share of the places drives out its own only.
func TestShareOfPlaces(t *testing.T) {
	tr, _ := start(t, testConfig(), newTestHandler())
	join(t, tr)
	join(t, tr)
	onLoop(tr, func() {
		stranger := tr.idle.order.Front().Value.(*Client)
		tr.idle.hosts[stranger.origin.host]--
		stranger.origin.host = "stranger"
		tr.idle.hosts["stranger"]++
		now := tr.now + 2*leastIdle
		waits := func(*Client) bool { return false }
		if c := tr.idle.longest(now, leastIdle, "", waits); c != stranger {
			t.Errorf("of all it is %v", c)
		}
		if c := tr.idle.longest(now, leastIdle, "127.0.0.1", waits); c == nil || c == stranger {
			t.Errorf("of its own it is %v", c)
		}
		if c := tr.idle.longest(now, leastIdle, "nobody", waits); c != nil {
			t.Errorf("of nobody it is %v", c)
		}
	})
}

// Who keeps all places busy keeps nobody out: it gives one to whoever has far fewer, and to nobody who has about as many.
func TestCrowdAtWorkGivesWay(t *testing.T) {
	for _, tt := range []struct{ crowd, others, own int }{{8, 0, 0}, {5, 2, 1}, {4, 0, 4}, {3, 3, 2}} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			cfg := testConfig()
			cfg.MaxClients = tt.crowd + tt.others + tt.own
			tr, _ := start(t, cfg, newTestHandler())
			for i := range cfg.MaxClients {
				join(t, tr)
				if i < tt.own {
					continue
				}
				host := "crowd"
				if i >= tt.own+tt.crowd {
					host = fmt.Sprint("other", i)
				}
				onLoop(tr, func() {
					newest := tr.idle.order.Back().Value.(*Client)
					tr.idle.hosts[newest.origin.host]--
					newest.origin.host = host
					tr.idle.hosts[host]++
				})
			}
			idleFor(tr, -time.Hour) // none is, however slow the host
			addr, _ := tr.Addrs()
			fresh := dial(t, addr)
			if tt.crowd <= crowdShare*(tt.own+1) {
				fresh.expectFault("all 8 places for connections are taken")
				return
			}
			fresh.send(wire.AppendClientHello(nil, wire.ClientHello{}))
			fresh.expect(wire.TypeWelcome)
			onLoop(tr, func() {
				if n := tr.idle.hosts["crowd"]; n != tt.crowd-1 {
					t.Errorf("%d of the crowd are left, want %d", n, tt.crowd-1)
				}
			})
			if n := counters(tr).Faults[FaultShortage]; n != 1 {
				t.Errorf("%d clients counted that gave way, want 1", n)
			}
		})
	}
}

// With a limit, an idle client is closed even if nobody wants its place.
func TestIdleTimeout(t *testing.T) {
	cfg := testConfig()
	cfg.IdleTimeout, cfg.HandshakeTimeout = time.Minute, 40*time.Millisecond
	tr, _ := start(t, cfg, newTestHandler())
	idle := join(t, tr)
	idleFor(tr, 2*time.Minute)
	fresh := join(t, tr)
	idle.expectFault("idle for 1m0s")
	fresh.send(requestFrame([]byte("x")))
	fresh.expect(wire.TypeReply)
}
