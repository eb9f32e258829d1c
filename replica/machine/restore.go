package machine

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"paxosbench/wire"
)

// Restorer builds a state from the bytes of a snapshot, in pieces of any size. It trusts none of them: what it holds
// is never more than what it has been given, and after an error it is of no further use.
type Restorer struct {
	state    *State
	pending  []byte // the beginning of an item whose end has not been written yet
	promised promise
	sessions []restoredSession
	part     snapshotPart
	crc      uint32
	err      error
}

// promise is what the header announced.
type promise struct {
	sessions                      uint32
	sessionsDigest, machineDigest uint64
}

// restoredSession is a session with the place where it belongs.
type restoredSession struct {
	place uint32
	owner uint64
	session
}

// NewRestorer returns a Restorer that fills machine, which must be empty and is the restored state's from here on.
// The configuration must be the one that the replicas have agreed on; an invalid one is a bug.
func NewRestorer(machine StateMachine, config Config) *Restorer {
	return &Restorer{state: NewState(machine, config)}
}

// Write takes the next bytes of the snapshot; they are not kept. Errors are final and wrap ErrSnapshot.
func (r *Restorer) Write(chunk []byte) error {
	if r.err != nil {
		return r.err
	}
	src := chunk
	if len(r.pending) > 0 {
		r.pending = append(r.pending, chunk...)
		src = r.pending
	}
	for len(src) > 0 {
		n, err := r.item(src)
		if errors.Is(err, wire.ErrLength) {
			break
		}
		if err != nil {
			r.err = err
			return err
		}
		src = src[n:]
	}
	r.pending = append(r.pending[:0], src...)
	return nil
}

// Finish returns the restored state. It fails unless the whole snapshot has been written.
func (r *Restorer) Finish() (*State, error) {
	if r.err == nil && (r.part != partNothing || len(r.pending) > 0) {
		r.err = fmt.Errorf("%w: %d bytes of an item at its end", ErrSnapshot, len(r.pending))
	}
	if r.err == nil {
		r.err = r.seat()
	}
	if r.err == nil {
		r.err = r.compare()
	}
	if r.err != nil {
		return nil, r.err
	}
	return r.state, nil
}

// item restores the item at the start of src and returns its length, or wire.ErrLength if src holds only a part of it.
func (r *Restorer) item(src []byte) (int, error) {
	if len(src) >= wire.CommandHeaderSize && wire.CommandLen(src) > MaxItem {
		return 0, fmt.Errorf("%w: item of %d bytes, limit %d", ErrSnapshot, wire.CommandLen(src), MaxItem)
	}
	item, n, err := wire.DecodeCommand(src)
	if err != nil {
		return 0, err
	}
	if err := r.restore(item); err != nil {
		return 0, err
	}
	r.crc = crc32.Update(r.crc, castagnoli, src[:n])
	return n, nil
}

func (r *Restorer) restore(item wire.Command) error {
	switch {
	case item.Flags != 0:
		return fmt.Errorf("%w: flags %#x", ErrSnapshot, item.Flags)
	case item.Op == itemHeader && r.part == partHeader:
		r.part = partSessions
		return r.header(item)
	case item.Op == itemSession && r.part == partSessions:
		return r.session(item)
	case item.Op == itemRecord && (r.part == partSessions || r.part == partMachine):
		r.part = partMachine
		return r.state.machine.Restore(item)
	case item.Op == itemEnd && (r.part == partSessions || r.part == partMachine):
		r.part = partNothing
		return r.end(item)
	}
	return fmt.Errorf("%w: item of type %#x out of place", ErrSnapshot, uint8(item.Op))
}

func (r *Restorer) header(item wire.Command) error {
	if string(item.Key) != snapshotMagic || len(item.Value) != headerValueSize {
		return fmt.Errorf("%w: not a snapshot of a version known here", ErrSnapshot)
	}
	v := item.Value
	s := r.state
	s.applied = wire.Slot(binary.LittleEndian.Uint64(v))
	s.chain = binary.LittleEndian.Uint64(v[8:])
	s.sessions.clock = binary.LittleEndian.Uint64(v[16:])
	r.promised.sessions = binary.LittleEndian.Uint32(v[24:])
	r.promised.sessionsDigest = binary.LittleEndian.Uint64(v[32:])
	r.promised.machineDigest = binary.LittleEndian.Uint64(v[40:])
	if kind := Kind(v[28]); kind != s.machine.Kind() {
		return fmt.Errorf("%w: it is of a %v machine, this replica runs %v", ErrSnapshot, kind, s.machine.Kind())
	}
	if n := r.promised.sessions; n > s.config.MaxSessions {
		return fmt.Errorf("%w: %d sessions, this replica has room for %d", ErrSnapshot, n, s.config.MaxSessions)
	}
	idle := &s.sessions.idle
	idle.term = binary.LittleEndian.Uint64(v[48:])
	for i, m := range []*mark{&idle.recent, &idle.before} {
		*m = mark{time.Duration(binary.LittleEndian.Uint64(v[56+16*i:])), binary.LittleEndian.Uint64(v[64+16*i:])}
	}
	for i, field := range s.stats.fields() {
		*field = binary.LittleEndian.Uint64(v[statsOffset+8*i:])
	}
	return nil
}

