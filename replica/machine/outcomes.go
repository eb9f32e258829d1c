package machine

import (
	"encoding/binary"
	"math/bits"

	"paxosbench/wire"
)

// outcomes remembers what became of the commands of one session in (seen, last], if not all of it is StatusOK: a byte for
// each, at its sequence number modulo the length: a status, or outcomeRead. Bytes of other numbers mean nothing.
//
// Invariant: len(ring) is a power of two, and at least the number of commands remembered.
type outcomes struct {
	ring   []byte
	noted  uint32    // of those remembered, how many are not StatusOK: at least one between runs
	weight uint32    // what it counted in outcomeTable.weight after the session's newest run
	class  uint8     // of the smallest ring that would have been enough then
	next   *outcomes // if unused
}

const (
	// outcomeRead stands for any result of a get. A get that is sent again is executed again: its client has seen no
	// answer, so a later one is as good.
	outcomeRead = 0xff

	minRing       = 64 // bytes of the smallest ring
	maxRing       = wire.MaxSessionWindow
	ringClasses   = 11 // powers of two from minRing to maxRing
	outcomesBytes = 48 // of the struct, as it is allocated

	// maxOutcomesWeight bounds what the outcomes of all sessions weigh. If they weigh more, sessions are evicted, through the log
	// as always: of the owner that hoards most (see owners.go) those with the heaviest outcomes, and of these the least recently
	// active. So whoever leaves few replies unconfirmed does not go for those that leave many: no number of sessions that default to
	// 65536 places evicts one that leaves 256. A weight is a function of the state, the same on every replica: of a ring as small as it may be. A ring
	// may be twice that, so all of them take 64 MiB at most, and maxSpareRings more.
	maxOutcomesWeight = 32 << 20

	// maxSpareRings bounds the bytes of rings that are kept for other sessions.
	maxSpareRings = 1 << 20
)

// The largest ring is that of the last class.
const _ = -uint(maxRing - minRing<<(ringClasses-1))

// ringClass returns the class of the smallest ring with room for n outcomes.
func ringClass(n int) int { return max(0, bits.Len(uint(n-1))-bits.Len(minRing-1)) }

// outcomeTable is what all sessions remember.
type outcomeTable struct {
	weight     int // of all
	limit      int
	spare      [ringClasses]*outcomes // unused ones, linked by next
	spareBytes int
}

// take returns empty outcomes with room for n.
func (t *outcomeTable) take(n int) *outcomes {
	class := ringClass(n)
	o := t.spare[class]
	if o == nil {
		return &outcomes{ring: make([]byte, minRing<<class), class: uint8(class)}
	}
	t.spare[class] = o.next
	t.spareBytes -= len(o.ring)
	clear(o.ring)
	*o = outcomes{ring: o.ring, class: uint8(class)}
	return o
}

// give takes back what take returned.
func (t *outcomeTable) give(o *outcomes) {
	if t.spareBytes+len(o.ring) > maxSpareRings {
		return
	}
	class := ringClass(len(o.ring))
	o.next = t.spare[class]
	t.spare[class] = o
	t.spareBytes += len(o.ring)
}

// resize gives the session's outcomes a ring of the class that n outcomes need.
func (t *outcomeTable) resize(s *session, n int) {
	old, o := s.outcomes, t.take(n)
	for seq := s.seen + 1; seq <= s.last; seq++ {
		*o.at(seq) = *old.at(seq)
	}
	o.noted, o.weight, o.class = old.noted, old.weight, old.class
	s.outcomes = o
	t.give(old)
}

// weigh brings the weight and the class of the session's outcomes up to date, and makes their ring smaller if a quarter is enough.
func (t *outcomeTable) weigh(s *session) {
	class := ringClass(s.remembered())
	need := minRing << class
	if need <= len(s.outcomes.ring)/4 {
		t.resize(s, s.remembered())
	}
	o := s.outcomes
	t.weight += outcomesBytes + need - int(o.weight)
	o.weight, o.class = uint32(outcomesBytes+need), uint8(class)
}

// at returns the place of a command's outcome.
func (o *outcomes) at(seq wire.Seq) *byte { return &o.ring[uint64(seq)&uint64(len(o.ring)-1)] }

// clear makes the outcomes of n commands from first on StatusOK.
func (o *outcomes) clear(first wire.Seq, n int) {
	from := int(uint64(first) & uint64(len(o.ring)-1))
	tail := o.ring[from:min(from+n, len(o.ring))]
	clear(tail)
	clear(o.ring[:n-len(tail)])
}

// Outcomes are digested eight at a time, by sequence number; eight that are all StatusOK count nothing.
const outcomeWordBits = 3

// outcomesDigest returns the digest of the words in which the outcomes of the commands from first to last are, as far as
// they are remembered and not after end, for the session with that id, and how many in those words are not StatusOK.
func (s *session) outcomesDigest(id wire.SessionID, first, last, end wire.Seq) (sum uint64, noted uint32) {
	if s.outcomes == nil {
		return 0, 0
	}
	key := mix(uint64(id)^hashSeed, hashTail)
	for w := uint64(first) >> outcomeWordBits; w <= uint64(last)>>outcomeWordBits; w++ {
		if v := s.outcomeWord(w, end); v != 0 {
			sum += mix(key+w*hashWord, v^digestKey)
			noted += nonzeroBytes(v)
		}
	}
	return sum, noted
}

// outcomeWord returns the outcomes of the commands from 8w to 8w+7, and zero for those that are not remembered, or after
// end: what stands in their places may be other commands'.
func (s *session) outcomeWord(w uint64, end wire.Seq) uint64 {
	base := w << outcomeWordBits
	ring := s.outcomes.ring
	v := binary.LittleEndian.Uint64(ring[base&uint64(len(ring)-1):])
	if v == 0 {
		return 0
	}
	if seen := uint64(s.seen); base <= seen {
		v &= ^uint64(0) << (8 * (seen + 1 - base))
	}
	if last := base + 7; last > uint64(end) {
		v &= ^uint64(0) >> (8 * (last - uint64(end)))
	}
	return v
}

// nonzeroBytes returns how many bytes of a word are not zero.
func nonzeroBytes(v uint64) uint32 {
	const low7 = 0x7f7f7f7f7f7f7f7f
	return uint32(bits.OnesCount64(((v&low7 + low7) | v) &^ low7))
}
