package node

import (
	"time"

	"paxosbench/batching"
	"paxosbench/wire"
)

// Queries are gets that do not go through the log. Each waits until this replica is known to have led, and the state to
// hold everything that was chosen, at a moment after it had come (see paxos/reads.go): for a leadership round, which all
// those share that came before it began, or, at once, under a lease. Then it is answered from the state. A replica that
// no longer leads forgets them; their clients are redirected and ask its successor.

// queryRoundBytes bounds the answers that one round appends, so that a few gets of large values cannot take all the memory.
// What is left comes with the next round, which is at most a tick away.
const queryRoundBytes = 64 << 20

// queries are those that wait, in the order in which they came: queue[head:], of which those before asked have a round.
type queries struct {
	queue       []query
	head, asked int
	bytes       int // of the bodies' capacity
}

// query is one frame of them.
type query struct {
	origin batching.Origin
	body   []byte   // from the free list
	rest   []byte   // the part of body that has not been looked at
	run    wire.Run // what is left of the run that is being answered

	round uint64    // of leadership that has to be confirmed; 0: none has been asked for
	index wire.Slot // what has to be applied
}

func (q *query) done() bool { return q.run.Count == 0 && len(q.rest) == 0 }

// Query takes a fragment that machine.CheckQuery has accepted; it is copied. The node must lead.
func (n *Node) Query(origin batching.Origin, fragment []byte) {
	if !n.Leads() {
		panic("BUG: query taken by a replica that does not lead")
	}
	body := append(n.cfg.Paxos.Buffers.Get(len(fragment)), fragment...)
	n.queries.push(query{origin: origin, body: body, rest: body})
}

// QueryBytes returns the memory of the queries that wait.
func (n *Node) QueryBytes() int { return n.queries.bytes }

// askForRound has the queries that came since the last round of the loop wait for a leadership round, unless a lease
// spares them that.
func (n *Node) askForRound(now time.Duration) {
	q := &n.queries
	if q.asked == len(q.queue) || n.cfg.Unreplicated || n.core.HoldsLease(now) {
		return
	}
	round, index := n.core.ReadRound()
	for ; q.asked < len(q.queue); q.asked++ {
		q.queue[q.asked].round, q.queue[q.asked].index = round, index
	}
}

// answerQueries answers those that need not wait any longer. now must have been read after they came.
func (n *Node) answerQueries(now time.Duration) {
	q := &n.queries
	for budget := queryRoundBytes; budget > 0 && q.head < len(q.queue) && n.err == nil; {
		next := &q.queue[q.head]
		if !n.mayAnswer(next, now) {
			break
		}
		if budget -= n.answerQuery(next); next.done() {
			q.pop(n.cfg.Paxos.Buffers)
		}
	}
}

// mayAnswer reports whether the state is known to be no older than the query.
func (n *Node) mayAnswer(q *query, now time.Duration) bool {
	applied := n.state.Applied()
	if n.cfg.Unreplicated || n.core.HoldsLease(now) {
		return applied >= n.core.Commit()
	}
	return q.round != 0 && q.round <= n.core.Confirmed() && applied >= q.index
}

// answerQuery appends one frame of answers, and returns the bytes in it. If nobody waits for them, the query is done.
func (n *Node) answerQuery(q *query) int {
	replies := n.driver.QueryReplies(q.origin)
	if replies == nil {
		q.rest, q.run = nil, wire.Run{}
		return 0
	}
	start, count := len(replies), 0
	for limit := start + n.cfg.ReplyFrame; !q.done() && len(replies) < limit; {
		if q.run.Count == 0 {
			q.next()
		}
		before := q.run.Count
		replies = n.state.QueryRun(&q.run, replies, limit)
		count += before - q.run.Count
	}
	n.stats.QueriesAnswered += uint64(count)
	size := len(replies) - start
	n.driver.QueriesAnswered(q.origin, replies, count)
	return size
}

// next turns to the next run.
func (q *query) next() {
	run, size, err := wire.DecodeRun(q.rest)
	if err != nil {
		panic("BUG: checked query does not decode: " + err.Error())
	}
	q.run, q.rest = run, q.rest[size:]
}

func (q *queries) push(next query) {
	if q.head > len(q.queue)/2 {
		q.queue = q.queue[:copy(q.queue, q.queue[q.head:])]
		q.asked = max(0, q.asked-q.head)
		q.head = 0
	}
	q.queue = append(q.queue, next)
	q.bytes += cap(next.body)
}

func (q *queries) pop(buffers *wire.Buffers) {
	done := &q.queue[q.head]
	q.bytes -= cap(done.body)
	buffers.Put(done.body)
	*done = query{}
	q.head++
	q.asked = max(q.asked, q.head)
}

// drop forgets everything: leadership was lost.
func (q *queries) drop(buffers *wire.Buffers) {
	for q.head < len(q.queue) {
		q.pop(buffers)
	}
}
