//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"paxosbench/bench/load"
	"paxosbench/bench/load/events"
	"paxosbench/bench/load/pacing"
	"paxosbench/bench/load/units"
	"paxosbench/bench/record"
	"paxosbench/bench/report"
	"paxosbench/cmd/loadgen/watch"
	"paxosbench/cmd/program"
)

// runCommand is loadgen run.
type runCommand struct {
	Closed        bool            `help:"Closed loop: every answer makes room for the next operation. This is the default." xor:"loop" group:"loop"`
	Rate          units.Rate      `help:"Open loop: operations per second, sent when they are due whatever the answers do." xor:"loop" placeholder:"RATE" group:"loop"`
	Window        *int            `help:"Operations in flight per connection; 0: as many as the replicas grant. Default: ${window} in a closed loop, 0 in an open one." placeholder:"N" group:"loop"`
	Stage         []pacing.Stage  `help:"A part of an open loop's measurement with a rate of its own, as in '10s 100k', or '10s 100k..200k' for one that changes evenly; any number of times, instead of --rate and --duration." sep:"none" xor:"loop" placeholder:"'D RATE'" group:"loop"`
	Total         units.Count     `help:"End the measurement after so many operations, if --duration is not over before." placeholder:"N" group:"time"`
	SessionWindow int             `help:"Operations in flight per session; 0, the default: its share of the connection's window." placeholder:"N" group:"loop"`
	Arrival       *pacing.Arrival `help:"Arrivals of an open loop: constant, poisson or burst:N (${arrival})." placeholder:"HOW" group:"loop"`
	Tick          *pacing.Tick    `help:"Least time between two sends of an open loop: a duration, or auto: 20us up to 10k/s per thread, rising to 100us at 50k/s and above (${tick})." placeholder:"D" group:"loop"`

	StartAt   time.Time         `help:"When to begin the warm-up, as 2006-01-02T15:04:05Z, so that several generators start together." format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME" group:"time"`
	Generator units.GeneratorID `help:"This is generator I of N on one cluster: they divide the keys (${default})." default:"1/1" placeholder:"I/N" group:"workload"`
	At        []events.Planned  `help:"Something to do during the measurement: a time; kill, start, stop, cont, isolate, deafen, mute or heal; and a replica: its id, leader, or victim for who was the leader of the last such event. As in '10s kill leader' and '20s start victim'. It is done to the cluster under load or not at all. If it fails, the run is invalid." sep:"none" placeholder:"'D WHAT WHOM'" group:"loop"`
	Script    string            `name:"cluster-script" help:"Program that --at calls instead, for a cluster elsewhere: with kill, start, stop or cont and an id, or with leader, which it prints. $PAXOSBENCH_CLUSTER is the id of the cluster under load." placeholder:"FILE" group:"cluster"`

	OnlyCheck bool `name:"check" help:"Read flags and file and do nothing: exit code 0 if they are right, 2 if not." group:"output"`

	loadFlags
}

// Help is the text below the usage line.
func (*runCommand) Help() string {
	return `Examples:
  loadgen run --window 4096 --out results/closed
  loadgen run --rate 200k --arrival poisson --duration 30s --objective 'p99<5ms'
  loadgen run --workload ycsb-a --rate 50k --verify history
  loadgen run --rate 100k --duration 30s --at '10s kill leader' --at '20s start victim'`
}

// Run carries out loadgen run.
func (c *runCommand) Run(s *streams) error {
	cfg, err := c.config()
	if err != nil {
		return program.Usage(err)
	}
	if c.OnlyCheck {
		return nil
	}
	if err := cfg.CheckActor(); err != nil {
		return program.Usage(err)
	}
	ctx, stop := interruptible(s)
	defer stop()
	watchers, unwatch, err := watch.New(s.err, c.Output.Quiet, c.Output.Metrics)
	if err != nil {
		return err
	}
	defer unwatch()
	outcome, err := runOnce(ctx, cfg, c.Output.Out, watchers)
	if outcome == nil {
		return interruptedOr(ctx, err)
	}
	if err := errors.Join(printResult(s, outcome.Result, c.Output.JSON), err); err != nil {
		return err
	}
	return verdictError(outcome.Result, outcome.Set.Intended, cfg.MaxErrors, cfg.Objective, outcome.Interrupted)
}

