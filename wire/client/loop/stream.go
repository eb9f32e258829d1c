package loop

import (
	"time"

	"paxosbench/wire"
)

// Number identifies an operation within its stream, contiguously from 1. It survives the loss of a session by the replicas.
type Number uint64

// Stream is one way on which operations travel in order: a session, or the reader beside it. How far it has come are fields, so that
// looking costs nothing. The loop writes them, and its sink reads them on the same goroutine.
//
// Invariants: Answered <= Sent <= Assigned; Resent <= Sent.
type Stream struct {
	Index    int    // its place in the loop, from 0; readers come behind the sessions
	Limit    int    // how many operations it may have unanswered; 0 while it can take none
	Assigned Number // taken over by Assign, up to here
	Sent     Number // handed over to the system at least once, up to here
	Resent   Number // handed over more than once: some up to here, none behind
	Answered Number // answered, or given up, up to here
}

// Room returns how many operations the stream can take now.
func (s *Stream) Room() int { return max(0, s.Limit-int(s.Assigned-s.Answered)) }

// AnsweredUpTo returns the number of the last operation that is answered; everything up to it is.
func (s *Stream) AnsweredUpTo() Number { return s.Answered }

// SentUpTo returns the number of the last operation that was ever handed over.
func (s *Stream) SentUpTo() Number { return s.Sent }

// ResentUpTo returns the number of the last operation that was handed over more than once, 0 if none was. A get among those may have
// been executed more than once.
func (s *Stream) ResentUpTo() Number { return s.Resent }

// Sink is what a loop takes operations from and reports to. Every method is called on the goroutine that drives the loop,
// from inside Poll or Flush, and does not call back into them.
type Sink interface {
	// AppendCommands appends operations first, first+1, .. of the stream, encoded as docs/wire.md says: at least one, at most count,
	// and none that begins after dst has reached limit bytes. It returns dst and how many it appended. Of operations that were sent
	// before it appends the same bytes as then. Those of a reader are gets.
	AppendCommands(dst []byte, s *Stream, first Number, count, limit int) ([]byte, int)

	// Sent tells that count operations from first on are being handed over for the first time.
	Sent(s *Stream, first Number, count int, at time.Duration)

	// Answered tells that count operations from first on were executed, all with the same status and without a value.
	// Operations of a stream are answered in order and once.
	Answered(s *Stream, first Number, count int, status wire.Status, at time.Duration)

	// Result tells the outcome of one executed operation; value is a view that is valid during the call.
	Result(s *Stream, n Number, status wire.Status, value []byte, at time.Duration)

	// Lost tells that the outcome of count operations from first on, all that were unanswered, is unknown and will not be told. The
	// stream may have room at once, or is Ready later.
	Lost(s *Stream, first Number, count int, at time.Duration)

	// Ready tells that the session can take operations (Stream.Room is positive) after a time in which it could not.
	Ready(s *Stream)
}
