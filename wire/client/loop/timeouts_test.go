package loop

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"paxosbench/wire"
)

// idleLoop is a loop that has not begun to connect.
func idleLoop(t *testing.T, conns int) *Loop {
	t.Helper()
	l, err := New(Config{Addrs: []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"}, Conns: conns, Sessions: conns}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A leader that was killed refuses connections at once: looking for the next one costs milliseconds, not half a second, and
// many connections do not try more often together than few.
func TestBackOffBeginsSmall(t *testing.T) {
	for conns, most := range map[int]time.Duration{4: 50 * time.Millisecond, 1000: 500 * time.Millisecond} {
		c := idleLoop(t, conns).conns[0]
		want := []time.Duration{0, 0, 1, 2, 4, 8, 16, 32}
		for i, ms := range want {
			if got := c.backoff(); got != ms*time.Millisecond {
				t.Errorf("wait %d of %d connections is %v, want %d ms", i+1, conns, got, ms)
			}
		}
		for range 100 {
			if got := c.backoff(); got > most {
				t.Fatalf("%d connections wait for %v, want at most %v", conns, got, most)
			}
		}
	}
}

// The first attempts may take ever longer, because the network may be slow. What has connected once tells how slow it is.
func TestConnectTimeoutFollowsTheNetwork(t *testing.T) {
	l := idleLoop(t, 1)
	for attempts, want := range []time.Duration{200, 400, 800, 1600, 2000, 2000} {
		if got := l.connectTimeout(attempts); got != want*time.Millisecond {
			t.Errorf("%v after %d attempts, want %d ms", got, attempts, want)
		}
	}
	l.connected(time.Millisecond)
	if got := l.connectTimeout(9); got != 200*time.Millisecond {
		t.Errorf("%v on a fast network", got)
	}
	l.fastest = 0
	l.connected(300 * time.Millisecond)
	if got := l.connectTimeout(0); got != 1200*time.Millisecond {
		t.Errorf("%v on a slow network", got)
	}
}

// Where both sides prove who they are, attempts that follow those that took too long have ever more time for that.
func TestPatienceGrows(t *testing.T) {
	l := idleLoop(t, 1)
	l.sink = handler{}
	c := l.conns[0]
	for i, want := range []time.Duration{500, 1000, 2000, 3000, 3000} {
		if got := c.patience(); got != want*time.Millisecond {
			t.Errorf("%v after %d attempts that took too long, want %d ms", got, i, want)
		}
		c.state, c.deadline = []connState{stateConnecting, stateGreeting}[i%2], time.Second
		c.tick(time.Second)
	}
	c.welcomed(wire.Welcome{Window: 10, Replica: 1, Leader: 1})
	if got := c.patience(); got != l.cfg.StallTimeout {
		t.Errorf("%v after a welcome", got)
	}
}

// Where a connection has just waited in vain, no redirect sends the next one; a place that is named later is believed.
func TestStaleRedirectsAreNotFollowed(t *testing.T) {
	l := idleLoop(t, 1)
	c := l.conns[0]
	c.addr, c.state = netip.MustParseAddrPort("127.0.0.1:1"), stateConnecting
	c.drop(errors.New("no answer"))
	l.setLeader("127.0.0.1:1")
	if l.leader.IsValid() {
		t.Error("a redirect to where nobody has answered is followed")
	}
	l.setLeader("127.0.0.1:2")
	if !l.leader.IsValid() {
		t.Error("a redirect to another place is not followed")
	}
	l.trusted = 0
	l.setLeader("127.0.0.1:1")
	if l.leader.Port() != 1 {
		t.Error("a redirect is not followed although it is long since nobody has answered there")
	}
}

// handler takes note of nothing.
type handler struct{ Sink }

func (handler) Ready(*Stream) {}

// A leader that is found to be slow, and not gone, is given more time; another one is not.
func TestStallTimeoutDoublesForTheSameLeader(t *testing.T) {
	l := idleLoop(t, 1)
	l.sink = handler{}
	c := l.conns[0]
	for i, tt := range []struct {
		leader wire.ReplicaID
		want   time.Duration
	}{{1, 500}, {1, 1000}, {1, 2000}, {1, 3000}, {1, 3000}, {2, 500}, {2, 1000}} {
		c.welcomed(wire.Welcome{Window: 10, Replica: tt.leader, Leader: tt.leader})
		if c.stall != tt.want*time.Millisecond {
			t.Errorf("connection %d, to leader %d, may be silent for %v, want %d ms", i, tt.leader, c.stall, tt.want)
		}
	}
}

// One of many connections waits for its turn at a replica that is busy. It is given up when the replica answers none of them, or
// this one for very long; and so is an attempt to connect.
func TestConnectionsOfABusyReplicaAreNotGivenUp(t *testing.T) {
	const s = time.Second
	here, elsewhere := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2")
	l := idleLoop(t, 2)
	for name, tt := range map[string]struct {
		heardFrom netip.AddrPort
		heardAt   time.Duration
		silent    time.Duration
		want      bool
	}{
		"it answers nobody":                {here, 9 * s, s, true},
		"it answers another connection":    {here, 10*s - s/4, s, false},
		"another replica answers":          {elsewhere, 10*s - s/4, s, true},
		"this one waits for very long":     {here, 10*s - s/4, 3 * s, true},
		"this one does not wait long, yet": {elsewhere, 9 * s, s / 4, false},
	} {
		c := l.conns[0]
		l.heardFrom, l.heardAt = tt.heardFrom, tt.heardAt
		c.addr, c.outstanding, c.stall, c.heardAt = here, 1, s/2, 10*s-tt.silent
		if got := c.stalled(10 * s); got != tt.want {
			t.Errorf("%s: given up %v, want %v", name, got, tt.want)
		}
		c.state, c.generation, c.dialedAt, c.deadline = stateConnecting, c.generation+1, 10*s-tt.silent, 10*s-tt.silent+s/2
		c.tick(10 * s)
		if got := c.state == stateIdle; got != tt.want {
			t.Errorf("%s: the attempt is given up %v, want %v", name, got, tt.want)
		}
		c.state = stateIdle
	}
}

// A loop that waits for an hour is woken by another goroutine, and one that does not wait yet returns when it is to.
func TestWake(t *testing.T) {
	l := idleLoop(t, 1)
	for range 100 {
		l.nextScan = time.Hour
		woken := make(chan struct{})
		go func() {
			l.Wake()
			close(woken)
		}()
		if err := l.Poll(time.Hour); err != nil {
			t.Fatal(err)
		}
		<-woken
	}
}

// Connections are looked at seldom while time brings nothing to them, and soon again when it does.
func TestQuietLoop(t *testing.T) {
	l := idleLoop(t, 1)
	c := l.conns[0]
	c.state = stateOpen
	l.scan(0)
	if l.nextScan != quietPeriod {
		t.Errorf("next look after %v", l.nextScan)
	}
	c.onWire(1)
	if l.nextScan > l.Now()+scanPeriod {
		t.Errorf("with a command under way the next look is after %v", l.nextScan)
	}
	l.scan(0)
	if l.nextScan != scanPeriod {
		t.Errorf("with a command under way the next look is after %v", l.nextScan)
	}
	c.outstanding = 0
	l.scan(0)
	c.sessions[0].resumeAt = time.Second
	c.start(c.sessions[0], 0)
	if l.nextScan != scanPeriod {
		t.Errorf("with a session that waits the next look is after %v", l.nextScan)
	}
	if wait := l.wait(0, time.Hour); wait != scanPeriod {
		t.Errorf("waits for %v", wait)
	}
	l.scan(time.Second) // its wait is over, and it has to register
	if wait := l.wait(time.Second, time.Hour); wait != 0 || l.nextScan != time.Second+scanPeriod {
		t.Errorf("waits for %v, looks again at %v, when there is something to send", wait, l.nextScan)
	}
}
