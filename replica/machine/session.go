package machine

import (
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
	active     uint64 // sessions.clock at the newest run
	generation uint32
	older      uint32 // neighbours in the order of activity
	newer      uint32
	epoch      uint32 // of the newest snapshot that this session needs no saving for
}

// minOutcomes is the least that is allocated for outcomes.
const minOutcomes = 64

// outcomeRead stands for any result of a get. A get that is sent again is executed again: its client has seen no
// answer, so a later one is as good.
const outcomeRead = 0xff

// confirm notes that the client holds the replies up to seen. What it claims beyond the newest command means nothing.
func (s *session) confirm(seen wire.Seq) { s.seen = max(s.seen, min(seen, s.last)) }

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
