package batching

import (
	"math"
	"strings"
	"testing"
	"time"

	"paxosbench/wire"
)

// fragment returns a fragment of one run of count commands of 24 bytes each.
func fragment(session wire.SessionID, count int) ([]byte, wire.FragmentInfo) {
	f := wire.AppendRunHeader(nil, session, 1, 0, count, 24*count)
	for range count {
		f = wire.AppendCommand(f, wire.OpPut, 0, []byte("key00000"), []byte("value000"))
	}
	return f, wire.FragmentInfo{Runs: 1, Commands: count}
}

func newBuilder(policy string, linger time.Duration) *Builder {
	parsed, err := ParsePolicy(policy)
	if err != nil {
		panic(err)
	}
	return NewBuilder(Config{Policy: parsed, Linger: linger, MaxBytes: 64 << 10, Buffers: new(wire.Buffers)})
}

// The last commands leave whatever the policy asks for: a batch never waits for company that does not come.
func TestUnderfullBatchLeavesWhenIdle(t *testing.T) {
	for _, policy := range []string{"none", "count:100", "bytes:64KiB", "adaptive"} {
		b := newBuilder(policy, time.Hour)
		f, info := fragment(1, 1)
		b.Add(f, info, 1, 0)
		if batch, ok := b.Next(0, true); !ok || batch.Commands != 1 {
			t.Errorf("%s: idle, and the batch stayed: %+v, %v", policy, batch, ok)
		}
		if _, ok := b.Next(0, true); ok {
			t.Errorf("%s: a batch out of nothing", policy)
		}
	}
}

func TestWhoWaitsWhileSlotsAreInFlight(t *testing.T) {
	for _, test := range []struct {
		policy string
		linger time.Duration
		after  time.Duration // when the batch leaves
		reason Reason
	}{
		{"none", 0, 0, ReasonFull},
		{"adaptive", 0, 0, ReasonRoom},
		{"adaptive", time.Millisecond, time.Millisecond, ReasonLinger},
		{"count:2", time.Millisecond, time.Millisecond, ReasonLinger},
		{"bytes:64KiB", time.Millisecond, time.Millisecond, ReasonLinger},
		{"count:1", time.Hour, 0, ReasonFull},
		{"bytes:56", time.Hour, 0, ReasonFull},
		{"count:2", 0, math.MaxInt64, 0},
		{"bytes:57", 0, math.MaxInt64, 0},
	} {
		b := newBuilder(test.policy, test.linger)
		f, info := fragment(1, 1)
		b.Add(f, info, 1, 0)
		if test.after > 0 {
			if batch, ok := b.Next(test.after-1, false); ok {
				t.Errorf("%s, linger %v: left early: %+v", test.policy, test.linger, batch)
			}
		}
		if test.after == math.MaxInt64 {
			continue
		}
		if batch, ok := b.Next(test.after, false); !ok || batch.Reason != test.reason {
			t.Errorf("%s, linger %v: after %v got %v, %v; want %v", test.policy, test.linger, test.after, batch.Reason, ok, test.reason)
		}
	}
}

// A linger counts from the first command of the batch, not of the one before.
func TestLingerStartsWithTheBatch(t *testing.T) {
	b := newBuilder("count:2", time.Second)
	f, info := fragment(1, 3)
	b.Add(f, info, 1, 5*time.Second)
	if batch, ok := b.Next(5*time.Second, false); !ok || batch.Reason != ReasonFull || batch.Commands != 2 {
		t.Fatalf("got %+v, %v", batch, ok)
	}
	if at, ok := b.Deadline(); !ok || at != 6*time.Second {
		t.Fatalf("deadline %v, %v", at, ok)
	}
}

// A batch is filled to the last byte it may have, and what is cut off goes on in a run of its own.
func TestRunIsCutAtMaxBytes(t *testing.T) {
	for _, policy := range []string{"count:1000", "bytes:4MiB", "adaptive"} {
		b := newBuilder(policy, 0)
		b.cfg.MaxBytes = wire.RunHeaderSize + 4*24
		f, info := fragment(5, 7)
		b.Add(f, info, 1, 0)
		first, _ := b.Next(0, true)
		second, _ := b.Next(0, true)
		if len(first.Body) != b.cfg.MaxBytes || first.Reason != ReasonLimit || second.Commands != 3 || second.Reason != ReasonIdle {
			t.Fatalf("%s: %d bytes (%v), then %d commands (%v)", policy, len(first.Body), first.Reason, second.Commands, second.Reason)
		}
		if run, _, err := wire.DecodeRun(second.Body); err != nil || run.Session != 5 || run.First != 5 || run.Count != 3 {
			t.Fatalf("%s: cut run goes on as %+v, %v", policy, run, err)
		}
	}
}

