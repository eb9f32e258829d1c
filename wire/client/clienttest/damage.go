package clienttest

import (
	"bytes"

	"paxosbench/wire"
)

// Defect is a way in which a replica may be wrong. A checker that finds none of them is of no use.
type Defect string

// Defects.
const (
	DropPut      Defect = "a put is answered and not done"
	StaleGet     Defect = "a get finds what a put has replaced"
	OtherKey     Defect = "a get finds the value of another key"
	LostKey      Defect = "a get does not find the key"
	TornValue    Defect = "a get finds a value with one bit flipped"
	ApplyTwice   Defect = "a command that is sent again is applied again"
	SwapCommands Defect = "two commands of a session change places"
	CasMismatch  Defect = "a compare-and-set that matches is answered mismatch and not done"
	CasAnyway    Defect = "a compare-and-set that does not match is done"
	LostWrites   Defect = "the last writes are lost when the leader changes"
)

// Defects lists them all.
var Defects = []Defect{
	DropPut, StaleGet, OtherKey, LostKey, TornValue, ApplyTwice, SwapCommands, CasMismatch, CasAnyway, LostWrites,
}

// damage is a defect that shows in one of so many chances.
type damage struct {
	defect  Defect
	every   int64
	chances int64
	stale   map[string][]byte // what puts have replaced last
	other   []byte            // the value that was read last
	undo    []write           // the last writes
}

// write is what a key held before it was written.
type write struct {
	key    string
	before []byte
	there  bool
}

// Damage makes the state wrong, in one of so many chances. The lost writes are those before LoseWrites is called.
func (s *State) Damage(defect Defect, every int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.damage = &damage{defect: defect, every: every, stale: make(map[string][]byte)}
}

// LoseWrites undoes the last writes, of every session.
func (s *State) LoseWrites(count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.damage == nil || s.damage.defect != LostWrites {
		return
	}
	for undo := s.damage.undo; count > 0 && len(undo) > 0; count-- {
		last := undo[len(undo)-1]
		undo = undo[:len(undo)-1]
		delete(s.values, last.key)
		if last.there {
			s.values[last.key] = last.before
		}
	}
	s.damage.undo = nil
}

// shows tells whether a defect shows at this chance.
func (d *damage) shows(defect Defect) bool {
	if d == nil || d.defect != defect {
		return false
	}
	d.chances++
	return d.chances%d.every == 0
}

// undoable is how many of the last writes are remembered, and more for a while.
const undoable = 1000

// note remembers what a put replaces.
func (d *damage) note(key string, present []byte, there bool) {
	switch {
	case d == nil:
	case d.defect == StaleGet && there:
		d.stale[key] = present
	case d.defect == LostWrites:
		if len(d.undo) == 2*undoable {
			d.undo = d.undo[:copy(d.undo, d.undo[undoable:])]
		}
		d.undo = append(d.undo, write{key, present, there})
	}
}

// get returns what a get of a key that is there is answered.
func (d *damage) get(key, value []byte) result {
	switch {
	case d.shows(StaleGet):
		if old := d.stale[string(key)]; old != nil {
			value = old
		}
	case d.shows(OtherKey):
		if d.other != nil {
			value = d.other
		}
	case d.shows(LostKey):
		return result{status: wire.StatusNotFound}
	case d.shows(TornValue):
		value = bytes.Clone(value)
		value[len(value)-1] ^= 1
	case d != nil:
		d.other = value
	}
	return result{value: value}
}
