package sim

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"

	"paxosbench/replica/journal"
	"paxosbench/wire"
)

// newTestWorld returns a world of replicas that have not been started.
func newTestWorld(replicas int) *world {
	w := &world{plan: drawPlan(1), rng: rand.New(rand.NewPCG(1, 2)), hash: &bytes.Buffer{}}
	w.quorum1, w.quorum2 = replicas/2+1, replicas/2+1
	w.check = newChecker(w)
	for id := 1; id <= replicas; id++ {
		w.replicas = append(w.replicas, newReplica(w, wire.ReplicaID(id)))
	}
	return w
}

// caught returns what a checker ends the run with, "" if it does not.
func caught(do func()) (violated string) {
	defer func() {
		if r := recover(); r != nil {
			violated = r.(violation).err.Error()
		}
	}()
	do()
	return ""
}

// want checks that a violation is, or is not, found.
func want(t *testing.T, what, got, part string) {
	t.Helper()
	if part == "" && got != "" || !strings.Contains(got, part) {
		t.Errorf("%s: violation %q, want %q in it", what, got, part)
	}
}

func acceptance(round uint64, by wire.ReplicaID, s wire.Slot, crc uint32) *wire.Record {
	return &wire.Record{Kind: wire.RecordAccept, Ballot: wire.MakeBallot(round, by), Slot: s, Payload: wire.Payload{BodyCRC: crc}}
}

func TestSecondValueIsFound(t *testing.T) {
	w := newTestWorld(3)
	a, b := w.replicas[0], w.replicas[1]
	want(t, "one vote", caught(func() { w.check.accepted(a, acceptance(1, 1, 7, 5)) }), "")
	want(t, "the same vote again", caught(func() { w.check.accepted(a, acceptance(1, 1, 7, 5)) }), "")
	if len(w.check.chosen) != 0 {
		t.Fatal("one replica is a quorum of two")
	}
	want(t, "a vote in another ballot", caught(func() { w.check.accepted(b, acceptance(2, 1, 7, 6)) }), "")
	want(t, "a quorum", caught(func() { w.check.accepted(b, acceptance(1, 1, 7, 5)) }), "")
	want(t, "a quorum for another value", caught(func() { w.check.accepted(a, acceptance(2, 1, 7, 6)) }), "a second value is chosen for slot 7")
}

// What a leader counts on stays true, even for an acceptor that has lost its disk in between.
func TestBrokenPromiseIsFound(t *testing.T) {
	leaderships := func(accepts []uint64, promisedAt uint64) (*world, *replica) {
		w := newTestWorld(3)
		r := w.replicas[1]
		for _, at := range accepts {
			w.order = at
			w.check.promises.accept(w, r, wire.MakeBallot(1, 1))
		}
		ballot := wire.MakeBallot(2, 3)
		c := &candidacy{}
		c.by.Add(r.id)
		c.sent[r.id] = promisedAt
		w.check.promises.counted[ballot] = c
		return w, r
	}
	w, r := leaderships([]uint64{10}, 20)
	want(t, "accepted before the promise", caught(func() { w.check.promises.leads(w, wire.MakeBallot(2, 3)) }), "")
	want(t, "in the leader's ballot", caught(func() { w.check.promises.accept(w, r, wire.MakeBallot(2, 3)) }), "")
	want(t, "below it", caught(func() { w.check.promises.accept(w, r, wire.MakeBallot(1, 1)) }), "although ballot 2.3 leads by its promise")
	w, _ = leaderships([]uint64{10, 30}, 20)
	want(t, "accepted after the promise", caught(func() { w.check.promises.leads(w, wire.MakeBallot(2, 3)) }), "after having promised 2.3")
}

