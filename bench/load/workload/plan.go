package workload

import (
	"fmt"

	"paxosbench/bench/target"
	"paxosbench/wire"
)

// plan is what interrupts the mix among the operations of one session: stretches of operations that prepare or check it.
// Like the mix, they follow from where they stand, so nothing is remembered of a single operation.
type plan struct {
	stretches []stretch
	end       uint64    // number of the last operation of the last stretch
	mixed     uint64    // operations of the mix before that
	held      []ValueID // what the first keys of the session held before the rounds
}

// stretch is a number of operations of one kind.
type stretch struct {
	kind  Stretch
	first uint64 // operation number
	count uint64
	mixed uint64 // operations of the mix before it
}

// Stretch is a kind of operations that interrupt the mix.
type Stretch uint8

// The kinds of stretches.
const (
	Preload  Stretch = iota // puts every key of the session once
	Recall                  // gets the keys of the operations before it, the newest first
	ReadBack                // gets every key of the session once
	rounds                  // exercises keys of the session, see round
)

// Insert makes the operations of a session behind after a stretch. There must not be another one in the way.
func (w *Workload) Insert(session int, kind Stretch, after target.Number, count uint64) {
	p := &w.plans[session]
	if uint64(after) < p.end {
		panic(fmt.Sprintf("BUG: a stretch behind operation %d, in one that ends with %d", after, p.end))
	}
	p.mixed += uint64(after) - p.end
	p.stretches = append(p.stretches, stretch{kind: kind, first: uint64(after) + 1, count: count, mixed: p.mixed})
	p.end = uint64(after) + count
}

// Purpose says what stretch an operation is part of, for reports.
func (w *Workload) Purpose(session int, n target.Number) string {
	if s, _ := w.plans[session].at(uint64(n)); s != nil {
		return [...]string{"preload: ", "recall after a lost connection: ", "read back: ", "rounds: "}[s.kind]
	}
	return ""
}

// planned returns an operation that is not behind the last stretch.
func (w *Workload) planned(session int, n uint64) Operation {
	s, i := w.plans[session].at(n)
	if s == nil {
		return w.mixed(session, i)
	}
	switch s.kind {
	case Preload:
		return Operation{Op: wire.OpPut, Key: w.Own(session, i)}
	case ReadBack:
		return Operation{Op: wire.OpGet, Key: w.Own(session, i)}
	case Recall:
		return Operation{Op: wire.OpGet, Key: w.Operation(session, target.Number(s.first-1-i)).Key}
	}
	return w.round(session, i)
}

// at returns the stretch that an operation is part of and its place in it, or no stretch and its place in the mix.
func (p *plan) at(n uint64) (*stretch, uint64) {
	for i := len(p.stretches) - 1; i >= 0; i-- {
		s := &p.stretches[i]
		switch {
		case n >= s.first+s.count:
			return nil, s.mixed + n - s.first - s.count
		case n >= s.first:
			return s, n - s.first
		}
	}
	return nil, n - 1
}

// Own returns the i-th key that a session of this thread owns.
func (w *Workload) Own(session int, i uint64) uint64 { return w.space.own(w.first+uint64(session), i) }

// Owned returns how many keys a session of this thread owns.
func (w *Workload) Owned(session int) uint64 { return w.space.owned(w.first + uint64(session)) }

// Rounds are two or three operations on one key, of which the last one is a get. Their answers tell when two that stand next
// to each other change places, when a write is answered and not done, when a compare-and-set does not do what it says, and
// when one is executed a second time. In a block of rounds all but the last one are of the first kind:
//
//	put a, get (finds a)
//	compare-and-set b to a (does not match), compare-and-set what the key holds to b (matches), get (finds b)
//
// A key takes part in rounds of one kind only: a put would hide what has become of a compare-and-set before it.
const (
	blockRounds = 15
	blockSteps  = 2*(blockRounds-1) + 3
	casSteps    = blockSteps - 3 // where the last round of a block begins
)

// casKeys returns how many of the keys of a session take part in the second kind of rounds: the first ones.
func (w *Workload) casKeys(session int) uint64 { return max(1, w.Owned(session)/blockRounds) }

// round returns the i-th operation of a session's rounds. The session needs two keys.
func (w *Workload) round(session int, i uint64) Operation {
	block, step, cas := i/blockSteps, i%blockSteps, w.casKeys(session)
	if step < casSteps {
		key := cas + (block*(blockRounds-1)+step/2)%(w.Owned(session)-cas)
		return Operation{Op: [...]wire.Op{wire.OpPut, wire.OpGet}[step%2], Key: w.Own(session, key)}
	}
	op := [...]wire.Op{wire.OpCompareAndSet, wire.OpCompareAndSet, wire.OpGet}[step-casSteps]
	return Operation{Op: op, Key: w.Own(session, block%cas)}
}

// expectedInRound returns what the compare-and-set n of a session, the i-th operation of its rounds, compares with.
func (w *Workload) expectedInRound(session int, n target.Number, i uint64) ValueID {
	if i%blockSteps == casSteps {
		return w.ValueID(session, n+1)
	}
	block, cas := i/blockSteps, w.casKeys(session)
	if block >= cas {
		return w.ValueID(session, n-target.Number(cas*blockSteps))
	}
	if held := w.plans[session].held[block]; held == Absent || held.tag() == w.tag {
		return held
	}
	return Unknown // not to be made again byte by byte
}

// expected returns what the unanswered compare-and-set n of a session compares with. Unknown means that it is sent as a
// put.
func (w *Workload) expected(session int, n target.Number) ValueID {
	p := &w.plans[session]
	if uint64(n) <= p.end {
		if s, i := p.at(uint64(n)); s != nil {
			return w.expectedInRound(session, n, i)
		}
	}
	return w.expect.expected(session, n)
}

// RoundsOf returns about how many operations so many rounds are, in whole blocks, and at least one block.
func RoundsOf(rounds int) uint64 { return uint64(max(rounds/blockRounds*blockSteps, blockSteps)) }

// EndRounds ends the rounds of a session behind operation n and returns how many there were.
func (w *Workload) EndRounds(session int, n target.Number) int64 {
	p := &w.plans[session]
	done := (int64(n) - int64(p.stretches[len(p.stretches)-1].first)) * blockRounds / blockSteps
	w.Cut(session, n)
	return done
}

// BeginRounds has a session exercise its keys behind operation after, until EndRounds. held returns what a key holds.
func (w *Workload) BeginRounds(session int, after target.Number, held func(key uint64) ValueID) {
	p := &w.plans[session]
	p.held = p.held[:0]
	for i := range w.casKeys(session) {
		p.held = append(p.held, held(w.Own(session, i)))
	}
	w.Insert(session, rounds, after, endless)
}

// Planned returns the number of the last operation of a session that is not part of the mix that follows.
func (w *Workload) Planned(session int) target.Number { return target.Number(w.plans[session].end) }

// InRounds reports whether an operation is part of a session's rounds.
func (w *Workload) InRounds(session int, n target.Number) bool {
	p := &w.plans[session]
	if uint64(n) > p.end {
		return false
	}
	s, _ := p.at(uint64(n))
	return s != nil && s.kind == rounds
}

// endless is the length of a stretch that is cut when time is up.
const endless = 1 << 48

// Cut ends the last stretch of a session behind operation n, if it does not end before: what follows has not been assigned.
func (w *Workload) Cut(session int, n target.Number) {
	p := &w.plans[session]
	if p.end <= uint64(n) {
		return
	}
	last := &p.stretches[len(p.stretches)-1]
	last.count = uint64(n) + 1 - last.first
	p.end = uint64(n)
}
