package machine

import "paxosbench/wire"

// session is what the replicas know about one client session, in the 64 bytes of a cache line.
//
// Invariants: seen <= last; last-seen <= wire.MaxSessionWindow; between runs, outcomes is nil if and only
// if all commands in (seen, last] had the status OK, and digest is that of the fields.
type session struct {
	last     wire.Seq  // newest command executed
	seen     wire.Seq  // newest command whose reply the client is known to hold
	outcomes *outcomes // of the commands in (seen, last]
	active   uint64    // sessions.clock when it became the most recently active one
	digest   uint64    // its part of sessions.held, without the outcomes
	tag      uint64    // 44 bits, and vacant
	links    [2]link   // in the order of activity: among all, and in its kind's
}

// aside is what is seldom needed of a session.
type aside struct {
	owner *owner // nil: the place is vacant
	epoch uint32 // of the newest snapshot that this session needs no saving for
}

// ownerID returns the id of the owner as the session's stamp has it, 0 if there is no session.
func (a *aside) ownerID() uint64 {
	if a.owner == nil {
		return 0
	}
	return a.owner.id
}

// link names the neighbours of a session in an order, by their places.
type link struct{ older, newer uint32 }

// Orders of sessions. Every session is in the first, and in at most one of the others.
const (
	amongAll         = iota
	amongUnused                                         // that have executed no command
	amongVacant                                         // that have been evicted, and whose places are free
	amongRemembering                                    // and the following: that have outcomes, by outcomes.class
	amongHoarding    = amongRemembering + modestClasses // and the following: of those the ones that hoard, each owner's apart
)

// linkOf returns the session's link in an order.
func (s *session) linkOf(order int) *link { return &s.links[min(order, 1)] }

// kind returns which other order a session is in, amongAll: none.
func (s *session) kind() int {
	switch {
	case s.tag&vacant != 0:
		return amongVacant
	case s.last == 0:
		return amongUnused
	case s.outcomes != nil:
		return amongRemembering + int(s.outcomes.class)
	}
	return amongAll
}

// hoarded returns what counts as hoarded of what the session's outcomes weigh.
func (s *session) hoarded() int {
	if s.outcomes == nil || s.outcomes.class < modestClasses {
		return 0
	}
	return int(s.outcomes.weight)
}

// id returns the id of the session, which is at that place.
func (s *session) id(place uint32) wire.SessionID { return wire.MakeSessionID(s.tag, place) }

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
func (s *session) wholeDigest(id wire.SessionID, owner uint64) uint64 {
	outcomes, _ := s.outcomesDigest(id, s.seen+1, s.last, s.last)
	return s.fieldsDigest(id) + outcomes + ownerDigest(id, owner)
}

// ownerDigest returns the digest of a session's owner: apart, because it does not change.
func ownerDigest(id wire.SessionID, owner uint64) uint64 {
	if owner == 0 {
		return 0
	}
	return mix(uint64(id)^digestKey, owner^hashWord)
}

// fieldsDigest returns the digest of everything but the outcomes that the replicas must agree on about the session with
// that id.
func (s *session) fieldsDigest(id wire.SessionID) uint64 {
	return mix(uint64(id)^hashSeed, uint64(s.last)^hashWord) + mix(uint64(id)^hashTail, uint64(s.seen)^digestKey) +
		mix(uint64(id)^digestLengths, s.active^hashSeed^s.tag&vacant)
}
