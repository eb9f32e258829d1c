package bench

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"paxosbench/bench/record"
	"paxosbench/bench/suite"
)

const hockey = `
name: hockey
title: H
question: Q
axes:
  batch: [none, adaptive]
  load: [50%, 105%]
fixed: {conns: 4, window: 64, max-send-lag: 20ms}
repeats: 3
duration: 1s
`

// fake is an executor that measures nothing and remembers what it was asked for.
type fake struct {
	jobs    []Job
	execute func(job Job) (Measured, error)
}

func (f *fake) Execute(_ context.Context, job Job) (Measured, error) {
	f.jobs = append(f.jobs, job)
	return f.execute(job)
}

func measured(opsPerS float64) Measured {
	return Measured{Status: suite.StatusValid, Result: &record.Result{ThroughputOpsPerS: opsPerS}}
}

type silent struct{}

func (silent) Begin(suite.Planned) {}
func (silent) End(*suite.Run)      {}

func newDir(t *testing.T) *suite.Dir {
	t.Helper()
	s, err := suite.Parse("hockey.yaml", []byte(hockey))
	if err != nil {
		t.Fatal(err)
	}
	m := suite.Manifest{Suite: s.Name, Seed: 1, Repeats: s.Repeats, Duration: s.Duration}
	d, err := suite.Create(filepath.Join(t.TempDir(), "results"), s, []byte(hockey), m, s.Plan(1, s.Repeats))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func run(t *testing.T, ctx context.Context, d *suite.Dir, f *fake) error {
	t.Helper()
	r := &Runner{Dir: d, Executor: f, Progress: silent{}, Replay: []string{"bin/bench", "run", "hockey"}}
	return r.Run(ctx)
}

// Wherever a sweep is cut short, resuming it makes the rest of the same plan, and nothing twice.
func TestInterruptedSweepIsResumed(t *testing.T) {
	total := len(newDir(t).Plan)
	for stop := 1; stop <= total; stop++ {
		d := newDir(t)
		ctx, cancel := context.WithCancel(t.Context())
		cut := &fake{}
		cut.execute = func(Job) (Measured, error) {
			if len(cut.jobs) == stop {
				cancel() // while this run is under way
			}
			return measured(1000), nil
		}
		if err := run(t, ctx, d, cut); !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted: %v", err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := suite.Open(d.Path)
		if err != nil {
			t.Fatal(err)
		}
		rest := &fake{execute: func(Job) (Measured, error) { return measured(1000), nil }}
		if err := run(t, t.Context(), again, rest); err != nil {
			t.Fatal(err)
		}
		again.Close()
		if len(again.Runs()) != total || len(rest.jobs) != total-stop+1 {
			t.Fatalf("stopped in run %d: %d runs kept, %d made after that", stop, len(again.Runs()), len(rest.jobs))
		}
		for i, r := range again.Runs() {
			if r.ID != d.Plan[i].ID {
				t.Fatalf("stopped in run %d: run %d is not the planned one", stop, i+1)
			}
		}
	}
}

// The rate offered is the share of the median of the cell's own probes. The window is for the probe alone; what is about an
// open loop, for the runs.
func TestSharesBecomeRates(t *testing.T) {
	d := newDir(t)
	probed := map[string][]float64{"none": {300, 100, 200}, "adaptive": {1000, 9000, 2000}}
	f := &fake{}
	f.execute = func(job Job) (Measured, error) {
		batch := job.Cell.Get("batch")
		if job.Kind == suite.KindProbe {
			return measured(probed[batch][job.Repeat-1]), nil
		}
		return measured(1), nil
	}
	if err := run(t, t.Context(), d, f); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"batch=none load=50%": "100", "batch=none load=105%": "210",
		"batch=adaptive load=50%": "1000", "batch=adaptive load=105%": "2100",
	}
	for _, job := range f.jobs {
		s := job.Settings
		if s.Get(suite.KnobLoad) != "" || (s.Get("window") == "64") != (job.Kind == suite.KindProbe) ||
			(s.Get("max-send-lag") == "") != (job.Kind == suite.KindProbe) {
			t.Errorf("%s %s with %s", job.Kind, job.Cell, s)
		}
		if job.Kind == suite.KindRun && s.Get("rate") != want[job.Cell.String()] {
			t.Errorf("%s offers %s", job.Cell, s.Get("rate"))
		}
	}
	if offered := d.Runs()[len(d.Runs())-1].Offered; offered == 0 {
		t.Error("the rate is not kept")
	}
}

