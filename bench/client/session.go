package client

import (
	"time"

	"paxosbench/wire"
)

// Session is one client session, bound to one connection of its loop. A reader is a Session as well, whose operations
// are gets that go as queries: it numbers them like a session, but is not registered and stands in no order with it.
//
// Invariants: answered <= transmitted <= sent <= assigned, and outstanding <= transmitted - answered while the session
// is not rewinding.
type Session struct {
	conn  *conn
	lane  *lane // of the connection, by what the operations travel in
	index int
	id    wire.SessionID // 0: not registered
	nonce wire.Seq       // names the registration

	base        Number // operations before the present registration: sequence number = operation - base
	answered    Number // answered up to here
	transmitted Number // on the wire, on the present connection, up to here
	sent        Number // on the wire at least once, up to here
	resent      Number // on the wire more than once: some up to here, none behind
	assigned    Number // handed over by Assign, up to here

	outstanding int           // commands on the present connection that no reply has mentioned yet
	queued      bool          // on the connection's list of sessions with something to transmit
	rewinding   bool          // refused: waits until outstanding is 0, then sends again from answered+1
	parked      bool          // on the connection's list of sessions that wait for resumeAt
	registering bool          // a registration is on the wire
	refusals    int           // in a row, without an operation executed
	gaps        int           // of them: a gap before the first unanswered operation
	resumeAt    time.Duration // nothing is sent before; it outlives a connection
}

// Index returns the session's place in its loop, from 0. Readers come behind the sessions.
func (s *Session) Index() int { return s.index }

// Reads reports whether this is a reader.
func (s *Session) Reads() bool { return s.lane.frame == wire.TypeQuery }

// ConnIndex returns the place of the session's connection in its loop, from 0.
func (s *Session) ConnIndex() int { return s.conn.index }

// Answered returns the number of the last operation answered; everything up to it is.
func (s *Session) Answered() Number { return s.answered }

// SentUpTo returns the number of the last operation that was ever handed to a socket.
func (s *Session) SentUpTo() Number { return s.sent }

// ResentUpTo returns the number of the last operation that was handed to a socket more than once, 0 if none was. A get
// among those may have been executed more than once (docs/wire.md).
func (s *Session) ResentUpTo() Number { return s.resent }

// Assigned returns the number of the last operation taken over by Assign.
func (s *Session) Assigned() Number { return s.assigned }

// Room returns how many operations Assign would take now: 0 while the session is not registered or not connected.
func (s *Session) Room() int {
	if s.id == 0 || s.conn.state != stateOpen {
		return 0
	}
	return max(0, s.conn.share-int(s.assigned-s.answered))
}

// Assign takes over the next count operations, Assigned()+1 and following. They are sent by the next Flush, as far as
// the connection's window allows. It must not exceed Room, which is what bounds memory.
func (s *Session) Assign(count int) {
	s.assigned += Number(count)
	s.conn.queue(s)
}

// seq returns the sequence number under which operation n travels.
func (s *Session) seq(n Number) wire.Seq { return wire.Seq(n - s.base) }

// disconnected forgets what was on the wire.
func (s *Session) disconnected() {
	s.outstanding = 0
	s.transmitted = s.answered
	s.queued, s.rewinding, s.parked, s.registering = false, false, false, false
}

// lost forgets the registration; unanswered operations are given up.
func (s *Session) lost() (first Number, count int) {
	first, count = s.answered+1, int(s.assigned-s.answered)
	s.id = 0
	s.base = s.assigned
	s.answered, s.transmitted, s.sent = s.assigned, s.assigned, s.assigned
	s.outstanding = 0
	s.rewinding, s.gaps = false, 0
	return first, count
}
