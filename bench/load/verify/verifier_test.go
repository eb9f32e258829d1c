package verify

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"paxosbench/bench/load/pacing"
	"paxosbench/bench/load/streams"
	"paxosbench/bench/load/units"
	"paxosbench/bench/load/workload"
	"paxosbench/bench/target"
	"paxosbench/wire"
)

// rig is a verifier of two clients that no connection carries: the test makes up what is answered.
type rig struct {
	t        *testing.T
	work     *workload.Workload
	streams  streams.Streams
	verifier *Verifier
}

func newRig(t *testing.T, dist, mix string) *rig {
	t.Helper()
	cfg := &workload.Config{Clients: 2, Keys: 100, KeySize: 8, CompressRatio: 1, Preload: true, Seed: 1, Generator: units.GeneratorID{Of: 1}}
	for text, into := range map[string]interface{ UnmarshalText([]byte) error }{dist: &cfg.KeyDist, mix: &cfg.Mix, "24": &cfg.ValueSize} {
		if err := into.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	var sessions, readers []*target.Stream
	for i := range 2 {
		sessions, readers = append(sessions, &target.Stream{Index: i}), append(readers, &target.Stream{Index: 2 + i})
	}
	r := &rig{t: t, work: workload.New(cfg, workload.NewPicker(cfg), 0xbeef, 0, 2)}
	r.streams = streams.New(r.work, sessions, readers)
	r.verifier = New(Replies, cfg, 1, true, r.work, &r.streams)
	return r
}

// assign gives a client its next operations.
func (r *rig) assign(session, count int) {
	gets := r.streams.Next(session, count)
	r.streams.All[session].Assigned += target.Number(count - gets)
	r.streams.All[session+r.streams.Clients()].Assigned += target.Number(gets)
}

// deal has gets go as queries from now on.
func (r *rig) deal() {
	r.streams.Deal()
	r.verifier.Deal()
}

// send has an operation leave for the first time, its value becoming what others are expected to find.
func (r *rig) send(session int, n target.Number) { r.work.AppendCommand(nil, session, n, 0, true) }

// find returns the first operation of a session behind after that is op, and one more condition.
func (r *rig) find(session int, after target.Number, op wire.Op, ok func(workload.Operation) bool) target.Number {
	r.t.Helper()
	for n := after + 1; n < after+100_000; n++ {
		if o := r.work.Operation(session, n); o.Op == op && ok(o) {
			return n
		}
	}
	r.t.Fatalf("no %v behind operation %d", op, after)
	return 0
}

func anyKey(workload.Operation) bool { return true }

func onKey(key uint64) func(workload.Operation) bool {
	return func(o workload.Operation) bool { return o.Key == key }
}

// value returns the value that operation n of a session writes.
func (r *rig) value(session int, n target.Number) []byte {
	return r.work.AppendValue(nil, r.work.ValueID(session, n))
}

// wantViolations checks how many violations there are, and what the last report says.
func (r *rig) wantViolations(count int64, report string) {
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
func (r *rig) pretendSent(session int, n target.Number) {
	r.verifier.sessions[session] = pretended{done: n}
}

type pretended struct{ done, resent target.Number }

func (p pretended) SentUpTo() target.Number     { return p.done }
func (p pretended) ResentUpTo() target.Number   { return p.resent }
func (p pretended) AnsweredUpTo() target.Number { return p.done }

// A get that was sent again may be executed again, behind operations that follow it in its session. One that was sent
// once may not.
func TestVerifierAllowsAGetSentAgainToFindLaterWrites(t *testing.T) {
	r := newRig(t, "uniform", "put:0.5,get:0.5")
	v := r.verifier
	put := r.find(0, 50, wire.OpPut, anyKey)
	key := r.work.Operation(0, put).Key
	get := r.find(0, put, wire.OpGet, onKey(key))
	later := r.find(0, get, wire.OpPut, onKey(key))
	r.pretendSent(1, later)

	v.Answered(0, put, 1, wire.StatusOK, 1, 2)
	v.sessions[0] = pretended{done: later, resent: get}
	v.Result(0, get, wire.StatusOK, r.value(0, later), 3, 4)
	r.wantViolations(0, "")
	v.Result(0, get, wire.StatusOK, r.value(0, put), 3, 4) // what the key is known to hold has not changed
	r.wantViolations(0, "")

	v.sessions[0] = pretended{done: later, resent: get - 1}
	v.Result(0, get, wire.StatusOK, r.value(0, later), 3, 4)
	r.wantViolations(1, "the key holds value")
}

// So may it find that a later operation has deleted its key, if there is one that has been sent.
func TestVerifierAllowsAGetSentAgainToFindALaterDelete(t *testing.T) {
	r := newRig(t, "uniform", "put:0.4,get:0.4,delete:0.2")
	v := r.verifier
	put := r.find(0, 50, wire.OpPut, anyKey)
	key := r.work.Operation(0, put).Key
	get := r.find(0, put, wire.OpGet, onKey(key))
	deletion := r.find(0, get, wire.OpDelete, onKey(key))
	v.Answered(0, put, 1, wire.StatusOK, 1, 2)

	v.sessions[0] = pretended{done: deletion, resent: get}
	v.Result(0, get, wire.StatusNotFound, nil, 3, 4)
	r.wantViolations(0, "")
	v.sessions[0] = pretended{done: deletion - 1, resent: get}
	v.Result(0, get, wire.StatusNotFound, nil, 3, 4)
	r.wantViolations(1, "the key holds value")
}

func TestVerifierKnowsOwnKeysExactly(t *testing.T) {
	r := newRig(t, "uniform", "put:0.5,get:0.5")
	v := r.verifier
	put := r.find(0, 50, wire.OpPut, anyKey)
	key := r.work.Operation(0, put).Key
	get := r.find(0, put, wire.OpGet, onKey(key))
	r.pretendSent(0, get)
	r.pretendSent(1, get)

	v.Answered(0, put, 1, wire.StatusOK, 1, 2)
	v.Result(0, get, wire.StatusOK, r.value(0, put), 3, 4)
	r.wantViolations(0, "")

	older := r.find(0, 50, wire.OpPut, func(o workload.Operation) bool { return o.Key != key })
	v.Result(0, get, wire.StatusOK, r.value(0, older), 3, 4)
	r.wantViolations(1, "a put of key")

	first := r.find(0, 0, wire.OpPut, onKey(key)) // the preload's
	v.Answered(0, put, 1, wire.StatusOK, 1, 2)
	v.Result(0, get, wire.StatusOK, r.value(0, first), 3, 4)
	r.wantViolations(2, "the key holds value")

	v.Answered(0, put, 1, wire.StatusOK, 1, 2)
	v.Result(0, get, wire.StatusNotFound, nil, 3, 4)
	r.wantViolations(3, "found no value")

	broken := r.value(0, put)
	broken[20] ^= 1
	v.Result(0, get, wire.StatusOK, broken, 3, 4)
	r.wantViolations(4, "not the value written by operation")

	v.Result(0, get, wire.StatusOK, nil, 3, 4)
	r.wantViolations(5, "which no one wrote")

	v.Result(0, get, wire.StatusOK, r.value(0, get+1000), 3, 4)
	r.wantViolations(6, "never sent")

	v.Result(0, get, wire.StatusMismatch, nil, 3, 4)
	r.wantViolations(7, "no such answer")

	v.Answered(0, put, 1, wire.StatusOK, 1, 2)
	foreign := r.value(0, put)
	foreign[7] ^= 0xff // the tag
	v.Result(0, get, wire.StatusOK, foreign, 3, 4)
	r.wantViolations(8, "the key holds value")
	if v.found.Foreign != 1 {
		t.Errorf("%d foreign values, want 1", v.found.Foreign)
	}
}

func TestVerifierForgetsWhatIsUncertain(t *testing.T) {
	r := newRig(t, "uniform", "put:0.5,get:0.5")
	put := r.find(0, 50, wire.OpPut, anyKey)
	key := r.work.Operation(0, put).Key
	second := r.find(0, put, wire.OpPut, onKey(key))
	get := r.find(0, second, wire.OpGet, onKey(key))
	r.pretendSent(0, get)
	r.verifier.Answered(0, put, 1, wire.StatusOK, 1, 2)
	r.verifier.Lost(0, second, 1) // it may have taken effect, or not
	r.verifier.Result(0, get, wire.StatusOK, r.value(0, second), 5, 6)
	r.wantViolations(0, "")
	r.verifier.Result(0, get, wire.StatusOK, r.value(0, put), 5, 6) // but not both
	r.wantViolations(1, "the key holds value")
}

func TestVerifierFindsStaleReadsOfSharedKeys(t *testing.T) {
	r := newRig(t, "hot:0.01,1", "put:0.5,get:0.5")
	v := r.verifier
	one := r.find(0, 60, wire.OpPut, onKey(0))
	two := r.find(1, 60, wire.OpPut, onKey(0))
	get := r.find(0, one, wire.OpGet, onKey(0))
	r.pretendSent(0, get)
	r.pretendSent(1, two)

	v.Answered(0, one, 1, wire.StatusOK, 10, 20)
	v.Answered(1, two, 1, wire.StatusOK, 30, 40) // sent after one was acknowledged
	v.Result(0, get, wire.StatusOK, r.value(1, two), 50, 60)
	r.wantViolations(0, "")
	v.Result(0, get, wire.StatusOK, r.value(0, one), 35, 60) // sent before two was acknowledged: either will do
	r.wantViolations(0, "")
	v.Result(0, get, wire.StatusOK, r.value(0, one), 50, 60)
	r.wantViolations(1, "had replaced 10ns before")
	v.Result(0, get, wire.StatusNotFound, nil, 50, 60)
	r.wantViolations(2, "found no value")

	v.Answered(0, one, 1, wire.StatusOK, 35, 70) // now the two writes overlap, and their order is not known
	v.Result(0, get, wire.StatusOK, r.value(1, two), 80, 90)
	r.wantViolations(2, "")
}

func TestVerifierChecksDeletesAndCompareAndSets(t *testing.T) {
	r := newRig(t, "uniform", "put:0.3,get:0.2,delete:0.2,cas:0.3")
	v := r.verifier
	put := r.find(0, 50, wire.OpPut, anyKey)
	key := r.work.Operation(0, put).Key
	del := r.find(0, put, wire.OpDelete, onKey(key))
	cas := r.find(0, del, wire.OpCompareAndSet, onKey(key))
	r.send(0, put)
	v.Answered(0, put, 1, wire.StatusOK, 1, 2)
	r.send(0, del)
	v.Answered(0, del, 1, wire.StatusNotFound, 3, 4)
	r.wantViolations(1, "the key held value")
	v.Answered(0, del, 1, wire.StatusOK, 3, 4)
	r.wantViolations(2, "the key held no value")
	r.send(0, cas) // expects absence
	v.Answered(0, cas, 1, wire.StatusMismatch, 5, 6)
	r.wantViolations(3, "the key holds the expected value")
	v.Answered(0, cas, 1, wire.StatusOK, 5, 6)
	r.wantViolations(3, "")
}

// Judging answers allocates nothing, with keys of one writer and with shared ones.
func TestJudgingDoesNotAllocate(t *testing.T) {
	for _, dist := range []string{"uniform", "zipf:0.99"} {
		r := newRig(t, dist, "put:0.5,get:0.5")
		r.pretendSent(0, 1<<30)
		n, held, value := target.Number(0), make([]target.Number, 100), make([]byte, 0, 64)
		if allocs := testing.AllocsPerRun(10_000, func() {
			n++
			o := r.work.Operation(0, n)
			if o.Op == wire.OpPut {
				held[o.Key] = n
			}
			switch value = r.work.AppendValue(value[:0], r.work.ValueID(0, held[o.Key])); {
			case o.Op == wire.OpPut:
				r.verifier.Answered(0, n, 1, wire.StatusOK, 1, 2)
			case held[o.Key] > 0:
				r.verifier.Result(0, n, wire.StatusOK, value, 1, 2)
			}
		}); allocs != 0 {
			t.Errorf("%s: %v allocations for an answer", dist, allocs)
		}
		r.wantViolations(0, "")
	}
}

func TestVerifierOfWritesWantsOK(t *testing.T) {
	r := newRig(t, "uniform", "put:1")
	r.verifier.Answered(0, 1, 10, wire.StatusOK, 1, 2)
	r.wantViolations(0, "")
	r.verifier.Answered(0, 11, 1, wire.StatusNotFound, 1, 2)
	r.wantViolations(1, "put 11 answered not-found")
	r.verifier.Result(0, 12, wire.StatusOK, []byte("x"), 1, 2)
	r.wantViolations(2, "with 1 bytes")
	if r.verifier.found.Checked != 12 {
		t.Errorf("%d answers checked, want 12", r.verifier.found.Checked)
	}
}

// register is a history of one key that a test writes by hand.
type register struct{ entries []*historyEntry }

func (r *register) add(op wire.Op, id, expected workload.ValueID, sent, at time.Duration, status wire.Status, found workload.ValueID) {
	r.entries = append(r.entries, &historyEntry{Operation: workload.Operation{Op: op}, id: id, expected: expected,
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
	const a, b, c = workload.ValueID(101), workload.ValueID(102), workload.ValueID(103)
	tests := []struct {
		name string
		make func(*register)
		cut  time.Duration
		want string
	}{
		{"read after write", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 3, 4, wire.StatusOK, a)
		}, pacing.Never, "ok"},
		{"stale read", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpPut, b, 0, 3, 4, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 5, 6, wire.StatusOK, a)
		}, pacing.Never, "illegal"},
		{"overlapping writes, either order", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 5, wire.StatusOK, 0)
			r.add(wire.OpPut, b, 0, 2, 4, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 6, 7, wire.StatusOK, a)
		}, pacing.Never, "ok"},
		{"overlapping writes, both orders", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 5, wire.StatusOK, 0)
			r.add(wire.OpPut, b, 0, 2, 4, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 6, 7, wire.StatusOK, a)
			r.add(wire.OpGet, 0, 0, 8, 9, wire.StatusOK, b)
		}, pacing.Never, "illegal"},
		{"unanswered write shows up late", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpPut, b, 0, 3, 0, 0, 0)
			r.add(wire.OpGet, 0, 0, 4, 5, wire.StatusOK, a)
			r.add(wire.OpGet, 0, 0, 6, 7, wire.StatusOK, b)
		}, pacing.Never, "ok"},
		{"what was there before is revealed once", func(r *register) {
			r.add(wire.OpGet, 0, 0, 1, 2, wire.StatusOK, c)
			r.add(wire.OpGet, 0, 0, 3, 4, wire.StatusNotFound, 0)
		}, pacing.Never, "illegal"},
		{"compare-and-set", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, b, a, 3, 4, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, c, a, 5, 6, wire.StatusMismatch, 0)
			r.add(wire.OpGet, 0, 0, 7, 8, wire.StatusOK, b)
		}, pacing.Never, "ok"},
		{"compare-and-set twice", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, b, a, 3, 4, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, c, a, 5, 6, wire.StatusOK, 0)
		}, pacing.Never, "illegal"},
		{"deletes", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpDelete, 0, 0, 3, 4, wire.StatusOK, 0)
			r.add(wire.OpDelete, 0, 0, 5, 6, wire.StatusNotFound, 0)
			r.add(wire.OpGet, 0, 0, 7, 8, wire.StatusNotFound, 0)
		}, pacing.Never, "ok"},
		{"delete of nothing", func(r *register) {
			r.add(wire.OpDelete, 0, 0, 1, 2, wire.StatusNotFound, 0)
			r.add(wire.OpDelete, 0, 0, 3, 4, wire.StatusOK, 0)
		}, pacing.Never, "illegal"},
		{"what was seen after the end of the recording says nothing", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 3, 10, wire.StatusOK, c)
		}, 8, "ok"},
		{"nothing", func(*register) {}, pacing.Never, ""},
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
	const a, b, c, stranger = workload.ValueID(101), workload.ValueID(102), workload.ValueID(103), workload.ValueID(999)
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
		}, func(*register) {}, pacing.Never, true, "ok"},
		{"nobody else writes", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 3, 4, wire.StatusOK, stranger)
			r.add(wire.OpGet, 0, 0, 5, 6, wire.StatusOK, stranger+1)
		}, func(*register) {}, pacing.Never, false, "illegal"},
		{"another generator makes a compare-and-set fail", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, b, a, 3, 4, wire.StatusMismatch, 0)
			r.add(wire.OpGet, 0, 0, 5, 6, wire.StatusNotFound, 0)
			r.add(wire.OpDelete, 0, 0, 7, 8, wire.StatusNotFound, 0)
		}, func(*register) {}, pacing.Never, true, "ok"},
		{"another generator does not bring back what was overwritten", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpPut, b, 0, 3, 4, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 5, 6, wire.StatusOK, a)
		}, func(*register) {}, pacing.Never, true, "illegal"},
		{"nor does it with compare-and-sets", func(r *register) {
			r.add(wire.OpPut, a, 0, 1, 2, wire.StatusOK, 0)
			r.add(wire.OpCompareAndSet, b, a, 3, 4, wire.StatusOK, 0)
			r.add(wire.OpGet, 0, 0, 5, 6, wire.StatusOK, stranger)
			r.add(wire.OpGet, 0, 0, 7, 8, wire.StatusOK, a)
		}, func(*register) {}, pacing.Never, true, "illegal"},
	}
	for _, tt := range tests {
		var one, two register
		tt.one(&one)
		tt.two(&two)
		if got := outcomeOf(checkHistories([]*history{one.history(pacing.Never), two.history(tt.cut)}, tt.others)); got != tt.want {
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
				r.add(wire.OpGet, 0, 0, sent, at, wire.StatusOK, workload.ValueID(100+rng.IntN(writes+1)))
			case rng.IntN(5) == 0:
				r.add(wire.OpPut, workload.ValueID(100+id), 0, sent, 0, 0, 0)
			default:
				r.add(wire.OpPut, workload.ValueID(100+id), 0, sent, at, wire.StatusOK, 0)
			}
		}
		operations := make([]porcupine.Operation, len(r.entries))
		for i, e := range r.entries {
			operations[i] = e.porcupine(i, pacing.Never)
		}
		want := porcupine.CheckOperations(registerModel(false, nil), operations)
		wrong := checkClusters(r.entries, pacing.Never, false)
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
	for n := range target.Number(historyLimit + 100) {
		h.sent(historyID{0, n + 1}, workload.Operation{Op: wire.OpPut, Key: 5}, 0, 0, time.Duration(n))
	}
	if k := h.keys[5]; len(k.entries) != historyLimit || k.cut != historyLimit {
		t.Errorf("%d entries, cut at %d, want both %d", len(k.entries), k.cut, historyLimit)
	}
}

