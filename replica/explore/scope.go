package explore

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"paxosbench/pipeline"
	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// The clusters that are explored: one replica has no interleavings, and what more than three add no machine could visit.
const (
	minReplicas = 2
	maxReplicas = 3
)

// Scope says what may happen in a small cluster, and how often. Everything within it happens, in every order.
type Scope struct {
	Name             string
	Replicas         int // 2 or 3
	Quorum1, Quorum2 int // 0: majorities

	// Ballots are those that may be used. A step that would make a candidate of any other is not taken.
	Ballots []wire.Ballot

	// Slots is the highest slot for which a leader proposes a value of its own. No-ops may go beyond it: each leader
	// begins with one.
	Slots wire.Slot

	// Rounds is how many rounds of heartbeats one life of a replica may begin; an election takes the first.
	Rounds uint64

	// Crashes and LostDisks are how many of either happen, to all replicas together. A replica that has lost its disk
	// comes back without a vote.
	Crashes, LostDisks int

	// Begin leads to the state in which the walk begins: what comes after an election would else be out of reach. Of the
	// messages sent on the way there only those of the types in Late are still to come.
	Begin []Move
	Late  []wire.Type

	// Silence lets a replica take its leader for dead at any moment, before its own timer fires.
	Silence bool

	// Partial lets a disk sync some of what was appended, not only all of it.
	Partial bool
}

// Times of the cores: so far apart that no number of heartbeats adds up to an election timeout, and so that one of the
// events of replica.go makes exactly the wanted timers fire.
const (
	birth           = 1000 * time.Hour // not zero: zero times mean "never"
	heartbeat       = time.Microsecond
	electionTimeout = time.Hour
	slack           = time.Millisecond // more than all heartbeats of a life, less than any timer's random part
)

// config returns the configuration of one life of a replica.
func (s *Scope) config(id wire.ReplicaID, life int) paxos.Config {
	cfg := paxos.Config{
		Self: id, Quorum1: s.Quorum1, Quorum2: s.Quorum2,
		Heartbeat: heartbeat, ElectionTimeout: electionTimeout,
		Depth: pipeline.Depth{N: 64}, WindowBytes: 1 << 20, LogBytes: 1 << 30,
		Seed: uint64(life)<<8 | uint64(id), Buffers: new(wire.Buffers),
	}
	for i := range s.Replicas {
		cfg.Replicas = append(cfg.Replicas, wire.ReplicaID(i+1))
	}
	return cfg
}

// normal returns the scope with its defaults filled in.
func (s Scope) normal() Scope {
	if s.Quorum1 == 0 && s.Quorum2 == 0 {
		s.Quorum1, s.Quorum2 = paxos.Majority(s.Replicas), paxos.Majority(s.Replicas)
	}
	return s
}

// Validate reports every violation at once.
func (s *Scope) Validate() error {
	var errs []error
	if s.Replicas < minReplicas || s.Replicas > maxReplicas {
		errs = append(errs, fmt.Errorf("scope %s: %d replicas, want %d to %d", s.Name, s.Replicas, minReplicas, maxReplicas))
	} else {
		cfg := s.normal()
		c := cfg.config(1, 1)
		errs = append(errs, c.Validate())
	}
	if len(s.Ballots) == 0 || s.Rounds < 1 {
		errs = append(errs, fmt.Errorf("scope %s: %d ballots and %d rounds, want 1 or more: nobody could lead", s.Name, len(s.Ballots), s.Rounds))
	}
	for _, b := range s.Ballots {
		if b.Round() < 1 || b.Replica() < 1 || int(b.Replica()) > s.Replicas {
			errs = append(errs, fmt.Errorf("scope %s: ballot %v is of none of its %d replicas", s.Name, b, s.Replicas))
		}
	}
	return errors.Join(errs...)
}

// allows reports whether a message keeps within the scope.
func (s *Scope) allows(m *wire.Message) bool {
	switch m.Type {
	case wire.TypePreVote, wire.TypePrepare:
		return slices.Contains(s.Ballots, m.Ballot)
	case wire.TypeHeartbeat:
		return m.Round() <= s.Rounds
	}
	return true
}

// allowsRecord does so for a record: a candidate writes its ballot down before it names it to anybody. Whoever promises no
// ballot at all has a bug, and that is for the invariants.
func (s *Scope) allowsRecord(r *wire.Record) bool {
	return r.Kind != wire.RecordPromise || r.Ballot == 0 || slices.Contains(s.Ballots, r.Ballot)
}
