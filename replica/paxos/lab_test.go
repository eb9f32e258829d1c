package paxos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"paxosbench/pipeline"
	"paxosbench/wire"
)

// lab is a cluster driven by hand: nothing moves, on the network, on a disk or on a clock, unless it is told to. What
// happens is written to trace, one line per event.
type lab struct {
	t      testing.TB
	cfg    Config
	now    time.Duration
	nodes  map[wire.ReplicaID]*node
	flight []wire.Message // in the order in which they were sent
	cut    map[link]bool
	trace  strings.Builder
}

// link is one direction between two replicas.
type link struct{ from, to wire.ReplicaID }

func linkOf(m *wire.Message) link { return link{m.From, m.To} }

// newLab returns n replicas with majorities for quorums, unless change says otherwise.
func newLab(t testing.TB, n int, change ...func(*Config)) *lab {
	l := &lab{t: t, nodes: map[wire.ReplicaID]*node{}, cut: map[link]bool{}}
	l.cfg = labConfig(n)
	for _, f := range change {
		f(&l.cfg)
	}
	for _, id := range l.cfg.Replicas {
		l.nodes[id] = newNode(t, id)
		l.nodes[id].start(l.cfg, l.now)
	}
	return l
}

func labConfig(n int) Config {
	cfg := Config{
		Quorum1: Majority(n), Quorum2: Majority(n), Heartbeat: 20 * time.Millisecond, ElectionTimeout: 100 * time.Millisecond,
		Depth: pipeline.Depth{N: 16}, WindowBytes: 1 << 20, LogBytes: 1 << 20, Seed: 1,
	}
	for id := range n {
		cfg.Replicas = append(cfg.Replicas, wire.ReplicaID(id+1))
	}
	return cfg
}

func (l *lab) core(id wire.ReplicaID) *Core { return l.nodes[id].core }

// wait lets time pass without any replica noticing.
func (l *lab) wait(d time.Duration) { l.now += d }

func (l *lab) tick(id wire.ReplicaID) {
	l.at(id, func(n *node) { n.core.Tick(l.now) })
}

// propose has a leader propose batches, as far as its window has room.
func (l *lab) propose(id wire.ReplicaID, batches ...string) {
	l.at(id, func(n *node) {
		for _, text := range batches {
			if !n.core.CanPropose(l.now, false) {
				l.printf("%d cannot propose %q: %v, window of %d", id, text, n.core.Role(), n.core.Depth())
				continue
			}
			n.core.Propose(l.now, 1, batch(text))
		}
	})
}

// persist makes the oldest k records durable that a replica has pending; all of them if k is 0.
func (l *lab) persist(id wire.ReplicaID, k int) {
	if n := l.nodes[id]; k == 0 || k > len(n.pending) {
		k = len(n.pending)
	}
	l.at(id, func(n *node) {
		if k > 0 {
			l.printf("%d has synced %s", id, count(k, "record"))
			n.persist(l.now, k)
		}
	})
}

// deliver delivers what is in flight on a link, oldest first.
func (l *lab) deliver(on link) {
	for _, m := range l.take(on) {
		l.arrive(m)
	}
}

// deliverAll delivers everything in flight, and what is sent in answer, until nothing is.
func (l *lab) deliverAll() {
	for len(l.flight) > 0 {
		m := l.flight[0]
		l.flight = l.flight[1:]
		l.arrive(m)
	}
}

// settle delivers and persists until nothing is left to do.
func (l *lab) settle() {
	for busy := true; busy; {
		l.deliverAll()
		busy = false
		for _, id := range l.cfg.Replicas {
			if len(l.nodes[id].pending) > 0 {
				l.persist(id, 0)
				busy = true
			}
		}
	}
}

// elect makes replica id the leader, everybody else agreeing.
func (l *lab) elect(id wire.ReplicaID) {
	l.wait(2 * l.cfg.ElectionTimeout)
	l.tick(id)
	l.settle()
	if l.core(id).Role() != Leader {
		l.t.Fatalf("replica %d was not elected:\n%s", id, &l.trace)
	}
}