// assignedAs gives session 0 operations until n of the workload is among them, and returns its number in its stream.
func (r *rig) assignedAs(n target.Number) (stream int, number target.Number) {
	if r.streams.AssignedUpTo(0) < n {
		r.assign(0, int(n-r.streams.AssignedUpTo(0)))
	}
	for _, stream := range []int{0, 2} {
		for i := r.streams.All[stream].Assigned; i > 0; i-- {
			if _, got := r.streams.Operation(stream, i); got == n {
				return stream, i
			}
		}
	}
	r.t.Fatalf("operation %d is in no stream", n)
	return 0, 0
}

// A query sees at least what had been acknowledged when it was sent, and perhaps what was acknowledged or sent since.
func TestVerifierJudgesQueries(t *testing.T) {
	r := newRig(t, "uniform", "put:0.5,get:0.5")
	r.deal()
	v := r.verifier
	put := r.find(0, 50, wire.OpPut, anyKey)
	key := r.work.Operation(0, put).Key
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
	ack := func(n target.Number, at int) {
		r.streams.Answered(0, n)
		v.Answered(0, n, 1, wire.StatusOK, 1, ms(at))
	}
	r.streams.Sent(0, two)

	ack(one, 20)
	v.Result(stream, query, wire.StatusOK, r.value(0, put), ms(30), ms(40))
	v.Result(stream, query, wire.StatusOK, r.value(0, later), ms(30), ms(40)) // under way
	v.Result(stream, query, wire.StatusOK, first, ms(10), ms(40))             // sent before the write was acknowledged
	r.wantViolations(0, "")
	v.Result(stream, query, wire.StatusOK, first, ms(30), ms(40))
	r.wantViolations(1, "had replaced 10ms before the read was sent")
	v.Result(stream, query, wire.StatusNotFound, nil, ms(30), ms(40))
	r.wantViolations(2, "found no value")
	v.Result(stream, query, wire.StatusOK, r.value(0, unsent), ms(30), ms(40))
	r.wantViolations(3, "never sent")

	ack(two, 50)
	v.Result(stream, query, wire.StatusOK, r.value(0, put), ms(45), ms(60))
	r.wantViolations(3, "")
	v.Result(stream, query, wire.StatusOK, r.value(0, put), ms(55), ms(60))
	r.wantViolations(4, "had replaced")
	if v.found.Reads != 8 || v.found.Checked != 10 {
		t.Errorf("%d reads and %d answers counted", v.found.Reads, v.found.Checked)
	}
}

