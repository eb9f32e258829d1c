// Package streams deals the operations of clients out to the ways on which they travel, and translates between an operation's
// number in its client and in its stream. It knows which operations are reads, from the workload, and how far each stream has
// come; what is due when, and what an answer means, is for others.
package streams

import (
	"slices"

	"paxosbench/bench/load/inflight"
	"paxosbench/bench/load/workload"
	"paxosbench/bench/target"
	"paxosbench/wire"
)

// Streams are the ways on which the operations of a thread's clients travel. Each client has a session; where the cluster
// serves gets without its log, it has a reader as well, and its operations are dealt out: gets to the reader, the others
// to the session, each to the end of its stream. An operation is the same whichever way it goes: what changes is only its
// number in the stream. So operation numbers are those of the workload, and stream numbers those of the system.
//
// Streams are numbered like sessions and readers (target.Stream.Index): that of client i is i, that of its reader
// len(clients)+i.
type Streams struct {
	// All are the streams: the sessions, and behind them their readers, if the system has any.
	All []*target.Stream

	work    *workload.Workload
	clients int
	dealt   []dealt // by client; nil: operations are not dealt out
}

// dealt is how one client's operations have been dealt out. As a progress it speaks of the commands, by operation
// number: what the replicas make of a get, nobody sees but who sent it.
type dealt struct {
	next           target.Number                   // operations dealt out so far
	numbers        [2]inflight.Ring[target.Number] // operation numbers of the unanswered ones, by stream number
	sent, answered target.Number                   // commands, up to here
}

// The two streams of a client.
const (
	commandStream = 0
	getStream     = 1
)

// Progress is how far a client's commands have come, by operation number.
type Progress interface {
	SentUpTo() target.Number
	ResentUpTo() target.Number
	AnsweredUpTo() target.Number
}

// New returns the streams of clients whose operations are those of a workload.
func New(work *workload.Workload, sessions, readers []*target.Stream) Streams {
	return Streams{work: work, All: slices.Concat(sessions, readers), clients: len(sessions)}
}

// Deal begins to deal operations out. No operation has been assigned yet.
func (s *Streams) Deal() { s.dealt = make([]dealt, s.clients) }

// Clients returns the number of clients.
func (s *Streams) Clients() int { return s.clients }

// Of returns the client whose stream it is, and which of its two.
func (s *Streams) Of(stream int) (client, kind int) {
	if n := s.Clients(); stream >= n {
		return stream - n, getStream
	}
	return stream, commandStream
}

// Operation returns whose operation number n of a stream is, and its operation number.
func (s *Streams) Operation(stream int, n target.Number) (session int, number target.Number) {
	if s.dealt == nil {
		return stream, n
	}
	session, kind := s.Of(stream)
	return session, s.dealt[session].numbers[kind].At(n)
}

// Progress returns how far a client's commands have come.
func (s *Streams) Progress(session int) Progress {
	if s.dealt == nil {
		return s.All[session]
	}
	return &s.dealt[session]
}

// AssignedUpTo returns the operation number of the newest operation that a client has been given.
func (s *Streams) AssignedUpTo(session int) target.Number {
	if s.dealt == nil {
		return s.All[session].Assigned
	}
	return s.dealt[session].next
}

// AnsweredUpTo returns the operation number of the newest command of a client that is answered.
func (s *Streams) AnsweredUpTo(session int) target.Number {
	if s.dealt == nil {
		return s.All[session].Answered
	}
	return s.dealt[session].answered
}

// Room returns how many operations a client can take. Gets count against the room of the session, so that a client has
// no more in flight than if they were commands.
func (s *Streams) Room(session int) int {
	room := s.All[session].Room()
	if s.dealt == nil {
		return room
	}
	reader := s.All[s.Clients()+session]
	return max(0, room-int(reader.Assigned-reader.Answered))
}

// Next deals out the next count operations of a client, and returns how many of them are gets.
func (s *Streams) Next(session, count int) (gets int) {
	if s.dealt == nil {
		return 0
	}
	d := &s.dealt[session]
	var assigned, answered [2]target.Number
	for kind := range d.numbers {
		stream := s.All[session+kind*s.Clients()]
		assigned[kind], answered[kind] = stream.Assigned, stream.Answered
	}
	for range count {
		d.next++
		kind := commandStream
		if s.work.Operation(session, d.next).Op == wire.OpGet && !s.work.InRounds(session, d.next) {
			kind = getStream
			gets++
		}
		assigned[kind]++
		d.numbers[kind].Put(assigned[kind], answered[kind], d.next)
	}
	return gets
}

// Sent notes that the operations of a stream up to n have been handed to the socket.
func (s *Streams) Sent(stream int, n target.Number) {
	if session, kind := s.Of(stream); s.dealt != nil && kind == commandStream {
		_, s.dealt[session].sent = s.Operation(stream, n)
	}
}

// Answered notes that the operations of a stream up to n have been answered, or given up.
func (s *Streams) Answered(stream int, n target.Number) {
	if session, kind := s.Of(stream); s.dealt != nil && kind == commandStream {
		_, s.dealt[session].answered = s.Operation(stream, n)
	}
}

// SentUpTo implements Progress.
func (d *dealt) SentUpTo() target.Number { return d.sent }

// AnsweredUpTo implements Progress.
func (d *dealt) AnsweredUpTo() target.Number { return d.answered }

// ResentUpTo implements Progress: it matters to gets that are commands, of which there are none.
func (d *dealt) ResentUpTo() target.Number { return 0 }
