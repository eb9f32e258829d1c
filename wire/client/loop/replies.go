package loop

import (
	"encoding/binary"
	"time"

	"paxosbench/wire"
)

// replies handles the body of a Reply or a QueryReply. An error condemns the connection.
func (c *conn) replies(frame wire.Type, body []byte, at time.Duration) error {
	for len(body) > 0 {
		run, n, err := wire.DecodeReplyRun(body)
		if err != nil {
			return err
		}
		body = body[n:]
		if frame == wire.TypeQueryReply {
			err = c.queryReply(&run, at)
		} else {
			err = c.commandReply(&run, at)
		}
		if err != nil {
			return err
		}
	}
	c.attempts = 0
	if !c.commands.empty() || !c.queries.empty() || len(c.registering) > 0 {
		c.markDirty()
	}
	return nil
}

// commandReply handles one reply run of a Reply.
func (c *conn) commandReply(run *wire.ReplyRun, at time.Duration) error {
	if run.Session == 0 {
		return c.registrationReply(run, at)
	}
	s := c.byID[run.Session]
	if s == nil {
		// A session that was lost, and the rest of what it had on the wire.
		c.loop.counters.Duplicates += int64(run.Count)
		return nil
	}
	return c.reply(s, run, at)
}

// queryReply handles one reply run of a QueryReply.
func (c *conn) queryReply(run *wire.ReplyRun, at time.Duration) error {
	s := c.loop.reader(run.Session)
	if s == nil || s.conn != c {
		c.loop.violation("answer to a query of reader %d, which did not send any", run.Session)
		return wire.ErrField
	}
	return c.reply(s, run, at)
}

// reply handles one reply run of a registered session or of a reader.
func (c *conn) reply(s *Session, run *wire.ReplyRun, at time.Duration) error {
	first, last := s.base+Number(run.First), s.base+Number(run.Last())
	if last > s.transmitted {
		c.loop.violation("session %d: answer to operations %d..%d, of which only those up to %d were sent", s.Index, first, last, s.transmitted)
		return wire.ErrField
	}
	if run.Uniform {
		c.outcome(s, first, run.Count, run.Status, at)
		return nil
	}
	return c.results(s, first, run, at)
}

