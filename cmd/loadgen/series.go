//go:build linux

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"paxosbench/bench/load"
	"paxosbench/bench/load/pacing"
	"paxosbench/bench/load/units"
	"paxosbench/bench/record"
	"paxosbench/cmd/loadgen/watch"
	"paxosbench/cmd/program"
)

// paceFlags are those of open loops whose rate is not given but varied.
type paceFlags struct {
	Window  int            `help:"Operations in flight per connection of the closed-loop probe; 0: as many as the replicas grant (${default})." default:"${window}" placeholder:"N" group:"loop"`
	Arrival pacing.Arrival `help:"Arrivals: constant, poisson or burst:N (${default})." default:"${arrival}" placeholder:"HOW" group:"loop"`
	Tick    pacing.Tick    `help:"Least time between two sends: a duration, or auto: 20us up to 10k/s per thread, rising to 100us at 50k/s and above (${default})." default:"${tick}" placeholder:"D" group:"loop"`
}

func (p *paceFlags) config(f *loadFlags) (*load.Config, error) {
	cfg, err := f.config()
	if err != nil {
		return nil, program.Usage(err)
	}
	cfg.Window, cfg.Arrival, cfg.Tick = p.Window, p.Arrival, p.Tick
	if err := cfg.Validate(); err != nil {
		return nil, program.Usage(err)
	}
	return cfg, nil
}

// seriesFile is what a series leaves beside the directories of its runs.
const seriesFile = "series.json"

// lockSeries keeps other series from writing to the directory.
func lockSeries(out string) (unlock func(), err error) {
	if out == "" {
		return func() {}, nil
	}
	lock, err := record.MakeDir(out)
	if err != nil {
		return nil, err
	}
	return func() { _ = lock.Unlock() }, nil // the end of the process unlocks it, too
}

// runner returns a load.Runner that keeps each run in a directory of its own below out.
func runner(out string, watchers watch.Watchers) load.Runner {
	return func(ctx context.Context, cfg *load.Config, name string) (*load.Outcome, error) {
		dir := ""
		if out != "" {
			dir = filepath.Join(out, name)
		}
		return runOnce(ctx, cfg, dir, watchers)
	}
}

// pointPrinter prints one line per run of a series as it ends: on stdout, unless that is for JSON, and for who watches
// on stderr, unless that is the same terminal or file, where every line would be there twice.
func pointPrinter(s *streams, o *outputFlags) func(load.Point) {
	var to []io.Writer
	if !o.JSON {
		to = append(to, s.out)
	}
	if !o.Quiet && (o.JSON || !s.same()) {
		to = append(to, s.err)
	}
	w := io.MultiWriter(to...)
	return func(p load.Point) { fmt.Fprintln(w, watch.Point(&p)) }
}

// writePoints keeps a series as series.json in the directory, and prints it on stdout if that is for JSON.
func writePoints(s *streams, o *outputFlags, points []load.Point) error {
	data, err := json.MarshalIndent(points, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if o.Out != "" {
		whole := func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		}
		if err := record.WriteFile(filepath.Join(o.Out, seriesFile), whole); err != nil {
			return coded(exitOutput, err)
		}
	}
	if o.JSON {
		_, err = s.out.Write(data)
	}
	return err
}

// endSeries keeps the points that there are, and returns what ended the series badly, if anything did: the points, or
// the error that there are no more.
func endSeries(ctx context.Context, s *streams, o *outputFlags, points []load.Point, err error) error {
	if len(points) > 0 {
		err = cmp.Or(err, writePoints(s, o, points))
	}
	if err != nil {
		err = interruptedOr(ctx, err)
	}
	return cmp.Or(seriesError(points), err)
}

// rampCommand is loadgen ramp.
type rampCommand struct {
	From  units.Rate `help:"First rate." required:"" placeholder:"RATE" group:"loop"`
	To    units.Rate `help:"Last rate." required:"" placeholder:"RATE" group:"loop"`
	Steps int        `help:"Number of rates, evenly apart (${default})." default:"10" placeholder:"N" group:"loop"`

	paceFlags
	loadFlags
}

// Help is the text below the usage line.
func (*rampCommand) Help() string {
	return `Each rate is a run of its own with warm-up and measurement, kept under --out. The ramp goes on past the
rate that is no longer held: the knee is what one wants to see.

Example:
  loadgen ramp --from 100k --to 1M --duration 5s --out results/ramp`
}

