package transport

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"paxosbench/wire"
)

// Frames that do not arrive whole take so much memory and no more, however many clients send some. One that does arrive gets
// through, and nothing is left when the clients have gone.
func TestPartialFrames(t *testing.T) {
	cfg := testConfig()
	cfg.MaxPartial = minPartial
	h := newTestHandler()
	tr, _ := start(t, cfg, h)
	whole := requestFrame(pattern(wire.MaxBatch, 1))
	held := func() (n int) {
		onLoop(tr, func() { n = tr.partials.held })
		return n
	}
	var crowd []*remote
	for range 12 {
		r := join(t, tr)
		r.send(whole[:len(whole)-1])
		crowd = append(crowd, r)
		if n := held(); n > minPartial {
			t.Fatalf("%d bytes are held of frames that have not arrived, limit %d", n, minPartial)
		}
	}
	bystander := join(t, tr)
	bystander.send(whole)
	bystander.expect(wire.TypeReply)
	if s := counters(tr); s.Faults[FaultShortage] < uint64(len(crowd))-2 {
		t.Errorf("%d of %d clients closed", s.Faults[FaultShortage], len(crowd))
	}
	crowd[0].expectFault("frame incomplete", "needed for others")
	for _, r := range crowd {
		_ = r.Close()
	}
	for deadline := patienceEnds(); held() != 0; deadline.check(t, "the account to be closed") {
	}
}

// Of what is in the way: most, for longest, without news.
func TestPartialCost(t *testing.T) {
	now := time.Minute
	worst := []gathering{ // from the worst on
		{held: 4 << 20, begun: 0, heard: 0},
		{held: 2 << 20, begun: 0, heard: 0},
		{held: 4 << 20, begun: 0, heard: now}, // trickles
		{held: 4 << 20, begun: now - time.Second, heard: now},
		{held: 512, begun: 0, heard: 0},
		{held: 512, begun: now, heard: now},
	}
	for i := 1; i < len(worst); i++ {
		if a, b := worst[i-1].cost(now), worst[i].cost(now); a <= b {
			t.Errorf("%+v costs %g, %+v costs %g", worst[i-1], a, worst[i], b)
		}
	}
}

// Among ten thousand clients the one that costs most is found by a look at each size, whatever comes and goes.
func TestCostliestIsFoundAtOnce(t *testing.T) {
	const crowd, sizes = 10_000, 14
	rng := rand.New(rand.NewPCG(5, 0))
	var p partials
	clients := make([]*Client, crowd)
	now := time.Duration(0)
	hear := func(c *Client) {
		p.leave(c)
		if rng.IntN(3) == 0 {
			c.gathering.begun = now
		}
		c.gathering.heard = now
		p.join(c, wire.MinBuffer<<rng.IntN(sizes))
	}
	for i := range clients {
		now += time.Microsecond
		clients[i] = new(Client)
		hear(clients[i])
	}
	for range 300 {
		for range 50 {
			now += time.Duration(rng.IntN(1000)) * time.Microsecond
			hear(clients[rng.IntN(crowd)])
		}
		p.looks = 0
		worst := p.costliest(now)
		if p.looks > sizes {
			t.Fatalf("%d looks at %d clients of %d sizes", p.looks, crowd, sizes)
		}
		for _, c := range clients {
			if c.gathering.held > 0 && c.gathering.cost(now) > worst.gathering.cost(now) {
				t.Fatalf("%+v is closed, and %+v costs more", worst.gathering, c.gathering)
			}
		}
		p.leave(worst)
	}
	for _, c := range clients {
		p.leave(c)
	}
	if p.held != 0 || p.costliest(now) != nil {
		t.Errorf("%d bytes are left", p.held)
	}
}

// BenchmarkPartialsAtTheirLimit is what a small read costs while ten thousand clients hold half frames: one of them has to go for it.
func BenchmarkPartialsAtTheirLimit(b *testing.B) {
	const crowd = 10_000
	var p partials
	clients := make([]*Client, crowd)
	for i := range clients {
		clients[i] = new(Client)
		clients[i].gathering.heard = time.Duration(i)
		p.join(clients[i], wire.MinBuffer<<(i%14))
	}
	now := time.Duration(crowd)
	for i := 0; b.Loop(); i++ {
		now += time.Microsecond
		c := clients[i%crowd]
		held := c.gathering.held
		p.leave(c)
		c.gathering.heard = now
		p.join(c, max(held, wire.MinBuffer))
		worst := p.costliest(now)
		held = worst.gathering.held
		p.leave(worst)
		worst.gathering.heard = now
		p.join(worst, held) // another client's, in its place
	}
}

// Bytes that come one at a time take no more memory than there are.
func TestPartialFrameGrowsAsItArrives(t *testing.T) {
	tr, _ := start(t, testConfig(), newTestHandler())
	r := join(t, tr)
	frame := requestFrame(pattern(wire.MaxBatch, 1))
	sent := 0
	for _, n := range []int{wire.PrefixSize + 1, 2, 700, 5000, 100_000} {
		before := counters(tr).BytesIn
		r.send(frame[sent : sent+n])
		sent += n
		for deadline := patienceEnds(); counters(tr).BytesIn < before+uint64(n); deadline.check(t, "the bytes") {
		}
		onLoop(tr, func() {
			if held := tr.partials.held; held > max(wire.MinBuffer, 2*sent) {
				t.Errorf("%d bytes held of %d that have come", held, sent)
			}
		})
	}
}

// Limits that could not hold what they are for are refused.
func TestPartialLimitIsChecked(t *testing.T) {
	cfg := testConfig()
	cfg.MaxPartial, cfg.MaxUnread = minPartial-1, minUnread-1
	_, err := New(cfg, newTestHandler())
	for _, want := range []string{"frames that have not arrived whole", "answers that are not taken"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
