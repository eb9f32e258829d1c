package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// ReplicaID names one replica of a cluster. Valid ids are 1 to MaxReplicas; 0 means "none" or "unknown".
type ReplicaID uint8

// Members is a set of replicas: bit id-1 stands for replica id.
type Members uint8

// With returns the set with a replica in it. Ids that no replica can have are ignored.
func (m Members) With(id ReplicaID) Members {
	if id < 1 || id > MaxReplicas {
		return m
	}
	return m | 1<<(id-1)
}

// Has reports whether a replica is in the set.
func (m Members) Has(id ReplicaID) bool { return m&Members(0).With(id) != 0 }

// Slot is a position in the replicated log. The first slot is 1; 0 means "before the log".
type Slot uint64

// Ballot is a proposal number (Lamport, "Paxos Made Simple", section 2.2): a round and, to make it unique, the
// replica that may use it, packed so that ballots compare as integers. The zero Ballot precedes every other.
type Ballot uint64

// SessionID names one client session. The low 20 bits are the session's place in the session table, so that a lookup is an
// array access; the others are its tag, which was drawn when it was registered: it tells the session from those that had the
// place before, and whoever has not been told it from its owner. 0 means "no session": the commands of such a run are
// registrations.
type SessionID uint64

// Parts of a SessionID.
const (
	sessionIndexBits = 20
	MaxSessions      = 1 << sessionIndexBits // places in a session table
)

// Seq numbers the commands of one session, contiguously from 1.
type Seq uint64

// ballotReplicaBits is the part of a Ballot that holds the replica.
const ballotReplicaBits = 8

// MakeBallot returns the ballot that replica id may use in the given round.
func MakeBallot(round uint64, id ReplicaID) Ballot {
	return Ballot(round<<ballotReplicaBits | uint64(id))
}

// Round returns the ballot's round.
func (b Ballot) Round() uint64 { return uint64(b) >> ballotReplicaBits }

// Replica returns the only replica that may propose under b.
func (b Ballot) Replica() ReplicaID { return ReplicaID(b) }

// Next returns the smallest ballot of replica id that is greater than b.
func (b Ballot) Next(id ReplicaID) Ballot { return MakeBallot(b.Round()+1, id) }

// String renders a ballot as round.replica, for example 7.2.
func (b Ballot) String() string { return fmt.Sprintf("%d.%d", b.Round(), b.Replica()) }

// MarshalText renders a ballot the way String does, so that logs and JSON agree.
func (b Ballot) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText parses what MarshalText writes.
func (b *Ballot) UnmarshalText(text []byte) error {
	round, replica, ok := strings.Cut(string(text), ".")
	if !ok {
		return fmt.Errorf("ballot %q: want ROUND.REPLICA", text)
	}
	r, err := strconv.ParseUint(round, 10, 64-ballotReplicaBits)
	if err != nil {
		return fmt.Errorf("ballot %q: %w", text, err)
	}
	id, err := strconv.ParseUint(replica, 10, ballotReplicaBits)
	if err != nil {
		return fmt.Errorf("ballot %q: %w", text, err)
	}
	*b = MakeBallot(r, ReplicaID(id))
	return nil
}

// MakeSessionID packs a place in the session table and a tag of 44 bits.
func MakeSessionID(tag uint64, index uint32) SessionID {
	return SessionID(tag<<sessionIndexBits | uint64(index)%MaxSessions)
}

// Index returns the session's place in the session table.
func (s SessionID) Index() uint32 { return uint32(s) % MaxSessions }

// Tag returns what was drawn for the session.
func (s SessionID) Tag() uint64 { return uint64(s >> sessionIndexBits) }
