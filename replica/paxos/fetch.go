package paxos

import (
	"fmt"
	"time"

	"paxosbench/wire"
)

// A replica that is behind fetches chosen entries from a peer, a step at a time. A peer answers a Fetch with two parts of
// a step each, and the first part says where the second one ends: so the next question leaves while the second part is
// still under way, and a link with a long round trip is not idle in between. How large a step is and how long an answer
// is waited for follow the link (see Flow).
//
// Nothing is asked for twice while it arrives: of one peer at a time, only what is not held already, and not at all while
// what is missing may be on its way as an Accept. What comes late, from a peer that has been given up, is used like
// everything else that joins the commit index.

// fetching is the catch-up that is under way.
type fetching struct {
	flows [wire.MaxReplicas + 1]Flow // by peer
	sent  [wire.MaxReplicas + 1]question

	peer    wire.ReplicaID // that is asked, 0: none
	asked   wire.Slot      // first slot of the question of whose answer nothing has come, 0: none
	next    wire.Slot      // first one that has not been asked for
	ahead   wire.Message   // a part that has overtaken the one before it; without a body: none
	heard   time.Duration  // when the peer was asked first, or last brought something
	nothing bool           // it has answered that it has nothing of what was asked for
	current time.Duration  // when the commit index was last seen to move, or to be what it should

	source wire.ReplicaID // peer that entries are fetched from, as long as it knows slots beyond commit; see Prefer
	knows  wire.Slot      // its commit index
}

// question is what a peer has not answered. If it was asked again, nothing tells which of the questions an answer is to.
type question struct {
	open, again bool
	at          time.Duration // when it was asked first
}

func newFetching(cfg *Config) fetching {
	f := fetching{}
	for _, id := range cfg.Replicas {
		f.flows[id] = NewFlow(cfg.Limits.FetchBytes, cfg.ElectionTimeout, cfg.ElectionTimeout)
	}
	return f
}

// Prefer has what follows the commit index fetched from a peer, and not from the one that knows most, until it has no
// more or does not answer: one whose entries or snapshot have been taken has what comes next, which others may have lost.
func (c *Core) Prefer(peer wire.ReplicaID) { c.fetching.source, c.fetching.knows = peer, c.target }

// stopFetching ends the catch-up: there is nothing to fetch, or what was asked for is of no more use.
func (c *Core) stopFetching() { c.fetching.peer, c.fetching.asked = 0, 0 }

// fetch sees to it that what is chosen and not known here is asked for.
func (c *Core) fetch() {
	f := &c.fetching
	if c.role == Leader || c.commit >= c.target {
		c.stopFetching()
		f.current = c.now
		return
	}
	if f.peer == 0 {
		if c.mayArrive() {
			return
		}
		f.peer = c.targetFrom
		if c.commit < f.knows {
			f.peer = f.source
		}
		if c.isGone(f.peer) {
			f.peer = c.peerAfter(f.peer)
		}
		f.next, f.heard, f.nothing, f.ahead = c.commit+1, c.now, false, wire.Message{}
	}
	if f.asked == 0 {
		c.askForEntries()
	}
}

// mayArrive reports whether what is missing may be on its way as an Accept of the leader, which a heartbeat or a short
// message has overtaken: nothing that was sent later has come, and not much time has passed.
func (c *Core) mayArrive() bool {
	return c.role == Follower && !c.forgot && c.leader != 0 && c.targetFrom == c.leader && c.knownBallot == c.leaderBallot &&
		c.target <= c.commit+c.cfg.Limits.MaxAhead && !c.holds(c.log.next-1) && c.now < c.fetching.current+c.cfg.ElectionTimeout/2
}

// holds reports whether a slot is known to be chosen as it stands in the log, although the commit index has not come so
// far.
func (c *Core) holds(s wire.Slot) bool {
	e := c.log.get(s)
	return s > c.commit && e != nil && e.Ballot == c.knownBallot
}

// askForEntries asks for the next step.
func (c *Core) askForEntries() {
	f := &c.fetching
	first, last := c.missing(max(f.next, c.commit+1))
	if f.next = first; first > c.target {
		return
	}
	f.asked = first
	if q := &f.sent[f.peer]; q.open {
		q.again = true
	} else {
		*q = question{open: true, at: c.now}
	}
	c.sendTo(f.peer, wire.NewFetch(first, last, f.flows[f.peer].Bytes()))
}

// missing returns the first slot from s on that is not held, and the last one before the next that is.
func (c *Core) missing(s wire.Slot) (first, last wire.Slot) {
	held := min(c.known, c.log.next-1)
	for s <= held && c.holds(s) {
		s++
	}
	for last = s; last < held; last++ {
		if c.holds(last + 1) {
			return s, last
		}
	}
	return s, c.target
}

// tickFetch turns to the next peer when the one asked does not answer, or has nothing.
func (c *Core) tickFetch() {
	f := &c.fetching
	if c.role == Leader || f.peer != 0 && c.now < f.heard+f.wait(c.cfg.Heartbeat) {
		return
	}
	if f.peer != 0 {
		if !f.nothing {
			f.flows[f.peer].Silent()
		}
		c.fetchElsewhere()
	}
	c.advance()
}

// fetchElsewhere gives up the peer that is asked. The next one is, as soon as anything is to be asked for.
func (c *Core) fetchElsewhere() {
	c.targetFrom, c.fetching.knows = c.peerAfter(c.fetching.peer), 0
	c.stopFetching()
}

