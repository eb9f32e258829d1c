package transport

import (
	"container/heap"
	"fmt"
	"math/bits"
	"time"
)

// partials keeps account of the frames from clients that have not arrived whole, over all clients. A frame takes memory as it
// arrives. When all of them together take too much, the client is closed that holds most for longest. To find it takes a look at one
// client of each class, and not at all of them: who holds most may be closed ten thousand times in a row.
type partials struct {
	limit   int // bytes
	held    int
	classes [partialClasses]gatherings // by the length of gathering.held in bits
	looks   int                        // at clients, to find those to close
}

// partialClasses is more than the bits of the length of any buffer.
const partialClasses = 32

// gathering is what a client holds of a frame that has not arrived whole.
type gathering struct {
	held  int           // bytes of buffer
	frame uint64        // which of the client's frames it is
	begun time.Duration // when its first byte came
	heard time.Duration // when its last one so far came
	place int           // in its class, if it holds any
}

// gatherings are the clients of a class, as a heap: the one that has kept others waiting for longest comes first.
type gatherings []*Client

func (g gatherings) Len() int           { return len(g) }
func (g gatherings) Less(i, j int) bool { return g[i].gathering.since() < g[j].gathering.since() }

func (g gatherings) Swap(i, j int) {
	g[i], g[j] = g[j], g[i]
	g[i].gathering.place, g[j].gathering.place = i, j
}

// Push implements heap.Interface.
func (g *gatherings) Push(x any) {
	c := x.(*Client)
	c.gathering.place = len(*g)
	*g = append(*g, c)
}

// Pop implements heap.Interface.
func (g *gatherings) Pop() any {
	last := len(*g) - 1
	c := (*g)[last]
	(*g)[last] = nil
	*g = (*g)[:last]
	return c
}

// notePartial accounts for the client after bytes of it have been taken.
func (c *Client) notePartial() {
	held := cap(c.framer.body)
	if c.records != nil {
		held += c.records.Held()
	}
	if held == 0 && c.gathering.held == 0 {
		return
	}
	p, g := &c.t.partials, &c.gathering
	p.leave(c)
	if g.frame != c.framer.frames {
		g.begun, g.frame = c.t.now, c.framer.frames
	}
	g.heard = c.t.now
	p.join(c, held)
	for p.held > p.limit {
		c.t.closePartial()
	}
}

// join notes what a client holds, which must not be noted yet.
func (p *partials) join(c *Client, held int) {
	if held == 0 {
		return
	}
	c.gathering.held = held
	p.held += held
	heap.Push(&p.classes[bits.Len(uint(held))], c)
}

// leave forgets what a client holds.
func (p *partials) leave(c *Client) {
	g := &c.gathering
	if g.held == 0 {
		return
	}
	heap.Remove(&p.classes[bits.Len(uint(g.held))], g.place)
	p.held -= g.held
	g.held = 0
}

// ageShare is how many times as long ago a frame began as another has been silent for, and they cost the same.
const ageShare = 8

// since is the earlier the longer a client has been in the way: it counts how long nothing of the frame has come. That it has begun long
// ago counts too, though less: who sends a byte now and then must not be better off than a slow link.
func (g *gathering) since() time.Duration { return g.heard + g.begun/ageShare }

// cost is how much a client is in the way of others: what it holds times for how long.
func (g *gathering) cost(now time.Duration) float64 {
	return float64(g.held) * float64(now+now/ageShare-g.since()+time.Millisecond)
}

// costliest returns the client that costs most.
func (p *partials) costliest(now time.Duration) (worst *Client) {
	for _, class := range p.classes {
		if len(class) == 0 {
			continue
		}
		p.looks++
		if worst == nil || class[0].gathering.cost(now) > worst.gathering.cost(now) {
			worst = class[0]
		}
	}
	return worst
}

// closePartial closes the client that costs most.
func (t *Transport) closePartial() {
	worst := t.partials.costliest(t.now)
	if worst == nil {
		panic(fmt.Sprintf("BUG: %d bytes of frames that nobody sends", t.partials.held))
	}
	worst.fault(FaultShortage, fmt.Sprintf("frame incomplete: %d bytes of it have come, and the memory for such frames, %d bytes, is needed for others",
		len(worst.framer.body), t.partials.limit))
}
