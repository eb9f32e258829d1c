package load

import (
	"paxosbench/bench/client"
	"paxosbench/wire"
)

// streams are the ways on which the operations of a thread's clients travel. Each client has a session; where the cluster
// serves gets without its log, it has a reader as well, and its operations are dealt out: gets to the reader, the others
// to the session, each to the end of its stream. An operation is the same whichever way it goes: what changes is only its
// number in the stream. So operation numbers are those of the workload, and stream numbers those of the client package.
//
// Streams are numbered like sessions and readers (client.Session.Index): that of client i is i, that of its reader
// len(clients)+i.
type streams struct {
	work  *workload
	all   []*client.Session
	dealt []dealt // by client; nil: operations are not dealt out
}

// dealt is how one client's operations have been dealt out. As a progress it speaks of the commands, by operation
// number: what the replicas make of a get, nobody sees but who sent it.
type dealt struct {
	next           client.Number          // operations dealt out so far
	numbers        [2]ring[client.Number] // operation numbers of the unanswered ones, by stream number
	sent, answered client.Number          // commands, up to here
}

// The two streams of a client.
const (
	commandStream = 0
	getStream     = 1
)

// deal begins to deal operations out. No operation has been assigned yet.
func (s *streams) deal() { s.dealt = make([]dealt, len(s.all)/2) }

// clients returns the number of clients.
func (s *streams) clients() int { return len(s.all) / 2 }

// of returns the client whose stream it is, and which of its two.
func (s *streams) of(stream int) (client, kind int) {
	if n := s.clients(); stream >= n {
		return stream - n, getStream
	}
	return stream, commandStream
}

// operation returns whose operation number n of a stream is, and its operation number.
func (s *streams) operation(stream int, n client.Number) (session int, number client.Number) {
	if s.dealt == nil {
		return stream, n
	}
	session, kind := s.of(stream)
	return session, s.dealt[session].numbers[kind].at(n)
}

// progress returns how far a client's commands have come.
func (s *streams) progress(session int) progress {
	if s.dealt == nil {
		return s.all[session]
	}
	return &s.dealt[session]
}

// assignedUpTo returns the operation number of the newest operation that a client has been given.
func (s *streams) assignedUpTo(session int) client.Number {
	if s.dealt == nil {
		return s.all[session].Assigned()
	}
	return s.dealt[session].next
}

// answeredUpTo returns the operation number of the newest command of a client that is answered.
func (s *streams) answeredUpTo(session int) client.Number {
	if s.dealt == nil {
		return s.all[session].Answered()
	}
	return s.dealt[session].answered
}

// room returns how many operations a client can take. Gets count against the room of the session, so that a client has
// no more in flight than if they were commands.
func (s *streams) room(session int) int {
	room := s.all[session].Room()
	if s.dealt == nil {
		return room
	}
	reader := s.all[s.clients()+session]
	return max(0, room-int(reader.Assigned()-reader.Answered()))
}

// next deals out the next count operations of a client, and returns how many of them are gets.
func (s *streams) next(session, count int) (gets int) {
	if s.dealt == nil {
		return 0
	}
	d := &s.dealt[session]
	var assigned, answered [2]client.Number
	for kind := range d.numbers {
		stream := s.all[session+kind*s.clients()]
		assigned[kind], answered[kind] = stream.Assigned(), stream.Answered()
	}
	for range count {
		d.next++
		kind := commandStream
		if s.work.operation(session, d.next).op == wire.OpGet && !s.work.inRounds(session, d.next) {
			kind = getStream
			gets++
		}
		assigned[kind]++
		d.numbers[kind].put(assigned[kind], answered[kind], d.next)
	}
	return gets
}

// sent notes that the operations of a stream up to n have been handed to the socket.
func (s *streams) sent(stream int, n client.Number) {
	if session, kind := s.of(stream); s.dealt != nil && kind == commandStream {
		_, s.dealt[session].sent = s.operation(stream, n)
	}
}

// answered notes that the operations of a stream up to n have been answered, or given up.
func (s *streams) answered(stream int, n client.Number) {
	if session, kind := s.of(stream); s.dealt != nil && kind == commandStream {
		_, s.dealt[session].answered = s.operation(stream, n)
	}
}

// SentUpTo implements progress.
func (d *dealt) SentUpTo() client.Number { return d.sent }

// Answered implements progress.
func (d *dealt) Answered() client.Number { return d.answered }

// ResentUpTo implements progress: it matters to gets that are commands, of which there are none.
func (d *dealt) ResentUpTo() client.Number { return 0 }

// ring holds something for each unanswered operation of a stream, by its number. It grows to what a window needs and then
// stays.
type ring[T any] struct{ items []T } // power-of-two length

// at returns what was put for operation n.
func (r *ring[T]) at(n client.Number) T { return r.items[uint64(n)&uint64(len(r.items)-1)] }

// put puts an item for operation n; those up to answered are not needed any more.
func (r *ring[T]) put(n, answered client.Number, item T) {
	for n-answered > client.Number(len(r.items)) {
		r.grow(answered)
	}
	r.items[uint64(n)&uint64(len(r.items)-1)] = item
}

func (r *ring[T]) grow(answered client.Number) {
	old := r.items
	r.items = make([]T, max(8, 2*len(old)))
	for i := range old {
		n := uint64(answered) + 1 + uint64(i)
		r.items[n&uint64(len(r.items)-1)] = old[n&uint64(len(old)-1)]
	}
}
