package node

import (
	"time"

	"paxosbench/wire"
	"paxosbench/wire/ring"
)

// Queries are gets that do not go through the log. Each waits until this replica is known to have led, and the state to
// hold everything that was chosen, at a moment after it had come (see paxos/reads.go): for a leadership round, which all
// those share that came before it began, or, at once, under a lease. Then it is answered from the state. A replica that
// no longer leads forgets them; their clients are redirected and ask its successor.
//
// Answers may be a thousand times as long as what asks for them. So none is made for a client that has no room for it: its
// queries stand aside, with their client, until it has. What they waited for has come by then, and does not go away again: a
// state that was new enough stays so. And a round makes only so many answers, so that nothing else waits long behind it.

const (
	// roundWork bounds the answers to queries that one round makes: their bytes, and answerWork for each. That is about a
	// millisecond. What is left comes with the next round, which follows at once when the sockets have been looked at.
	roundWork  = 2 << 20
	answerWork = 64

	// frameGets is the most gets that one frame answers.
	frameGets = 8 << 10
)

// queries are those that wait, in the order in which they came. The first asked of them have a round.
type queries struct {
	ring.Queue[query]
	asked int
	bytes int // of all bodies' capacity
	gets  int // in all of them, as they came

	aside []*Client           // whose queries stand aside
	roomy ring.Queue[*Client] // of these, those that have room again
}

// query is one frame of them.
type query struct {
	client *Client
	gets   int      // in body
	body   []byte   // from the free list
	rest   []byte   // the part of body that has not been looked at
	run    wire.Run // what is left of the run that is being answered

	round uint64    // of leadership that has to be confirmed; 0: none has been asked for
	index wire.Slot // what has to be applied
}

// aside is what a client keeps of its queries that wait for room.
type aside struct {
	ring.Queue[query]
	at    int  // its place in queries.aside, while there are any
	roomy bool // it stands in queries.roomy
}

func (q *query) done() bool { return q.run.Count == 0 && len(q.rest) == 0 }

// QueryBytes returns the memory of the queries that wait.
func (n *Node) QueryBytes() int { return n.queries.bytes }

// Unfinished reports whether the last Round has left work that waits for nothing but the next one.
func (n *Node) Unfinished() bool { return n.unfinished }

// Room tells the node that there is room for the answers to a client for which there was none.
func (n *Node) Room(c *Client) {
	if c.aside.Len() > 0 && !c.aside.roomy {
		c.aside.roomy = true
		n.queries.roomy.Push(c)
	}
}

// askForRound has the queries that came since the last round of the loop wait for a leadership round, unless a lease
// spares them that.
func (n *Node) askForRound(now time.Duration) {
	q := &n.queries
	if q.asked == q.Len() || n.cfg.Unreplicated || n.core.HoldsLease(now) {
		return
	}
	round, index := n.core.ReadRound()
	for ; q.asked < q.Len(); q.asked++ {
		q.At(q.asked).round, q.At(q.asked).index = round, index
	}
}

// answerQueries answers those that need not wait any longer, as far as there is room, and time in this round. now must have
// been read after they came.
func (n *Node) answerQueries(now time.Duration) {
	q := &n.queries
	work := roundWork - n.answerAside(roundWork/2)
	for q.Len() > 0 && n.mayAnswer(q.At(0), now) {
		if work <= 0 {
			n.unfinished = true
			return
		}
		next := q.At(0)
		if next.client.aside.Len() > 0 {
			q.standAside()
			continue
		}
		done, room := n.answerQuery(next)
		work -= done
		switch {
		case next.done():
			q.drop(n.cfg.Paxos.Buffers)
		case !room:
			q.standAside()
		}
	}
}

// answerAside answers the queries of clients that have room again, a frame of each in turn, until it has done so much work. It
// returns the work done.
func (n *Node) answerAside(most int) (work int) {
	q := &n.queries
	for q.roomy.Len() > 0 {
		if work >= most {
			n.unfinished = true
			break
		}
		c := q.roomy.Pop()
		c.aside.roomy = false
		if c.aside.Len() == 0 {
			continue
		}
		next := c.aside.At(0)
		done, room := n.answerQuery(next)
		work += done
		if next.done() {
			q.dropAside(c, n.cfg.Paxos.Buffers)
		}
		if room {
			n.Room(c)
		}
	}
	return work
}

