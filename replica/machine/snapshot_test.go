package machine

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"paxosbench/wire"
)

// restoreAll restores a snapshot that is written in pieces of the given size.
func restoreAll(snapshot []byte, piece int, kind Kind, config Config) (*State, error) {
	r := NewRestorer(New(kind, HashKey{}), config)
	for chunk := range slices.Chunk(snapshot, max(piece, 1)) {
		if err := r.Write(chunk); err != nil {
			return nil, err
		}
	}
	return r.Finish()
}

// takeAll takes the rest of a snapshot.
func takeAll(p *Snapshot, dst []byte, maxBytes int) []byte {
	for done := false; !done; {
		var err error
		if dst, done, err = p.Next(dst, maxBytes); err != nil {
			panic(err)
		}
	}
	return dst
}

// frozen is a snapshot under way, and what it is to yield.
type frozen struct {
	snapshot *Snapshot
	bytes    []byte
	twin     *twin
	digest   uint64
	stats    Stats
	since    [][]*wire.Run // batches applied since
}

func freeze(s *State, w *twin) *frozen {
	return &frozen{
		snapshot: s.BeginSnapshot(), twin: w.clone(), digest: s.Digest(), stats: s.Stats(),
	}
}

// next takes the next piece of the snapshot, and reports whether it was the last one.
func (f *frozen) next(t require, maxBytes int) (done bool) {
	t.Helper()
	var err error
	if f.bytes, done, err = f.snapshot.Next(f.bytes, maxBytes); err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	return done
}

// check restores the complete snapshot and compares it with the twin that was cloned when it began; then it catches up
// with the live state and compares the two.
func (f *frozen) check(t require, live *State, piece int) {
	t.Helper()
	s, err := restoreAll(f.bytes, piece, live.Kind(), live.config)
	if err != nil {
		t.Fatalf("restore: %v", err)
	}
	s.sessions.outcomes.limit = live.sessions.outcomes.limit
	if s.Applied() != f.snapshot.Slot() || s.Digest() != f.digest || s.Stats() != f.stats {
		t.Fatalf("restored slot %d digest %x %+v\nwant slot %d digest %x %+v",
			s.Applied(), s.Digest(), s.Stats(), f.snapshot.Slot(), f.digest, f.stats)
	}
	checkHeld(t, s)
	compareRecords(t, s, f.twin.records)
	for _, batch := range f.since {
		for _, run := range batch {
			s.ApplyRun(s.Applied()+1, run, nil, false)
		}
		s.EndBatch(s.Applied()+1, 1)
	}
	if s.Digest() != live.Digest() || s.Stats() != live.Stats() {
		t.Fatalf("restored and caught up: %+v\nlive: %+v", s.Stats(), live.Stats())
	}
}

func TestSnapshotDuringWritesAgainstTwin(t *testing.T) {
	g := smallGenerator()
	rapid.Check(t, func(t *rapid.T) {
		w := newTwin(3)
		w.maxWeight = rapid.SampledFrom(maxWeights).Draw(t, "maxWeight")
		s := newTwinned(w)
		var f *frozen
		for range rapid.IntRange(1, 40).Draw(t, "batches") {
			var batch []*wire.Run
			for range rapid.IntRange(0, 2).Draw(t, "runs") {
				run := g.run(t, w)
				batch = append(batch, run.encode())
				got := flatten(t, s.ApplyRun(s.Applied()+1, run.encode(), nil, true))
				if want := w.apply(run); !slices.Equal(got, want) {
					t.Fatalf("run %+v\n got %+v\nwant %+v", run, got, want)
				}
			}
			s.EndBatch(s.Applied()+1, 1)
			if f == nil {
				f = freeze(s, w)
				continue
			}
			f.since = append(f.since, batch)
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				f.snapshot.Cancel()
				f = nil
			case 1, 2, 3, 4:
				if f.next(t, rapid.IntRange(0, 1<<16).Draw(t, "bytes")) {
					f.check(t, s, rapid.IntRange(1, 5000).Draw(t, "piece"))
					f = nil
				}
			}
		}
		if f != nil {
			f.bytes = takeAll(f.snapshot, f.bytes, 1<<20)
			f.check(t, s, 1<<20)
		}
	})
}

// TestSnapshotDuringGrowth takes snapshots while the index splits, chains overflow and records move.
func TestSnapshotDuringGrowth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	s, w := NewState(NewKV(HashKey{}), DefaultConfig()), newTwin(1<<16)
	id := w.register(1)[0].Value
	if got := openSession(s); string(sessionValue(got)) != id {
		t.Fatalf("session %x, want %x", got, id)
	}
	session := w.places[0]
	var f *frozen
	for batch := range 600 {
		run := twinRun{Session: session.id, First: session.last + 1, Seen: session.last}
		for range 100 {
			// The key space grows, so that there are always new keys and old ones.
			c := twinCommand{Op: wire.OpPut, Key: fmt.Sprint(rng.IntN(100 + 30*batch)), Value: string(make([]byte, rng.IntN(60)))}
			if rng.IntN(4) == 0 {
				c = twinCommand{Op: wire.OpDelete, Key: c.Key}
			}
			run.Commands = append(run.Commands, c)
		}
		encoded := run.encode()
		s.ApplyRun(s.Applied()+1, encoded, nil, false)
		s.EndBatch(s.Applied()+1, 1)
		w.apply(run)
		if f == nil {
			f = freeze(s, w)
			continue
		}
		f.since = append(f.since, []*wire.Run{encoded})
		if f.next(t, 5000) {
			f.check(t, s, 777)
			f = nil
		}
	}
	compareRecords(t, s, w.records)
	if s.machine.(*KV).index.table.count <= bucketPageSize {
		t.Fatal("the index did not grow: the test tests nothing")
	}
}