// Run carries out loadgen ramp.
func (c *rampCommand) Run(s *streams) error {
	if c.Steps < 1 || c.From > c.To {
		return program.Usage(errors.New("want at least one step and --from not above --to"))
	}
	cfg, err := c.paceFlags.config(&c.loadFlags)
	if err != nil {
		return err
	}
	unlock, err := lockSeries(c.Output.Out)
	if err != nil {
		return err
	}
	defer unlock()
	watchers, unwatch, err := watch.New(s.err, true, c.Output.Metrics)
	if err != nil {
		return err
	}
	defer unwatch()
	ctx, stop := interruptible(s)
	defer stop()
	points, err := load.Ramp(ctx, cfg, c.From, c.To, c.Steps, runner(c.Output.Out, watchers), pointPrinter(s, &c.Output))
	return endSeries(ctx, s, &c.Output, points, err)
}

// seriesError returns what ends a series badly: wrong answers, or an interrupt. A rate that is not held is a finding.
func seriesError(points []load.Point) error {
	for _, p := range points {
		if p.Result.Verification.Violations > 0 {
			return coded(exitWrong, fmt.Errorf("verification failed in %s", p.Name))
		}
		if p.Outcome.Interrupted {
			return coded(exitInterrupted, errors.New("interrupted"))
		}
	}
	return nil
}

// searchCommand is loadgen search.
type searchCommand struct {
	Precision float64 `help:"Width of the final interval, relative to its lower end (${default})." default:"0.05" placeholder:"X" group:"loop"`

	paceFlags
	loadFlags
}

// Help is the text below the usage line.
func (*searchCommand) Help() string {
	return `A closed-loop probe tells where to begin; then the interval is halved. A rate counts if in two of at
most three runs its schedule was held and answered, and --objective was met; what ended the search is said at the end. Exit code 5 if no
rate counts, 6 if even the lowest one met the objective and only its schedule was not held.

Where generator and replicas share processors, operations leave late long before the replicas are at
their limit. Latency from when due includes that, so an objective is met honestly all the same if more
send lag is permitted; the verdict of such runs is degraded.

Examples:
  loadgen search --objective 'p99<5ms' --duration 5s --out results/search
  loadgen search --objective 'p99<20ms' --max-send-lag 20ms`
}

// leastPrecision keeps a search from going on among rates that differ by noise; at mostPrecision it ends after a step.
const leastPrecision, mostPrecision = 0.001, 1

// Run carries out loadgen search.
func (c *searchCommand) Run(s *streams) error {
	if !(c.Precision >= leastPrecision && c.Precision <= mostPrecision) {
		return program.Usage(fmt.Errorf("precision %v: %v to %v", c.Precision, leastPrecision, mostPrecision))
	}
	cfg, err := c.paceFlags.config(&c.loadFlags)
	if err != nil {
		return err
	}
	unlock, err := lockSeries(c.Output.Out)
	if err != nil {
		return err
	}
	defer unlock()
	watchers, unwatch, err := watch.New(s.err, true, c.Output.Metrics)
	if err != nil {
		return err
	}
	defer unwatch()
	ctx, stop := interruptible(s)
	defer stop()
	points, best, err := load.Search(ctx, cfg, c.Precision, runner(c.Output.Out, watchers), pointPrinter(s, &c.Output))
	if err := endSeries(ctx, s, &c.Output, points, err); err != nil {
		return err
	}
	if best == nil {
		return noneHeld(cfg, load.LowestNotHeld(points, nil))
	}
	if !c.Output.JSON {
		fmt.Fprint(s.out, searchEnd(best, load.LowestNotHeld(points, best)))
	}
	return nil
}

// noneHeld is how a search ends that found nothing: invalid, if holding the schedule is all the lowest rate lacked.
// lowest is nil if no rate was tried.
func noneHeld(cfg *load.Config, lowest *load.Point) error {
	if lowest == nil {
		return coded(exitObjective, errors.New("no rate to begin with: the closed-loop probe was not answered while it lasted"))
	}
	err := fmt.Errorf("no rate is held and meets the objective; %s op/s: %s", watch.Rate(lowest.Rate), strings.Join(lowest.Shortfalls, "; "))
	if lowest.Result.Verdict == record.Invalid && cfg.Objective.Met(lowest.Outcome.Set.Intended) {
		return coded(exitInvalid, err)
	}
	return coded(exitObjective, err)
}

// searchEnd says what a search found, and what kept it from finding more.
func searchEnd(best, above *load.Point) string {
	found := fmt.Sprintf("highest rate held: %s op/s\n", watch.Rate(best.Rate))
	if above == nil {
		return found + "every rate tried was held: the last one is what a closed loop reached, and a little more\n"
	}
	found += fmt.Sprintf("%s op/s was %s\n", watch.Rate(above.Rate), watch.Held(above))
	if above.Result.Verdict == record.Invalid {
		found += "its schedule was not held: the replicas had no room, or the generator no processor; if they share some, see --max-send-lag\n"
	}
	return found
}
