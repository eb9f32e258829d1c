package report

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"paxosbench/bench/chart"
	"paxosbench/bench/chart/charttest"
	"paxosbench/bench/record"
	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

const mixed = `
name: mixed
title: Closed & open
question: Is the report complete, and does <b>it</b> escape what it shows?
axes:
  batch: [none, "count:64", adaptive]
  pipeline: [1, 16, adaptive]
fixed: {conns: 4, window: 1024}
repeats: 6
warmup: 1s
duration: 2s
graphs:
  - {name: depth, title: Throughput by depth, kind: line, x: pipeline, y: throughput, series: batch, model: true}
  - {name: map, title: Throughput, kind: heatmap, x: pipeline, y: batch, value: throughput, where: {pipeline: 16}}
  - {name: twice, title: Two on one spot, kind: line, x: pipeline, y: throughput}
`

const loaded = `
name: loaded
title: Latency under load
question: Where is the knee?
axes:
  batch: [none, "count:64", adaptive]
  load: [25%, 50%, 85%, 105%]
fixed: {conns: 4, window: 1024}
repeats: 6
warmup: 1s
duration: 2s
graphs:
  - {name: knee, title: Median latency by throughput, kind: hockey, x: throughput, y: p50, series: batch}
`

func results(t *testing.T, text string) *suite.Dir {
	t.Helper()
	s, err := suite.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return charttest.Dir(t, s, []byte(text), 1)
}