func TestSnapshotBytesAreDeterministic(t *testing.T) {
	take := func() []byte {
		rng := rand.New(rand.NewPCG(5, 0))
		s := NewState(NewKV(HashKey{}), DefaultConfig())
		at := &script{session: openSession(s)}
		fill := func(n int) {
			for range n {
				at.add(wire.OpPut, fmt.Append(nil, rng.IntN(3000)), make([]byte, rng.IntN(50)))
			}
			at.apply(s)
		}
		fill(5000)
		p := s.BeginSnapshot()
		out, _, _ := p.Next(nil, 10000)
		fill(100)
		return takeAll(p, out, 10000)
	}
	if !bytes.Equal(take(), take()) {
		t.Fatal("the same history gave two different snapshots")
	}
}

func TestSnapshotOfNoop(t *testing.T) {
	s := NewState(NewNoop(), DefaultConfig())
	at := &script{session: openSession(s)}
	for range 10 {
		at.add(wire.OpPut, nil, nil)
	}
	at.apply(s)
	p := s.BeginSnapshot()
	content := s.machine.Digest()
	at.add(wire.OpPut, nil, nil)
	at.apply(s)
	restored, err := restoreAll(takeAll(p, nil, 1), 1, KindNoop, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if restored.machine.Digest() != content || content == s.machine.Digest() {
		t.Fatalf("content %x, want %x and not %x", restored.machine.Digest(), content, s.machine.Digest())
	}
}

func TestSnapshotPieceSize(t *testing.T) {
	s, _ := sampleState(20000)
	p := s.BeginSnapshot()
	const maxBytes = 4096
	for done := false; !done; {
		var piece []byte
		if piece, done, _ = p.Next(nil, maxBytes); len(piece) > maxBytes+MaxItem {
			t.Fatalf("piece of %d bytes, limit %d", len(piece), maxBytes+MaxItem)
		}
	}
	if p.Cancel(); s.snapshot != nil {
		t.Fatal("a snapshot that is complete was not let go of")
	}
}

func TestSnapshotMisuse(t *testing.T) {
	mustPanic := func(name string, f func(s *State)) {
		t.Helper()
		s, _ := sampleState(10)
		defer func() {
			if recover() == nil {
				t.Errorf("%s: no panic", name)
			}
		}()
		f(s)
	}
	mustPanic("second snapshot", func(s *State) { s.BeginSnapshot(); s.BeginSnapshot() })
	mustPanic("behind the end", func(s *State) { p := s.BeginSnapshot(); takeAll(p, nil, 1<<20); p.Next(nil, 1) })
	mustPanic("in a batch", func(s *State) {
		run := twinRun{First: 1, Commands: []twinCommand{{Op: wire.OpRegister}}}
		s.ApplyRun(s.Applied()+1, run.encode(), nil, false)
		s.BeginSnapshot()
	})
}

// sampleState returns a state with records, sessions and remembered outcomes, and a snapshot of it.
func sampleState(records int) (*State, []byte) {
	s := NewState(NewKV(HashKey{}), Config{MaxSessions: 3})
	at := &script{session: openSession(s)}
	openSession(s)
	for i := range records {
		at.add(wire.OpPut, fmt.Append(nil, "key", i), make([]byte, i%100))
		if i%benchRun == 0 {
			at.apply(s)
		}
	}
	at.add(wire.OpGet, []byte("key"), nil)
	at.add(wire.OpDelete, []byte("no such key"), nil)
	at.apply(s)
	return s, takeAll(s.BeginSnapshot(), nil, 1<<20)
}

func TestRestoreRefusesEveryCorruption(t *testing.T) {
	_, good := sampleState(4)
	config := Config{MaxSessions: 3}
	refuse := func(name string, bad []byte, kind Kind, config Config) {
		t.Helper()
		if _, err := restoreAll(bad, 1000, kind, config); !errors.Is(err, ErrSnapshot) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for n := range good {
		refuse(fmt.Sprint("cut at ", n), good[:n], KindKV, config)
		bad := slices.Clone(good)
		bad[n] ^= 1 << (n % 8)
		refuse(fmt.Sprint("bit flipped at ", n), bad, KindKV, config)
	}
	refuse("more behind the end", append(slices.Clone(good), good[:100]...), KindKV, config)
	refuse("other machine", good, KindNoop, config)
	refuse("smaller table", good, KindKV, Config{MaxSessions: 1})
	if _, err := restoreAll(good, 1, KindKV, config); err != nil {
		t.Fatal(err)
	}
}
