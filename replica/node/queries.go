package node

import (
	"time"

	"paxosbench/batching"
	"paxosbench/wire"
	"paxosbench/wire/ring"
)

// Queries are gets that do not go through the log. Each waits until this replica is known to have led, and the state to
// hold everything that was chosen, at a moment after it had come (see paxos/reads.go): for a leadership round, which all
// those share that came before it began, or, at once, under a lease. Then it is answered from the state. A replica that
// no longer leads forgets them; their clients are redirected and ask its successor.

// queryRoundBytes bounds the answers that one round appends, so that a few gets of large values cannot take all the memory.
// What is left comes with the next round, which is at most a tick away.
const queryRoundBytes = 64 << 20

// queries are those that wait, in the order in which they came. The first asked of them have a round.
type queries struct {
	ring.Queue[query]
	asked int
	bytes int // of the bodies' capacity
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

// QueryBytes returns the memory of the queries that wait.
func (n *Node) QueryBytes() int { return n.queries.bytes }

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

// answerQueries answers those that need not wait any longer. now must have been read after they came.
func (n *Node) answerQueries(now time.Duration) {
	q := &n.queries
	for budget := queryRoundBytes; budget > 0 && q.Len() > 0 && n.err == nil; {
		next := q.At(0)
		if !n.mayAnswer(next, now) {
			break
		}
		if budget -= n.answerQuery(next); next.done() {
			q.drop(n.cfg.Paxos.Buffers)
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
	a := answers{origin: q.origin, kind: wire.TypeQueryReply}
	if a.begin(n); !a.open {
		q.rest, q.run = nil, wire.Run{}
		return 0
	}
	for !q.done() && !a.full() {
		if q.run.Count == 0 {
			q.next()
		}
		before := q.run.Count
		a.out = n.state.QueryRun(&q.run, a.out, a.limit)
		a.count += before - q.run.Count
	}
	n.stats.QueriesAnswered += uint64(a.count)
	a.end(n)
	return len(a.out) - a.start
}

// next turns to the next run.
func (q *query) next() {
	run, size, err := wire.DecodeRun(q.rest)
	if err != nil {
		panic("BUG: checked query does not decode: " + err.Error())
	}
	q.run, q.rest = run, q.rest[size:]
}

// push adds a query; its body comes from the free list.
func (q *queries) push(origin batching.Origin, body []byte) {
	q.Push(query{origin: origin, body: body, rest: body})
	q.bytes += cap(body)
}

// drop forgets the oldest one.
func (q *queries) drop(buffers *wire.Buffers) {
	body := q.Pop().body
	q.bytes -= cap(body)
	buffers.Put(body)
	q.asked = max(0, q.asked-1)
}

// dropAll forgets all of them: leadership was lost.
func (q *queries) dropAll(buffers *wire.Buffers) {
	for q.Len() > 0 {
		q.drop(buffers)
	}
}
