package clienttest

import (
	"bytes"
	"encoding/binary"
	"sync"

	"paxosbench/wire"
)

// State is sessions and a key-value map, executed under one lock: the obvious version of what replicas do. Several
// servers may share one, as the replicas of a cluster share what they have decided.
type State struct {
	mu       sync.Mutex
	noop     bool
	sessions []session
	values   map[string][]byte
	room     int // for keys; 0: there is no limit
	executed int64
	queried  int64
	damage   *damage // nil: there is none
}

type session struct {
	last    wire.Seq
	seen    wire.Seq
	results []result // of seen+1..last
	evicted bool
}

type result struct {
	status wire.Status
	value  []byte
}

// NewState returns an empty state.
func NewState() *State { return &State{values: make(map[string][]byte)} }

// NewNoopState returns a state that answers OK to every command, for tests of the generator's own speed. It still
// checks the order of sequence numbers, and remembers no replies.
func NewNoopState() *State { return &State{noop: true} }

// Executed returns the number of commands executed, each counted once however often it was sent.
func (s *State) Executed() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.executed
}

// Queried returns the number of gets executed that did not stand in a session's order, as often as they were.
func (s *State) Queried() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queried
}

// ForgetCommands forgets the last commands of every session, as if they had never been decided; what they did stays.
func (s *State) ForgetCommands(count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.sessions {
		session := &s.sessions[i]
		n := min(count, len(session.results))
		session.results = session.results[:len(session.results)-n]
		session.last -= wire.Seq(n)
	}
}

// EvictAll forgets every session.
func (s *State) EvictAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.sessions {
		s.sessions[i].evicted = true
	}
}

// LimitKeys has what sets a key that is not there be answered full once there are so many.
func (s *State) LimitKeys(count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room = count
}

// full tells whether there is no room for a key.
func (s *State) full(there bool) bool { return !there && s.room > 0 && len(s.values) >= s.room }

// Value returns the present value of a key, nil if it has none.
func (s *State) Value(key []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.values[string(key)])
}

// Apply executes a run as far as it was not executed before and appends its reply run. corrupt, if not nil, may change
// the values on their way out.
func (s *State) Apply(dst []byte, run *wire.Run, corrupt func([]byte)) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if run.Session == 0 {
		return s.register(dst, run)
	}
	index := run.Session.Index()
	if int(index) >= len(s.sessions) || s.sessions[index].evicted {
		return wire.AppendUniformReply(dst, run.Session, run.First, run.Count, wire.StatusNoSession)
	}
	session := &s.sessions[index]
	if run.First > session.last+1 {
		return wire.AppendUniformReply(dst, run.Session, run.First, run.Count, wire.StatusGap)
	}
	if s.noop {
		s.executed += int64(run.Last() - session.last)
		session.last = run.Last()
		return wire.AppendUniformReply(dst, run.Session, run.First, run.Count, wire.StatusOK)
	}
	s.execute(session, run)
	return session.appendReply(dst, run, corrupt)
}

// Query executes a run of gets, which changes nothing, and appends its reply run.
func (s *State) Query(dst []byte, run *wire.Run, corrupt func([]byte)) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	once := session{seen: run.First - 1}
	for i, at := 0, 0; i < run.Count; i++ {
		var command wire.Command
		command, at = run.CommandAt(at)
		once.results = append(once.results, s.command(&command))
	}
	s.queried += int64(run.Count)
	return once.appendReply(dst, run, corrupt)
}

func (s *State) register(dst []byte, run *wire.Run) []byte {
	id := wire.MakeSessionID(1, uint32(len(s.sessions)))
	s.sessions = append(s.sessions, session{})
	start := len(dst)
	dst = wire.BeginReplyRun(dst)
	dst = wire.AppendResult(dst, wire.StatusOK, binary.LittleEndian.AppendUint64(nil, uint64(id)))
	wire.EndReplyRun(dst, start, 0, run.First, 1)
	return dst
}

// execute applies the new part of the run and remembers its results.
func (s *State) execute(session *session, run *wire.Run) {
	if run.Seen > session.seen {
		session.results = session.results[run.Seen-session.seen:]
		session.seen = run.Seen
	}
	var fresh []wire.Command
	for i, at := 0, 0; i < run.Count; i++ {
		var command wire.Command
		command, at = run.CommandAt(at)
		switch seq := run.First + wire.Seq(i); {
		case seq == session.last+1:
			session.last = seq
			fresh = append(fresh, command)
		case s.damage.shows(ApplyTwice):
			s.command(&command)
		}
	}
	results := make([]result, len(fresh))
	for i := 0; i < len(fresh); i++ {
		if i+1 < len(fresh) && s.damage.shows(SwapCommands) {
			results[i+1] = s.command(&fresh[i+1])
			results[i] = s.command(&fresh[i])
			i++
			continue
		}
		results[i] = s.command(&fresh[i])
	}
	session.results = append(session.results, results...)
	s.executed += int64(len(fresh))
}

func (s *State) command(c *wire.Command) result {
	present, ok := s.values[string(c.Key)]
	switch c.Op {
	case wire.OpPut:
		if s.damage.shows(DropPut) {
			break
		}
		if s.full(ok) {
			return result{status: wire.StatusFull}
		}
		s.damage.note(string(c.Key), present, ok)
		s.values[string(c.Key)] = bytes.Clone(c.Value)
	case wire.OpGet:
		if !ok {
			return result{status: wire.StatusNotFound}
		}
		return s.damage.get(c.Key, present)
	case wire.OpDelete:
		if !ok {
			return result{status: wire.StatusNotFound}
		}
		delete(s.values, string(c.Key))
	case wire.OpCompareAndSet:
		expected, update := wire.SplitCompareAndSet(c.Value)
		absent := c.Flags&wire.FlagExpectAbsent != 0
		matches := absent != ok && (!ok || bytes.Equal(present, expected))
		if matches && s.damage.shows(CasMismatch) || !matches && !s.damage.shows(CasAnyway) {
			return result{status: wire.StatusMismatch}
		}
		if s.full(ok) {
			return result{status: wire.StatusFull}
		}
		s.damage.note(string(c.Key), present, ok)
		s.values[string(c.Key)] = bytes.Clone(update)
	}
	return result{}
}

// appendReply answers the run from the remembered results, uniformly if they are all OK without a value.
func (s *session) appendReply(dst []byte, run *wire.Run, corrupt func([]byte)) []byte {
	if run.First <= s.seen {
		return wire.AppendUniformReply(dst, run.Session, run.First, run.Count, wire.StatusForgotten)
	}
	results := s.results[run.First-s.seen-1:][:run.Count]
	uniform := true
	for _, r := range results {
		uniform = uniform && r.status == wire.StatusOK && r.value == nil
	}
	if uniform {
		return wire.AppendUniformReply(dst, run.Session, run.First, run.Count, wire.StatusOK)
	}
	start := len(dst)
	dst = wire.BeginReplyRun(dst)
	for _, r := range results {
		value := bytes.Clone(r.value)
		if corrupt != nil && len(value) > 0 {
			corrupt(value)
		}
		dst = wire.AppendResult(dst, r.status, value)
	}
	wire.EndReplyRun(dst, start, run.Session, run.First, run.Count)
	return dst
}
