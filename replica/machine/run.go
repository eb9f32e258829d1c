package machine

import (
	"encoding/binary"
	"fmt"
	"math"

	"paxosbench/wire"
)

// ApplyRun executes one run of the batch of the given slot, which must be the one after Applied. The run must come
// from a batch that wire.DecodeFragment accepts. With reply, reply runs that together answer every command of the run
// are appended to dst; without, nothing is, and gets are not executed at all. Neither run nor dst is kept.
func (s *State) ApplyRun(slot wire.Slot, run *wire.Run, dst []byte, reply bool) []byte {
	rest := *run
	return s.ApplyPart(slot, &rest, dst, reply, Limits{Begin: math.MaxInt, End: math.MaxInt})
}

// ApplyPart is ApplyRun for the first commands of a run, which it takes off: at least one, and as many as the
// limits allow; a get for whose value there is no room is executed like any other and answered BUSY. The states of replicas that cut
// a run at different places, or not at all, are the same behind it.
func (s *State) ApplyPart(slot wire.Slot, run *wire.Run, dst []byte, reply bool, limits Limits) []byte {
	if slot != s.applied+1 {
		panic(fmt.Sprintf("BUG: run of slot %d after slot %d", slot, s.applied))
	}
	s.inBatch = true
	part := stretch{session: run.Session, first: run.First, count: run.Count, common: run.Common, commands: run.Commands}
	dst = s.applyPart(&part, run.Seen, dst, reply, limits)
	run.First, run.Count, run.Commands = part.first, part.count, part.commands
	return dst
}

// applyPart executes the first commands of part, and leaves the others in it.
func (s *State) applyPart(part *stretch, seen wire.Seq, dst []byte, reply bool, limits Limits) []byte {
	if part.session == 0 {
		return s.register(part.all(), newAnswer(dst, reply, math.MaxInt)) // what it is for always has room
	}
	client := s.sessions.find(part.session)
	if client == nil {
		return refuse(part.all(), wire.StatusNoSession, &s.stats.Stale, newAnswer(dst, reply, limits.End))
	}
	place := part.session.Index()
	s.sessions.activate(place)
	s.sessions.confirm(client, place, seen)
	dst = s.applyTo(client, part, dst, reply, limits)
	s.stats.Evictions += uint64(s.sessions.endRun(client, place))
	return dst
}

// applyTo is applyPart for a session that exists.
func (s *State) applyTo(client *session, part *stretch, dst []byte, reply bool, limits Limits) []byte {
	switch {
	case part.first-1 > client.last:
		return refuse(part.all(), wire.StatusGap, &s.stats.Gaps, newAnswer(dst, reply, limits.End))
	case part.last() > client.last && part.last()-client.seen > wire.MaxSessionWindow:
		return refuse(part.all(), wire.StatusBusy, &s.stats.Busy, newAnswer(dst, reply, limits.End))
	}
	if n := part.upTo(client.seen); n > 0 {
		dst = refuse(part.cut(n), wire.StatusForgotten, &s.stats.Forgotten, newAnswer(dst, reply, limits.End))
	}
	if n := part.upTo(client.last); n > 0 {
		dst = s.recall(client, part, limits.atMost(n), newAnswer(dst, reply, limits.End), limits.Begin)
		if part.upTo(client.last) > 0 || len(dst) >= limits.Begin {
			return dst
		}
	}
	if part.count > 0 {
		dst = s.execute(client, part, limits.atMost(part.count), newAnswer(dst, reply, limits.End), limits.Begin)
	}
	return dst
}

