// Package bench carries out the plans of suites: for each planned run a fresh cluster, a load, and a line of results.
package bench

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"paxosbench/bench/record"
	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// Job is one run to make, with everything that holds in it.
type Job struct {
	suite.Planned
	// Settings are those of the suite and of the cell; a share of saturation has become a rate.
	Settings         suite.Cell
	Warmup, Duration time.Duration
	// Timeline asks for the course of the run.
	Timeline bool
	// Ready, if there is one, is called when the cluster is up, before the load begins. Its error is that of the run.
	Ready func(context.Context) error
}

// Measured is what became of a job.
type Measured struct {
	Status   string // of suite.Run
	Reasons  []string
	Result   *record.Result // nil if there is none
	Timeline []suite.Point
}

// Executor makes runs. An error ends the sweep and leaves no trace of the run; a run that merely fails is Measured.
type Executor interface {
	Execute(ctx context.Context, job Job) (Measured, error)
}

// Progress is told of runs as they begin and end. Its methods are called from the goroutine of Runner.Run.
type Progress interface {
	Begin(p suite.Planned)
	End(run *suite.Run)
}

// Runner makes the pending runs of a results directory.
type Runner struct {
	Dir      *suite.Dir
	Executor Executor
	Progress Progress
	// Replay is the command line, without cell, repeats and directory, that repeats runs of this suite.
	Replay []string
}

// Run makes the pending runs, in the plan's order, and keeps each as soon as it is made. When ctx ends, the run under
// way is dropped, and the error is that of ctx.
func (r *Runner) Run(ctx context.Context) error {
	for _, p := range r.Dir.Pending() {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.Progress.Begin(p)
		run, err := r.make(ctx, p)
		if err != nil {
			return err
		}
		if err := r.Dir.Append(run); err != nil {
			return err
		}
		r.Progress.End(&run)
	}
	return nil
}

// make makes one run.
func (r *Runner) make(ctx context.Context, p suite.Planned) (suite.Run, error) {
	run := suite.Run{Planned: p, Started: time.Now().UTC(), Command: r.command(p)}
	settings, offered, reason := r.resolve(p)
	if reason != "" {
		run.Status, run.Reasons = suite.StatusFailed, []string{reason}
		return run, nil
	}
	manifest := &r.Dir.Manifest
	m, err := r.Executor.Execute(ctx, Job{
		Planned: p, Settings: settings, Warmup: manifest.Warmup, Duration: manifest.Duration,
		Timeline: r.Dir.Suite.Timeline() && p.Kind == suite.KindRun,
	})
	if err == nil {
		err = ctx.Err() // what was measured while the sweep was being ended is not to be believed
	}
	if err != nil {
		return run, err
	}
	run.Seconds = time.Since(run.Started).Seconds()
	run.Status, run.Reasons, run.Timeline, run.Offered = m.Status, m.Reasons, m.Timeline, offered
	if m.Result == nil {
		return run, nil
	}
	run.Result = suite.Slim(m.Result)
	run.Distribution, err = suite.Distribution(m.Result)
	return run, err
}

// resolve returns what holds in a run and the rate it offers, 0 if it runs in a closed loop; or why it cannot be made.
func (r *Runner) resolve(p suite.Planned) (settings suite.Cell, offered float64, reason string) {
	settings = r.Dir.Suite.Settings(p.Cell)
	if p.Kind == suite.KindProbe {
		return settings.Without(suite.KnobLoad).Without(suite.ScheduleKnobs...), 0, ""
	}
	load := settings.Get(suite.KnobLoad)
	if load == "" {
		offered, _ = suite.Rate(settings.Get("rate"))
		return settings, offered, ""
	}
	share, err := suite.LoadShare(load)
	if err != nil {
		return nil, 0, err.Error()
	}
	probe := p.Cell.Without(suite.KnobLoad)
	saturation := r.saturation(probe)
	if saturation == 0 {
		return nil, 0, fmt.Sprintf("nobody knows what %s of saturation is: all probes of %q failed", load, probe)
	}
	rate := max(1, float64(int64(share*saturation)))
	settings = settings.Without(suite.KnobLoad, suite.KnobWindow)
	return settings.With("rate", strconv.FormatFloat(rate, 'f', -1, 64)), rate, ""
}

// saturation returns the median throughput of the probes of a cell, 0 if there is none. A probe that the load
// generator's own limits made invalid counts: it shows all that can be offered here.
func (r *Runner) saturation(probe suite.Cell) float64 {
	var found []float64
	for _, run := range r.Dir.Runs() {
		if run.Kind != suite.KindProbe || run.Status == suite.StatusFailed || run.Cell.String() != probe.String() {
			continue
		}
		if ops, ok := run.Value("throughput"); ok {
			found = append(found, ops)
		}
	}
	if len(found) == 0 {
		return 0
	}
	return stat.Median(found).Median
}

// command repeats a run: its cell, as often as it takes to come to its repeat.
func (r *Runner) command(p suite.Planned) []string {
	args := slices.Clone(r.Replay)
	if cell := p.Cell.String(); cell != "" {
		args = append(args, "--only", cell)
	}
	return append(args, "--repeats", strconv.Itoa(p.Repeat), "--out", "results/replay/"+p.ID)
}
