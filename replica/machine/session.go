package machine

import "paxosbench/wire"

// session is what the replicas know about one client session, in the 64 bytes of a cache line.
//
// Invariants: seen <= last; last-seen <= wire.MaxSessionWindow; generation >= 1; between runs, outcomes is nil if and only
// if all commands in (seen, last] had the status OK, and digest is that of the fields.
type session struct {
	last       wire.Seq  // newest command executed
	seen       wire.Seq  // newest command whose reply the client is known to hold
	outcomes   *outcomes // of the commands in (seen, last]
	active     uint64    // sessions.clock when it became the most recently active one
	digest     uint64    // its part of sessions.held, without the outcomes
	generation uint32
	epoch      uint32       // of the newest snapshot that this session needs no saving for
	links      [orders]link // in the order of activity: among all, and among those that have outcomes
}

// link names the neighbours of a session in an order, by their places.
type link struct{ older, newer uint32 }

const (
	amongAll = iota
	amongRemembering
	orders
)

// id returns the id of the session, which is at that place.
func (s *session) id(place uint32) wire.SessionID { return wire.MakeSessionID(s.generation, place) }

// remembered returns the number of outcomes remembered.
func (s *session) remembered() int { return int(s.last - s.seen) }

// retreat takes back the newest n sequence numbers of an advance.
func (s *session) retreat(n int) { s.last -= wire.Seq(n) }

// outcome returns what is remembered of a command in (seen, last].
func (s *session) outcome(seq wire.Seq) byte {
	if s.outcomes == nil {
		return byte(wire.StatusOK)
	}
	return *s.outcomes.at(seq)
}

// wholeDigest returns the digest of the session with that id, from all that is there.
func (s *session) wholeDigest(id wire.SessionID) uint64 {
	outcomes, _ := s.outcomesDigest(id, s.seen+1, s.last, s.last)
	return s.fieldsDigest(id) + outcomes
}

// fieldsDigest returns the digest of everything but the outcomes that the replicas must agree on about the session with
// that id.
func (s *session) fieldsDigest(id wire.SessionID) uint64 {
	return mix(uint64(id)^hashSeed, uint64(s.last)^hashWord) + mix(uint64(id)^hashTail, uint64(s.seen)^digestKey) +
		mix(uint64(id)^digestLengths, s.active^hashSeed)
}