// replayAll restarts a replica that has written records 1 to 4 for slots 1 to 4, the first three of them durable, and
// finds those of the given numbers.
func replayAll(change func(r *replica), found ...wire.Slot) string {
	r := newTestWorld(3).replicas[0]
	for s := wire.Slot(1); s <= 4; s++ {
		rec := acceptance(1, 1, s, uint32(s))
		r.disk.write(journal.LSN(s), rec)
		if s < 4 {
			r.disk.sync(journal.LSN(s))
			r.disk.add(rec)
		}
	}
	r.disk.proven = 2
	change(r)
	return caught(func() {
		p := newReplay(r)
		for _, s := range found {
			p.record(journal.LSN(s), acceptance(1, 1, s, uint32(s)))
		}
		p.end(0)
	})
}

func TestRecoveryIsCompared(t *testing.T) {
	same := func(*replica) {}
	want(t, "everything", replayAll(same, 1, 2, 3, 4), "")
	want(t, "an unsynced tail is cut", replayAll(same, 1, 2, 3), "")
	want(t, "a durable record is cut", replayAll(same, 1, 2), "recovers records up to 2, those up to 3 were durable")
	want(t, "the last group may rot unnoticed", replayAll(func(r *replica) { r.rotten = true }, 1, 2), "")
	want(t, "but no more than that", replayAll(func(r *replica) { r.rotten = true }, 1), "recovers records up to 1")
	want(t, "a gap", replayAll(same, 1, 2, 4), "recovers record 4 behind record 2")
	want(t, "an invention", replayAll(same, 1, 2, 3, 4, 5), "recovers as record 5 what was never written")
	want(t, "another value", replayAll(func(r *replica) { r.disk.records[2].content[0].crc = 9 }, 1, 2, 3), "recovers as record 2 what was never written")
	want(t, "a beginning that is still needed", replayAll(same, 2, 3, 4), "has let go of record 1")
	want(t, "a beginning that had been released", replayAll(func(r *replica) { r.disk.released = 1 }, 2, 3, 4), "")
	want(t, "a lost snapshot", replayAll(func(r *replica) { r.disk.snapshot = 3 }, 1, 2, 3), "that of slot 3 was durable")
}

func TestLinearizable(t *testing.T) {
	put := func(value uint64, from, to int64) porcupine.Operation {
		o := &operation{op: wire.OpPut, value: value, answered: true}
		return porcupine.Operation{Input: o, Call: from, Return: to}
	}
	get := func(found uint64, from, to int64) porcupine.Operation {
		o := &operation{op: wire.OpGet, found: found, answered: true}
		return porcupine.Operation{Input: o, Call: from, Return: to}
	}
	var hard []porcupine.Operation // everything at once, and a get of what nobody has put
	for i := range 40 {
		hard = append(hard, put(uint64(i+1), 0, 100))
	}
	hard = append(hard, get(999, 0, 100))
	for _, c := range []struct {
		name           string
		history        []porcupine.Operation
		legal, decided bool
	}{
		{"in order", []porcupine.Operation{put(1, 0, 1), put(2, 2, 3), get(2, 4, 5)}, true, true},
		{"at once", []porcupine.Operation{put(1, 0, 3), put(2, 2, 3), get(1, 4, 5)}, true, true},
		{"stale", []porcupine.Operation{put(1, 0, 1), put(2, 2, 3), get(1, 4, 5)}, false, true},
		{"too hard", hard, false, false},
	} {
		if legal, decided := linearizable(c.history); legal != c.legal || decided != c.decided {
			t.Errorf("%s: legal %v, decided %v, want %v and %v", c.name, legal, decided, c.legal, c.decided)
		}
	}
}

// A campaign names what it has not tested.
func TestMissing(t *testing.T) {
	var c, one Counts
	one.Crashes, one.Undecided = 3, 1
	c.Add(&one)
	c.Add(&one)
	if c.Crashes != 6 {
		t.Errorf("%d crashes, want 6", c.Crashes)
	}
	missing := strings.Join(c.Missing(), " ")
	if strings.Contains(missing, "Crashes") || strings.Contains(missing, "Undecided") || !strings.Contains(missing, "Evictions") {
		t.Errorf("missing: %s", missing)
	}
	if !strings.Contains(c.String(), "Crashes 6, ") {
		t.Errorf("counts: %v", &c)
	}
}
