//go:build linux

package suitecmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"paxosbench/bench"
	"paxosbench/bench/suite"
	"paxosbench/cmd/program"
)

// RunCommand is bench run, or run of another program, which says how that differs.
type RunCommand struct {
	Suite string `arg:"" help:"Name of a suite (see bench list), or a YAML file."`

	Out      string         `help:"Results directory (default: results/NAME)." placeholder:"DIR"`
	Resume   bool           `help:"Go on with what the results directory lacks. What it has is not run again."`
	Only     []string       `help:"Only cells with these settings, as in 'batch=none window=64'. Repeat for others." sep:"none" placeholder:"CELL"`
	Repeats  *int           `help:"Runs of each cell. Default: the suite's." placeholder:"N"`
	Duration *time.Duration `help:"Length of each measurement. Default: the suite's." placeholder:"D"`
	Seed     uint64         `help:"Determines the order of the runs and their loads (${default})." default:"1" placeholder:"N"`

	Budget *time.Duration `help:"Refuse to begin what will take longer than this." placeholder:"D"`
	DryRun bool           `help:"Print the plan and how long it will take, and run nothing."`

	ProgramFlags

	Variant `kong:"-"`
}

// Variant is how another program's run differs from that of bench. What is nil or empty does not.
type Variant struct {
	// Program is the program as it is called from the project's directory.
	Program string
	// Suites finds suites by name.
	Suites func(name string) (*suite.Suite, []byte, error)
	// Select chooses of the planned runs.
	Select func([]suite.Planned) []suite.Planned
}

// Help is the text below the usage line.
func (*RunCommand) Help() string {
	return `Examples:
  bench run smoke && bench report results/smoke
  bench run batching --dry-run
  bench run latency-throughput --resume --budget 10m
  bench run batching --only 'batch=adaptive window=1024' --repeats 10 --out results/one-cell`
}

// Validate refuses what makes no sense of any suite. The parser calls it.
func (c *RunCommand) Validate() error {
	err := c.ProgramFlags.Validate()
	if c.Repeats != nil {
		err = errors.Join(err, suite.CheckRepeats(*c.Repeats))
	}
	if c.Duration != nil {
		err = errors.Join(err, suite.CheckDuration(*c.Duration))
	}
	if c.Budget != nil && *c.Budget <= 0 {
		err = errors.Join(err, fmt.Errorf("budget %v: want more than 0; without a budget leave it out", *c.Budget))
	}
	return err
}

// Run carries out bench run.
func (c *RunCommand) Run(s *program.Session) error {
	w, err := c.prepare()
	if err != nil {
		return err
	}
	pending := w.pending()
	if err := c.Check(s.Ctx, w.manifest.Duration, w.settings(pending)); err != nil {
		return err
	}
	takes := suite.Estimate(pending, w.manifest.Warmup, w.manifest.Duration)
	if c.DryRun {
		return w.print(s.Out, pending, takes)
	}
	if c.Budget != nil && takes > *c.Budget {
		return program.Usage(fmt.Errorf("%d runs take about %v, and the budget is %v: lower --repeats or --duration, or choose cells by --only",
			len(pending), Rounded(takes), *c.Budget))
	}
	return c.carryOut(s, w, pending)
}

// carryOut makes the pending runs.
func (c *RunCommand) carryOut(s *program.Session, w *work, pending []suite.Planned) error {
	local, err := c.Local(w.path)
	if err != nil {
		return err
	}
	if err := w.open(s.Args, local.Replica(), len(pending)); err != nil {
		return err
	}
	before := len(w.dir.Runs())
	progress := newProgress(s.Err, len(pending))
	runner := &bench.Runner{Dir: w.dir, Executor: local, Progress: progress, Replay: w.replay(c.program(), c.Suite)}
	err = runner.Run(s.Ctx)
	progress.finish()
	made := w.dir.Runs()[before:]
	if err := errors.Join(err, w.dir.Close()); err != nil {
		return interrupted(err, len(made), len(pending))
	}
	return w.summary(s.Out, made)
}

func (v *Variant) program() string { return cmp.Or(v.Program, "bin/bench") }

// interrupted says of an interruption what it leaves.
func interrupted(err error, made, planned int) error {
	if !errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("interrupted: %d of %d runs are kept; go on with --resume (%w)", made, planned, err)
}

// manifest is what the flags and the suite determine.
func (c *RunCommand) manifest(of *suite.Suite) suite.Manifest {
	m := suite.Manifest{
		Suite: of.Name, Seed: c.Seed, Repeats: of.Repeats, Warmup: of.Warmup, Duration: of.Duration, Only: c.Only,
	}
	if c.Repeats != nil {
		m.Repeats = *c.Repeats
	}
	if c.Duration != nil {
		m.Duration = *c.Duration
	}
	return m
}
