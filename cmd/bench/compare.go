//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"

	"paxosbench/bench/cluster"
	"paxosbench/bench/compare"
	"paxosbench/bench/suite"
	"paxosbench/cmd/bench/suitecmd"
	"paxosbench/cmd/program"
)

// compareCommand is bench compare.
type compareCommand struct {
	A        string        `arg:"" help:"Flags of replicas and, behind --, of the load: '--batch none -- --window 64'."`
	B        string        `arg:"" help:"Other ones."`
	Pairs    int           `help:"Runs of each (${default}); at least eight can show a difference." default:"10" placeholder:"N"`
	Warmup   time.Duration `help:"Load before each measurement (${default})." default:"500ms" placeholder:"D"`
	Duration time.Duration `help:"Length of each measurement (${default})." default:"2s" placeholder:"D"`
	Seed     uint64        `help:"Determines keys, values and arrivals (${default})." default:"1" placeholder:"N"`
	Duet     bool          `help:"Measure A and B at the same time, each kept to a processor, which they exchange all the time."`
	ReplicaA string        `help:"Program of A's replicas. Default: as B's." placeholder:"FILE"`
	ReplicaB string        `help:"Program of B's replicas. Default: replica in the directory of the programs." placeholder:"FILE"`
	suitecmd.ProgramFlags
}

// Help is the text below the usage line.
func (*compareCommand) Help() string {
	return `A and B are measured in interleaved pairs (A B, B A, ..), each run with a cluster of its own. A duet measures both at
the same time, cluster and load of each kept to one processor, which the two exchange every 100 ms, for about a millisecond in
which nothing of them runs: what disturbs the host, or one processor, disturbs both alike. Nobody is preempted there because
somebody else wakes (SCHED_BATCH). It tells the more the more is in flight, as processes then take turns less often, and says
less about what a program does with several processors.
A run that is invalid or does not keep up counts as worse than any figure. The ratio is the median of those of the pairs. Its
interval holds the values that an exact sign test does not reject at 5 %: it is made of order statistics, and the two never
contradict each other. Each line has an interval and a test of its own; as several are looked at, the test's p is then
corrected for their number (Holm), and a line is marked "differs" if the corrected p is at most 0.05. The verdict is that of
throughput, by the same rule.`
}

// Validate refuses what makes no sense. The parser calls it.
func (c *compareCommand) Validate() error {
	err := c.ProgramFlags.Validate()
	if c.Pairs < 1 {
		err = errors.Join(err, fmt.Errorf("pairs %d: want 1 or more", c.Pairs))
	}
	return errors.Join(err, suite.CheckDuration(c.Duration), suite.CheckWarmup(c.Warmup))
}

// Run carries out bench compare.
func (c *compareCommand) Run(s *program.Session) error {
	a, err := compare.ParseFlags(c.A)
	if err != nil {
		return program.Usage(err)
	}
	b, err := compare.ParseFlags(c.B)
	if err != nil {
		return program.Usage(err)
	}
	if err := c.Check(s.Ctx, c.Duration, []suite.Cell{a, b}); err != nil {
		return err
	}
	config := compare.Config{A: a, B: b, Pairs: c.Pairs, Warmup: c.Warmup, Duration: c.Duration, Seed: c.Seed}
	if c.Duet {
		if config.Duet, err = compare.Processors(); err != nil {
			return program.Usage(err)
		}
	}
	// Beside clusters: temporary directories are often in memory, where a sync costs nothing.
	scratch, err := cluster.NewScratch(cluster.DefaultDir(), "compare")
	if err != nil {
		return err
	}
	outcome, err := c.compare(s, config, scratch.Dir())
	var failed *compare.FailedError
	if errors.As(err, &failed) {
		err = fmt.Errorf("%w; logs, until bench cluster clean: %s", err, scratch.Dir())
		return errors.Join(&program.Error{Code: suitecmd.ExitUnreachable, Err: err}, scratch.Keep())
	}
	if err = errors.Join(err, scratch.Remove()); err != nil {
		return err
	}
	return outcome.Write(s.Out)
}

// compare makes the runs, with their files in a directory.
func (c *compareCommand) compare(s *program.Session, config compare.Config, scratch string) (*compare.Outcome, error) {
	local, err := c.Local(scratch)
	if err != nil {
		return nil, err
	}
	stage, err := compare.NewStage(local, scratch, c.ReplicaA, c.ReplicaB)
	if err != nil {
		return nil, program.Usage(err)
	}
	if c.Pairs < compare.MinPairs() {
		fmt.Fprintf(s.Err, "bench: %d pairs cannot show a difference, %d can\n", c.Pairs, compare.MinPairs())
	}
	return compare.Run(s.Ctx, stage, config, s.Err)
}
