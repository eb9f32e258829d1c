package transport

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"paxosbench/wire"
)

// Posted functions run in order, all of a burst before one Round, from several goroutines, before Run and after it.
func TestPost(t *testing.T) {
	h := newTestHandler()
	rounds := 0
	tr, stop := start(t, testConfig(), h)
	onLoop(tr, func() { h.round = func() { rounds++ } })
	var group sync.WaitGroup
	const posters, each = 4, 1000
	next := make([]int, posters)
	for p := range posters {
		group.Go(func() {
			for i := range each {
				tr.Post(func() {
					if next[p] != i {
						t.Errorf("poster %d: function %d runs as %d", p, i, next[p])
					}
					next[p]++
				})
			}
		})
	}
	group.Wait()
	onLoop(tr, func() {
		for p, n := range next {
			if n != each {
				t.Errorf("poster %d: %d functions ran, want %d", p, n, each)
			}
		}
	})
	stop()
	tr.Post(func() { t.Error("a function posted after the end runs") })
}

// A burst posted while the loop is busy is one round.
func TestPostCoalesces(t *testing.T) {
	h := newTestHandler()
	tr, _ := start(t, testConfig(), h)
	var before, after uint64
	busy, release := make(chan struct{}), make(chan struct{})
	tr.Post(func() { close(busy); <-release })
	<-busy
	for range 1000 {
		tr.Post(func() { before = tr.stats.Rounds })
	}
	close(release)
	onLoop(tr, func() { after = tr.stats.Rounds })
	if after-before > 3 { // the burst's own, and perhaps a tick's
		t.Errorf("%d rounds for one burst", after-before)
	}
}

func TestTick(t *testing.T) {
	ticks := make(chan time.Duration, 100)
	h := &tickHandler{testHandler: newTestHandler(), ticks: ticks}
	cfg := testConfig()
	cfg.Tick = time.Millisecond
	tr, err := New(cfg, h)
	if err != nil {
		t.Fatal(err)
	}
	h.t = tr
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(ctx) }()
	last := time.Duration(-1)
	for range 10 {
		now := receive(t, ticks)
		if now <= last {
			t.Errorf("time goes from %v to %v", last, now)
		}
		last = now
	}
	cancel()
	if err := receive(t, ended); err != nil {
		t.Error(err)
	}
}

type tickHandler struct {
	*testHandler
	ticks chan<- time.Duration
}

func (h *tickHandler) Tick(now time.Duration) {
	if now != h.t.Now() {
		panic("Tick and Now disagree")
	}
	select {
	case h.ticks <- now:
	default:
	}
}

// All connections that are ready when the loop looks are served before the round.
func TestOneRoundForAllReady(t *testing.T) {
	h := newTestHandler()
	requests, perRound := 0, make(chan int, 100)
	request := h.request
	h.request = func(c *Client, body []byte) error { requests++; return request(c, body) }
	h.round = func() {
		if requests > 0 {
			perRound <- requests
			requests = 0
		}
	}
	tr, _ := start(t, testConfig(), h)
	const n = 8
	var remotes [n]*remote
	for i := range remotes {
		remotes[i] = join(t, tr)
	}
	busy, release := make(chan struct{}), make(chan struct{})
	tr.Post(func() { close(busy); <-release })
	<-busy
	for _, r := range remotes {
		r.send(requestFrame(nil))
	}
	close(release)
	if got := receive(t, perRound); got != n {
		t.Errorf("%d requests in the first round, want %d", got, n)
	}
	for _, r := range remotes {
		r.expect(wire.TypeReply)
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for what, change := range map[string]func(*Config){
		"clients": func(c *Config) { c.ClientAddr = l.Addr().String() },
		"peers":   func(c *Config) { c.PeerAddr = l.Addr().String() },
	} {
		cfg := testConfig()
		change(&cfg)
		tr, err := New(cfg, newTestHandler())
		if err != nil {
			t.Fatal(err)
		}
		err = tr.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), what) {
			t.Errorf("port in use: error %q does not name %s and %s", err, what, l.Addr())
		}
	}
}

// Restarting on the same port works while old connections are in TIME-WAIT.
func TestRestart(t *testing.T) {
	cfg := testConfig()
	for range 3 {
		tr, stop := start(t, cfg, newTestHandler())
		r := join(t, tr)
		client, _ := tr.Addrs()
		cfg.ClientAddr = client.String()
		stop() // closes first, so the port is left in TIME-WAIT
		r.expectEnd()
	}
}

// If the loop dies, Run says so.
func TestLoopEnds(t *testing.T) {
	h := newTestHandler()
	tr, err := New(testConfig(), h)
	if err != nil {
		t.Fatal(err)
	}
	h.t = tr
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(t.Context()) }()
	onLoop(tr, func() {})
	go func() { _ = tr.visit(tr.engine.Stop) }()
	if err := receive(t, ended); err != errLoopEnded {
		t.Errorf("Run returns %v, want %v", err, errLoopEnded)
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		change func(*Config)
		text   string
	}{
		{func(c *Config) { c.Self = 0 }, "replica id 0"},
		{func(c *Config) { c.Self = wire.MaxReplicas + 1 }, "replica id 8"},
		{func(c *Config) { c.ClientAddr = "" }, "no client address"},
		{func(c *Config) { c.Peers = map[wire.ReplicaID]string{2: "x:1"} }, "no peer address"},
		{func(c *Config) { c.Peers = map[wire.ReplicaID]string{1: "x:1"} }, "peer id 1"},
		{func(c *Config) { c.Peers = map[wire.ReplicaID]string{9: "x:1"} }, "peer id 9"},
		{func(c *Config) { c.Peers = map[wire.ReplicaID]string{2: ""} }, "peer 2 has no address"},
		{func(c *Config) { c.MaxPeerOutbound = 1000 }, "cannot hold a message"},
		{func(c *Config) { c.MaxClients = -1 }, "negative limit"},
		{func(c *Config) { c.Tick = -1 }, "negative time"},
		{func(c *Config) { c.Buffers = nil }, "no buffers"},
		{func(c *Config) { c.Self, c.ClientAddr = 0, "" }, "no client address"},
		{func(c *Config) { c.MaxForwarded = -1 }, "negative limit"},
	}
	for _, test := range tests {
		cfg := testConfig()
		test.change(&cfg)
		if _, err := New(cfg, newTestHandler()); err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("error %v does not say %q", err, test.text)
		}
	}
	if _, err := New(testConfig(), newTestHandler()); err != nil {
		t.Error(err)
	}
}