// written renders a directory and returns its report.
func written(t *testing.T, dir *suite.Dir) string {
	t.Helper()
	err := WritePage(dir, charttest.Calibration())
	var undrawn *UndrawnError
	if twice := dir.Suite.Name == "mixed"; errors.As(err, &undrawn) != twice || err != nil && (!twice || !strings.Contains(err.Error(), "graph twice")) {
		t.Fatal(err) // mixed has a graph that cannot be drawn
	}
	report, err := os.ReadFile(filepath.Join(dir.Path, ReportFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(report)
}

func TestReport(t *testing.T) {
	dir := results(t, mixed)
	report := written(t, dir)
	for _, want := range []string{
		"Closed &amp; open", "does &lt;b&gt;it&lt;/b&gt; escape", "flag &lt;b&gt;--what&lt;/b&gt; is unknown", "host CPU",
		"No picture: graph twice: the cells batch=none pipeline=1 and batch=count:64 pipeline=1 are on one spot",
		"mixed/suite.yaml --seed 1 --repeats 6 --duration 2s --out results/again/mixed --only pipeline=16", "Copyright (c) 2022 Leon Sorokin",
		"Adaptive batching against the best fixed setting: throughput", "adaptive is ahead by", "54 runs, ",
		"<details open><summary>Their reasons", "<dt>All cells</dt><dd><code>conns=4 window=1024</code></dd>",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("no %q in the report", want)
		}
	}
	for _, alien := range []string{"http://", "https://", "<link rel=\"stylesheet\"", " src="} {
		for rest := report; ; {
			_, after, found := strings.Cut(rest, alien)
			if !found {
				break
			}
			if !strings.HasPrefix(after, "www.w3.org/") && !strings.HasPrefix(after, "github.com/leeoniya/uPlot ") { // whose notice it is
				t.Errorf("the report refers to something outside: %s%.40s", alien, after)
			}
			rest = after
		}
	}
	if n := strings.Count(report, "<svg"); n != 2 {
		t.Errorf("%d pictures, want 2", n)
	}
	for _, name := range []string{"depth.svg", "depth.png", "map.svg", "map.png"} {
		if info, err := os.Stat(filepath.Join(dir.Path, GraphsDir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReportIsReplacedWhole wants what an earlier report has left to be replaced, not written over: who has it open reads all of it.
func TestReportIsReplacedWhole(t *testing.T) {
	dir, kept := results(t, loaded), t.TempDir()
	written(t, dir)
	names := []string{ReportFile, BenchmarkFile, filepath.Join(GraphsDir, "knee.svg"), filepath.Join(GraphsDir, "knee.png")}
	for _, name := range names {
		if err := os.Link(filepath.Join(dir.Path, name), filepath.Join(kept, filepath.Base(name))); err != nil {
			t.Fatal(err)
		}
	}
	written(t, dir)
	for _, name := range names {
		if record.SameFile(filepath.Join(dir.Path, name), filepath.Join(kept, filepath.Base(name))) {
			t.Errorf("%s is written over", name)
		}
	}
}

// TestReportOfNothing wants a report that says so, and no picture of earlier runs left.
func TestReportOfNothing(t *testing.T) {
	s, err := suite.Parse("test", []byte(loaded))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := suite.Create(filepath.Join(t.TempDir(), "none"), s, []byte(loaded), charttest.Manifest(s, 1), s.Plan(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(dir.Path, GraphsDir, "knee.svg")
	if err := os.MkdirAll(filepath.Dir(stale), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stale, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	report := written(t, dir)
	if !strings.Contains(report, "no cell of this graph has figures yet") || !strings.Contains(report, "15 of the plan are still to be made") {
		t.Error("the report does not say that there is nothing")
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the old picture: %v", err)
	}
}

// TestDistribution wants a curve of every run and their median, which grows with the share; where most runs did not hold it is that of
// what was measured; runs of an earlier version have none, and a report of those alone says so.
func TestDistribution(t *testing.T) {
	dir := results(t, mixed)
	runs := dir.Runs()
	failed := dir.Suite.Cells()[0].String()
	for i := range runs {
		if runs[i].Cell.String() == failed {
			runs[i].Status = suite.StatusInvalid
		}
	}
	series := distribution(dir).Panels[0].Series
	if len(series) != 9 || series[5].Hidden || !series[6].Hidden {
		t.Fatalf("%d series", len(series))
	}
	for _, s := range series {
		last := 0.0
		for i, q := range s.Spots {
			between := slices.SortedFunc(slices.Values(q.Runs), func(a, b single) int { return cmp.Compare(a.X, b.X) })
			if n := len(q.Runs); n < 5 || q.X < between[0].X || q.X > between[n-1].X || *q.Y != suite.Shares[i] || q.X < last {
				t.Errorf("%s, %v %%: %v of %d runs, after %v", s.Name, *q.Y, q.X, n, last)
			}
			if hollow := q.Fill == int(chart.Hollow); hollow != (s.Name == failed) {
				t.Errorf("%s: %s, hollow %v", s.Name, q.Held, hollow)
			}
			last = q.X
		}
	}
	for i := range runs {
		runs[i].Distribution = nil
	}
	if report := written(t, dir); len(distribution(dir).Panels) != 0 || !strings.Contains(report, "No run has kept one") {
		t.Error("there is a distribution, or the report does not say that there is none")
	}
}

// TestBenchmark reads the Go benchmark format back.
func TestBenchmark(t *testing.T) {
	dir := results(t, mixed)
	written(t, dir)
	data, err := os.ReadFile(filepath.Join(dir.Path, BenchmarkFile))
	if err != nil {
		t.Fatal(err)
	}
	read, held := 0, 0
	for r := benchfmt.NewReader(bytes.NewReader(data), BenchmarkFile); r.Scan(); {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Errorf("%v", rec)
		case *benchfmt.Result:
			read++
			ops, _ := rec.Value("op/s")
			p99, _ := rec.Value("p99-sec")
			holds, told := rec.Value("held")
			if !told || (holds == 1) != (ops > 0) || (holds == 0) != (p99 > 9e9) || !strings.HasPrefix(string(rec.Name), "Mixed/batch=") {
				t.Errorf("%s: %v", rec.Name, rec.Values)
			}
			held += int(holds)
		}
	}
	usable := 0
	for _, r := range dir.Runs() {
		if r.Usable() {
			usable++
		}
	}
	if read != len(dir.Runs()) || held != usable || usable == 0 || usable == read {
		t.Errorf("%d lines for %d runs, of which %d held; want %d", read, len(dir.Runs()), held, usable)
	}
}

// TestAdaptiveClosed handicaps every fixed setting by 10 % and wants that found.
func TestAdaptiveClosed(t *testing.T) {
	dir := results(t, mixed)
	runs := dir.Runs()
	for i := range runs {
		if r := &runs[i]; r.Result != nil {
			r.Status = suite.StatusValid
			r.Result.ThroughputOpsPerS = 1e6 * (1 + 0.001*float64(r.Repeat))
			if r.Cell.Get("batch") != adaptive {
				r.Result.ThroughputOpsPerS *= 0.9
			}
		}
	}
	tables := adaptiveTables(dir.Suite, runs)
	if len(tables) != 1 || len(tables[0].Rows) != 3 {
		t.Fatalf("%+v", tables)
	}
	for _, row := range tables[0].Rows {
		if row[4].Text != "1.111" || row[6].Text != "adaptive is ahead by 11.1 %" {
			t.Errorf("%+v", row)
		}
	}
}

// TestAdaptiveWithoutRival wants no comparison where the suite has no fixed setting to compare with.
func TestAdaptiveWithoutRival(t *testing.T) {
	s, err := suite.Parse("alone", []byte(alone))
	if err != nil {
		t.Fatal(err)
	}
	if tables := adaptiveTables(s, charttest.Runs(s, s.Plan(1, s.Repeats))); len(tables) != 0 {
		t.Errorf("adaptive alone is compared: %v", tables[0].Rows)
	}
}

const alone = `
name: alone
title: Alone
question: Is adaptive compared with nothing?
include:
  - {variant: as it is, batch: adaptive}
  - {variant: without batches, batch: none, pipeline: 1}
repeats: 3
warmup: 1s
duration: 1s
graphs:
  - {name: bars, title: Throughput, kind: bars, x: variant, y: throughput}
`

// TestAdaptiveOpen wants latencies compared at the same load, whatever share of its own saturation that is.
func TestAdaptiveOpen(t *testing.T) {
	dir := results(t, loaded)
	runs := dir.Runs()
	for i := range runs {
		r := &runs[i]
		if r.Kind != suite.KindRun || r.Result == nil {
			continue
		}
		r.Status = suite.StatusValid
		share, err := suite.LoadShare(r.Cell.Get("load"))
		if err != nil {
			t.Fatal(err)
		}
		saturation := map[string]float64{"none": 1e5, "count:64": 1e6, adaptive: 2e6}[r.Cell.Get("batch")]
		r.Offered = share * saturation
		r.Result.Latency.P50 = int64(1e6 * (1 + r.Offered/1e6)) // the same for all
		r.Result.Latency.P99 = 2 * r.Result.Latency.P50
	}
	tables := adaptiveTables(dir.Suite, runs)
	if len(tables) != 2 || len(tables[0].Rows) != 4 {
		t.Fatalf("%d tables", len(tables))
	}
	rows := tables[0].Rows
	// 25 and 50 % of 2 M are within reach of count:64, whose curve ends at 1.05 M; the rest is not.
	for i, want := range []string{"count:64", "count:64", "–", "–"} {
		if rows[i][3].Text != want {
			t.Errorf("at %s: best fixed %q, want %q", rows[i][0].Text, rows[i][3].Text, want)
		}
	}
	if math.Abs(rows[0][4].Key-1) > 0.01 || rows[3][6].Text != "adaptive alone" {
		t.Errorf("%+v", rows)
	}
}

func TestCurve(t *testing.T) {
	c := curve{{100, 1}, {200, 4}}
	for load, want := range map[float64]float64{50: 1, 100: 1, 150: 2, 200: 4} {
		if got, ok := c.at(load); !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("at %g: %g, %v; want %g", load, got, ok, want)
		}
	}
	if _, ok := c.at(201); ok {
		t.Error("a latency above the last point")
	}
}

// TestVerdict wants outcomes in words that fit the column and the number of repeats.
func TestVerdict(t *testing.T) {
	throughput, latency := comparer{column: column("throughput")}, comparer{column: column("p99")}
	for _, c := range []struct {
		of   comparer
		o    stat.Comparison
		want string
	}{
		{throughput, stat.Comparison{Pairs: 10, Ratio: 1.05, Lo: 1.01, Hi: 1.1}, "adaptive is ahead by 5.0 %"},
		{latency, stat.Comparison{Pairs: 10, Ratio: 1.05, Lo: 1.01, Hi: 1.1}, "adaptive is behind by 5.0 %"},
		{latency, stat.Comparison{Pairs: 3, Ratio: 0.25, Lo: 0.2, Hi: 0.3}, "adaptive is ahead by a factor of 4 in every repeat"},
		{throughput, stat.Comparison{Pairs: 3, Ratio: 1.05, Lo: 0.99, Hi: 1.1}, "no difference"},
		{throughput, stat.Comparison{Pairs: 1, Ratio: 2, Lo: 2, Hi: 2}, "one repeat cannot tell"},
	} {
		if got := c.of.verdict(c.o); got != c.want {
			t.Errorf("%+v: %q, want %q", c.o, got, c.want)
		}
	}
}
