package machine

import (
	"encoding/binary"
	"math/bits"

	"paxosbench/wire"
)

// session is what the replicas know about one client session.
//
// Invariants: seen <= last; len(outcomes) is 0 or a power of two and at least last-seen, which is at most
// wire.MaxSessionWindow; generation >= 1.
type session struct {
	last wire.Seq // newest command executed
	seen wire.Seq // newest command whose reply the client is known to hold
	// outcomes remembers a byte for each command in (seen, last], at its sequence number modulo the length: a status,
	// or outcomeRead.
	outcomes   []byte
	active     uint64 // sessions.clock when it became the most recently active one
	generation uint32
	older      uint32 // neighbours in the order of activity
	newer      uint32
	epoch      uint32 // of the newest snapshot that this session needs no saving for
}

// id returns the id of the session, which is at that place.
func (s *session) id(place uint32) wire.SessionID { return wire.MakeSessionID(s.generation, place) }

// minOutcomes is the least that is allocated for outcomes.
const minOutcomes = 64

// outcomeRead stands for any result of a get. A get that is sent again is executed again: its client has seen no
// answer, so a later one is as good.
const outcomeRead = 0xff

// remembered returns the number of outcomes remembered.
func (s *session) remembered() int { return int(s.last - s.seen) }

// advance takes the next n sequence numbers as executed, all with StatusOK.
func (s *session) advance(n int) {
	if n == 0 {
		return
	}
	s.reserve(s.remembered() + n)
	from := int(uint64(s.last+1) & uint64(len(s.outcomes)-1))
	tail := s.outcomes[from:min(from+n, len(s.outcomes))]
	clear(tail)
	clear(s.outcomes[:n-len(tail)])
	s.last += wire.Seq(n)
}

// retreat takes back the newest n sequence numbers of an advance.
func (s *session) retreat(n int) { s.last -= wire.Seq(n) }

// reserve makes room for n outcomes.
func (s *session) reserve(n int) {
	if n <= len(s.outcomes) {
		return
	}
	grown := make([]byte, max(minOutcomes, 1<<bits.Len(uint(n-1))))
	for i := range s.remembered() {
		seq := s.seen + 1 + wire.Seq(i)
		grown[uint64(seq)&uint64(len(grown)-1)] = s.outcome(seq)
	}
	s.outcomes = grown
}

// outcome returns what is remembered of a command in (seen, last].
func (s *session) outcome(seq wire.Seq) byte {
	return s.outcomes[uint64(seq)&uint64(len(s.outcomes)-1)]
}

func (s *session) setOutcome(seq wire.Seq, outcome byte) {
	s.outcomes[uint64(seq)&uint64(len(s.outcomes)-1)] = outcome
}

// digest returns the digest of the session with that id.
func (s *session) digest(id wire.SessionID) uint64 {
	return s.fieldsDigest(id) + s.outcomesDigest(id, s.seen+1, s.last)
}

// Outcomes are digested eight at a time, by sequence number; eight that are all StatusOK count nothing.
const outcomeWordBits = 3

// outcomesDigest returns the digest of the words that hold the outcomes of the commands from first to last, as far as they
// are remembered, for the session with that id.
func (s *session) outcomesDigest(id wire.SessionID, first, last wire.Seq) (sum uint64) {
	if len(s.outcomes) == 0 {
		return 0
	}
	for w := uint64(first) >> outcomeWordBits; w <= uint64(last)>>outcomeWordBits; w++ {
		if v := s.outcomeWord(w); v != 0 {
			sum += mix(mix(uint64(id)^hashSeed, w^hashTail), v)
		}
	}
	return sum
}

// outcomeWord returns the outcomes of the commands from 8w to 8w+7, and zero for those that are not remembered: what stands
// in their places may be other commands'.
func (s *session) outcomeWord(w uint64) uint64 {
	base := w << outcomeWordBits
	v := binary.LittleEndian.Uint64(s.outcomes[base&uint64(len(s.outcomes)-1):])
	if seen := uint64(s.seen); base <= seen {
		v &= ^uint64(0) << (8 * (seen + 1 - base))
	}
	if end, last := base+7, uint64(s.last); end > last {
		v &= ^uint64(0) >> (8 * (end - last))
	}
	return v
}

// fieldsDigest returns the digest of everything else that the replicas must agree on about the session with that id.
func (s *session) fieldsDigest(id wire.SessionID) uint64 {
	return mix(uint64(id)^hashSeed, uint64(s.last)^hashWord) + mix(uint64(id)^hashTail, uint64(s.seen)^digestKey) +
		mix(uint64(id)^digestLengths, s.active^hashSeed)
}
