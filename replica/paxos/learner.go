package paxos

import (
	"paxosbench/wire"
)

// learnFrontier takes a leader's word that every slot up to frontier is chosen.
func (c *Core) learnFrontier(from wire.ReplicaID, b wire.Ballot, frontier wire.Slot) {
	c.noteFrontier(b, frontier)
	c.learnTarget(from, frontier)
}

// noteFrontier takes it for the slots that are at hand.
func (c *Core) noteFrontier(b wire.Ballot, frontier wire.Slot) {
	switch {
	case b > c.knownBallot:
		c.knownBallot, c.known = b, frontier
	case b == c.knownBallot:
		c.known = max(c.known, frontier)
	}
	c.passChosen()
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
	c.passChosen()
	c.fetch()
}

// passChosen moves the commit index as far as the values are at hand.
func (c *Core) passChosen() {
	for c.commit < c.known {
		e := c.log.get(c.commit + 1)
		if e == nil || e.Ballot != c.knownBallot {
			break
		}
		c.commit++
		c.fetching.current = c.now
	}
}

// decide appends chosen entries to the log and moves the commit index over them. It reports whether they are what a
// replica can have sent; those before one that is not are taken.
func (c *Core) decide(body []byte) bool {
	for len(body) > 0 {
		entry, n, err := wire.DecodeEntry(body)
		if err != nil || entry.Ballot == 0 {
			return false
		}
		body = body[n:]
		if entry.Slot == c.commit+1 {
			c.decideEntry(&entry)
		}
	}
	return true
}

func (c *Core) decideEntry(entry *wire.Entry) {
	e := Entry{Ballot: entry.Ballot, Payload: entry.Payload}
	e.Body = append(c.cfg.Buffers.Get(len(entry.Body)), entry.Body...)
	c.log.put(entry.Slot, e)
	c.commit = entry.Slot
	record := c.persist(wire.Record{Kind: wire.RecordChosen, Ballot: e.Ballot, Slot: entry.Slot, Payload: e.Payload})
	c.waiting = append(c.waiting, waiting{record: record, kind: wire.RecordChosen, ballot: e.Ballot, slot: entry.Slot})
	c.stats.Fetched++
}