// wait returns how long the peer that is asked is waited for. Who has nothing may be the only one that is up, and is not asked
// again and again.
func (f *fetching) wait(heartbeat time.Duration) time.Duration {
	if f.nothing {
		return heartbeat
	}
	return f.flows[f.peer].Patience()
}

// peerAfter returns the next peer in a circle, one that is not gone if there is any.
func (c *Core) peerAfter(id wire.ReplicaID) wire.ReplicaID {
	n := len(c.cfg.Replicas)
	for i := range 3 * n {
		peer := c.cfg.Replicas[i%n]
		if peer != c.cfg.Self && (peer > id || i >= n) && (!c.isGone(peer) || i >= 2*n) {
			return peer
		}
	}
	panic(fmt.Sprintf("BUG: replica %d has no peer", c.cfg.Self))
}

// Arriving says that bytes of a message from a peer have come, of a type that may be long, and not all of them: what is asked for
// is not lost, however long it takes.
func (c *Core) Arriving(now time.Duration, from wire.ReplicaID, t wire.Type) {
	switch {
	case t == wire.TypeEntries && from == c.fetching.peer:
		c.fetching.heard = now
	case t == wire.TypePromise && c.isPeer(from):
		c.phase1.parts[from].arriving = now
	}
}

// onFetch answers a lagging peer with chosen entries, in two parts. What is no longer in memory is the driver's to find.
func (c *Core) onFetch(m *wire.Message) {
	if m.Slot == 0 || m.Slot > c.commit {
		c.sendTo(m.From, wire.NewEntries(m.Slot, 0, c.commit, nil))
		return
	}
	last := c.commit
	if m.Last() >= m.Slot {
		last = min(last, m.Last())
	}
	limit := min(m.MaxBytes(), c.cfg.Limits.FetchBytes)
	if m.Slot < c.log.first {
		c.out.Fetches = append(c.out.Fetches, Fetch{Peer: m.From, From: m.Slot, Through: min(last, c.log.first-1), MaxBytes: limit})
		return
	}
	first, middle := c.appendEntries(m.Slot, last, limit)
	if middle > last || len(first) > limit { // nothing more, or a batch that is longer than the step
		c.sendTo(m.From, wire.NewEntries(m.Slot, middle-1, c.commit, first))
		return
	}
	second, end := c.appendEntries(middle, last, limit)
	part := wire.NewEntries(m.Slot, middle-1, c.commit, first)
	part.SetThrough(end - 1)
	c.sendTo(m.From, part)
	c.sendTo(m.From, wire.NewEntries(middle, end-1, c.commit, second))
}

// onEntries takes chosen entries. They extend the commit index; what does not join it is dropped.
func (c *Core) onEntries(m *wire.Message) {
	f := &c.fetching
	if c.role == Leader {
		c.stats.Ignored++
		return
	}
	if m.Truncated() {
		if m.From == f.peer && m.Slot > c.commit+1 {
			c.out.Snapshot = m.From // the question stays open: nothing else is asked for until it is here or patience ends
			f.heard = c.now
		}
		return
	}
	before := c.commit
	if !c.decide(m.Body) {
		c.stats.Ignored++
	}
	if c.commit > before && c.role == Candidate {
		c.resetDeadline()
	}
	c.answered(m, c.commit > before)
	c.learnTarget(m.From, m.Commit)
	c.maybeBecomeLeader()
	if next := f.ahead; next.Body != nil && next.Slot <= c.commit+1 {
		f.ahead = wire.Message{}
		c.onEntries(&next)
		c.cfg.Buffers.Put(next.Body)
	}
}

// answered takes note of entries that have come, for the steps to come.
func (c *Core) answered(m *wire.Message, moved bool) {
	f := &c.fetching
	if m.From != f.peer {
		if moved {
			f.took(m, c.now) // late, from one that was given up
		}
		return
	}
	if moved {
		f.heard, f.nothing = c.now, false
		f.source, f.knows = m.From, m.Commit
	}
	switch {
	case m.Slot > c.commit+1:
		c.overtakes(m)
	case m.Slot == f.asked && m.Last() < m.Slot:
		f.took(m, c.now)
		f.heard, f.nothing = c.now, true
	case m.Slot == f.asked && m.Slot <= c.commit+1: // else it is a second part
		f.took(m, c.now)
		f.asked = 0
		f.next = max(f.next, min(m.Through(), m.Commit)+1)
	}
	if moved && c.commit >= m.Commit {
		c.stopFetching() // it has no more
	}
}

// overtakes takes note of a part that has come before the one that it follows. If it answers the newest question, what is missing is
// lost: the rest of the answer before. It is asked for at once, and not only when patience ends, which is long on a slow link. Where
// messages overtake each other it is asked for in vain.
func (c *Core) overtakes(m *wire.Message) {
	f := &c.fetching
	if m.Slot == f.asked {
		f.flows[m.From].Lost()
		f.asked, f.next = 0, c.commit+1
	}
	if f.ahead.Body == nil {
		f.ahead, m.Body = *m, nil
	}
}

// took measures an answer.
func (f *fetching) took(m *wire.Message, now time.Duration) {
	if q := f.sent[m.From]; q.open && !q.again {
		f.flows[m.From].Took(now-q.at, len(m.Body))
	}
	f.sent[m.From] = question{}
}
