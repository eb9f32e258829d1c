package load

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"paxosbench/bench/client"
	"paxosbench/wire"
)

// verifierRig is an engine without connections whose answers the test makes up.
type verifierRig struct {
	*engine
	t *testing.T
}

func newVerifierRig(t *testing.T, dist, mix string) *verifierRig {
	t.Helper()
	cfg := testConfig()
	cfg.Keys, cfg.Clients, cfg.Preload = 100, 2, true
	cfg.Conns = 2
	for text, into := range map[string]interface{ UnmarshalText([]byte) error }{dist: &cfg.KeyDist, mix: &cfg.Mix, "24": &cfg.ValueSize} {
		if err := into.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return &verifierRig{idleEngine(t, cfg), t}
}

// find returns the first operation of a session behind after that is op, and one more condition.
func (r *verifierRig) find(session int, after client.Number, op wire.Op, ok func(operation) bool) client.Number {
	r.t.Helper()
	for n := after + 1; n < after+100_000; n++ {
		if o := r.work.operation(session, n); o.op == op && ok(o) {
			return n
		}
	}
	r.t.Fatalf("no %v behind operation %d", op, after)
	return 0
}

func anyKey(operation) bool { return true }

func onKey(key uint64) func(operation) bool {
	return func(o operation) bool { return o.key == key }
}

// value returns the value that operation n of a session writes.
func (r *verifierRig) value(session int, n client.Number) []byte {
	id := r.work.valueID(session, n)
	return r.work.values.append(nil, id, r.work.values.size(id))
}

// wantViolations checks how many violations there are, and what the last report says.
func (r *verifierRig) wantViolations(count int64, report string) {
	r.t.Helper()
	v := r.verifier
	if v.found.Violations != count {
		r.t.Fatalf("%d violations, want %d: %q", v.found.Violations, count, v.found.Reports)
	}
	if count > 0 && !strings.Contains(v.found.Reports[len(v.found.Reports)-1], report) {
		r.t.Errorf("report %q does not say %q", v.found.Reports[len(v.found.Reports)-1], report)
	}
}

// pretendSent makes the session look as if it had sent and got answered everything up to n.
func (r *verifierRig) pretendSent(session int, n client.Number) {
	r.verifier.sessions[session] = pretended{done: n}
}

type pretended struct{ done, resent client.Number }

func (p pretended) SentUpTo() client.Number   { return p.done }
func (p pretended) ResentUpTo() client.Number { return p.resent }
func (p pretended) Answered() client.Number   { return p.done }

// A get that was sent again may be executed again, behind operations that follow it in its session. One that was sent
// once may not.
func TestVerifierAllowsAGetSentAgainToFindLaterWrites(t *testing.T) {
	r := newVerifierRig(t, "uniform", "put:0.5,get:0.5")
	v := r.verifier
	put := r.find(0, 50, wire.OpPut, anyKey)
	key := r.work.operation(0, put).key
	get := r.find(0, put, wire.OpGet, onKey(key))
	later := r.find(0, get, wire.OpPut, onKey(key))
	r.pretendSent(1, later)

	v.answered(0, put, 1, wire.StatusOK, 1, 2)
	v.sessions[0] = pretended{done: later, resent: get}
	v.result(0, get, wire.StatusOK, r.value(0, later), 3, 4)
	r.wantViolations(0, "")
	v.result(0, get, wire.StatusOK, r.value(0, put), 3, 4) // what the key is known to hold has not changed
	r.wantViolations(0, "")

	v.sessions[0] = pretended{done: later, resent: get - 1}
	v.result(0, get, wire.StatusOK, r.value(0, later), 3, 4)
	r.wantViolations(1, "the key holds value")
}

// So may it find that a later operation has deleted its key, if there is one that has been sent.
func TestVerifierAllowsAGetSentAgainToFindALaterDelete(t *testing.T) {
	r := newVerifierRig(t, "uniform", "put:0.4,get:0.4,delete:0.2")
	v := r.verifier
	put := r.find(0, 50, wire.OpPut, anyKey)
	key := r.work.operation(0, put).key
	get := r.find(0, put, wire.OpGet, onKey(key))
	deletion := r.find(0, get, wire.OpDelete, onKey(key))
	v.answered(0, put, 1, wire.StatusOK, 1, 2)

	v.sessions[0] = pretended{done: deletion, resent: get}
	v.result(0, get, wire.StatusNotFound, nil, 3, 4)
	r.wantViolations(0, "")
	v.sessions[0] = pretended{done: deletion - 1, resent: get}
	v.result(0, get, wire.StatusNotFound, nil, 3, 4)
	r.wantViolations(1, "the key holds value")
}

func TestVerifierKnowsOwnKeysExactly(t *testing.T) {
	r := newVerifierRig(t, "uniform", "put:0.5,get:0.5")
	v := r.verifier
	put := r.find(0, 50, wire.OpPut, anyKey)
	key := r.work.operation(0, put).key
	get := r.find(0, put, wire.OpGet, onKey(key))
	r.pretendSent(0, get)
	r.pretendSent(1, get)

	v.answered(0, put, 1, wire.StatusOK, 1, 2)
	v.result(0, get, wire.StatusOK, r.value(0, put), 3, 4)
	r.wantViolations(0, "")

	older := r.find(0, 50, wire.OpPut, func(o operation) bool { return o.key != key })
	v.result(0, get, wire.StatusOK, r.value(0, older), 3, 4)
	r.wantViolations(1, "a put of key")

	first := r.find(0, 0, wire.OpPut, onKey(key)) // the preload's
	v.answered(0, put, 1, wire.StatusOK, 1, 2)
	v.result(0, get, wire.StatusOK, r.value(0, first), 3, 4)
	r.wantViolations(2, "the key holds value")

	v.answered(0, put, 1, wire.StatusOK, 1, 2)
	v.result(0, get, wire.StatusNotFound, nil, 3, 4)
	r.wantViolations(3, "found no value")

	broken := r.value(0, put)
	broken[20] ^= 1
	v.result(0, get, wire.StatusOK, broken, 3, 4)
	r.wantViolations(4, "not the value written by operation")

	v.result(0, get, wire.StatusOK, nil, 3, 4)
	r.wantViolations(5, "which no one wrote")

	v.result(0, get, wire.StatusOK, r.value(0, get+1000), 3, 4)
	r.wantViolations(6, "never sent")

	v.result(0, get, wire.StatusMismatch, nil, 3, 4)
	r.wantViolations(7, "no such answer")

	v.answered(0, put, 1, wire.StatusOK, 1, 2)
	foreign := r.value(0, put)
	foreign[7] ^= 0xff // the tag
	v.result(0, get, wire.StatusOK, foreign, 3, 4)
	r.wantViolations(8, "the key holds value")
	if v.found.Foreign != 1 {
		t.Errorf("%d foreign values, want 1", v.found.Foreign)
	}
}

func TestVerifierForgetsWhatIsUncertain(t *testing.T) {
	r := newVerifierRig(t, "uniform", "put:0.5,get:0.5")
	put := r.find(0, 50, wire.OpPut, anyKey)
	key := r.work.operation(0, put).key
	second := r.find(0, put, wire.OpPut, onKey(key))
	get := r.find(0, second, wire.OpGet, onKey(key))
	r.pretendSent(0, get)
	r.verifier.answered(0, put, 1, wire.StatusOK, 1, 2)
	r.verifier.lost(0, second, 1) // it may have taken effect, or not
	r.verifier.result(0, get, wire.StatusOK, r.value(0, second), 5, 6)
	r.wantViolations(0, "")
	r.verifier.result(0, get, wire.StatusOK, r.value(0, put), 5, 6) // but not both
	r.wantViolations(1, "the key holds value")
}

func TestVerifierFindsStaleReadsOfSharedKeys(t *testing.T) {
	r := newVerifierRig(t, "hot:0.01,1", "put:0.5,get:0.5")
	v := r.verifier
	one := r.find(0, 60, wire.OpPut, onKey(0))
	two := r.find(1, 60, wire.OpPut, onKey(0))
	get := r.find(0, one, wire.OpGet, onKey(0))
	r.pretendSent(0, get)
	r.pretendSent(1, two)

	v.answered(0, one, 1, wire.StatusOK, 10, 20)
	v.answered(1, two, 1, wire.StatusOK, 30, 40) // sent after one was acknowledged
	v.result(0, get, wire.StatusOK, r.value(1, two), 50, 60)
	r.wantViolations(0, "")
	v.result(0, get, wire.StatusOK, r.value(0, one), 35, 60) // sent before two was acknowledged: either will do
	r.wantViolations(0, "")
	v.result(0, get, wire.StatusOK, r.value(0, one), 50, 60)
	r.wantViolations(1, "had replaced 10ns before")
	v.result(0, get, wire.StatusNotFound, nil, 50, 60)
	r.wantViolations(2, "found no value")

	v.answered(0, one, 1, wire.StatusOK, 35, 70) // now the two writes overlap, and their order is not known
	v.result(0, get, wire.StatusOK, r.value(1, two), 80, 90)
	r.wantViolations(2, "")
}

func TestVerifierChecksDeletesAndCompareAndSets(t *testing.T) {
	r := newVerifierRig(t, "uniform", "put:0.3,get:0.2,delete:0.2,cas:0.3")
	v := r.verifier
	put := r.find(0, 50, wire.OpPut, anyKey)
	key := r.work.operation(0, put).key
	del := r.find(0, put, wire.OpDelete, onKey(key))
	cas := r.find(0, del, wire.OpCompareAndSet, onKey(key))
	send := func(n client.Number) {
		r.work.expect.send(0, n, 0, r.work.operation(0, n), r.work.valueID(0, n))
	}
	send(put)
	v.answered(0, put, 1, wire.StatusOK, 1, 2)
	send(del)
	v.answered(0, del, 1, wire.StatusNotFound, 3, 4)
	r.wantViolations(1, "the key held value")
	v.answered(0, del, 1, wire.StatusOK, 3, 4)
	r.wantViolations(2, "the key held no value")
	send(cas) // expects absence
	v.answered(0, cas, 1, wire.StatusMismatch, 5, 6)
	r.wantViolations(3, "the key holds the expected value")
	v.answered(0, cas, 1, wire.StatusOK, 5, 6)
	r.wantViolations(3, "")
}

// Judging answers allocates nothing, with keys of one writer and with shared ones.
func TestJudgingDoesNotAllocate(t *testing.T) {
	for _, dist := range []string{"uniform", "zipf:0.99"} {
		r := newVerifierRig(t, dist, "put:0.5,get:0.5")
		r.pretendSent(0, 1<<30)
		n, held, value := client.Number(0), make([]client.Number, 100), make([]byte, 0, 64)
		if allocs := testing.AllocsPerRun(10_000, func() {
			n++
			o := r.work.operation(0, n)
			if o.op == wire.OpPut {
				held[o.key] = n
			}
			id := r.work.valueID(0, held[o.key])
			switch value = r.work.values.append(value[:0], id, r.work.values.size(id)); {
			case o.op == wire.OpPut:
				r.verifier.answered(0, n, 1, wire.StatusOK, 1, 2)
			case held[o.key] > 0:
				r.verifier.result(0, n, wire.StatusOK, value, 1, 2)
			}
		}); allocs != 0 {
			t.Errorf("%s: %v allocations for an answer", dist, allocs)
		}
		r.wantViolations(0, "")
	}
}

func TestVerifierOfWritesWantsOK(t *testing.T) {
	r := newVerifierRig(t, "uniform", "put:1")
	r.verifier.answered(0, 1, 10, wire.StatusOK, 1, 2)
	r.wantViolations(0, "")
	r.verifier.answered(0, 11, 1, wire.StatusNotFound, 1, 2)
	r.wantViolations(1, "put 11 answered not-found")
	r.verifier.result(0, 12, wire.StatusOK, []byte("x"), 1, 2)
	r.wantViolations(2, "with 1 bytes")
	if r.verifier.found.Checked != 12 {
		t.Errorf("%d answers checked, want 12", r.verifier.found.Checked)
	}
}

// register is a history of one key that a test writes by hand.
type register struct{ entries []*historyEntry }

func (r *register) add(op wire.Op, id, expected valueID, sent, at time.Duration, status wire.Status, found valueID) {
	r.entries = append(r.entries, &historyEntry{operation: operation{op: op}, id: id, expected: expected,
		sent: sent, at: at, status: status, found: found, answered: at != 0})
}

func (r *register) check(cut time.Duration) string {
	return outcomeOf(checkHistories([]*history{r.history(cut)}, false))
}

func (r *register) history(cut time.Duration) *history {
	return &history{keys: map[uint64]*keyHistory{0: {entries: r.entries, cut: cut}}}
}

func outcomeOf(v historyVerdict) string {
	switch {
	case len(v.illegal) > 0:
		return "illegal"
	case v.decided > 0:
		return "ok"
	}
	return ""
}

func TestHistories(t *testing.T) {
	const a, b, c = valueID(101), valueID(102), valueID(103)
	tests := []struct {
		name string
		make func(*register)
		cut  time.Duration
		want string
	}{
		{"read after write", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 3, 4, wire.StatusOK, a)
		}, never, "ok"},
		{"stale read", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpPut, b, 0, 3, 4, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 5, 6, wire.StatusOK, a)
		}, never, "illegal"},
		{"overlapping writes, either order", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 5, wire.StatusOK, 0)
			r.add(wire.OpPut, b, 0, 2, 4, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 6, 7, wire.StatusOK, a)
		}, never, "ok"},
		{"overlapping writes, both orders", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 5, wire.StatusOK, 0)
			r.add(wire.OpPut, b, 0, 2, 4, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 6, 7, wire.StatusOK, a)
			r.add(wire.OpGet, 0, 0, 8, 9, wire.StatusOK, b)
		}, never, "illegal"},
		{"unanswered write shows up late", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpPut, b, 0, 3, 0, 0, 0)
			r.add(wire.OpGet, 0, 0, 4, 5, wire.StatusOK, a)
			r.add(wire.OpGet, 0, 0, 6, 7, wire.StatusOK, b)
		}, never, "ok"},
		{"what was there before is revealed once", func(r *register) {
			r.add(wire.OpGet, 0, 0, 1, 2, wire.StatusOK, c)
			r.add(wire.OpGet, 0, 0, 3, 4, wire.StatusNotFound, 0)
		}, never, "illegal"},
		{"compare-and-set", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, b, a, 3, 4, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, c, a, 5, 6, wire.StatusMismatch, 0)
			r.add(wire.OpGet, 0, 0, 7, 8, wire.StatusOK, b)
		}, never, "ok"},
		{"compare-and-set twice", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, b, a, 3, 4, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, c, a, 5, 6, wire.StatusOK, 0)
		}, never, "illegal"},
		{"deletes", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpDelete, 0, 0, 3, 4, wire.StatusOK, 0)
			r.add(wire.OpDelete, 0, 0, 5, 6, wire.StatusNotFound, 0)
			r.add(wire.OpGet, 0, 0, 7, 8, wire.StatusNotFound, 0)
		}, never, "ok"},
		{"delete of nothing", func(r *register) {
			r.add(wire.OpDelete, 0, 0, 1, 2, wire.StatusNotFound, 0)
			r.add(wire.OpDelete, 0, 0, 3, 4, wire.StatusOK, 0)
		}, never, "illegal"},
		{"what was seen after the end of the recording says nothing", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 3, 10, wire.StatusOK, c)
		}, 8, "ok"},
		{"nothing", func(*register) {}, never, ""},
	}
	for _, tt := range tests {
		var r register
		tt.make(&r)
		if got := r.check(tt.cut); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// What another thread did not record any more, or another generator did, is not held against who has read it.
func TestHistoriesOfOneKeyAreJoined(t *testing.T) {
	const a, b, c, stranger = valueID(101), valueID(102), valueID(103), valueID(999)
	tests := []struct {
		name     string
		one, two func(*register)
		cut      time.Duration // of the second thread
		others   bool
		want     string
	}{
		{"written behind the end of the other's record", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 20, 21, wire.StatusOK, c)
			r.add(wire.OpGet, 0, 0, 22, 23, wire.StatusOK, a)
		}, func(*register) {}, 10, false, "ok"},
		{"deleted behind the end of the other's record", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, b, a, 3, 4, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, c, b, 11, 12, wire.StatusMismatch, 0)
		}, func(r *register) { r.add(wire.OpDelete, 0, 0, 5, 11, wire.StatusOK, 0) }, 10, false, "ok"},
		{"wrong before the end of the other's record", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 5, 6, wire.StatusOK, a)
		}, func(r *register) { r.add(wire.OpPut, b, 0, 3, 4, wire.StatusOK, 0) }, 10, false, "illegal"},
		{"another generator writes in between", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 3, 4, wire.StatusOK, stranger)
			r.add(wire.OpGet, 0, 0, 5, 6, wire.StatusOK, stranger+1)
		}, func(*register) {}, never, true, "ok"},
		{"nobody else writes", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 3, 4, wire.StatusOK, stranger)
			r.add(wire.OpGet, 0, 0, 5, 6, wire.StatusOK, stranger+1)
		}, func(*register) {}, never, false, "illegal"},
		{"another generator makes a compare-and-set fail", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, b, a, 3, 4, wire.StatusMismatch, 0)
			r.add(wire.OpGet, 0, 0, 5, 6, wire.StatusNotFound, 0)
			r.add(wire.OpDelete, 0, 0, 7, 8, wire.StatusNotFound, 0)
		}, func(*register) {}, never, true, "ok"},
		{"another generator does not bring back what was overwritten", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpPut, b, 0, 3, 4, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 5, 6, wire.StatusOK, a)
		}, func(*register) {}, never, true, "illegal"},
		{"nor does it with compare-and-sets", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, b, a, 3, 4, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 5, 6, wire.StatusOK, stranger)
			r.add(wire.OpGet, 0, 0, 7, 8, wire.StatusOK, a)
		}, func(*register) {}, never, true, "illegal"},
	}
	for _, tt := range tests {
		var one, two register
		tt.one(&one)
		tt.two(&two)
		if got := outcomeOf(checkHistories([]*history{one.history(never), two.history(tt.cut)}, tt.others)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// The check by clusters and the search for an order agree about small histories.
func TestClustersAgreeWithASearch(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	verdicts := make(map[bool]int)
	for range 20_000 {
		var r register
		r.add(wire.OpPut, 99, 0, -5, -4, wire.StatusOK, 0) // or a search may take what is written later for what was there before
		writes := 1 + rng.IntN(4)
		for id := range writes + rng.IntN(6) {
			sent := time.Duration(1 + rng.IntN(20))
			at := sent + 1 + time.Duration(rng.IntN(12))
			switch {
			case id >= writes:
				r.add(wire.OpGet, 0, 0, sent, at, wire.StatusOK, valueID(100+rng.IntN(writes+1)))
			case rng.IntN(5) == 0:
				r.add(wire.OpPut, valueID(100+id), 0, sent, 0, 0, 0)
			default:
				r.add(wire.OpPut, valueID(100+id), 0, sent, at, wire.StatusOK, 0)
			}
		}
		operations := make([]porcupine.Operation, len(r.entries))
		for i, e := range r.entries {
			operations[i] = e.porcupine(i, never)
		}
		want := porcupine.CheckOperations(registerModel(false, nil), operations)
		wrong := checkClusters(r.entries, never, false)
		if (wrong == "") != want {
			t.Fatalf("clusters say %q, a search %v, of %+v", wrong, want, operations)
		}
		verdicts[want]++
	}
	if min(verdicts[true], verdicts[false]) < 2000 {
		t.Errorf("%d histories were right and %d wrong: too few of a kind", verdicts[true], verdicts[false])
	}
}

func TestHistoryIsBounded(t *testing.T) {
	h := newHistory(1000, historyLimit)
	for _, key := range []uint64{0, 1, 2, 5, 10, 20, 50, 100, 200, 500} {
		if !h.sampled(key) {
			t.Errorf("key %d is not sampled", key)
		}
	}
	if h.sampled(3) || h.sampled(1000) {
		t.Error("other keys are sampled")
	}
	for n := range client.Number(historyLimit + 100) {
		h.sent(historyID{0, n + 1}, operation{op: wire.OpPut, key: 5}, 0, 0, time.Duration(n))
	}
	if k := h.keys[5]; len(k.entries) != historyLimit || k.cut != historyLimit {
		t.Errorf("%d entries, cut at %d, want both %d", len(k.entries), k.cut, historyLimit)
	}
}
