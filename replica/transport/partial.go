package transport

import (
	"fmt"
	"time"
)

// partials keeps account of the frames from clients that have not arrived whole, over all clients. A frame takes memory as it
// arrives. When all of them together take too much, the client is closed that holds most for longest.
type partials struct {
	limit int // bytes
	held  int
}

// gathering is what a client holds of a frame that has not arrived whole.
type gathering struct {
	held  int           // bytes of buffer
	frame uint64        // which of the client's frames it is
	begun time.Duration // when its first byte came
	heard time.Duration // when its last one so far came
}

// notePartial accounts for the client after bytes of it have been taken.
func (c *Client) notePartial() {
	p, g := &c.t.partials, &c.gathering
	if g.held == 0 || g.frame != c.framer.frames {
		g.begun, g.frame = c.t.now, c.framer.frames
	}
	g.heard = c.t.now
	held := cap(c.framer.body)
	p.held += held - g.held
	g.held = held
	for p.held > p.limit {
		c.t.closePartial()
	}
}

// cost is how much a client is in the way of others: what it holds times how long nothing of it has come. That a frame has
// begun long ago counts too, though less: who sends a byte now and then must not be better off than a slow link.
func (g *gathering) cost(now time.Duration) float64 {
	const oldest = 8 // times as long ago a frame began as another has been silent for, and they cost the same
	return float64(g.held) * float64(now-g.heard+(now-g.begun)/oldest+time.Millisecond)
}

// closePartial closes the client that costs most.
func (t *Transport) closePartial() {
	var worst *Client
	for i := range t.clients.places {
		c := t.clients.places[i].client
		if c != nil && c.gathering.held > 0 && (worst == nil || c.gathering.cost(t.now) > worst.gathering.cost(t.now)) {
			worst = c
		}
	}
	if worst == nil {
		panic(fmt.Sprintf("BUG: %d bytes of frames that nobody sends", t.partials.held))
	}
	worst.fault(FaultShortage, fmt.Sprintf("frame incomplete: %d bytes of it have come, and the memory for such frames, %d bytes, is needed for others",
		len(worst.framer.body), t.partials.limit))
}
