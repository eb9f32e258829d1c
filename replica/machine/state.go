package machine

import (
	"fmt"
	"time"
	"unsafe"

	"paxosbench/wire"
)

// Config is what the replicas of a cluster must agree on for their states to be equal.
type Config struct {
	// MaxSessions is the number of places in the session table, at least 1. Each takes 64 bytes. What the sessions
	// remember of replies that were not confirmed comes on top: nothing as long as all were ok without a value, and at
	// most 64 MiB for all of them together (see outcomes.go).
	MaxSessions uint32

	// ActiveFor is how long after its newest run a session is not evicted for a newcomer.
	ActiveFor time.Duration

	// Remembered bounds what sessions remember of replies that were not confirmed, all together, as outcomes.go weighs it; 0 stands for
	// 32 MiB. Tests take less.
	Remembered int

	// StoreLimit bounds what the records weigh, in bytes (see recordWeight); 0: they are not bounded.
	StoreLimit uint64
}

// DefaultConfig returns room for 65536 sessions, which are active for a minute.
func DefaultConfig() Config { return Config{MaxSessions: 1 << 16, ActiveFor: time.Minute} }

// Validate returns an error that says what is wrong with the configuration, or nil.
func (c Config) Validate() error {
	if c.MaxSessions < 1 || c.MaxSessions > wire.MaxSessions {
		return fmt.Errorf("max sessions %d: want 1 to %d", c.MaxSessions, wire.MaxSessions)
	}
	return nil
}

// State is the replicated state: session table, state machine, how far the log has been applied, and a hash chain over
// everything applied and held. It belongs to one goroutine.
//
// Invariants: applied only grows, by one a batch; the chain, the stats, the sessions and the machine are functions of
// the batches 1 to applied.
type State struct {
	machine  StateMachine
	config   Config
	sessions sessions
	applied  wire.Slot
	chain    uint64
	stats    Stats
	inBatch  bool      // a run has been applied since the last EndBatch
	snapshot *Snapshot // the one being taken, if any
}

// NewState returns the state before the first batch. The machine must be empty, and is the state's from here on.
// An invalid configuration is a bug.
func NewState(machine StateMachine, config Config) *State {
	if err := config.Validate(); err != nil {
		panic("BUG: " + err.Error())
	}
	machine.Limit(config.StoreLimit)
	return &State{machine: machine, config: config, sessions: newSessions(config)}
}

// Kind returns the kind of the state machine.
func (s *State) Kind() Kind { return s.machine.Kind() }

// Len returns the number of records in the state machine.
func (s *State) Len() int { return s.machine.Len() }

// Weight returns what the records weigh, as the store's limit counts.
func (s *State) Weight() uint64 { return s.machine.Weight() }

// Bytes returns about how much memory the state takes.
func (s *State) Bytes() int {
	return s.machine.Bytes() + len(s.sessions.pages)*int(unsafe.Sizeof(sessionsPage{})) + 2*s.sessions.outcomes.weight +
		len(s.sessions.owners.all)*ownerBytes
}

// Sessions returns the number of open sessions.
func (s *State) Sessions() int { return int(s.sessions.count) }

// MayUse reports whether an owner may use a session: it is the owner's, or nobody's as far as this state knows.
func (s *State) MayUse(id wire.SessionID, owner uint64) bool {
	return s.sessions.find(id) == nil || s.sessions.asideOf(id.Index()).owner.id == owner
}

// Applied returns the slot of the newest batch applied, 0 before the first.
func (s *State) Applied() wire.Slot { return s.applied }

// Digest returns the hash chain over all batches applied, what became of their commands, and what the sessions and the
// state machine held after each. Two replicas that applied the same slot last must have the same.
func (s *State) Digest() uint64 { return s.chain }

// Stats returns the counts so far.
func (s *State) Stats() Stats { return s.stats }

// Query answers a get from the present state, outside of the log; the value is appended to dst. Whether the present
// state is recent enough is the caller's affair. Any other operation is a bug.
func (s *State) Query(c wire.Command, dst []byte) (wire.Status, []byte) {
	if c.Op != wire.OpGet {
		panic(fmt.Sprintf("BUG: query of a %v", c.Op))
	}
	status, value := s.machine.Apply(c.Op, c.Flags, c.Key, c.Value)
	return status, append(dst, value...)
}

// EndBatch ends the batch of the given slot, which must be the one after Applied, and links it and what is held now into
// the hash chain. bodyCRC is the checksum of the batch in the form in which it was decided.
func (s *State) EndBatch(slot wire.Slot, bodyCRC uint32) {
	if slot != s.applied+1 {
		panic(fmt.Sprintf("BUG: end of slot %d after slot %d", slot, s.applied))
	}
	s.applied = slot
	s.inBatch = false
	s.link(uint64(slot))
	s.link(uint64(bodyCRC))
	for _, count := range s.stats.fields() {
		s.link(*count)
	}
	s.link(s.sessions.held)
	s.link(s.machine.Digest())
}

// link appends one number to the hash chain.
func (s *State) link(v uint64) { s.chain = mix(s.chain^v, hashWord) }