// take takes what is in flight on a link off the network.
func (l *lab) take(on link) []wire.Message {
	var taken []wire.Message
	rest := l.flight[:0]
	for _, m := range l.flight {
		if linkOf(&m) == on {
			taken = append(taken, m)
		} else {
			rest = append(rest, m)
		}
	}
	l.flight = rest
	return taken
}

// takeAll takes everything off the network.
func (l *lab) takeAll() []wire.Message {
	all := l.flight
	l.flight = nil
	return all
}

func (l *lab) arrive(m wire.Message) {
	n := l.nodes[m.To]
	switch {
	case l.cut[linkOf(&m)] || !n.up:
		l.printf("%d -| %d  %v", m.From, m.To, &m)
	case m.Type == wire.TypeSnapshotFetch:
		l.printf("%d <- %d  %v", m.To, m.From, &m)
		from := l.nodes[m.To]
		l.send(wire.Message{Type: wire.TypeSnapshotChunk, From: m.To, To: m.From, Slot: from.snapshot})
	case m.Type == wire.TypeSnapshotChunk:
		l.printf("%d <- %d  %v", m.To, m.From, &m)
		l.at(m.To, func(n *node) { n.install(l.nodes[m.From].history[:m.Slot]) })
	default:
		l.printf("%d <- %d  %v", m.To, m.From, &m)
		l.at(m.To, func(n *node) { n.step(l.now, m) })
	}
}

func (l *lab) send(m wire.Message) {
	l.flight = append(l.flight, m)
	l.printf("%d -> %d  %v", m.From, m.To, &m)
}

// crash stops a replica; with loseDisk its journal is gone as well.
func (l *lab) crash(id wire.ReplicaID, loseDisk bool) { l.nodes[id].crash(loseDisk) }

func (l *lab) restart(id wire.ReplicaID) {
	n := l.nodes[id]
	n.start(l.cfg, l.now)
	l.printf("%d restored %s: promised %v, commit %d, log %d to %d", id, count(len(n.journal), "record"),
		n.core.promised, n.core.commit, n.core.log.first, n.core.log.next-1)
}

// at lets a live replica act and carries out what comes of it.
func (l *lab) at(id wire.ReplicaID, act func(*node)) {
	n := l.nodes[id]
	if !n.up {
		return
	}
	role, leader, voting, applied := n.core.Role(), n.core.Leader(), n.core.Voting(), n.applied()
	act(n)
	ready := n.ready()
	if now := n.core.Role(); now != role {
		l.printf("%d %v => %v", id, role, now)
	}
	if now := n.core.Leader(); now != leader && now != 0 && now != id {
		l.printf("%d follows %d", id, now)
	}
	if n.core.Voting() != voting {
		l.printf("%d votes again", id)
	}
	l.carryOut(n, &ready)
	if n.applied() > applied {
		l.printf("%d commits %s", id, describeHistory(n.history, applied))
	}
}

func (l *lab) carryOut(n *node, ready *Ready) {
	for i := range ready.Records {
		l.printf("%d appends %v", n.id, &ready.Records[i])
	}
	for _, m := range ready.Messages {
		l.send(m)
	}
	for _, f := range ready.Fetches {
		l.printf("%d looks for slot %d in its journal", n.id, f.From)
		l.send(n.answer(f))
	}
	if ready.Snapshot != 0 {
		l.send(wire.Message{Type: wire.TypeSnapshotFetch, From: n.id, To: ready.Snapshot})
	}
	for _, a := range ready.Accusations {
		l.printf("%d accuses %d: %s", n.id, a.Peer, a.Text)
	}
}

func (l *lab) printf(format string, args ...any) { fmt.Fprintf(&l.trace, format+"\n", args...) }