func TestOneOriginIsOneSpan(t *testing.T) {
	b := newBuilder("adaptive", 0)
	f, info := fragment(1, 1)
	for _, origin := range []Origin{7, 7, 8, 7} {
		b.Add(f, info, origin, 0)
	}
	batch, _ := b.Next(0, true)
	want := []Span{{7, 2}, {8, 1}, {7, 1}}
	if len(batch.Spans) != len(want) || batch.Spans[0] != want[0] || batch.Spans[1] != want[1] || batch.Spans[2] != want[2] {
		t.Fatalf("spans %v, want %v", batch.Spans, want)
	}
}

// Under steady load a body is neither too small, which would copy it twice, nor twice too large.
func TestBodyCapacityFollowsTheLoad(t *testing.T) {
	b := newBuilder("adaptive", 0)
	f, info := fragment(1, 100)
	for round := range 3 {
		for range 16 {
			b.Add(f, info, 1, 0)
			if round > 0 && cap(b.open.Body) != 64<<10 {
				t.Fatalf("round %d: capacity %d on the way to %d bytes", round, cap(b.open.Body), 16*len(f))
			}
		}
		if batch, ok := b.Next(0, true); !ok || cap(batch.Body) >= 2*len(batch.Body) {
			t.Fatalf("%d bytes in a body of capacity %d", len(batch.Body), cap(batch.Body))
		}
	}
}

func TestDropGivesBodiesBack(t *testing.T) {
	b := newBuilder("count:2", 0)
	f, info := fragment(1, 5)
	b.Add(f, info, 1, 0)
	dropped := map[*byte]bool{}
	b.Drop(func(batch Batch) { dropped[&batch.Body[0]] = true })
	if commands, bytes := b.Pending(); commands != 0 || bytes != 0 {
		t.Fatalf("%d commands, %d bytes wait after Drop", commands, bytes)
	}
	for range 3 {
		body := b.cfg.Buffers.Get(1)[:1]
		if !dropped[&body[0]] {
			t.Error("a body did not come back")
		}
		delete(dropped, &body[0])
	}
	if _, ok := b.Next(0, true); ok {
		t.Fatal("a dropped batch was proposed")
	}
}

func TestBrokenUseIsABug(t *testing.T) {
	for name, use := range map[string]func(){
		"no buffers":      func() { NewBuilder(Config{MaxBytes: 1}) },
		"no room":         func() { NewBuilder(Config{Buffers: new(wire.Buffers)}) },
		"too much room":   func() { NewBuilder(Config{MaxBytes: wire.MaxBatch + 1, Buffers: new(wire.Buffers)}) },
		"negative linger": func() { NewBuilder(Config{MaxBytes: 1, Linger: -1, Buffers: new(wire.Buffers)}) },
		"unknown policy":  func() { NewBuilder(Config{Policy: Policy{Kind: 9}, MaxBytes: 1, Buffers: new(wire.Buffers)}) },
		"unchecked fragment": func() {
			newBuilder("none", 0).Add([]byte("not runs"), wire.FragmentInfo{Runs: 1, Commands: 1}, 1, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "BUG: ") {
					t.Errorf("panicked with %q", text)
				}
			}()
			use()
		})
	}
}

// round feeds one round of fragments and takes what is due, the way a proposer does.
func round(b *Builder, f []byte, info wire.FragmentInfo) {
	for origin := range Origin(8) {
		b.Add(f, info, origin, 0)
	}
	for idle := true; ; idle = false {
		batch, ok := b.Next(0, idle)
		if !ok {
			return
		}
		b.cfg.Buffers.Put(batch.Body)
		b.Recycle(&batch)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, policy := range []string{"none", "count:10", "bytes:1KiB", "adaptive"} {
		b := newBuilder(policy, 0)
		f, info := fragment(1, 33)
		for range 4 {
			round(b, f, info) // until every list has its size
		}
		if allocs := testing.AllocsPerRun(20, func() { round(b, f, info) }); allocs != 0 {
			t.Errorf("%s: %v allocations a round", policy, allocs)
		}
	}
}

// BenchmarkBuilder measures a round of 8 fragments of 64 commands, checksums included; see ns/command.
func BenchmarkBuilder(b *testing.B) {
	for _, policy := range []string{"none", "count:100", "bytes:8KiB", "adaptive"} {
		b.Run(policy, func(b *testing.B) {
			builder := newBuilder(policy, 0)
			f, info := fragment(1, 64)
			b.ReportAllocs()
			for b.Loop() {
				round(builder, f, info)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*8*64), "ns/command")
		})
	}
}
