package load

import (
	"math"
	"strings"
	"testing"
	"time"

	"paxosbench/bench/client/clienttest"
)

func parseStages(t *testing.T, texts ...string) []Stage {
	t.Helper()
	stages := make([]Stage, len(texts))
	for i, text := range texts {
		if err := stages[i].UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if stages[i].String() != text {
			t.Errorf("%q has become %q", text, stages[i])
		}
	}
	return stages
}

func TestStageTexts(t *testing.T) {
	for text, want := range map[string]string{
		"10s":            "want a length and a rate",
		"100k":           "want a length and a rate",
		"ten 100k":       "want a length and a rate",
		"0s 100k":        "want a length and a rate",
		"10s 0":          "must be positive",
		"10s 100k..":     "rate \"\"",
		"10s 100k..200m": "write M for a million",
	} {
		if err := new(Stage).UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Every arrival process keeps the rates of the stages, at their ends and within them, also when threads and generators share
// them.
func TestStagesKeepTheirRates(t *testing.T) {
	stages := parseStages(t, "2s 1k", "1s 10k", "3s 10k..1k", "2s 1k..5k")
	for _, arrival := range []string{"constant", "poisson", "burst:10"} {
		cfg := testConfig()
		cfg.SetStages(stages)
		cfg.Threads, cfg.Arrival = 2, parseArrival(t, arrival)
		counts := make([]int, 80) // in tenths of a second
		for thread := range 2 {
			last, p := time.Duration(0), cfg.pacer(thread, 7, false)
			for at := p.Next(); at < 8*time.Second; at = p.Next() {
				if at < last {
					t.Fatalf("%s: due at %v after %v", arrival, at, last)
				}
				last = at
				counts[at/(100*time.Millisecond)]++
			}
			if p.Next() < never/2 {
				t.Errorf("%s: more is due behind the end", arrival)
			}
		}
		for i, got := range counts {
			from, to := time.Duration(i)*100*time.Millisecond, time.Duration(i+1)*100*time.Millisecond
			want := cfg.due(from, to)
			tolerance := 2.0
			switch arrival {
			case "poisson":
				tolerance = 5 * math.Sqrt(want)
			case "burst:10":
				tolerance = 20
			}
			if math.Abs(float64(got)-want) > tolerance {
				t.Errorf("%s: %d operations are due in the %d. tenth of a second, want %.0f", arrival, got, i, want)
			}
		}
	}
	if due := dueIn(stages, 8*time.Second); math.Abs(due-34_500) > 1e-6 {
		t.Errorf("%v operations are due in all", due)
	}
}

// A run of stages has a figure for each, and they sum to those of the run.
func TestRunOfStages(t *testing.T) {
	server := listen(t, clienttest.Config{})
	cfg := shortConfig(server.Addr())
	cfg.Interval, cfg.Window = 50*time.Millisecond, 0
	cfg.SetStages(parseStages(t, "100ms 1k", "200ms 5k", "100ms 5k..1k"))
	r := mustRun(t, cfg).Result
	if len(r.Stages) != 3 || r.Ops.Scheduled != 1400 || r.Stages[1].AtS != 0.1 || r.Stages[2].Rate != "5k..1k" {
		t.Fatalf("%+v", r.Stages)
	}
	scheduled, ok, count := int64(0), int64(0), int64(0)
	for _, s := range r.Stages {
		scheduled, ok, count = scheduled+s.Ops.Scheduled, ok+s.Ops.OK, count+s.Latency.Count
	}
	if scheduled != r.Ops.Scheduled || ok != r.Ops.OK || count != r.Latency.Count {
		t.Errorf("stages have %d of %d scheduled operations, %d of %d answers, %d of %d latencies", scheduled, r.Ops.Scheduled, ok, r.Ops.OK, count, r.Latency.Count)
	}
	for _, c := range r.Checks {
		if c.Name == "stationarity" {
			t.Error("a rate that was to change is expected not to")
		}
	}
	cfg.Interval = 30 * time.Millisecond
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "change --interval") {
		t.Errorf("%v", err)
	}
}