// config returns the configuration that the flags describe, or all that is wrong with them.
func (c *runCommand) config() (*load.Config, error) {
	cfg, err := c.loadFlags.config()
	if err != nil {
		return nil, err
	}
	cfg.Open, cfg.Rate, cfg.Total, cfg.SessionWindow = c.Rate > 0, c.Rate, c.Total, c.SessionWindow
	cfg.StartAt, cfg.Generator = c.StartAt, c.Generator
	cfg.Events, cfg.ClusterScript = c.At, c.Script
	if len(c.At) > 0 {
		cfg.Interval = c.Time.interval(eventInterval)
	}
	if len(c.Stage) > 0 {
		cfg.SetStages(c.Stage)
		cfg.Examine = c.Check.examine(cfg.Duration)
	}
	if cfg.Open {
		cfg.Window = 0
	}
	if c.Window != nil {
		cfg.Window = *c.Window
	}
	if c.Arrival != nil {
		cfg.Arrival = *c.Arrival
	}
	if c.Tick != nil {
		cfg.Tick = *c.Tick
	}
	return cfg, errors.Join(c.checkLoop(), c.checkStart(time.Now()), cfg.Validate())
}

// checkLoop refuses flags that a closed loop would ignore.
func (c *runCommand) checkLoop() error {
	if c.Rate > 0 || len(c.Stage) > 0 {
		return nil
	}
	var errs []error
	for _, flag := range []struct {
		name  string
		given bool
	}{{"--arrival", c.Arrival != nil}, {"--tick", c.Tick != nil}, {"--max-send-lag", c.Check.MaxSendLag > 0}} {
		if flag.given {
			errs = append(errs, fmt.Errorf("%s is about the schedule of an open loop, and a closed one has none: give --rate, or leave it out", flag.name))
		}
	}
	return errors.Join(errs...)
}

// checkStart refuses a beginning that is over: the others would have begun without this generator.
func (c *runCommand) checkStart(now time.Time) error {
	if c.StartAt.IsZero() || c.StartAt.After(now) {
		return nil
	}
	return fmt.Errorf("--start-at %s was %v ago: give a time to come, when all generators will have connected and preloaded",
		c.StartAt.Format(time.RFC3339), now.Sub(c.StartAt).Round(time.Second))
}

// runOnce carries out one run and writes its files, if a directory is given. If these cannot be written, there is an outcome
// all the same.
func runOnce(ctx context.Context, cfg *load.Config, dir string, watchers watch.Watchers) (*load.Outcome, error) {
	if dir == "" {
		return load.Run(ctx, cfg, nil, watchers)
	}
	files, err := record.CreateDir(dir)
	if err != nil {
		return nil, err
	}
	outcome, err := load.Run(ctx, cfg, files, watchers)
	if err != nil {
		return nil, errors.Join(err, files.Abandon())
	}
	if outcome.Picture != nil {
		outcome.Result.Verification.Reports = append(outcome.Result.Verification.Reports, "the history is drawn in "+filepath.Join(dir, historyFile))
	}
	err = files.Finish(outcome.Result, outcome.Rows, outcome.Set)
	return outcome, errors.Join(err, record.SavePage(filepath.Join(dir, historyFile), outcome.Picture))
}

// historyFile is the page that shows an illegal history.
const historyFile = "history.html"

func printResult(s *streams, r *record.Result, asJSON bool) error {
	if !asJSON {
		return report.Summary(s.out, r)
	}
	data, err := r.MarshalIndented()
	if err != nil {
		return err
	}
	_, err = s.out.Write(data)
	return err
}

// interruptedOr is how a run that broke off ends: because it was interrupted, if it was, even if that shows as an error.
func interruptedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return coded(exitInterrupted, fmt.Errorf("interrupted, this run has no result: %w", err))
	}
	return err
}

// interruptible returns a context that the first interrupt ends; the second one ends the process.
func interruptible(s *streams) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			fmt.Fprintln(s.err, "loadgen: stopping, what is being measured is awaited; interrupt again to exit at once")
			cancel()
		case <-done:
			return
		}
		select {
		case <-signals:
			os.Exit(exitInterrupted)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}
