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
	random      *rand.Rand
	handicap    float64
	slow        float64 // factor of the p99 that goes with batch=none
	independent bool    // latencies have noise of their own
	order       []string
	seeds       []uint64
	status      func(bench.Job) string
}

func newHost(seed uint64, handicap float64) *host {
	return &host{random: rand.New(rand.NewPCG(seed, 1)), handicap: handicap, slow: 1, status: func(bench.Job) string { return suite.StatusValid }}
}

func (h *host) Host(string) (bench.Executor, error) { return h, nil }
func (h *host) Seat(int, int) error                 { return errors.New("seated, and is no duet") }

func (h *host) Execute(_ context.Context, job bench.Job) (bench.Measured, error) {
	h.order, h.seeds = append(h.order, job.Settings.Get("batch")), append(h.seeds, job.Seed)
	drift := 1 + 0.3*math.Sin(float64(job.Repeat))
	ops := 1e6 * drift * math.Exp(0.02*h.random.NormFloat64())
	slow := 1.0
	if job.Settings.Get("batch") == "none" {
		ops *= 1 - h.handicap
		slow = h.slow
	}
	return bench.Measured{Status: h.status(job), Reasons: []string{"made up"}, Result: &record.Result{
		ThroughputOpsPerS: ops, Latency: record.Latency{Count: 1, P50: h.latency(1, ops), P99: h.latency(3*slow, ops), P999: h.latency(5, ops)},
	}}, nil
}

func (h *host) latency(share, ops float64) int64 {
	if h.independent {
		share *= math.Exp(0.1 * h.random.NormFloat64())
	}
	return int64(share * 1e15 / ops)
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
	for _, want := range []string{"A: batch=adaptive\nB: batch=none\n", "throughput", "p99 latency", "p = 0.002  p = 0.0078  differs", "10 pairs, 1s each: A faster by"} {
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

// A difference that shows in latency alone is marked, and named at the end.
func TestOnlyLatencyDiffers(t *testing.T) {
	h := newHost(3, 0)
	h.slow = 1.5
	o := compared(t, h, 10)
	if got := o.Verdict(); got != "no difference in throughput, but in p99 latency" {
		t.Errorf("%q", got)
	}
	var out bytes.Buffer
	if err := o.Write(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "p = ") && strings.Contains(line, "differs") != strings.HasPrefix(line, "p99 ") {
			t.Errorf("marked: %s", line)
		}
	}
}

// Where there is no difference, one in any column is found in no more than one comparison of twenty.
func TestAllColumnsTogetherSeldomErr(t *testing.T) {
	const trials = 300
	wrong := 0
	for seed := range uint64(trials) {
		h := newHost(seed, 0)
		h.independent = true
		if compared(t, h, 10).Verdict() != "no difference" {
			wrong++
		}
	}
	if wrong > trials/20 {
		t.Errorf("a difference %d times of %d", wrong, trials)
	}
}

// What takes eight pairs says so with seven, and does not call them equal.
func TestTooFewPairs(t *testing.T) {
	if got := MinPairs(); got != 8 {
		t.Errorf("%d pairs can show a difference, and the help says eight", got)
	}
	if got := compared(t, newHost(1, 0.5), 7).Verdict(); got != "no difference shown: 7 pairs cannot show one, 8 can" {
		t.Errorf("%q", got)
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

// TestNoPairIsLeftOut wants a run that did not hold to count as worse than any figure, and to be named: left out, a side that
// holds in its luckiest runs alone would be ahead.
func TestNoPairIsLeftOut(t *testing.T) {
	h := newHost(1, -0.5) // batch=none, which is B, is faster by half, if it holds
	h.status = func(job bench.Job) string {
		if job.Repeat != 2 && job.Settings.Get("batch") == "none" {
			return suite.StatusInvalid
		}
		return suite.StatusValid
	}
	o := compared(t, h, 8)
	if c := o.Lines[0].Comparison; c.Pairs != 8 || c.Wins != 7 || len(o.Failing) != 7 || !strings.Contains(o.Failing[0], "compare-B-1 is invalid: made up") {
		t.Errorf("%+v; %v", c, o.Failing)
	}
	if strings.Contains(o.Verdict(), "B ") {
		t.Errorf("one run of eight held: %q", o.Verdict())
	}
	h.status = func(bench.Job) string { return suite.StatusInvalid }
	if got := compared(t, h, 8).Verdict(); got != "no difference" {
		t.Errorf("of runs none of which held: %q", got)
	}
}

// TestOverload wants a run that answered less than was offered to count as one that did not hold, whatever its verdict.
func TestOverload(t *testing.T) {
	h, c := newHost(1, 0.5), config(8)
	c.A, c.B = c.A.With("rate", "300k"), c.B.With("rate", "900k")
	o, err := Run(t.Context(), h, c, io.Discard)
	if err != nil || len(o.Failing) == 0 || o.Lines[0].Comparison.Losses != 0 {
		t.Errorf("%v: %+v", err, o)
	}
}

// TestFewPairsHaveNoInterval wants no claim of 95 % where there is none.
func TestFewPairsHaveNoInterval(t *testing.T) {
	for pairs, want := range map[int]string{2: "range of the pairs", 5: "range of the pairs", 6: "95 % interval"} {
		var out bytes.Buffer
		if err := compared(t, newHost(1, 0), pairs).Write(&out); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%d pairs: no %q in\n%s", pairs, want, &out)
		}
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
		"--data /tmp":                          "!",
		"--link-delay soon":                    "!",
	} {
		got, err := ParseFlags(line)
		if err != nil != (want == "!") || err == nil && got.String() != want {
			t.Errorf("%q became %q, %v; want %q", line, got, err, want)
		}
	}
}
