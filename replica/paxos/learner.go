package paxos

import (
	"fmt"
	"time"

	"paxosbench/wire"
)

// learnFrontier takes a leader's word that every slot up to frontier is chosen.
func (c *Core) learnFrontier(from wire.ReplicaID, b wire.Ballot, frontier wire.Slot) {
	switch {
	case b > c.knownBallot:
		c.knownBallot, c.known = b, frontier
	case b == c.knownBallot:
		c.known = max(c.known, frontier)
	}
	c.learnTarget(from, frontier)
}

// learnTarget takes anybody's word that every slot up to target is chosen. It moves the frontier only as far as the
// values are at hand, and else says what to fetch and where.
func (c *Core) learnTarget(from wire.ReplicaID, target wire.Slot) {
	if target > c.target {
		c.target, c.targetFrom = target, from
	}
	c.advance()
}

// advance moves the commit frontier towards the known one. A slot may be counted as chosen only if what stands in it
// was accepted under the ballot of the leader that says so: an older acceptance may hold another value. Where this
// stops short of what others know, the chosen values are fetched.
func (c *Core) advance() {
	for c.commit < c.known {
		e := c.log.get(c.commit + 1)
		if e == nil || e.Ballot != c.knownBallot {
			break
		}
		c.commit++
	}
	if c.commit < c.target {
		c.fetch()
	}
}

// fetch asks a peer that is ahead for the slots behind the frontier, one step at a time.
func (c *Core) fetch() {
	if c.fetching != 0 || c.role == Leader {
		return
	}
	c.fetching, c.fetchedAt = c.targetFrom, c.now
	if c.commit < c.sourceKnows {
		c.fetching = c.source
	}
	c.sendTo(c.fetching, wire.NewFetch(c.commit+1, c.cfg.Limits.FetchBytes))
}

// Prefer has what follows the frontier fetched from a peer, and not from the one that knows most, until it has no more
// or does not answer: one whose entries or snapshot have been taken has what comes next, which others may have lost.
func (c *Core) Prefer(peer wire.ReplicaID) { c.source, c.sourceKnows = peer, c.target }

// fetchPatience is how long a step of catch-up may take before another peer is asked.
func (c *Core) fetchPatience() time.Duration { return c.cfg.ElectionTimeout }

// tickFetch turns to the next peer when the one asked does not answer.
func (c *Core) tickFetch() {
	if c.fetching == 0 || c.now < c.fetchedAt+c.fetchPatience() {
		return
	}
	c.targetFrom = c.peerAfter(c.fetching)
	c.fetching, c.sourceKnows = 0, 0
	c.advance()
}

func (c *Core) peerAfter(id wire.ReplicaID) wire.ReplicaID {
	n := len(c.cfg.Replicas)
	for i := range 2 * n {
		peer := c.cfg.Replicas[i%n]
		if peer != c.cfg.Self && (peer > id || i >= n) {
			return peer
		}
	}
	panic(fmt.Sprintf("BUG: replica %d has no peer", c.cfg.Self))
}

// onFetch answers a lagging peer with chosen entries. What is no longer in memory is the driver's to find.
func (c *Core) onFetch(m *wire.Message) {
	if m.Slot == 0 || m.Slot > c.commit {
		c.sendTo(m.From, wire.NewEntries(m.Slot, 0, c.commit, nil))
		return
	}
	limit := min(m.MaxBytes(), c.cfg.Limits.FetchBytes)
	if m.Slot < c.log.first {
		c.out.Fetches = append(c.out.Fetches, Fetch{Peer: m.From, From: m.Slot, Through: c.log.first - 1, MaxBytes: limit})
		return
	}
	body, next := c.appendEntries(m.Slot, c.commit, limit)
	c.sendTo(m.From, wire.NewEntries(m.Slot, next-1, c.commit, body))
}

// onEntries takes chosen entries. They extend the frontier; what does not join it is dropped.
func (c *Core) onEntries(m *wire.Message) {
	if c.role == Leader {
		c.stats.Ignored++
		return
	}
	if m.Truncated() {
		if m.From == c.fetching && m.Slot > c.commit+1 {
			c.out.Snapshot = m.From // fetching stays set: nothing else is asked for until it is here or patience ends
			c.fetchedAt = c.now
		}
		return
	}
	before := c.commit
	if err := c.decide(m.Body); err != nil {
		c.stats.Ignored++
		return
	}
	if m.From == c.fetching && c.commit > before {
		c.source, c.sourceKnows = m.From, m.Commit
		c.fetching = 0 // an answer that brings nothing leaves it set: patience ends, then another peer is asked
		if c.role == Candidate {
			c.resetDeadline()
		}
	}
	c.learnTarget(m.From, m.Commit)
	c.continuePhase1()
}

// decide appends chosen entries to the log and moves the frontier over them.
func (c *Core) decide(body []byte) error {
	for len(body) > 0 {
		entry, n, err := wire.DecodeEntry(body)
		if err != nil {
			return err
		}
		body = body[n:]
		if entry.Slot != c.commit+1 {
			continue
		}
		c.decideEntry(&entry)
	}
	return nil
}

func (c *Core) decideEntry(entry *wire.Entry) {
	e := Entry{Ballot: entry.Ballot, Payload: entry.Payload}
	e.Body = append(c.cfg.Buffers.Get(len(entry.Body)), entry.Body...)
	c.log.put(entry.Slot, e)
	record := c.persist(wire.Record{
		Kind: wire.RecordChosen, Ballot: e.Ballot, Slot: entry.Slot, Commit: entry.Slot,
		Payload: e.Payload,
	})
	c.waiting = append(c.waiting, waiting{record: record, kind: wire.RecordChosen, ballot: e.Ballot, slot: entry.Slot})
	c.commit = entry.Slot
	c.stats.Fetched++
}

// Restore takes one record of the journal of an earlier life, in order. r.Body is copied. Frontiers that records carry
// are taken as in live traffic, so that Commit moves on during the replay and the caller can apply and Trim.
func (c *Core) Restore(r *wire.Record) {
	if r.Kind != wire.RecordChosen {
		c.promised = max(c.promised, r.Ballot)
		c.maxSeen = max(c.maxSeen, r.Ballot)
	}
	if r.Kind != wire.RecordPromise && r.Slot > c.commit {
		c.restoreEntry(r)
	}
}

func (c *Core) restoreEntry(r *wire.Record) {
	e := Entry{Ballot: r.Ballot, Payload: r.Payload, durable: true}
	e.Body = append(c.cfg.Buffers.Get(len(r.Body)), r.Body...)
	c.log.put(r.Slot, e)
	if r.Kind == wire.RecordChosen && r.Slot == c.commit+1 {
		c.commit = r.Slot
		return
	}
	for c.commit < r.Commit {
		e := c.log.get(c.commit + 1)
		if e == nil || e.Ballot != r.Ballot {
			return
		}
		c.commit++
	}
}
