package load

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paxosbench/bench/client"
	"paxosbench/wire"
)

// TestDealingMatchesLists deals operations out and compares with lists of what each stream should have got.
func TestDealingMatchesLists(t *testing.T) {
	cfg := testConfig()
	cfg.Clients, cfg.Preload = 2, true
	cfg.Keys = 50
	if err := cfg.Mix.UnmarshalText([]byte("put:0.3,get:0.6,delete:0.1")); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		e := idleEngine(t, cfg)
		e.deal()
		var lists [4][]client.Number
		var next [2]client.Number
		for range rapid.IntRange(1, 50).Draw(rt, "steps") {
			session, count := rapid.IntRange(0, 1).Draw(rt, "client"), rapid.IntRange(1, 40).Draw(rt, "count")
			e.assign(session, count, 0)
			for range count {
				next[session]++
				stream := session
				if e.work.operation(session, next[session]).op == wire.OpGet {
					stream += 2
				}
				lists[stream] = append(lists[stream], next[session])
			}
		}
		for stream, list := range lists {
			if got := e.streams.all[stream].Assigned(); got != client.Number(len(list)) {
				rt.Fatalf("stream %d has %d operations, want %d", stream, got, len(list))
			}
			for i, want := range list {
				session, n := e.streams.operation(stream, client.Number(i+1))
				if session != stream%2 || n != want {
					rt.Fatalf("operation %d of stream %d is %d of client %d, want %d", i+1, stream, n, session, want)
				}
			}
		}
	})
}

// Progress speaks of commands, by the numbers that values carry.
func TestProgressOfDealtOperations(t *testing.T) {
	r := newVerifierRig(t, "uniform", "put:0.5,get:0.5")
	r.deal()
	r.assign(0, 1000, 0)
	puts := r.streams.all[0].Assigned()
	_, last := r.streams.operation(0, puts)
	_, first := r.streams.operation(0, 1)
	r.streams.sent(0, puts)
	r.streams.answered(0, 1)
	r.streams.sent(2, 3) // gets do not count
	r.streams.answered(2, 3)
	if p := r.streams.progress(0); p.SentUpTo() != last || p.Answered() != first || r.streams.answeredUpTo(0) != first {
		t.Errorf("sent up to %d and answered up to %d, want %d and %d", p.SentUpTo(), p.Answered(), last, first)
	}
}

// assignedAs gives session 0 operations until n of the workload is among them, and returns its number in its stream.
func (r *verifierRig) assignedAs(n client.Number) (stream int, number client.Number) {
	if r.streams.dealt[0].next < n {
		r.assign(0, int(n-r.streams.dealt[0].next), 0)
	}
	for _, stream := range []int{0, 2} {
		for i := r.streams.all[stream].Assigned(); i > 0; i-- {
			if _, got := r.streams.operation(stream, i); got == n {
				return stream, i
			}
		}
	}
	r.t.Fatalf("operation %d is in no stream", n)
	return 0, 0
}

// A query sees at least what had been acknowledged when it was sent, and perhaps what was acknowledged or sent since.
func TestVerifierJudgesQueries(t *testing.T) {
	r := newVerifierRig(t, "uniform", "put:0.5,get:0.5")
	r.deal()
	v := r.verifier
	put := r.find(0, 50, wire.OpPut, anyKey)
	key := r.work.operation(0, put).key
	later := r.find(0, put, wire.OpPut, onKey(key))
	get := r.find(0, later, wire.OpGet, onKey(key))
	unsent := r.find(0, get, wire.OpPut, onKey(key))
	stream, query := r.assignedAs(get)
	_, one := r.assignedAs(put)
	_, two := r.assignedAs(later)
	if stream != 2 {
		t.Fatalf("the get is in stream %d", stream)
	}
	first := r.value(0, r.find(0, 0, wire.OpPut, onKey(key))) // the preload's
	ack := func(n client.Number, at int) {
		r.streams.answered(0, n)
		v.answered(0, n, 1, wire.StatusOK, 1, ms(at))
	}
	r.streams.sent(0, two)

	ack(one, 20)
	v.result(stream, query, wire.StatusOK, r.value(0, put), ms(30), ms(40))
	v.result(stream, query, wire.StatusOK, r.value(0, later), ms(30), ms(40)) // under way
	v.result(stream, query, wire.StatusOK, first, ms(10), ms(40))             // sent before the write was acknowledged
	r.wantViolations(0, "")
	v.result(stream, query, wire.StatusOK, first, ms(30), ms(40))
	r.wantViolations(1, "had replaced 10ms before the read was sent")
	v.result(stream, query, wire.StatusNotFound, nil, ms(30), ms(40))
	r.wantViolations(2, "found no value")
	v.result(stream, query, wire.StatusOK, r.value(0, unsent), ms(30), ms(40))
	r.wantViolations(3, "never sent")

	ack(two, 50)
	v.result(stream, query, wire.StatusOK, r.value(0, put), ms(45), ms(60))
	r.wantViolations(3, "")
	v.result(stream, query, wire.StatusOK, r.value(0, put), ms(55), ms(60))
	r.wantViolations(4, "had replaced")
	if v.found.Reads != 8 || v.found.Checked != 10 {
		t.Errorf("%d reads and %d answers counted", v.found.Reads, v.found.Checked)
	}
}

// What a session does to a key of its own is still known exactly when its gets go elsewhere.
func TestVerifierKnowsCommandsBesideQueries(t *testing.T) {
	r := newVerifierRig(t, "uniform", "put:0.3,get:0.4,delete:0.3")
	r.deal()
	put := r.find(0, 50, wire.OpPut, anyKey)
	del := r.find(0, put, wire.OpDelete, onKey(r.work.operation(0, put).key))
	_, number := r.assignedAs(del)
	_, one := r.assignedAs(put)
	r.streams.sent(0, number)
	r.verifier.answered(0, one, 1, wire.StatusOK, 1, 2)
	r.verifier.answered(0, number, 1, wire.StatusNotFound, 3, 4)
	r.wantViolations(1, "the key held value")
}

func TestQueriesDoNotAllocate(t *testing.T) {
	cfg := testConfig()
	cfg.Verify = VerifyNone
	if err := cfg.Mix.UnmarshalText([]byte("put:0.5,get:0.5")); err != nil {
		t.Fatal(err)
	}
	e := idleEngine(t, cfg)
	e.deal()
	buf := make([]byte, 0, 1<<20)
	if allocs := testing.AllocsPerRun(100, func() {
		e.assign(0, 1000, e.loop.Now())
		for stream, s := range e.streams.all {
			first := e.books[stream].due.front().last - 499 // half of the operations go either way
			buf, _ = e.AppendCommands(buf[:0], s, first, 500, math.MaxInt)
			e.Sent(s, first, 500, e.loop.Now())
			e.Answered(s, first, 500, wire.StatusOK, e.loop.Now())
		}
	}); allocs != 0 {
		t.Errorf("%v allocations for 1000 operations", allocs)
	}
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