// What a session does to a key of its own is still known exactly when its gets go elsewhere.
func TestVerifierKnowsCommandsBesideQueries(t *testing.T) {
	r := newRig(t, "uniform", "put:0.3,get:0.4,delete:0.3")
	r.deal()
	put := r.find(0, 50, wire.OpPut, anyKey)
	del := r.find(0, put, wire.OpDelete, onKey(r.work.Operation(0, put).Key))
	_, number := r.assignedAs(del)
	_, one := r.assignedAs(put)
	r.streams.Sent(0, number)
	r.verifier.Answered(0, one, 1, wire.StatusOK, 1, 2)
	r.verifier.Answered(0, number, 1, wire.StatusNotFound, 3, 4)
	r.wantViolations(1, "the key held value")
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// A load that only puts is answered as one, or, where some puts found no room in the store, one by one. Neither is wrong. Anything else is.
func TestVerifierOfPutsAlone(t *testing.T) {
	for _, tt := range []struct {
		status wire.Status
		value  string
		wrong  bool
	}{{wire.StatusOK, "", false}, {wire.StatusFull, "", false}, {wire.StatusOK, "value", true}, {wire.StatusNotFound, "", true}, {wire.StatusMismatch, "", true}} {
		r := newRig(t, "uniform", "put:1")
		r.assign(0, 2)
		r.verifier.Result(0, 1, tt.status, []byte(tt.value), 0, 1)
		if got := r.verifier.found.Violations > 0; got != tt.wrong {
			t.Errorf("%v with %q, one by one: wrong %v, want %v", tt.status, tt.value, got, tt.wrong)
		}
		if tt.value != "" {
			continue
		}
		r = newRig(t, "uniform", "put:1")
		r.assign(0, 2)
		r.verifier.Answered(0, 1, 2, tt.status, 0, 1)
		if got := r.verifier.found.Violations > 0; got != tt.wrong {
			t.Errorf("%v, as one: wrong %v, want %v", tt.status, got, tt.wrong)
		}
	}
}