// register opens a session and answers with its id. Where there is no room, or no stamp, which no replica leaves out, it is refused.
func (s *State) register(part stretch, a answer) []byte {
	_, _, _, value, _ := part.commandAt(0)
	stamp, ok := wire.DecodeStamp(value)
	if !ok {
		return refuse(part, wire.StatusBusy, &s.stats.Refused, a)
	}
	id, evicted, ok := s.sessions.open(stamp)
	if !ok {
		return refuse(part, wire.StatusBusy, &s.stats.Refused, a)
	}
	s.stats.Registered++
	if evicted {
		s.stats.Evictions++
	}
	var encoded [8]byte
	binary.LittleEndian.PutUint64(encoded[:], uint64(id))
	a.addValue(wire.StatusOK, encoded[:])
	return a.end(&part)
}

// refuse answers commands with a status that says why they are not executed.
func refuse(part stretch, status wire.Status, counter *uint64, a answer) []byte {
	*counter += uint64(part.count)
	a.add(status, part.count)
	return a.end(&part)
}

// recall answers the first n commands of part, which were executed before, from memory; gets are executed again. Those
// that it does not come to stay in part.
func (s *State) recall(client *session, part *stretch, n int, a answer, limit int) []byte {
	if a.quiet {
		s.stats.Duplicates += uint64(n)
		part.cut(n)
		return a.dst
	}
	at, done := 0, 0
	for done == 0 || done < n && len(a.dst) < limit {
		op, flags, key, value, end := part.commandAt(at)
		at = end
		switch outcome := client.outcome(part.first + wire.Seq(done)); {
		case outcome != outcomeRead:
			a.add(wire.Status(outcome), 1)
		case op == wire.OpGet:
			a.addValue(s.machine.Apply(op, flags, key, value))
		default: // not the command that had this number: the client is at fault, and its get's value is gone
			a.add(wire.StatusForgotten, 1)
		}
		done++
	}
	s.stats.Duplicates += uint64(done)
	head := part.take(done, at)
	return a.end(&head)
}

// execute executes commands of part, at most n, that have not been executed before. Those that it does not come to stay in part.
func (s *State) execute(client *session, part *stretch, n int, a answer, limit int) []byte {
	first, place := part.first, part.session.Index()
	s.sessions.advance(client, place, part.count)
	s.machine.Prepare(part.commands, part.common, n, !a.quiet)
	at, done, oks := 0, 0, 0 // oks: results StatusOK that have not been added to the answer yet
	for done == 0 || done < n && len(a.dst) < limit {
		if part.op(at) == wire.OpPut {
			if puts, size := s.machine.ApplyPuts(part.commands[at:], part.common, n-done); puts > 0 {
				oks, done, at = oks+puts, done+puts, at+size
				continue
			}
		}
		seq := part.first + wire.Seq(done)
		op, flags, key, value, end := part.commandAt(at)
		at = end
		done++
		var status wire.Status
		if op != wire.OpGet || !a.quiet {
			var result []byte
			status, result = s.machine.Apply(op, flags, key, value)
			if op != wire.OpGet && status == wire.StatusOK {
				oks++
				continue
			}
			a.add(wire.StatusOK, oks)
			oks = 0
			a.addValue(status, result)
		}
		if client.outcomes == nil {
			s.sessions.remember(client, place)
		}
		*client.outcomes.at(seq) = s.countOutcome(op, status)
	}
	a.add(wire.StatusOK, oks)
	if left := part.count - done; left > 0 {
		client.retreat(left)
		s.machine.Prepare(nil, 0, 0, false) // what it was told to expect is not what comes next
	}
	s.sessions.note(client, place, first)
	s.stats.Executed += uint64(done)
	head := part.take(done, at)
	return a.end(&head)
}

// countOutcome counts a result that is not plainly StatusOK, and returns what is to be remembered of it.
func (s *State) countOutcome(op wire.Op, status wire.Status) byte {
	switch {
	case op == wire.OpGet:
		s.stats.Reads++
		return outcomeRead
	case status == wire.StatusNotFound:
		s.stats.NotFound++
	case status == wire.StatusFull:
		s.stats.Full++
	default:
		s.stats.Mismatch++
	}
	return byte(status)
}