func TestWithoutProbeNothingIsOffered(t *testing.T) {
	d := newDir(t)
	f := &fake{execute: func(Job) (Measured, error) { return failed(errors.New("for a test")), nil }}
	if err := run(t, t.Context(), d, f); err != nil {
		t.Fatal(err)
	}
	last := d.Runs()[len(d.Runs())-1]
	if last.Status != suite.StatusFailed || !strings.Contains(last.Reasons[0], "probes") {
		t.Errorf("%+v", last)
	}
	if len(f.jobs) != 6 || len(d.Runs()) != len(d.Plan) {
		t.Errorf("%d runs were tried, %d kept", len(f.jobs), len(d.Runs()))
	}
}

func TestBrokenExecutorEndsTheSweep(t *testing.T) {
	d, broken := newDir(t), errors.New("disk full")
	f := &fake{execute: func(Job) (Measured, error) { return Measured{}, broken }}
	if err := run(t, t.Context(), d, f); !errors.Is(err, broken) || len(d.Runs()) != 0 {
		t.Errorf("%v, %d runs kept", err, len(d.Runs()))
	}
}

func TestEachRunSaysHowToRepeatIt(t *testing.T) {
	d := newDir(t)
	if err := run(t, t.Context(), d, &fake{execute: func(Job) (Measured, error) { return measured(1), nil }}); err != nil {
		t.Fatal(err)
	}
	r := d.Runs()[len(d.Runs())-1]
	want := []string{"bin/bench", "run", "hockey", "--only", r.Cell.String(), "--repeats", "3", "--out", "results/replay/" + r.ID}
	if !slices.Equal(r.Command, want) {
		t.Errorf("%q, want %q", r.Command, want)
	}
}

func TestSettingsGoToTheirOwners(t *testing.T) {
	cell, err := suite.ParseCell(`batch=none window=64 replicas=5 link-delay=2ms link-rate=10MB variant="a name" at="2s kill leader; 5s start victim"`)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSetup(cell)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.replicaFlags, []string{"--batch=none"}) ||
		!slices.Equal(s.loadFlags, []string{"--window=64", "--at=2s kill leader", "--at=5s start victim"}) ||
		s.replicas != 5 || s.link.Delay.Milliseconds() != 2 || s.link.Rate != 1e7 || s.netem {
		t.Errorf("%+v", s)
	}
	for _, bad := range []suite.Setting{{Knob: "replicas", Value: "three"}, {Knob: "link-delay", Value: "2"}, {Knob: "link-rate", Value: "fast"}} {
		if _, err := newSetup(suite.Cell{bad}); err == nil || !strings.Contains(err.Error(), bad.Knob) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestHostIsDescribed(t *testing.T) {
	h := DescribeHost(t.TempDir())
	if h.CPUs == 0 || h.Name == "" || h.Go == "" || h.Filesystem == "" || h.Kernel == "" {
		t.Errorf("%+v", h)
	}
	if commit, _ := Revision(filepath.Join(t.TempDir(), "nothing")); commit != unknown {
		t.Errorf("what is no program is of commit %s", commit)
	}
}

// TestSaturationIsTheMedian wants the mean of the two middle probes of an even number: the upper one would be what half of
// the runs do not reach.
func TestSaturationIsTheMedian(t *testing.T) {
	d := newDir(t)
	var probe suite.Cell
	for i, p := range d.Plan {
		if p.Kind == suite.KindProbe && p.Repeat < 3 && p.Cell.Get("batch") == "none" {
			probe = p.Cell
			run := suite.Run{Planned: p, Status: suite.StatusInvalid, Result: &record.Result{ThroughputOpsPerS: float64(100 * (i + 1))}}
			if err := d.Append(run); err != nil {
				t.Fatal(err)
			}
		}
	}
	values := make([]float64, 0, 2)
	for _, r := range d.Runs() {
		values = append(values, r.Result.ThroughputOpsPerS)
	}
	if got, want := (&Runner{Dir: d}).saturation(probe), (values[0]+values[1])/2; got != want || values[0] == values[1] {
		t.Errorf("probes of %v: saturation %g, want %g", values, got, want)
	}
}
