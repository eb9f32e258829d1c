package load

import (
	"math"
	"testing"

	"paxosbench/bench/load/verify"
	"paxosbench/wire"
)

// Operations that are dealt out to two streams allocate nothing.
func TestQueriesDoNotAllocate(t *testing.T) {
	cfg := testConfig()
	cfg.Verify = verify.None
	if err := cfg.Mix.UnmarshalText([]byte("put:0.5,get:0.5")); err != nil {
		t.Fatal(err)
	}
	e := idleEngine(t, cfg)
	e.deal()
	buf := make([]byte, 0, 1<<20)
	if allocs := testing.AllocsPerRun(100, func() {
		e.assign(0, 1000, e.loop.Now())
		for stream, s := range e.streams.All {
			first := e.books[stream].due.Front().Last - 499 // half of the operations go either way
			buf, _ = e.AppendCommands(buf[:0], s, first, 500, math.MaxInt)
			e.Sent(s, first, 500, e.loop.Now())
			e.Answered(s, first, 500, wire.StatusOK, e.loop.Now())
		}
	}); allocs != 0 {
		t.Errorf("%v allocations for 1000 operations", allocs)
	}
}

// What a reader has lost is taken off its client's books, and the client goes on.
func TestLostQueries(t *testing.T) {
	cfg := testConfig()
	parse(t, "get:1", &cfg.Mix)
	e := idleEngine(t, cfg)
	e.deal()
	session, reader := e.streams.All[0], e.streams.All[1]
	session.Limit, reader.Limit = 10, 10
	e.assign(0, 2, 0)
	e.Sent(reader, 1, 2, 1)
	reader.Answered = 2 // as the loop does before it tells
	e.Lost(reader, 1, 2, 3)
	if e.ready.len() != 1 || e.ready.pop() != 0 || e.outstanding != 0 || e.rec.set.Counts.Failed != 2 {
		t.Errorf("%d clients are ready, %d operations outstanding, %d failed", e.ready.len(), e.outstanding, e.rec.set.Counts.Failed)
	}
}
