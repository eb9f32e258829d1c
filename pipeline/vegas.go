package pipeline

import (
	"math"
	"time"

	"paxosbench/wire"
)

// vegas adapts the depth to the path a slot takes, in the way of TCP Vegas (Brakmo and Peterson, "TCP Vegas: New
// Techniques for Congestion Detection and Avoidance", 1994). A slot that finds the path empty is decided after base.
// With depth slots in flight a decision takes latency, and depth*(1-base/latency) of them are not on their way but
// waiting in a queue: for the disk, the network or a core. The depth follows that number, once per round of depth
// decided slots:
//
//   - below alpha the path could take more: one slot more, if the depth was what held the proposer back;
//   - above beta slots only wait: one slot less. What they carried gathers in larger batches instead.
//
// base is the least latency of a horizon. A minimum over time alone has a flaw where the queue never drains: once
// the latency of the empty path is forgotten the queue passes for the path, and the depth creeps up with every
// horizon. So each horizon begins with a probe: the depth is 1 until one slot has travelled alone and measured the
// path itself (BBR's ProbeRTT serves the same end).
type vegas struct {
	limit int
	depth int

	full    bool          // the depth held the proposer back in this round
	decided int           // slots decided in this round
	sum     time.Duration // their latencies

	base        time.Duration // least latency of this horizon
	horizonFrom time.Duration

	probing   bool
	probeFrom wire.Slot // slots from here on were opened while probing, hence alone
}

const (
	vegasStart = 2
	alpha      = 1 // queued slots below which the depth grows
	beta       = 3 // queued slots above which it shrinks

	// horizon is long against a decision, so that probes cost nothing that shows, and short against changes of the
	// path that last.
	horizon = 5 * time.Second
)

// newVegas returns a vegas whose first horizon begins with the first decision.
func newVegas(limit int) vegas {
	return vegas{limit: limit, depth: min(vegasStart, limit), horizonFrom: -horizon}
}

// current returns the depth to be kept now.
func (v *vegas) current() int {
	if v.probing {
		return 1
	}
	return v.depth
}

// interval returns the time between slots that are spread over the path; 0 before the first has measured it.
func (v *vegas) interval() time.Duration { return v.base / time.Duration(v.depth) }

// opened notes that inFlight slots are in flight after one was opened.
func (v *vegas) opened(inFlight int) {
	v.full = v.full || inFlight >= v.depth
}

// observe takes in a slot decided at now, latency after it was opened, while the slot to be opened next is next.
func (v *vegas) observe(slot wire.Slot, latency, now time.Duration, next wire.Slot) {
	if now-v.horizonFrom >= horizon {
		v.turn(now, next)
	}
	v.base = min(v.base, latency)
	if v.probing {
		if slot >= v.probeFrom {
			v.probing = false
			v.newRound()
		}
		return
	}
	v.sum += latency
	if v.decided++; v.decided >= v.depth {
		v.adjust()
		v.newRound()
	}
}

// turn starts a new horizon. The base counts for nothing before the probe has ended.
func (v *vegas) turn(now time.Duration, next wire.Slot) {
	v.base = math.MaxInt64
	v.horizonFrom = now
	v.probing, v.probeFrom = true, next
}

func (v *vegas) newRound() {
	v.full, v.decided, v.sum = false, 0, 0
}

// adjust moves the depth by at most one, by the latencies of the round that ends.
func (v *vegas) adjust() {
	queued := 0.0
	if v.sum > 0 {
		latency := float64(v.sum) / float64(v.decided)
		queued = float64(v.depth) * (1 - float64(v.base)/latency)
	}
	switch {
	case queued < alpha && v.full:
		v.depth = min(v.depth+1, v.limit)
	case queued > beta:
		v.depth = max(v.depth-1, 1)
	}
}
