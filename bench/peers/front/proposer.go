package front

import (
	"sync"

	"paxosbench/wire"
)

// request is a checked fragment that a client has sent.
type request struct {
	conn         *conn
	fragment     []byte
	info         wire.FragmentInfo
	announcement bool // instead of all that: this node leads
}

// queue is what waits to be proposed, in the order in which it came.
type queue struct {
	mu      sync.Mutex
	some    sync.Cond
	waiting []request
	spare   []request
	closed  bool
}

func (q *queue) init() { q.some.L = &q.mu }

func (q *queue) push(r request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, r)
	if len(q.waiting) == 1 {
		q.some.Signal()
	}
}

// take returns everything that waits, and waits for something. What it returned before is not used any more. It returns nothing when the
// node ends.
func (q *queue) take() []request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.closed {
		q.some.Wait()
	}
	if q.closed {
		return nil
	}
	clear(q.spare)
	taken := q.waiting
	q.waiting, q.spare = q.spare[:0], taken
	return taken
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.some.Signal()
}

// propose makes entries of requests until the node ends.
func (f *Front) propose(core Core) {
	p := proposer{front: f, core: core}
	for {
		requests := f.requests.take()
		if requests == nil {
			return
		}
		for _, r := range requests {
			if !p.add(&r) {
				return
			}
		}
		if !p.flush() {
			return
		}
	}
}

// proposer is the goroutine that proposes. While it waits for room requests gather, and the next entry is the larger.
type proposer struct {
	front *Front
	core  Core
	term  *leadership
	entry []byte // what is being filled; empty: nothing
	parts []part
}

// add puts a request into entries, and proposes those that are full. It reports whether the node goes on.
func (p *proposer) add(r *request) bool {
	term, leads := p.front.leads()
	p.term = term
	switch {
	case r.announcement:
		// If this fails clients find their way by asking: nothing but time is lost.
		_ = p.core.Propose(announcement(p.front.cfg.ID, p.front.Addr()))
		return true
	case !leads:
		r.conn.redirect()
		return true
	case !p.front.cfg.Batching:
		return p.addSingly(r)
	case len(p.entry) > 0 && len(p.entry)+len(r.fragment) > p.front.cfg.BatchBytes && !p.flush():
		return false
	}
	if !p.begin(len(r.fragment) + r.info.Registrations*wire.StampSize) {
		return false
	}
	start := len(p.entry)
	if r.info.Registrations == 0 {
		p.entry = append(p.entry, r.fragment...)
	} else {
		eachRun(r.fragment, func(run *wire.Run) { p.entry = p.term.appendRun(p.entry, run) })
	}
	p.parts = append(p.parts, part{r.conn, len(p.entry) - start})
	return len(p.entry) < p.front.cfg.BatchBytes || p.flush()
}

// addSingly proposes each command by itself.
func (p *proposer) addSingly(r *request) (ok bool) {
	ok = true
	eachCommand(r.fragment, func(run *wire.Run) {
		if ok = ok && p.begin(run.Len()+wire.StampSize); !ok {
			return
		}
		p.entry = p.term.appendRun(p.entry, run)
		p.parts = append(p.parts, part{r.conn, len(p.entry) - ticketSize})
		ok = p.flush()
	})
	return ok
}

// begin begins an entry, if none is being filled, with room for a body of that size at least.
func (p *proposer) begin(size int) bool {
	if len(p.entry) > 0 {
		return true
	}
	ticket, ok := p.front.pending.wait()
	if p.front.cfg.Batching {
		size = max(size, p.front.cfg.BatchBytes)
	}
	p.entry = appendTicket(make([]byte, 0, ticketSize+size), ticket)
	return ok
}

// flush proposes the entry that is being filled, if there is one.
func (p *proposer) flush() bool {
	if len(p.entry) == 0 {
		return true
	}
	ticket := TicketOf(p.entry)
	p.front.pending.add(p.entry, p.parts)
	if err := p.core.Propose(p.entry); err != nil {
		p.front.cfg.Log.Debug("not proposed", "why", err)
		p.front.Failed(ticket)
	}
	clear(p.parts)
	p.entry, p.parts = nil, p.parts[:0]
	return true
}

// eachRun calls f with the runs of a checked fragment.
func eachRun(fragment []byte, f func(run *wire.Run)) {
	for len(fragment) > 0 {
		run, size, err := wire.DecodeRun(fragment)
		if err != nil {
			panic("BUG: a run that was checked: " + err.Error())
		}
		fragment = fragment[size:]
		f(&run)
	}
}

// eachCommand calls f with a run for every command of a checked fragment.
func eachCommand(fragment []byte, f func(run *wire.Run)) {
	eachRun(fragment, func(run *wire.Run) {
		for rest := *run; rest.Count > 0; rest.First, rest.Count = rest.First+1, rest.Count-1 {
			size := rest.CommandLen(0)
			one := rest
			one.Count, one.Commands = 1, rest.Commands[:size]
			f(&one)
			rest.Commands = rest.Commands[size:]
		}
	})
}
