package chart

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"paxosbench/bench/record"
)

// runOf makes a run of rows, with latencies to show by percentile.
func runOf(t *testing.T, rows ...record.Row) *record.Run {
	t.Helper()
	set := record.NewSet()
	for n := range int64(1000) {
		due := time.Duration(n) * time.Microsecond
		set.Answer(due, due+time.Microsecond, due+time.Duration(n+1)*10*time.Microsecond, 1)
	}
	run := &record.Run{Name: "one", Result: &record.Result{Events: []record.Event{{AtS: 1, Text: "kill leader"}}}, Rows: rows}
	if err := run.Result.SetFigures(set); err != nil {
		t.Fatal(err)
	}
	return run
}

func throughputOf(r *record.Row) float64 { return r.OpsPerS }

// TestOutageOfARun wants an outage drawn as one: no slope into it or out of it, no latency in it, and how long nothing was
// answered in words, in the typeface of all words.
func TestOutageOfARun(t *testing.T) {
	var rows []record.Row
	for i := range 30 {
		row := record.Row{StartS: float64(i) / 10, LengthS: 0.1, OK: 100, OpsPerS: 1000, P50Ns: 1e6, P99Ns: 2e6}
		if i >= 10 && i < 21 {
			row.OK, row.OpsPerS, row.P50Ns, row.P99Ns = 0, 0, 0, 0
		}
		rows = append(rows, row)
	}
	run := runOf(t, append(rows, record.Row{StartS: 3, LengthS: 1, OK: 5, OpsPerS: 5, P99Ns: 9e9, Drain: true})...)
	for _, p := range stepsOfRun(run, throughputOf, false)[0] {
		if out := p.X > 1.01 && p.X < 2.09; out && p.Y != 0 || p.X > 3.01 {
			t.Errorf("%g op/s at %g s, when nothing was answered, or not in time", p.Y, p.X)
		}
	}
	if latency := stepsOfRun(run, func(r *record.Row) float64 { return float64(r.P99Ns) }, true); len(latency) != 2 {
		t.Errorf("the latency is %d lines, want one before and one after", len(latency))
	}
	var out bytes.Buffer
	if err := WriteRuns(&out, "svg", "A title", []*record.Run{run}); err != nil {
		t.Fatal(err)
	}
	words := textOf(t, out.Bytes())
	for _, want := range []string{"A title", "kill leader", "nothing answered for 1.1 s", "Latency by percentile", "Share of operations answered"} {
		if !strings.Contains(words, want) {
			t.Errorf("the picture does not say %q", want)
		}
	}
	for word := range strings.SplitSeq(out.String(), "<text ") {
		if tag, rest, _ := strings.Cut(word, ">"); strings.HasPrefix(word, "x=") && !strings.Contains(tag, "Liberation Sans") {
			t.Errorf("in a typeface of its own: %.30s", rest)
		}
	}
}

// TestOneIntervalOfARun wants something to be seen of a run that has but one, and of one that has none what there is, without empty panels.
func TestOneIntervalOfARun(t *testing.T) {
	run := runOf(t, record.Row{LengthS: 1, OK: 1000, OpsPerS: 1000})
	if steps := stepsOfRun(run, throughputOf, false); len(steps) != 1 || len(steps[0]) != 2 || steps[0][1].X != 1 {
		t.Errorf("%v", steps)
	}
	for _, r := range []*record.Run{run, runOf(t)} {
		var out bytes.Buffer
		if err := WriteRuns(&out, "svg", "A title", []*record.Run{r}); err != nil {
			t.Fatal(err)
		}
		words := textOf(t, out.Bytes())
		if course := strings.Contains(words, "operations/s"); course != (len(r.Rows) > 0) || !strings.Contains(words, "A title") {
			t.Errorf("%d rows: %q", len(r.Rows), words)
		}
	}
}

// A distribution is drawn from both sides: a percentile has the place that it has on paper for it, and the share of a time
// ends at all operations.
func TestDistributionOfARun(t *testing.T) {
	set, err := runOf(t).Result.HDR.Set() // a thousand operations, of which n took n times 10 µs
	if err != nil {
		t.Fatal(err)
	}
	var last float64
	percentiles, valuesNs := set.Intended.Spectrum()
	for i, q := range percentiles {
		share, _ := shares(q, valuesNs[i])
		if near := share.X / 1e5; math.Abs(near-share.Y) > 0.2 || share.Y < last { // 1 % is 100 µs
			t.Errorf("%.3g %% of the operations are answered within %v ns", share.Y, share.X)
		}
		last = share.Y
		if place, ok := nines(q, valuesNs[i]); ok != (q < 100) || ok && math.Abs(math.Pow(10, -place.X)-(1-q/100)) > 1e-9 {
			t.Errorf("percentile %v is at %v", q, place.X)
		}
	}
	if last != 100 {
		t.Errorf("the last share is %v %%", last)
	}
}