// results walks a run whose results differ or carry values.
func (c *conn) results(s *Session, first Number, run *wire.ReplyRun, at time.Duration) error {
	rest := run.Results
	for i := range run.Count {
		result, n, err := wire.DecodeResult(rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
		number := first + Number(i)
		if !result.Status.Executed() || number != s.Answered+1 {
			c.outcome(s, number, 1, result.Status, at)
			continue
		}
		c.settle(s, 1, at)
		c.loop.sink.Result(&s.Stream, number, result.Status, result.Value, at)
	}
	if len(rest) != 0 {
		return wire.ErrLength
	}
	return nil
}

// gapsBelieved is how often in a row a session is told that a command is missing before its first unanswered one, until that
// counts: acknowledged commands are gone, and would never be executed.
const gapsBelieved = 3

// outcome handles one status that holds for count operations from first on.
func (c *conn) outcome(s *Session, first Number, count int, status wire.Status, at time.Duration) {
	switch status {
	case wire.StatusOK, wire.StatusNotFound, wire.StatusMismatch, wire.StatusFull:
		c.executed(s, first, count, status, at)
	case wire.StatusBusy:
		c.loop.counters.Busy += int64(count)
		c.refused(s, count, at)
	case wire.StatusGap:
		c.loop.counters.Gaps += int64(count)
		if first == s.Answered+1 {
			if s.gaps++; s.gaps == gapsBelieved {
				c.loop.violation("session %d: operation %d has a gap before it, although %d operations were answered", s.Index, first, s.Answered)
				c.lost(s, at)
				return
			}
		}
		c.refused(s, count, at)
	case wire.StatusNoSession:
		if s.Reads() {
			c.loop.violation("reader %d: query answered %v", s.Index, status)
		}
		c.lost(s, at)
	default:
		// Forgotten: the client never asks again for what it has said to hold.
		c.loop.violation("session %d: operations from %d on answered %v although they were never confirmed", s.Index, first, status)
		c.lost(s, at)
	}
}

// executed passes on the outcome of executed operations, except those answered before.
func (c *conn) executed(s *Session, first Number, count int, status wire.Status, at time.Duration) {
	if first > s.Answered+1 {
		if s.rewinding {
			// Operations before these were refused: all are asked for again together. Gets are answered one by one; of
			// commands, a copy that an earlier connection left behind may have filled the hole meanwhile.
			c.refused(s, count, at)
			return
		}
		c.loop.violation("session %d: operation %d answered before operation %d", s.Index, first, s.Answered+1)
		c.lost(s, at)
		return
	}
	if old := int(s.Answered + 1 - first); old > 0 {
		c.loop.counters.Duplicates += int64(min(old, count))
		if old >= count {
			return
		}
		first, count = s.Answered+1, count-old
	}
	c.settle(s, count, at)
	c.loop.sink.Answered(&s.Stream, first, count, status, at)
}

// settle notes that the session's next count operations are answered.
func (c *conn) settle(s *Session, count int, at time.Duration) {
	s.Answered += Number(count)
	s.refusals, s.gaps = 0, 0
	c.account(s, count, at)
}

// account takes count commands off the wire. A session that goes back does so once nothing of it is there any more; the
// last answer may well be that to a command before the refused one, which had to wait for its turn.
func (c *conn) account(s *Session, count int, at time.Duration) {
	count = min(count, s.outstanding)
	s.outstanding -= count
	c.outstanding -= count
	if s.rewinding && s.outstanding == 0 {
		c.rewind(s, at)
	}
}

// refused begins or continues going back to the first unanswered operation. The replica refuses what is behind a refused
// command as well, and what it answers there counts for nothing, so the session first lets the wire run dry: then no late
// refusal can be mistaken for one of the next attempt.
func (c *conn) refused(s *Session, count int, at time.Duration) {
	s.rewinding = true
	c.account(s, count, at)
}

// rewind goes back to the first unanswered operation.
func (c *conn) rewind(s *Session, at time.Duration) {
	s.rewinding = false
	s.transmitted = s.Answered
	c.backOff(s, at)
}

// backOff makes a refused session wait before its next attempt, longer each time in a row.
func (c *conn) backOff(s *Session, at time.Duration) {
	s.resumeAt = at + min(refusedMax, refusedFirst<<min(s.refusals, 10))
	s.refusals++
	c.start(s, at)
}

// start queues what the session has to send, its registration before anything else, unless it still has to wait.
func (c *conn) start(s *Session, now time.Duration) {
	switch {
	case s.parked:
	case now < s.resumeAt:
		s.parked = true
		c.parked = append(c.parked, s)
		c.loop.scanSoon(now)
	case s.id == 0:
		c.registering = append(c.registering, s)
		c.markDirty()
	default:
		c.queue(s)
	}
}

// resume starts the parked sessions whose back-off has ended.
func (c *conn) resume(now time.Duration) {
	waiting := c.parked[:0]
	for _, s := range c.parked {
		if now < s.resumeAt {
			waiting = append(waiting, s)
			continue
		}
		s.parked = false
		c.start(s, now)
	}
	c.parked = waiting
}

// lost gives up a session that the replicas do not know and registers it anew, after a back-off: with more sessions than
// the replicas have room for, each registration costs another session its own. A reader has no registration to lose: it
// sends its gets again.
func (c *conn) lost(s *Session, at time.Duration) {
	if s.Reads() {
		c.refused(s, s.outstanding, at)
		return
	}
	c.abandon(s, at)
}

// abandon gives up the unanswered operations of a session, which registers anew, or of a reader.
func (c *conn) abandon(s *Session, at time.Duration) {
	c.outstanding -= s.outstanding
	var first Number
	var count int
	if s.Reads() {
		first, count = s.givenUp()
	} else {
		c.loop.counters.LostSessions++
		c.loop.registered--
		delete(c.byID, s.id)
		first, count = s.lost()
		s.nonce = wire.Seq(mix(uint64(s.nonce))>>1) + 1
	}
	c.backOff(s, at)
	if count > 0 {
		c.loop.sink.Lost(&s.Stream, first, count, at)
	}
}

// registrationReply gives a session its id, or lets it wait for another attempt.
func (c *conn) registrationReply(run *wire.ReplyRun, at time.Duration) error {
	s := c.registrant(run.First)
	if s == nil {
		c.loop.counters.Duplicates++
		return nil
	}
	s.registering = false
	c.outstanding--
	if run.Uniform {
		c.registrationRefused(s, run.Status, at)
		return nil
	}
	result, _, err := wire.DecodeResult(run.Results)
	if err != nil {
		return err
	}
	if run.Count != 1 || result.Status != wire.StatusOK || len(result.Value) != 8 {
		return wire.ErrField
	}
	s.id = wire.SessionID(binary.LittleEndian.Uint64(result.Value))
	if s.id == 0 || c.byID[s.id] != nil {
		c.loop.violation("registration answered with session id %d", s.id)
		return wire.ErrField
	}
	c.byID[s.id] = s
	s.Limit = c.share
	c.loop.registered++
	c.loop.sink.Ready(&s.Stream)
	return nil
}

// registrationRefused counts the refusal and plans the next attempt.
func (c *conn) registrationRefused(s *Session, status wire.Status, at time.Duration) {
	switch status {
	case wire.StatusBusy:
		c.loop.counters.Busy++
	case wire.StatusGap:
		c.loop.counters.Gaps++
	default:
		c.loop.violation("session %d: registration answered %v without an id", s.Index, status)
	}
	c.backOff(s, at)
}

// registrant returns the session whose registration has the given nonce. Registrations are answered in order, so it
// is one of the first that wait.
func (c *conn) registrant(nonce wire.Seq) *Session {
	for _, s := range c.sessions {
		if s.registering && s.nonce == nonce {
			return s
		}
	}
	return nil
}
