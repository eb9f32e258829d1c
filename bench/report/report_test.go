package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/perf/benchfmt"

	"paxosbench/bench/record"
)

// writeRun leaves a run of three intervals in a directory, as a generator does, and loads it.
func writeRun(t *testing.T, name string) *record.Run {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	files, err := record.CreateDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	start := time.UnixMilli(1_700_000_000_000)
	if err := files.Start(start); err != nil {
		t.Fatal(err)
	}
	sum := record.NewSet()
	var rows []record.Row
	for i := range 3 {
		set := record.NewSet()
		set.Start, set.End = time.Duration(i)*time.Second, time.Duration(i+1)*time.Second
		for n := range int64(1000) {
			due := time.Duration(n) * time.Microsecond
			set.Send(due, due+time.Microsecond, 1)
			set.Answer(due, due+time.Microsecond, due+time.Duration(n+1)*10*time.Microsecond, 1)
		}
		set.Counts.Scheduled, set.Counts.OK = 1000, 1000
		row := record.NewRow(set)
		if i == 2 {
			row.P50Ns = 0 // as when nothing was answered
		}
		if i == 1 {
			row.Events = []string{"kill leader"}
		}
		if err := files.Interval(&row, set); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
		sum.Merge(set)
	}
	result := &record.Result{
		Schema: record.Schema, Verdict: record.Degraded, Reasons: []string{"steal: the host took 3 % of the CPU"},
		Checks:            []record.Check{{Name: "steal", Value: 3, Limit: 1, Unit: "percent", Severity: record.Degraded}},
		ThroughputOpsPerS: 1000, MeasuredS: 3, StartedAt: start,
		Generator:    record.Generator{Name: "here", CPUNsPerOp: 41.5, CPUShare: 0.2, Threads: 1},
		Replicas:     []record.Replica{{ID: 2, Role: "leader", CPUNsPerOp: 90, Batch: 512, Config: json.RawMessage(`{"batch":"count:64","linger":"0s"}`)}},
		Verification: record.Verification{Mode: "replies", Checked: 3000, Digests: "equal"},
		Events:       []record.Event{{AtS: 1.2, TookS: 0.5, Text: "kill leader"}},
		Config:       map[string]any{"mode": "closed", "window": 256, "conns": 4, "clients": 4, "mix": "put:1"},
		Host:         record.Host{Name: "here", CPU: "a processor", Looks: 250, Stops: 23, StoppedPercent: 9.2, LongestStopNs: 14e6},
	}
	if err := result.SetFigures(sum); err != nil {
		t.Fatal(err)
	}
	if err := files.Finish(result, rows, sum); err != nil {
		t.Fatal(err)
	}
	run, err := record.LoadRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func render(t *testing.T, format Format, runs ...*record.Run) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, format, runs); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return out.Bytes()
}

