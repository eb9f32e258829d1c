package batching

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paxosbench/wire"
)

// item is one command as the twin keeps it. Two items share a run header if they came from the same run and ended in
// the same batch.
type item struct {
	run       int // counts the runs ever added
	session   wire.SessionID
	seq, seen wire.Seq
	origin    Origin
	common    uint64 // as in wire.Run
	encoded   string
}

type twinBatch struct {
	items  []item
	reason Reason
}

// size is the body length of the batch.
func (b *twinBatch) size() int {
	n := 0
	for i, it := range b.items {
		if i == 0 || it.run != b.items[i-1].run {
			n += (&wire.Run{Common: it.common}).HeaderLen()
		}
		n += len(it.encoded)
	}
	return n
}

// twin is the Builder's dumb twin: it batches one command at a time and forgets nothing.
type twin struct {
	cfg    Config
	sealed []twinBatch
	open   twinBatch
	since  time.Duration
}

func (w *twin) add(it item, now time.Duration) {
	grown := twinBatch{items: append(slices.Clone(w.open.items), it)}
	if len(w.open.items) > 0 && grown.size() > w.cfg.MaxBytes {
		w.seal(ReasonLimit)
		grown.items = []item{it}
	}
	if len(grown.items) == 1 {
		w.since = now
	}
	w.open = grown
	policy := w.cfg.Policy
	if policy.Kind == None || policy.Kind == Count && len(grown.items) == policy.N || policy.Kind == Bytes && grown.size() >= policy.N {
		w.seal(ReasonFull)
	}
}

func (w *twin) seal(reason Reason) {
	w.open.reason = reason
	w.sealed = append(w.sealed, w.open)
	w.open = twinBatch{}
}

func (w *twin) next(now time.Duration, idle bool) (twinBatch, bool) {
	if len(w.sealed) == 0 && len(w.open.items) > 0 {
		linger := w.cfg.Linger
		switch {
		case idle:
			w.seal(ReasonIdle)
		case linger > 0 && now >= w.since+linger:
			w.seal(ReasonLinger)
		case linger == 0 && w.cfg.Policy.Kind == Adaptive:
			w.seal(ReasonRoom)
		}
	}
	if len(w.sealed) == 0 {
		return twinBatch{}, false
	}
	batch := w.sealed[0]
	w.sealed = w.sealed[1:]
	return batch, true
}

func (w *twin) all() []twinBatch {
	if len(w.open.items) == 0 {
		return w.sealed
	}
	return append(slices.Clone(w.sealed), w.open)
}

// items takes a batch apart into what the twin would hold, but for the run counts, and checks its own sums.
func items(t *rapid.T, batch Batch) (list []item, runs int) {
	info, err := wire.DecodeFragment(batch.Body)
	if err != nil {
		t.Fatalf("batch is not in wire form: %v", err)
	}
	if info.Commands != batch.Commands || info.Runs != batch.Runs {
		t.Fatalf("batch says %d commands in %d runs, body has %d in %d", batch.Commands, batch.Runs, info.Commands, info.Runs)
	}
	spans, left := batch.Spans, 0
	body := batch.Body
	for ; len(body) > 0; runs++ {
		for left == 0 {
			left, spans = spans[0].Runs, spans[1:]
		}
		left--
		origin := batch.Spans[len(batch.Spans)-len(spans)-1].Origin
		run, n, _ := wire.DecodeRun(body)
		body = body[n:]
		for i, at := 0, 0; i < run.Count; i++ {
			end := at + run.CommandLen(at)
			list = append(list, item{
				session: run.Session, seq: run.First + wire.Seq(i), seen: run.Seen, origin: origin,
				common: run.Common, encoded: string(run.Commands[at:end]),
			})
			at = end
		}
	}
	if left != 0 || len(spans) != 0 {
		t.Fatalf("spans %v do not cover %d runs exactly", batch.Spans, runs)
	}
	return list, runs
}

func compare(t *rapid.T, got Batch, want twinBatch) {
	list, runs := items(t, got)
	wantRuns := 0
	for i := range want.items {
		if i == 0 || want.items[i].run != want.items[i-1].run {
			wantRuns++
		}
	}
	if runs != wantRuns {
		t.Fatalf("%d runs, want %d", runs, wantRuns)
	}
	if !slices.EqualFunc(list, want.items, func(a, b item) bool { b.run = 0; return a == b }) {
		t.Fatalf("batch holds\n%v\nwant\n%v", list, want.items)
	}
	if len(got.Body) != want.size() {
		t.Fatalf("body of %d bytes, want %d", len(got.Body), want.size())
	}
}

func drawPolicy(t *rapid.T) Policy {
	policy := Policy{Kind: rapid.SampledFrom([]Kind{None, Count, Bytes, Adaptive}).Draw(t, "kind")}
	switch policy.Kind {
	case Count:
		policy.N = rapid.IntRange(1, 12).Draw(t, "commands")
	case Bytes:
		policy.N = rapid.IntRange(1, 600).Draw(t, "bytes")
	}
	return policy
}

