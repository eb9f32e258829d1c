package compare

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"paxosbench/bench"
	"paxosbench/bench/record"
	"paxosbench/bench/suite"
)

// host makes up runs: of 1 M ops/s, drifting, with noise of 2 %, less a handicap that goes with batch=none.
type host struct {
	random   *rand.Rand
	handicap float64
	order    []string
	seeds    []uint64
	status   func(bench.Job) string
}

func newHost(seed uint64, handicap float64) *host {
	return &host{random: rand.New(rand.NewPCG(seed, 1)), handicap: handicap, status: func(bench.Job) string { return suite.StatusValid }}
}

func (h *host) Execute(_ context.Context, job bench.Job) (bench.Measured, error) {
	h.order, h.seeds = append(h.order, job.Settings.Get("batch")), append(h.seeds, job.Seed)
	drift := 1 + 0.3*math.Sin(float64(job.Repeat))
	ops := 1e6 * drift * math.Exp(0.02*h.random.NormFloat64())
	if job.Settings.Get("batch") == "none" {
		ops *= 1 - h.handicap
	}
	return bench.Measured{Status: h.status(job), Reasons: []string{"made up"}, Result: &record.Result{
		ThroughputOpsPerS: ops, Latency: record.Latency{Count: 1, P50: int64(1e15 / ops), P99: int64(3e15 / ops), P999: int64(5e15 / ops)},
	}}, nil
}

func config(pairs int) Config {
	return Config{A: suite.Cell{{Knob: "batch", Value: "adaptive"}}, B: suite.Cell{{Knob: "batch", Value: "none"}}, Pairs: pairs, Duration: time.Second, Seed: 5}
}

func compared(t *testing.T, h *host, pairs int) *Outcome {
	t.Helper()
	o, err := Run(t.Context(), h, config(pairs), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestHandicapIsFound(t *testing.T) {
	o := compared(t, newHost(1, 0.1), 10)
	if !strings.HasPrefix(o.Verdict(), "A faster by 1") || len(o.Lines) != 4 {
		t.Errorf("%q, %d columns", o.Verdict(), len(o.Lines))
	}
	var out bytes.Buffer
	if err := o.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A: batch=adaptive\nB: batch=none\n", "throughput", "p99 latency", "p = 0.002", "10 pairs, 1s each: A faster by"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestSameIsNoDifference(t *testing.T) {
	wrong := 0
	for seed := range uint64(40) {
		if compared(t, newHost(seed, 0), 10).Verdict() != "no difference" {
			wrong++
		}
	}
	if wrong > 2 {
		t.Errorf("a difference %d times of 40", wrong)
	}
}

// TestOrder wants pairs interleaved, with the same seed on both sides of a pair.
func TestOrder(t *testing.T) {
	h := newHost(1, 0)
	compared(t, h, 3)
	if got := strings.Join(h.order, " "); got != "adaptive none none adaptive adaptive none" {
		t.Errorf("order: %s", got)
	}
	for i := 0; i < len(h.seeds); i += 2 {
		if h.seeds[i] != h.seeds[i+1] || i > 0 && h.seeds[i] == h.seeds[i-1] {
			t.Errorf("seeds: %v", h.seeds)
		}
	}
}

func TestInvalidPairsAreLeftOut(t *testing.T) {
	h := newHost(1, 0.1)
	h.status = func(job bench.Job) string {
		if job.Repeat == 2 && job.Settings.Get("batch") == "none" {
			return suite.StatusInvalid
		}
		return suite.StatusValid
	}
	o := compared(t, h, 7)
	if o.Lines[0].Comparison.Pairs != 6 || len(o.Left) != 1 || !strings.Contains(o.Left[0], "pair 2: compare-B-2 is invalid: made up") {
		t.Errorf("%d pairs, left out: %v", o.Lines[0].Comparison.Pairs, o.Left)
	}
	h.status = func(bench.Job) string { return suite.StatusInvalid }
	if _, err := Run(t.Context(), h, config(2), io.Discard); err == nil {
		t.Error("a comparison of nothing")
	}
}

func TestFailureEndsIt(t *testing.T) {
	h := newHost(1, 0)
	h.status = func(job bench.Job) string {
		if job.Settings.Get("batch") == "none" {
			return suite.StatusFailed
		}
		return suite.StatusValid
	}
	var failed *FailedError
	if _, err := Run(t.Context(), h, config(5), io.Discard); !errors.As(err, &failed) || failed.Side != "B" || len(h.order) != 2 {
		t.Errorf("%v after %d runs", err, len(h.order))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, newHost(1, 0), config(5), io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestParseFlags(t *testing.T) {
	for line, want := range map[string]string{
		"":                                     "",
		"--batch none --pipeline=4":            "batch=none pipeline=4",
		"--unreplicated --replicas 1":          "unreplicated=true replicas=1",
		"--batch count:64 -- --window 64":      "batch=count:64 window=64",
		"-- --rate=50k --arrival poisson":      "rate=50k arrival=poisson",
		"--link-delay 5ms --durability=none -": "!",
		"batch none":                           "!",
		"--window 64":                          "!",
		"-- --batch none":                      "!",
		"--load 50%":                           "!",
		"--nonsense 1":                         "!",
		"--batch none --batch adaptive":        "!",
	} {
		got, err := ParseFlags(line)
		if err != nil != (want == "!") || err == nil && got.String() != want {
			t.Errorf("%q became %q, %v; want %q", line, got, err, want)
		}
	}
}
