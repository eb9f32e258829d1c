package paxos

import (
	"slices"

	"paxosbench/wire"
)

// waiting is something that may only be said, or counted on, once a record is durable.
type waiting struct {
	record uint64          // number of the record
	kind   wire.RecordKind // what the record is about
	ballot wire.Ballot
	slot   wire.Slot // of a promise: the first one asked about
	bytes  int       // of a promise: wanted at most
}

// onPrepare answers phase 1 for every slot, those known chosen included: for them the acceptor's frontier answers
// (Paxos Made Simple, section 3).
func (c *Core) onPrepare(m *wire.Message) {
	if c.forgot || c.leased(m.From) {
		c.stats.Ignored++
		return
	}
	if m.Ballot.Replica() != m.From || m.Ballot < c.promised || m.Ballot == c.faulty {
		c.reject(m)
		return
	}
	if m.Ballot > c.promised {
		c.promise(m.Ballot)
		c.stepDown()
		c.leader = 0
	}
	c.candidate, c.candidateHeard = m.From, c.now
	// A Prepare is answered by one part of the promise, which may have been asked for before: the answer may have been lost.
	// One that still waits for the disk answers both, or the queue would grow with every copy. One that asks for nothing is
	// a sign of life.
	if m.MaxBytes() > 0 && !c.promiseWaits(m.Ballot) {
		c.waiting = append(c.waiting, waiting{
			record: c.appended, kind: wire.RecordPromise, ballot: m.Ballot, slot: m.Slot, bytes: min(m.MaxBytes(), c.cfg.Limits.PromiseBytes),
		})
	}
	c.resetDeadline()
	c.releaseWaiting()
}

func (c *Core) promiseWaits(b wire.Ballot) bool {
	return slices.ContainsFunc(c.waiting, func(w waiting) bool { return w.kind == wire.RecordPromise && w.ballot == b })
}

// promise raises the promised ballot; the record goes to the journal.
func (c *Core) promise(b wire.Ballot) {
	c.promised = b
	c.see(b)
	c.persist(wire.Record{Kind: wire.RecordPromise, Ballot: b})
}

// onAccept takes a batch for a slot under a ballot that is at least the promised one.
func (c *Core) onAccept(m *wire.Message) {
	if c.forgot && m.Ballot.Replica() == m.From {
		c.follow(m.From, m.Ballot)
		c.learnFrontier(m.From, m.Ballot, m.Commit)
		c.stats.Ignored++
		return
	}
	if m.Ballot.Replica() != m.From || m.Ballot < c.promised || m.Ballot == c.faulty || c.contradicts(m) {
		c.reject(m)
		return
	}
	c.follow(m.From, m.Ballot)
	c.noteFrontier(m.Ballot, m.Commit) // before a record is made, which carries the index (see restore.go)
	switch {
	case m.Slot <= c.commit:
		c.answerChosen(m)
	case c.isDuplicate(m):
		c.answerDuplicate(m)
	case !c.mayHold(m):
		c.stats.Ignored++ // catch-up will bring it
	default:
		c.accept(m.Ballot, m.Slot, Entry{Ballot: m.Ballot, Payload: m.Payload})
		m.Body = nil
	}
	c.learnFrontier(m.From, m.Ballot, m.Commit)
}

// mayHold bounds what a leader adds above the commit index, in slots and in bytes: Trim bounds what is below. The slot
// after the index is always taken, or nothing would ever move, and so is one for which something has been accepted
// already: a new leader proposes again what this replica may have brought with it from its journal, however much it is.
func (c *Core) mayHold(m *wire.Message) bool {
	return m.Slot == c.commit+1 || c.log.get(m.Slot) != nil || m.Slot <= c.commit+c.cfg.Limits.MaxAhead && c.log.bytes <= c.maxLogBytes()+c.windowCost()
}

// windowCost is the most that the window of a leader with the same configuration may cost in the log: the log counts whole buffers,
// the window the bytes in them. An acceptor that held less would turn away what the leader may have in flight, and the quorum
// may need it.
func (c *Core) windowCost() int {
	return int(c.cfg.Limits.MaxAhead)*(entryOverhead+wire.MinBuffer) + 2*c.cfg.WindowBytes
}

// accept stores the entry, and acknowledges it when the record is durable. The record holds the ballot, which is the
// promise as well: one record, one sync.
func (c *Core) accept(b wire.Ballot, s wire.Slot, e Entry) {
	c.promised = max(c.promised, b)
	c.see(b)
	c.log.put(s, e)
	record := c.persist(wire.Record{Kind: wire.RecordAccept, Ballot: b, Slot: s, Payload: e.Payload})
	c.waiting = append(c.waiting, waiting{record: record, kind: wire.RecordAccept, ballot: b, slot: s})
}

