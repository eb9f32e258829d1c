package machine

import (
	"encoding/binary"
	"fmt"

	"paxosbench/wire"
)

// ApplyRun executes one run of the batch of the given slot, which must be the one after Applied. The run must come
// from a batch that wire.DecodeFragment accepts. With reply, reply runs that together answer every command of the run
// are appended to dst; without, nothing is, and gets are not executed at all. Neither run nor dst is kept.
func (s *State) ApplyRun(slot wire.Slot, run *wire.Run, dst []byte, reply bool) []byte {
	if slot != s.applied+1 {
		panic(fmt.Sprintf("BUG: run of slot %d after slot %d", slot, s.applied))
	}
	s.inBatch = true
	part := stretch{session: run.Session, first: run.First, count: run.Count, commands: run.Commands}
	if run.Session == 0 {
		return s.register(part, newAnswer(dst, reply))
	}
	client := s.sessions.find(run.Session)
	if client == nil {
		return refuse(part, wire.StatusNoSession, &s.stats.Stale, newAnswer(dst, reply))
	}
	s.sessions.activate(run.Session.Index())
	client.confirm(run.Seen)
	switch {
	case run.First-1 > client.last:
		return refuse(part, wire.StatusGap, &s.stats.Gaps, newAnswer(dst, reply))
	case run.Last() > client.last && run.Last()-client.seen > wire.MaxSessionWindow:
		return refuse(part, wire.StatusBusy, &s.stats.Busy, newAnswer(dst, reply))
	}
	if n := part.upTo(client.seen); n > 0 {
		dst = refuse(part.cut(n), wire.StatusForgotten, &s.stats.Forgotten, newAnswer(dst, reply))
	}
	if n := part.upTo(client.last); n > 0 {
		dst = s.recall(client, part.cut(n), newAnswer(dst, reply))
	}
	if part.count > 0 {
		dst = s.execute(client, part, newAnswer(dst, reply))
	}
	return dst
}

// register opens a session and answers with its id.
func (s *State) register(part stretch, a answer) []byte {
	id, evicted := s.sessions.open()
	s.stats.Registered++
	if evicted {
		s.stats.Evictions++
	}
	var value [8]byte
	binary.LittleEndian.PutUint64(value[:], uint64(id))
	a.addValue(wire.StatusOK, value[:])
	return a.end(&part)
}

// refuse answers commands with a status that says why they are not executed.
func refuse(part stretch, status wire.Status, counter *uint64, a answer) []byte {
	*counter += uint64(part.count)
	a.add(status, part.count)
	return a.end(&part)
}

// recall answers commands that were executed before, from memory; gets are executed again.
func (s *State) recall(client *session, part stretch, a answer) []byte {
	s.stats.Duplicates += uint64(part.count)
	if a.quiet {
		return a.dst
	}
	at := 0
	for i := range part.count {
		op, flags, key, value, end := commandAt(part.commands, at)
		at = end
		switch outcome := client.outcome(part.first + wire.Seq(i)); {
		case outcome != outcomeRead:
			a.add(wire.Status(outcome), 1)
		case op == wire.OpGet:
			a.addValue(s.machine.Apply(op, flags, key, value))
		default: // not the command that had this number: the client is at fault, and its get's value is gone
			a.add(wire.StatusForgotten, 1)
		}
	}
	return a.end(&part)
}

// execute executes commands that have not been executed before.
func (s *State) execute(client *session, part stretch, a answer) []byte {
	client.advance(part.count)
	s.stats.Executed += uint64(part.count)
	s.machine.Prepare(part.commands, part.count, !a.quiet)
	at, oks := 0, 0 // oks: results StatusOK that have not been added to the answer yet
	for i := range part.count {
		op, flags, key, value, end := commandAt(part.commands, at)
		at = end
		if op == wire.OpGet && a.quiet {
			s.noteRead(client, part.first+wire.Seq(i))
			continue
		}
		status, result := s.machine.Apply(op, flags, key, value)
		if op != wire.OpGet && status == wire.StatusOK {
			oks++
			continue
		}
		a.add(wire.StatusOK, oks)
		oks = 0
		a.addValue(status, result)
		if op == wire.OpGet {
			s.noteRead(client, part.first+wire.Seq(i))
		} else {
			s.noteFailure(client, part.first+wire.Seq(i), status)
		}
	}
	a.add(wire.StatusOK, oks)
	return a.end(&part)
}

func (s *State) noteRead(client *session, seq wire.Seq) {
	client.setOutcome(seq, outcomeRead)
	s.stats.Reads++
}

func (s *State) noteFailure(client *session, seq wire.Seq, status wire.Status) {
	client.setOutcome(seq, byte(status))
	if status == wire.StatusNotFound {
		s.stats.NotFound++
	} else {
		s.stats.Mismatch++
	}
}