func (r *Restorer) session(item wire.Command) error {
	if len(item.Key) != sessionItemKey || uint32(len(r.sessions)) == r.promised.sessions {
		return fmt.Errorf("%w: session out of place", ErrSnapshot)
	}
	k := item.Key
	place, tag := binary.LittleEndian.Uint64(k), binary.LittleEndian.Uint64(k[8:])
	last := wire.Seq(binary.LittleEndian.Uint64(k[16:]))
	seen := wire.Seq(binary.LittleEndian.Uint64(k[24:]))
	owner := binary.LittleEndian.Uint64(k[40:])
	n := len(item.Value)
	if place >= wire.MaxSessions || tag == 0 || tag&^vacant >= 1<<tagBits || tag&vacant != 0 && last|wire.Seq(owner) != 0 || seen > last || uint64(last-seen) != uint64(n) || n > wire.MaxSessionWindow {
		return fmt.Errorf("%w: session with %d outcomes for %d..%d", ErrSnapshot, n, seen, last)
	}
	s := session{last: last, seen: seen, active: binary.LittleEndian.Uint64(k[32:]), tag: tag}
	if err := r.outcomes(&s, item.Value); err != nil {
		return err
	}
	r.sessions = append(r.sessions, restoredSession{place: uint32(place), owner: owner, session: s})
	return nil
}

// outcomes restores what a session remembers.
func (r *Restorer) outcomes(s *session, list []byte) error {
	for i, outcome := range list {
		if outcome != outcomeRead && !wire.Status(outcome).Executed() {
			return fmt.Errorf("%w: outcome %d", ErrSnapshot, outcome)
		}
		if outcome == byte(wire.StatusOK) {
			continue
		}
		if s.outcomes == nil {
			s.outcomes = r.state.sessions.outcomes.take(len(list))
		}
		*s.outcomes.at(s.seen + 1 + wire.Seq(i)) = outcome
		s.outcomes.noted++
	}
	return nil
}

func (r *Restorer) end(item wire.Command) error {
	if len(item.Key) != 0 || len(item.Value) != endValueSize {
		return fmt.Errorf("%w: end of %d bytes", ErrSnapshot, len(item.Value))
	}
	if sum := binary.LittleEndian.Uint32(item.Value); sum != r.crc {
		return fmt.Errorf("%w: checksum %#x, want %#x", ErrSnapshot, r.crc, sum)
	}
	return nil
}

// seat puts the sessions in their places and in the order of their activity.
func (r *Restorer) seat() error {
	t := &r.state.sessions
	if uint32(len(r.sessions)) != r.promised.sessions {
		return fmt.Errorf("%w: %d sessions, want %d", ErrSnapshot, len(r.sessions), r.promised.sessions)
	}
	slices.SortFunc(r.sessions, func(a, b restoredSession) int { return cmp.Compare(a.active, b.active) })
	for range r.sessions {
		t.add()
	}
	var before uint64
	for i := range r.sessions {
		s := &r.sessions[i]
		if s.place >= t.count || t.at(s.place).active != 0 {
			return fmt.Errorf("%w: two sessions in one place or none", ErrSnapshot)
		}
		if s.active <= before || s.active > t.clock {
			return fmt.Errorf("%w: session active at %d, after %d and up to %d", ErrSnapshot, s.active, before, t.clock)
		}
		before = s.active
		*t.at(s.place) = s.session
		t.seat(s.place, s.owner)
	}
	if t.outcomes.weight > t.outcomes.limit {
		return fmt.Errorf("%w: outcomes of sessions weigh %d, limit %d", ErrSnapshot, t.outcomes.weight, t.outcomes.limit)
	}
	return nil
}

// compare checks that what has been restored is what was held when the snapshot was taken.
func (r *Restorer) compare() error {
	s := r.state
	for _, part := range []struct {
		name      string
		got, want uint64
	}{
		{"sessions", s.sessions.held, r.promised.sessionsDigest},
		{"records", s.machine.Digest(), r.promised.machineDigest},
	} {
		if part.got != part.want {
			return fmt.Errorf("%w: the %s have digest %016x, want %016x", ErrSnapshot, part.name, part.got, part.want)
		}
	}
	return nil
}
