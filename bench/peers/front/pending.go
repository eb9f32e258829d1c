package front

import "sync"

// part is how many bytes of an entry came from a connection.
type part struct {
	conn *conn
	size int
}

// pending is what has been proposed by this node and not been applied: for each entry whom its answers are for. Tickets are
// counted up, so that their places are a ring; the upper bits are this process's own.
type pending struct {
	mu     sync.Mutex
	room   sync.Cond
	slots  []slot
	next   uint64
	closed bool
}

type slot struct {
	ticket uint64 // 0: free
	entry  []byte
	parts  []part
}

// ticketBits are those that are counted up.
const ticketBits = 40

func (p *pending) init(size int) {
	p.room.L = &p.mu
	p.slots = make([]slot, size)
	p.next = random()<<ticketBits | 1
}

func (p *pending) at(ticket uint64) *slot { return &p.slots[ticket%uint64(len(p.slots))] }

// wait waits until there is room, and returns the ticket that is next. It fails when the node ends.
func (p *pending) wait() (ticket uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.at(p.next).ticket != 0 && !p.closed {
		p.room.Wait()
	}
	return p.next, !p.closed
}

// add notes whom the answers to the entry with the next ticket are for. wait must have returned it.
func (p *pending) add(entry []byte, parts []part) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.at(p.next)
	s.ticket, s.entry, s.parts = p.next, entry, append(s.parts[:0], parts...)
	p.next++
}

// take appends whom the answers to an entry are for, and forgets it. It returns no parts if the ticket is not, or no longer,
// one of this node's.
func (p *pending) take(ticket uint64, parts []part) (entry []byte, _ []part) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.at(ticket)
	if s.ticket != ticket {
		return nil, parts
	}
	parts = append(parts, s.parts...)
	entry = s.entry
	s.free()
	if p.next-ticket >= uint64(len(p.slots)) { // only then somebody waits for this place
		p.room.Signal()
	}
	return entry, parts
}

func (s *slot) free() {
	s.ticket, s.entry = 0, nil
	clear(s.parts)
}

// reset forgets everything: it is answered by nobody here.
func (p *pending) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.slots {
		p.slots[i].free()
	}
	p.room.Signal()
}

func (p *pending) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.room.Signal()
}
