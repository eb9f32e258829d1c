//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"paxosbench/bench/load"
	"paxosbench/bench/load/units"
	"paxosbench/bench/record"
	"paxosbench/wire/client/clienttest"
)

// A search says what kept it from a higher rate.
func TestSearchEnds(t *testing.T) {
	point := func(rate units.Rate, verdict record.Verdict, shortfalls ...string) *load.Point {
		return &load.Point{Rate: rate, Result: &record.Result{Verdict: verdict}, Holds: len(shortfalls) == 0, Shortfalls: shortfalls,
			Outcome: &load.Outcome{Set: record.NewSet()}}
	}
	best := point(12_345, record.Valid)
	for _, tt := range []struct {
		above *load.Point
		want  []string
		not   string
	}{
		{nil, []string{"every rate tried was held"}, "not held"},
		{point(13_000, record.Valid, "objective p99<5ms: 7ms"), []string{"13,000 op/s was not held: objective p99<5ms: 7ms"}, "--max-send-lag"},
		{point(13_000, record.Invalid, "send lag p99 3ms (limit 1ms)"), []string{"not held: send lag p99 3ms (limit 1ms)", "--max-send-lag"}, ""},
	} {
		text := searchEnd(best, tt.above)
		for _, want := range append(tt.want, "highest rate held: 12,345 op/s\n") {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in\n%s", want, text)
			}
		}
		if tt.not != "" && strings.Contains(text, tt.not) {
			t.Errorf("%q is in\n%s", tt.not, text)
		}
	}
	cfg := &load.Config{}
	late := codeIn(noneHeld(cfg, point(10, record.Invalid, "send lag p99 3ms (limit 1ms)")))
	slow := codeIn(noneHeld(cfg, point(10, record.Valid, "objective p99<5ms: 7ms")))
	if code := codeIn(noneHeld(cfg, nil)); code != exitObjective {
		t.Errorf("code %d for a search that had nothing to begin with", code)
	}
	if late != exitInvalid || slow != exitObjective {
		t.Errorf("codes %d and %d for a search that found nothing", late, slow)
	}
}

func TestSeries(t *testing.T) {
	server, dir := listen(t, clienttest.Config{State: clienttest.NewNoopState()}), t.TempDir()
	common := []string{"--addrs", server.Addr(), "--admin", "none", "--quiet", "--warmup", "0s", "--duration", "200ms", "--conns", "1", "--out", dir}
	o := loadgen(append([]string{"ramp", "--from", "1k", "--to", "3k", "--steps", "3"}, common...)...)
	o.want(t, exitValid, "")
	for _, rate := range []string{"1,000 op/s:", "2,000 op/s:", "3,000 op/s:"} {
		if !strings.Contains(o.out, rate) {
			t.Errorf("%q is missing in\n%s", rate, o.out)
		}
	}
	o = loadgen(append([]string{"search", "--precision", "0.5", "--objective", "p50<1ns"}, common...)...)
	o.want(t, exitObjective, "objective p50<1ns: ")
	if !strings.Contains(o.out, "not held: ") {
		t.Errorf("no reasons in\n%s", o.out)
	}
}

// Each point is printed once where stdout and stderr are the same, as on a terminal, and to both where they are not.
func TestPointsArePrintedOnce(t *testing.T) {
	server := listen(t, clienttest.Config{State: clienttest.NewNoopState()})
	for _, tt := range []struct {
		name     string
		same     bool
		args     []string
		out, err int // lines of a point; of JSON none
	}{
		{"same", true, nil, 1, 1},
		{"same, quiet", true, []string{"--quiet"}, 1, 1},
		{"apart", false, nil, 1, 1},
		{"apart, quiet", false, []string{"--quiet"}, 1, 0},
		{"apart, json", false, []string{"--json"}, 0, 1},
		{"apart, json, quiet", false, []string{"--json", "--quiet"}, 0, 0},
	} {
		ramp := exec.Command(bin, append([]string{"ramp", "--from", "1k", "--to", "1k", "--steps", "1", "--addrs", server.Addr(), "--admin", "none",
			"--warmup", "0s", "--duration", "100ms", "--conns", "1"}, tt.args...)...)
		out := createTemp(t)
		errs := out
		if !tt.same {
			errs = createTemp(t)
		}
		ramp.Stdout, ramp.Stderr = out, errs
		if err := ramp.Run(); err != nil {
			t.Fatal(err)
		}
		for file, want := range map[*os.File]int{out: tt.out, errs: tt.err} {
			text, err := os.ReadFile(file.Name())
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(string(text), "1,000 op/s:"); got != want {
				t.Errorf("%s: %d lines, want %d:\n%s", tt.name, got, want, text)
			}
		}
	}
}

func createTemp(t *testing.T) *os.File {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// A series that is interrupted in the warm-up of a run keeps the runs before it.
func TestInterruptedSeriesKeepsItsPoints(t *testing.T) {
	server, dir := listen(t, clienttest.Config{State: clienttest.NewNoopState()}), t.TempDir()
	var out bytes.Buffer
	var errs interrupting // when the first point is there
	code := execute([]string{"ramp", "--from", "1k", "--to", "2k", "--steps", "2", "--addrs", server.Addr(), "--admin", "none",
		"--warmup", "1s", "--duration", "100ms", "--conns", "1", "--out", dir}, &out, &errs)
	if code != exitInterrupted || !strings.Contains(errs.String(), "this run has no result: the measurement had not begun") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	data, err := os.ReadFile(filepath.Join(dir, "series.json"))
	if err != nil {
		t.Fatal(err)
	}
	var points []load.Point
	if err := json.Unmarshal(data, &points); err != nil || len(points) != 1 || points[0].Rate != 1000 {
		t.Errorf("%d points, want the first one (%v)", len(points), err)
	}
}