// isDuplicate reports whether the very same acceptance is already in the log. That it is the same value contradicts has
// seen to: a (ballot, slot) is used once.
func (c *Core) isDuplicate(m *wire.Message) bool {
	e := c.log.get(m.Slot)
	return e != nil && e.Ballot == m.Ballot
}

// answerDuplicate acknowledges again what is durable. What is not will be acknowledged by the first arrival.
func (c *Core) answerDuplicate(m *wire.Message) {
	c.stats.Ignored++
	if c.log.get(m.Slot).durable {
		c.sendAccepted(m.Ballot, m.Slot, m.Slot)
	}
}

// answerChosen answers an Accept for a slot that this replica knows chosen. If the value is still at hand and the same, it
// counts as accepted: it is durable on a quorum. Otherwise the proposer is told this replica's frontier, never given
// the chance to choose a second value. So is one of a ballot below that of the choice, whose message was long under way
// and may hold anything.
func (c *Core) answerChosen(m *wire.Message) {
	c.stats.Ignored++
	e := c.log.get(m.Slot)
	if e == nil || m.Ballot < e.Ballot {
		c.reject(m)
		return
	}
	c.sendAccepted(m.Ballot, m.Slot, m.Slot)
}

func (c *Core) reject(m *wire.Message) {
	c.stats.Rejected++
	c.sendTo(m.From, wire.NewReject(m.Ballot, c.promised, c.commit))
}

func (c *Core) sendAccepted(b wire.Ballot, first, last wire.Slot) {
	c.sendTo(b.Replica(), wire.NewAccepted(b, first, last, c.commit))
}

// releaseWaiting says everything whose record has become durable. Contiguous acceptances make one answer.
func (c *Core) releaseWaiting() {
	i := 0
	for i < len(c.waiting) && c.waiting[i].record <= c.persisted {
		switch w := c.waiting[i]; w.kind {
		case wire.RecordPromise:
			c.sendPromise(w)
			i++
		case wire.RecordChosen:
			c.markDurable(w)
			i++
		default:
			i += c.releaseAccepted(c.waiting[i:])
		}
	}
	c.waiting = append(c.waiting[:0], c.waiting[i:]...)
}

// releaseAccepted answers the acceptances at the head of queue that share a ballot and have contiguous slots, and
// returns how many these are.
func (c *Core) releaseAccepted(queue []waiting) int {
	first := queue[0]
	n := 0
	for n < len(queue) && queue[n].record <= c.persisted && queue[n].kind == wire.RecordAccept &&
		queue[n].ballot == first.ballot && queue[n].slot == first.slot+wire.Slot(n) {
		c.markDurable(queue[n])
		n++
	}
	last := first.slot + wire.Slot(n) - 1
	if first.ballot.Replica() == c.cfg.Self {
		c.vote(c.cfg.Self, first.ballot, first.slot, last)
	} else {
		c.sendAccepted(first.ballot, first.slot, last)
	}
	return n
}

func (c *Core) markDurable(w waiting) {
	if e := c.log.get(w.slot); e != nil && e.Ballot == w.ballot {
		e.durable = true
	}
}

// sendPromise tells a proposer what has been accepted above the commit index, from the slot on that it has asked about
// and in a part of the size that it has asked for.
func (c *Core) sendPromise(w waiting) {
	if w.ballot != c.promised {
		return // overtaken by a higher ballot, which has been or will be answered itself
	}
	if w.ballot.Replica() == c.cfg.Self {
		c.onOwnPromiseDurable()
		return
	}
	first := max(w.slot, c.commit+1)
	body, next := c.appendEntries(first, c.log.next-1, w.bytes)
	c.sendTo(w.ballot.Replica(), wire.NewPromise(w.ballot, c.commit, first, next-1, next < c.log.next, body))
}

// appendEntries encodes the entries of [from, last] until they exceed limit bytes, at least one if there is one, and
// returns them with the first slot not looked at. The body comes from the free list.
func (c *Core) appendEntries(from, last wire.Slot, limit int) (body []byte, next wire.Slot) {
	for from <= last {
		e := c.log.get(from)
		if e != nil {
			size := len(body) + wire.EntryHeaderSize + len(e.Body)
			if len(body) > 0 && size > limit {
				break
			}
			body = c.cfg.Buffers.Grow(body, size)
			body = wire.AppendEntry(body, &wire.Entry{
				Slot: from, Ballot: e.Ballot, Payload: e.Payload,
			})
		}
		from++
	}
	return body, from
}