// drawFragment draws a fragment and, for the twin, its commands.
func drawFragment(t *rapid.T, runs *int, origin Origin) (fragment []byte, list []item) {
	for range rapid.IntRange(0, 4).Draw(t, "runs") {
		*runs++
		alike := rapid.Bool().Draw(t, "alike")
		session := wire.SessionID(rapid.IntRange(1, 3).Draw(t, "session"))
		first := wire.Seq(rapid.IntRange(1, 1000).Draw(t, "first"))
		seen := first - 1
		start := len(fragment)
		fragment = wire.BeginRun(fragment)
		count := rapid.IntRange(1, 9).Draw(t, "count")
		size := rapid.IntRange(4, 60).Draw(t, "size") // of values that are alike
		for i := range count {
			if !alike {
				size = rapid.IntRange(0, 60).Draw(t, "value")
			}
			value := bytes.Repeat([]byte{byte(*runs), byte(i)}, size)
			fragment = wire.AppendCommand(fragment, wire.OpPut, 0, fmt.Append(nil, i), value)
		}
		fragment = wire.EndRunAlike(fragment, start, session, first, seen, count)
		run, _, err := wire.DecodeRun(fragment[start:])
		if err != nil {
			t.Fatal(err)
		}
		for i, at := 0, 0; i < count; i++ {
			end := at + run.CommandLen(at)
			list = append(list, item{*runs, session, first + wire.Seq(i), seen, origin, run.Common, string(run.Commands[at:end])})
			at = end
		}
	}
	return fragment, list
}

// machine runs a Builder and its twin side by side.
type machine struct {
	builder *Builder
	twin    *twin
	buffers *wire.Buffers
	runs    int
	now     time.Duration
}

func (m *machine) add(t *rapid.T) {
	origin := Origin(rapid.IntRange(1, 3).Draw(t, "origin"))
	fragment, list := drawFragment(t, &m.runs, origin)
	info, err := wire.DecodeFragment(fragment)
	if err != nil {
		t.Fatal(err)
	}
	m.builder.Add(fragment, info, origin, m.now)
	for i := range fragment {
		fragment[i] = 0xdb // the builder must have copied it
	}
	for _, it := range list {
		m.twin.add(it, m.now)
	}
}

func (m *machine) next(t *rapid.T) {
	idle := rapid.Bool().Draw(t, "idle")
	got, ok := m.builder.Next(m.now, idle)
	want, wantOK := m.twin.next(m.now, idle)
	if ok != wantOK {
		t.Fatalf("Next gave a batch: %v, want %v", ok, wantOK)
	}
	if !ok {
		return
	}
	compare(t, got, want)
	if got.Reason != want.reason {
		t.Fatalf("sealed because %v, want %v", got.Reason, want.reason)
	}
	if got.CRC != wire.Checksum(got.Body) {
		t.Fatal("checksum does not match the body")
	}
	if len(got.Body) > m.builder.cfg.MaxBytes && got.Commands != 1 {
		t.Fatalf("%d commands in %d bytes, limit %d", got.Commands, len(got.Body), m.builder.cfg.MaxBytes)
	}
	m.buffers.Put(got.Body)
	m.builder.Recycle(&got)
}

func (m *machine) drop(t *rapid.T) {
	want := m.twin.all()
	m.builder.Drop(func(got Batch) {
		compare(t, got, want[0])
		want = want[1:]
	})
	if len(want) != 0 {
		t.Fatalf("%d batches were not dropped", len(want))
	}
	*m.twin = twin{cfg: m.twin.cfg}
}

func (m *machine) check(t *rapid.T) {
	commands, size := 0, 0
	for _, batch := range m.twin.all() {
		commands += len(batch.items)
		size += batch.size()
	}
	if gotCommands, gotSize := m.builder.Pending(); gotCommands != commands || gotSize != size {
		t.Fatalf("pending %d commands, %d bytes; want %d, %d", gotCommands, gotSize, commands, size)
	}
	linger := m.twin.cfg.Linger
	at, ok := m.builder.Deadline()
	if want := linger > 0 && len(m.twin.open.items) > 0; ok != want || ok && at != m.twin.since+linger {
		t.Fatalf("deadline %v, %v; want %v, %v", at, ok, m.twin.since+linger, want)
	}
}

func TestBuilderMatchesTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		buffers := new(wire.Buffers)
		cfg := Config{
			Policy:   drawPolicy(t),
			Linger:   time.Duration(rapid.IntRange(0, 3).Draw(t, "linger")),
			MaxBytes: rapid.IntRange(1, 800).Draw(t, "max bytes"),
			Buffers:  buffers,
		}
		m := &machine{builder: NewBuilder(cfg), twin: &twin{cfg: cfg}, buffers: buffers}
		t.Repeat(map[string]func(*rapid.T){
			"add":  m.add,
			"next": m.next,
			"wait": func(t *rapid.T) { m.now += time.Duration(rapid.IntRange(1, 3).Draw(t, "wait")) },
			"drop": m.drop,
			"":     m.check,
		})
	})
}