// mayAnswer reports whether the state is known to be no older than the query.
func (n *Node) mayAnswer(q *query, now time.Duration) bool {
	applied := n.state.Applied()
	if n.cfg.Unreplicated || n.core.HoldsLease(now) {
		return applied >= n.core.Commit()
	}
	return q.round != 0 && q.round <= n.core.Confirmed() && applied >= q.index
}

// answerQuery appends one frame of answers, and returns the work that was, and whether there was room for the next answer. If
// nobody waits for them, the query is done.
func (n *Node) answerQuery(q *query) (work int, room bool) {
	a := answers{origin: q.client.Origin, kind: wire.TypeQueryReply}
	if a.begin(n); !a.open {
		q.rest, q.run = nil, wire.Run{}
		return 0, true
	}
	room = true
	for room && !q.done() && !a.full() && a.count < frameGets {
		if q.run.Count == 0 {
			q.next()
		}
		room = n.answerGets(q, &a)
	}
	if a.count == 0 {
		return 0, room // no frame: what begin has begun is forgotten
	}
	n.stats.QueriesAnswered += uint64(a.count)
	a.end(n)
	return len(a.out) - a.start + a.count*answerWork, room
}

// answerGets answers what fits of the present run, and reports whether there is room for more.
func (n *Node) answerGets(q *query, a *answers) (room bool) {
	part := q.run
	part.Count = min(part.Count, frameGets-a.count)
	left := part.Count
	a.out = n.state.QueryRun(&part, a.out, a.limits)
	answered := left - part.Count
	a.count += answered
	q.run.First, q.run.Commands, q.run.Count = part.First, part.Commands, q.run.Count-answered
	return part.Count == 0 || a.full()
}

// next turns to the next run.
func (q *query) next() {
	run, size, err := wire.DecodeRun(q.rest)
	if err != nil {
		panic("BUG: checked query does not decode: " + err.Error())
	}
	q.run, q.rest = run, q.rest[size:]
}

// push adds a query of so many gets; its body comes from the free list.
func (q *queries) push(c *Client, body []byte, gets int) {
	q.Push(query{client: c, gets: gets, body: body, rest: body})
	q.bytes += cap(body)
	q.gets += gets
}

// drop forgets the oldest one.
func (q *queries) drop(buffers *wire.Buffers) {
	q.forget(q.pop(), buffers)
}

func (q *queries) pop() query {
	q.asked = max(0, q.asked-1)
	return q.Pop()
}

func (q *queries) forget(gone query, buffers *wire.Buffers) {
	q.bytes -= cap(gone.body)
	q.gets -= gone.gets
	buffers.Put(gone.body)
}

// standAside has the oldest one wait for its client to have room.
func (q *queries) standAside() {
	oldest := q.pop()
	c := oldest.client
	if c.aside.Len() == 0 {
		c.aside.at = len(q.aside)
		q.aside = append(q.aside, c)
	}
	c.aside.Push(oldest)
}

// dropAside forgets the oldest one of those of a client that stand aside.
func (q *queries) dropAside(c *Client, buffers *wire.Buffers) {
	q.forget(c.aside.Pop(), buffers)
	if c.aside.Len() > 0 {
		return
	}
	last := len(q.aside) - 1
	q.aside[c.aside.at] = q.aside[last]
	q.aside[c.aside.at].aside.at = c.aside.at
	q.aside[last] = nil
	q.aside = q.aside[:last]
}

// dropAll forgets all of them: leadership was lost.
func (q *queries) dropAll(buffers *wire.Buffers) {
	for q.Len() > 0 {
		q.drop(buffers)
	}
	for len(q.aside) > 0 {
		q.dropAside(q.aside[0], buffers)
	}
}

// ClientClosed forgets the queries of a client that has gone, as far as they stand aside; the others find nobody to answer.
func (n *Node) ClientClosed(c *Client) {
	for c.aside.Len() > 0 {
		n.queries.dropAside(c, n.cfg.Paxos.Buffers)
	}
}
