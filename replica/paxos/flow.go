package paxos

import "time"

// Flow paces what one peer is asked for, or sent, a step at a time: how many bytes a step may have, and how long to wait
// for its answer before it counts as lost. Both follow what answers have taken, so that the same code fits loopback and
// a link of 250 KB/s with a round trip of a quarter of a second.
//
// The bytes of a step should take a quarter of an election timeout at most, because whatever shares the link waits for
// them, and several flows may share it; or half a round trip, if that is more, for its sake would the link be idle. The
// shortest answer stands for the round trip (as in TCP Vegas: Brakmo and Peterson, 1995). Silence doubles the patience until there is an answer, so that what is late and not
// lost is asked for a few times only, however late it is (as in TCP: Karn and Partridge, 1987).
//
// A Flow is a value of its owner's, and knows no clock: the owner says how long things took.
type Flow struct {
	bytes, most int
	target      time.Duration // what the bytes of a step should take at most
	patience    time.Duration // at least

	shortest time.Duration // that an answer has taken; 0: there was none
	usual    time.Duration // the longest that answers have taken of late
	silences int           // since the last answer, in a row
}

const (
	// startBytes is where a step begins, small enough for its time to be little more than a round trip.
	startBytes = 16 << 10

	// leastBytes is what a step does not fall below. One batch may exceed any step.
	leastBytes = 4 << 10

	// maxSilences bounds the patience to 16 times what it is after an answer.
	maxSilences = 4
)

// NewFlow returns the flow to a peer that nothing is known of. Steps have most bytes at most; an answer is waited for at
// least for patience.
func NewFlow(most int, electionTimeout, patience time.Duration) Flow {
	return Flow{bytes: min(startBytes, most), most: most, target: electionTimeout / 4, patience: patience}
}

// Bytes returns how many bytes the next step may have.
func (f *Flow) Bytes() int { return f.bytes }

// Patience returns how long to wait for an answer.
func (f *Flow) Patience() time.Duration {
	usual := 4 * f.usual
	if f.shortest == 0 {
		usual = 4 * f.target
	}
	return max(f.patience, usual) << f.silences
}

// Took says that the answer to a step has come after d, and how many bytes the step had. That a small one was quick
// says nothing about larger ones. It must not be called if the question was asked more than once: nothing tells then which
// one is answered.
func (f *Flow) Took(d time.Duration, bytes int) {
	d = max(d, 1)
	if f.shortest == 0 || d < f.shortest {
		f.shortest = d
	}
	f.usual = max(d, f.usual-f.usual/8)
	f.silences = 0
	bytesTook, allowed := d-f.shortest, max(f.target, f.shortest/2)
	switch {
	case bytesTook > allowed+allowed/4:
		f.shrink(d)
	case 2*bytesTook >= allowed: // twice as many would take too long, unless the round trip is longer than it was
		f.shortest += bytesTook / 32
	case bytes >= f.bytes/2:
		f.bytes = min(2*f.bytes, f.most)
	}
}

// shrink halves the step. If the least step takes so long, it is the round trip that does: another way than before.
func (f *Flow) shrink(d time.Duration) {
	if f.bytes <= leastBytes {
		f.shortest = d
	}
	f.bytes = max(f.bytes/2, min(leastBytes, f.most))
}

// Silent says that no answer has come within the patience.
func (f *Flow) Silent() {
	f.silences = min(f.silences+1, maxSilences)
	f.Lost()
}

// Lost says that part of an answer has been lost on the way, which carries less at once.
func (f *Flow) Lost() { f.bytes = max(f.bytes/2, min(leastBytes, f.most)) }

// Resume says that the peer is back, after a silence that was its own and not the way's.
func (f *Flow) Resume() { f.silences = 0 }
