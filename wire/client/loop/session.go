package loop

import (
	"time"

	"paxosbench/wire"
)

// Session is one client session, bound to one connection of its loop. A reader is a Session as well, whose operations
// are gets that go as queries: it numbers them like a session, but is not registered and stands in no order with it.
//
// Invariants: Answered <= transmitted <= Sent <= Assigned, and outstanding <= transmitted - Answered while the session
// is not rewinding. Limit is not 0 only while the session is registered and its connection open.
type Session struct {
	Stream

	conn  *conn
	lane  *lane          // of the connection, by what the operations travel in
	id    wire.SessionID // 0: not registered
	nonce wire.Seq       // names the registration

	base        Number // operations before the present registration: sequence number = operation - base
	transmitted Number // on the wire, on the present connection, up to here

	outstanding int           // commands on the present connection that no reply has mentioned yet
	queued      bool          // on the connection's list of sessions with something to transmit
	rewinding   bool          // refused: waits until outstanding is 0, then sends again from Answered+1
	parked      bool          // on the connection's list of sessions that wait for resumeAt
	registering bool          // a registration is on the wire
	refusals    int           // in a row, without an operation executed
	gaps        int           // of them: a gap before the first unanswered operation
	resumeAt    time.Duration // nothing is sent before; it outlives a connection
}

// Reads reports whether this is a reader.
func (s *Session) Reads() bool { return s.lane.frame == wire.TypeQuery }

// seq returns the sequence number under which operation n travels.
func (s *Session) seq(n Number) wire.Seq { return wire.Seq(n - s.base) }

// disconnected forgets what was on the wire.
func (s *Session) disconnected() {
	s.Limit, s.outstanding = 0, 0
	s.transmitted = s.Answered
	s.queued, s.rewinding, s.parked, s.registering = false, false, false, false
}

// lost forgets the registration; unanswered operations are given up.
func (s *Session) lost() (first Number, count int) {
	s.id, s.Limit = 0, 0
	s.base = s.Assigned
	return s.givenUp()
}

// givenUp gives up the unanswered operations.
func (s *Session) givenUp() (first Number, count int) {
	first, count = s.Answered+1, int(s.Assigned-s.Answered)
	s.Answered, s.transmitted, s.Sent = s.Assigned, s.Assigned, s.Assigned
	s.outstanding = 0
	s.rewinding, s.gaps = false, 0
	return first, count
}