func TestText(t *testing.T) {
	text := string(render(t, "text", writeRun(t, "one")))
	for _, want := range []string{
		"DEGRADED  1,000 op/s over 3.0 s, closed loop, window 256, 4 conns, 4 clients\n", "! steal: the host took 3 %",
		"from when due", "ok 3,000", "3,000 answers, digests of the replicas: equal: nothing wrong", "kill leader (took 0.50 s)", "replica 2 leader",
		"2.0  1,000    -",
		"41.5", "steal  NO", "host        stopped this machine at 23 of 250 looks (9.2 %), for up to 14ms more\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if n := utf8.RuneCountInString(line); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// Far percentiles of few observations mean nothing, and are left out.
func TestTextLeavesOutWhatMeansNothing(t *testing.T) {
	for line := range strings.Lines(string(render(t, "text", writeRun(t, "one")))) {
		if fields := strings.Fields(line); strings.Contains(line, "from when due") && (fields[6] != "-" || fields[7] != "-") {
			t.Errorf("p99.9 and p99.99 of 3000 observations: %s", line)
		}
	}
}

func TestJSON(t *testing.T) {
	one, two := writeRun(t, "one"), writeRun(t, "two")
	var result record.Result
	if err := json.Unmarshal(render(t, "json", one), &result); err != nil || result.Latency != one.Result.Latency {
		t.Errorf("%+v (%v)", result.Latency, err)
	}
	var results []record.Result
	if err := json.Unmarshal(render(t, "json", one, two), &results); err != nil || len(results) != 2 {
		t.Errorf("%d results (%v)", len(results), err)
	}
}

func TestCSV(t *testing.T) {
	lines, err := csv.NewReader(bytes.NewReader(render(t, "csv", writeRun(t, "one"), writeRun(t, "two")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 7 || lines[0][0] != "run" || lines[0][1] != "start_s" || lines[1][0] != "one" || lines[6][0] != "two" {
		t.Errorf("%q", lines)
	}
	if last := len(lines[0]) - 1; lines[0][last] != "events" || lines[2][last] != "kill leader" {
		t.Errorf("the event is not where it happened: %q", lines[2])
	}
}

// Go's benchmark format, read by the reader that benchstat uses.
func TestBench(t *testing.T) {
	reader := benchfmt.NewReader(bytes.NewReader(render(t, "bench", writeRun(t, "one"), writeRun(t, "two"))), "out")
	lines := 0
	for reader.Scan() {
		switch r := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Error(r)
		case *benchfmt.Result:
			lines++
			name := string(r.Name)
			if !strings.HasPrefix(name, "Load/replicas=1/batch=count:64/") || !strings.Contains(name, "/window=256") || r.Iters != 3000 {
				t.Errorf("%s, %d iterations", name, r.Iters)
			}
			ops, _ := r.Value("op/s")
			if held, ok := r.Value(heldUnit); !ok || held != 1 || ops != 1000 {
				t.Errorf("%v op/s, held %v", ops, held)
			}
		}
	}
	if err := reader.Err(); err != nil || lines != 2 {
		t.Errorf("%d lines (%v)", lines, err)
	}
}

// TestBenchOfWhatDidNotHold wants no infinite figure of a run that answered nothing, and an invalid one marked and worse than
// any figure, not left out; and clusters of another size or without replication not to be taken for the same.
func TestBenchOfWhatDidNotHold(t *testing.T) {
	nothing, invalid, alone := writeRun(t, "nothing"), writeRun(t, "invalid"), writeRun(t, "alone")
	nothing.Result.Ops.OK, nothing.Result.ThroughputOpsPerS = 0, 0
	invalid.Result.Verdict = record.Invalid
	alone.Result.Replicas[0].Config = json.RawMessage(`{"batch":"count:64","unreplicated":true}`)
	text := string(render(t, "bench", nothing, invalid, alone))
	if strings.Contains(text, "Inf") || strings.Contains(text, "NaN") || strings.Count(text, " 0 held") != 2 || strings.Count(text, " 0 op/s") != 2 ||
		!strings.Contains(text, "/unreplicated=true/") {
		t.Error(text)
	}
}

// TestFewObservations wants no percentile of a run of three operations that three operations do not have.
func TestFewObservations(t *testing.T) {
	run := writeRun(t, "three")
	run.Result.Latency.Count, run.Result.Latency.P99, run.Result.Latency.P90 = 3, 77_777_000, 66_666_000
	if text := string(render(t, "text", run)); strings.Contains(text, "77.8") || strings.Contains(text, "66.7") {
		t.Errorf("p90 and p99 of three operations:\n%s", text)
	}
	run.Result.Latency.Count = 99
	if text := string(render(t, "text", run)); strings.Contains(text, "77.8") || !strings.Contains(text, "66.7") {
		t.Errorf("of 99 operations there is a p90, and no p99:\n%s", text)
	}
}

// TestTornSeries wants a series that was being written when its generator died to keep nothing back that does not need it,
// and what does to say so.
func TestTornSeries(t *testing.T) {
	one := writeRun(t, "one")
	path := filepath.Join(one.Dir, record.SeriesFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)-20], 0o644); err != nil {
		t.Fatal(err)
	}
	torn, err := record.LoadRun(one.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []Format{"json", "hgrm", "hlog", "bench", "svg"} {
		if err := Write(io.Discard, format, []*record.Run{torn}); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
	if text := string(render(t, "text", torn)); !strings.Contains(text, "the series is not whole") || len(torn.Rows) != 2 {
		t.Errorf("%d rows:\n%s", len(torn.Rows), text)
	}
	if err := Write(io.Discard, "csv", []*record.Run{torn}); err == nil || !strings.Contains(err.Error(), "row 3") {
		t.Errorf("csv of a part, as if it were all: %v", err)
	}
}

func TestGraphs(t *testing.T) {
	one, two := writeRun(t, "one"), writeRun(t, "two")
	picture, err := png.Decode(bytes.NewReader(render(t, "png", one, two)))
	if err != nil || picture.Bounds().Dx() < 400 || picture.Bounds().Dy() < 300 {
		t.Errorf("png: %v", err)
	}
	svg := render(t, "svg", one)
	dec := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("svg: %v", err)
		}
	}
	if !bytes.Contains(svg, []byte("kill leader")) {
		t.Error("svg: the event is not marked")
	}
}

// While nobody leads nothing is answered: an interval without latencies, or a run of nothing else, still makes a graph.
func TestGraphOfAStandstill(t *testing.T) {
	run := writeRun(t, "one")
	for i := range run.Rows {
		run.Rows[i] = record.Row{StartS: float64(i), LengthS: 1}
		render(t, "png", run)
	}
}

func TestLogsAreOfOneRun(t *testing.T) {
	one, two := writeRun(t, "one"), writeRun(t, "two")
	for _, f := range []Format{"hgrm", "hlog"} {
		if err := Write(io.Discard, f, []*record.Run{one, two}); err == nil || !strings.Contains(err.Error(), "merge") {
			t.Errorf("%s of two runs: %v", f, err)
		}
	}
	if !bytes.Contains(render(t, "hgrm", one), []byte("#[Max")) {
		t.Error("hgrm: no foot")
	}
	if n := histograms(t, render(t, "hlog", one)); n != 9 {
		t.Errorf("hlog: %d histograms, want three for each of three intervals", n)
	}
	if err := os.Remove(filepath.Join(one.Dir, record.LogFile)); err != nil {
		t.Fatal(err)
	}
	if n := histograms(t, render(t, "hlog", one)); n != 3 {
		t.Errorf("hlog of a run without one: %d histograms, want three for the whole", n)
	}
}

func histograms(t *testing.T, log []byte) (n int) {
	t.Helper()
	for reader := hdrhistogram.NewHistogramLogReader(bytes.NewReader(log)); ; n++ {
		h, err := reader.NextIntervalHistogram()
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			return n
		}
	}
}

func TestFormatsAndRunsThatDoNotExist(t *testing.T) {
	var f Format
	if err := f.UnmarshalText([]byte("pdf")); err == nil || !strings.Contains(err.Error(), "svg") {
		t.Errorf("format pdf: %v", err)
	}
	if err := Write(io.Discard, "text", nil); err == nil {
		t.Error("reported nothing")
	}
	if _, err := record.LoadRun(t.TempDir()); err == nil {
		t.Error("loaded an empty directory")
	}
}

func TestGrouped(t *testing.T) {
	if got := Grouped(-1234567); got != "-1,234,567" {
		t.Errorf("Grouped: %s", got)
	}
}
