package machine

import (
	"time"

	"paxosbench/wire"
)

// idleness tells which sessions have been idle for so long that a newcomer may have their places. The machine has no clock; what
// it knows of time are the stamps of registrations, and that is all it needs: it matters only when somebody registers. Of these
// it keeps two marks, activeFor apart or more: a session that has not been active since the earlier one has been idle for at
// least as long. Stamps of different leaderships cannot be compared, so that with each one it begins anew, and nobody is idle.
type idleness struct {
	activeFor time.Duration // 0: whoever was active the longest ago is idle
	term      uint64        // of the marks
	recent    mark
	before    mark // clock 0: there is none
}

// mark is what sessions.clock was at the time of a registration.
type mark struct {
	at    time.Duration
	clock uint64
}

// note takes the stamp of a registration.
func (i *idleness) note(s wire.Stamp, clock uint64) {
	switch {
	case s.Term != i.term:
		i.term, i.recent, i.before = s.Term, mark{s.At, clock}, mark{}
	case s.At-i.recent.at >= i.activeFor:
		i.recent, i.before = mark{s.At, clock}, i.recent
	}
}

// is reports whether a session may be evicted because it is idle.
func (i *idleness) is(s *session) bool { return i.activeFor == 0 || s.active <= i.before.clock }
