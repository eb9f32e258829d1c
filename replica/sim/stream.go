package sim

import (
	"time"

	"paxosbench/wire"
)

// Half of the runs have a network of single messages, which are lost, doubled and reordered each by itself. The others have
// one of streams, as TCP gives: what is sent arrives in order and once, at the rate of the link, behind what was sent before;
// a sender whose queue is full loses the message; and a reset loses everything that is under way. Of the two networks each
// finds what the other cannot: reordering the first, starvation behind bulk the second.

// streams describes a network of streams.
type streams struct {
	on     bool
	rate   int           // bytes a second of each direction of a link, for bulk; 0: no limit
	queue  int           // bytes that may wait at the sender
	resets time.Duration // mean time between two; 0: never
}

// lane is one stream of a link in one direction.
type lane struct {
	free    time.Duration // when everything sent so far has left
	arrived time.Duration // when the newest of it arrives
	epoch   int           // counts resets: what was sent before one never arrives
}

// stream carries a message of a size over a lane, unless it finds the queue full. One that takes long is seen to arrive.
func (w *world) stream(l *lane, size int, extra time.Duration, arriving, deliver func()) {
	begins := max(l.free, w.now)
	leaves := begins
	if w.streams.rate > 0 {
		if waiting := leaves - w.now; int(waiting.Seconds()*float64(w.streams.rate)) > w.streams.queue {
			w.counts.QueueFull++
			return
		}
		leaves += time.Duration(float64(size) / float64(w.streams.rate) * float64(time.Second))
	}
	l.free = leaves
	l.arrived = max(l.arrived, leaves+w.delay/2+w.exponential(w.delay/2)+extra)
	epoch := l.epoch
	for at := l.arrived - (leaves - begins) + w.heartbeat; at < l.arrived; at += w.heartbeat {
		w.after(max(0, at-w.now), func() {
			if l.epoch == epoch {
				arriving()
			}
		})
	}
	w.after(l.arrived-w.now, func() {
		if l.epoch == epoch {
			deliver()
		}
	})
}

// laneOf returns the lane that a message takes. Bulk has its own, as in production.
func (l *link) laneOf(m *wire.Message) *lane {
	if m.Type.Bulk() {
		return &l.bulk
	}
	return &l.control
}

// reset ends the connections between two replicas: what is under way is lost, in both directions.
func (w *world) reset() {
	a, b := w.replicas[w.rng.IntN(len(w.replicas))], w.replicas[w.rng.IntN(len(w.replicas))]
	if a == b {
		return
	}
	w.counts.Resets++
	w.logf("the connections between %d and %d are reset", a.id, b.id)
	w.link(a, b).reset(w.now)
	w.link(b, a).reset(w.now)
}

// hangUp resets all connections of a replica: its process has ended.
func (w *world) hangUp(r *replica) {
	for _, o := range w.replicas {
		w.link(r, o).reset(w.now)
		w.link(o, r).reset(w.now)
	}
}

func (l *link) reset(now time.Duration) {
	for _, lane := range []*lane{&l.bulk, &l.control} {
		*lane = lane.next(now)
	}
}

// next returns the lane as a new connection finds it.
func (l *lane) next(now time.Duration) lane { return lane{free: now, arrived: now, epoch: l.epoch + 1} }
