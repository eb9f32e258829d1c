package sim

import (
	"slices"
	"time"

	"paxosbench/wire"
)

// link is the way from one replica to another.
type link struct {
	cut     bool // what arrives is lost
	clogged bool // what arrives is held back
	held    []func()
	slow    time.Duration // on top of the delay that everything has

	control, bulk lane // where the network is one of streams
}

func (w *world) link(from, to *replica) *link { return &w.links[from.id][to.id] }

// each calls do for the links from some replicas to others.
func (w *world) each(from, to []*replica, do func(*link)) {
	for _, a := range from {
		for _, b := range to {
			if a != b {
				do(w.link(a, b))
			}
		}
	}
}

func (w *world) cut(from, to []*replica)  { w.each(from, to, func(l *link) { l.cut = true }) }
func (w *world) join(from, to []*replica) { w.each(from, to, func(l *link) { l.cut = false }) }
func (w *world) clog(from, to []*replica) { w.each(from, to, func(l *link) { l.clogged = true }) }

// partition cuts some links for a while: a random group off from the rest, in both directions or one.
func (w *world) partition() {
	w.counts.Partitions++
	var sides [2][]*replica
	for _, r := range w.replicas {
		at := w.rng.IntN(2)
		sides[at] = append(sides[at], r)
	}
	oneWay := w.rng.IntN(3) == 0
	w.cut(sides[1], sides[0])
	if !oneWay {
		w.cut(sides[0], sides[1])
	}
	w.logf("partition of %v from %v, one way: %v", ids(sides[1]), ids(sides[0]), oneWay)
	w.after(w.between(w.electionTimeout/2, 6*w.electionTimeout), func() {
		if !w.plotting && !w.calm {
			w.join(w.replicas, w.replicas)
			w.logf("network whole")
		}
	})
}

// swizzle clogs some links one after the other, each in one direction, and frees them one after the other in another
// order. What was held back arrives at once, behind what has overtaken it.
func (w *world) swizzle() {
	w.counts.Clogs++
	for _, a := range w.replicas {
		for _, b := range w.replicas {
			if a == b || w.rng.IntN(3) != 0 {
				continue
			}
			l := w.link(a, b)
			w.after(w.between(0, w.electionTimeout), func() { l.clogged = !w.calm && !w.plotting })
			w.after(w.between(w.electionTimeout, 8*w.electionTimeout), func() {
				if !w.plotting {
					w.unclog(l)
				}
			})
		}
	}
	w.logf("links clog")
}

// unclog has everything arrive that was held back.
func (w *world) unclog(l *link) {
	l.clogged = false
	for _, deliver := range take(&l.held) {
		deliver()
	}
}

// drain takes what is held back off some links.
func (w *world) drain(from, to []*replica) (held []func()) {
	w.each(from, to, func(l *link) { held = append(held, take(&l.held)...) })
	return held
}

// slowLink makes one link slow for a while.
func (w *world) slowLink() {
	a, b := w.replicas[w.rng.IntN(len(w.replicas))], w.replicas[w.rng.IntN(len(w.replicas))]
	if a == b {
		return
	}
	w.counts.SlowLinks++
	l := w.link(a, b)
	l.slow = w.between(w.heartbeat, 3*w.electionTimeout)
	w.logf("the link from %d to %d takes %v longer", a.id, b.id, l.slow)
	w.after(w.between(w.electionTimeout, 8*w.electionTimeout), func() { l.slow = 0 })
}

// reconnect makes the network whole, and loses what was held back.
func (w *world) reconnect() {
	w.links = [wire.MaxReplicas + 1][wire.MaxReplicas + 1]link{}
	w.logf("network whole")
}

// transmit carries something over the network, or does not. Every copy takes its own time, so that later messages
// overtake earlier ones.
func (w *world) transmit(extra time.Duration, deliver func()) {
	copies := 1
	if w.chance(w.loss) {
		w.counts.Lost++
		copies--
	}
	if w.chance(w.duplication) {
		w.counts.Duplicated++
		copies++
	}
	for range copies {
		delay := w.delay/2 + w.exponential(w.delay/2) + extra
		if !w.calm && w.chance(w.stale) {
			delay += w.between(0, 6*w.electionTimeout) // from long ago, from other ballots
		}
		w.after(delay, deliver)
	}
}

// Send implements node.Driver.
func (r *replica) Send(m *wire.Message) {
	w := r.w
	sent := *m
	sent.Body = slices.Clone(m.Body)
	w.check.send(r, &sent)
	if r.astray && sent.Type == wire.TypeSnapshotChunk {
		return // whoever installed it would go astray as well (see docs/safety.md)
	}
	to := w.replicas[sent.To-1]
	order := w.order
	deliver := func() {
		w.counts.Delivered++
		w.logf("%d <- %d %v", to.id, r.id, &sent)
		to.act(func() {
			copied := sent
			copied.Body = slices.Clone(sent.Body)
			w.check.delivered(to, &sent, order)
			to.node.Step(to.clock(), &copied)
		}, true)
	}
	l := w.link(r, to)
	arrive := func() {
		switch {
		case w.spy != nil && w.spy(r, to, &sent, deliver):
		case l.cut:
			w.counts.Lost++
		case l.clogged:
			l.held = append(l.held, deliver)
		default:
			deliver()
		}
	}
	arriving := func() {
		if !l.cut && !l.clogged && w.spy == nil {
			to.act(func() { to.node.Arriving(to.clock(), r.id, sent.Type) }, true)
		}
	}
	if w.streams.on {
		w.stream(l.laneOf(&sent), wire.MessageHeaderSize+len(sent.Body), l.slow, arriving, arrive)
	} else {
		w.transmit(l.slow, arrive)
	}
}

// take returns a slice and leaves nothing in its place.
func take[T any](s *[]T) []T {
	taken := *s
	*s = nil
	return taken
}

func ids(replicas []*replica) []wire.ReplicaID {
	var ids []wire.ReplicaID
	for _, r := range replicas {
		ids = append(ids, r.id)
	}
	return ids
}
