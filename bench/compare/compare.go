// Package compare measures two configurations against each other: in pairs, so that what both of a pair have in common,
// such as a busy neighbour, cancels out.
package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"paxosbench/bench"
	"paxosbench/bench/chart"
	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// Config is what to compare, and how.
type Config struct {
	// A and B are the settings, of replicas and load.
	A, B suite.Cell
	// Pairs is the number of runs of each. Fewer than MinPairs cannot show a difference.
	Pairs int
	// Warmup and Duration are those of each run.
	Warmup, Duration time.Duration
	// Seed determines keys, values and arrivals: those of one pair are the same on both sides.
	Seed uint64
	// Duet are the two processors of a duet, in which A and B are measured at the same time, each with its cluster and its
	// load on a processor of its own. nil: one after the other, on all of them.
	Duet []int
}

// Hosts is where runs are made.
type Hosts interface {
	// Host returns what makes the runs of a side, A or B.
	Host(side string) (bench.Executor, error)
	// Seat keeps the processes of A to one processor and those of B to another from now on, those that are to come too.
	Seat(a, b int) error
}

// columns are compared, throughput first.
var columns = []string{"throughput", "p50", "p99", "p999", "cpu_leader"}

// Outcome is what came of a comparison.
type Outcome struct {
	Config
	// Lines compare one column each.
	Lines []Line
	// Failing lists runs that did not hold, and so count as worse than any figure.
	Failing []string
}

// Line compares one measured column.
type Line struct {
	Column     suite.Column
	A, B       stat.Summary
	Comparison stat.Comparison // A to B
	// Untold counts pairs that are left out, because a run that held did not tell the figure.
	Untold int
	// P is the comparison's, corrected for the number of lines: of five tests at 5 %, one in five would find something
	// where there is nothing.
	P float64
}

// Differs tells whether A and B differ in the column, all lines considered.
func (l *Line) Differs() bool { return l.P <= 1-stat.Confidence }

// MinPairs returns the least number of pairs that can show a difference in a single column.
func MinPairs() int { return stat.PairsFor(len(columns)) }

// Run makes the pairs, each with clusters of their own: in the order A B, B A, A B.. so that a drift favours neither, or as
// duets. It tells progress about each pair. A run that fails ends the comparison; one that did not hold counts as worse than
// any figure.
func Run(ctx context.Context, hosts Hosts, c Config, progress io.Writer) (*Outcome, error) {
	o := &Outcome{Config: c}
	values := make(map[string]*sides)
	a, b := &side{c: &c, name: "A", settings: c.A}, &side{c: &c, name: "B", settings: c.B}
	for _, s := range []*side{a, b} {
		var err error
		if s.executor, err = hosts.Host(s.name); err != nil {
			return nil, err
		}
	}
	for pair := range c.Pairs {
		if err := c.pair(ctx, hosts, pair, a, b); err != nil {
			return nil, err
		}
		o.note(a.made, b.made)
		for _, name := range columns {
			column, _ := suite.ColumnOf(name)
			add(values, column, a.made, b.made)
		}
		column, _ := suite.ColumnOf(columns[0])
		x, _ := a.made.Figure(column)
		y, _ := b.made.Figure(column)
		fmt.Fprintf(progress, "%d/%d  A %s  B %s ops/s  ratio %.3f\n", pair+1, c.Pairs, chart.Spell(column, x), chart.Spell(column, y), x/y)
	}
	return o, o.conclude(values)
}

// pair makes a run of each side.
func (c *Config) pair(ctx context.Context, hosts Hosts, pair int, a, b *side) error {
	if pair%2 == 1 {
		a, b = b, a
	}
	if c.Duet != nil {
		return c.duet(ctx, hosts, pair, a, b)
	}
	if err := a.run(ctx, pair, nil); err != nil {
		return err
	}
	return b.run(ctx, pair, nil)
}

// side is one of the two.
type side struct {
	c        *Config
	name     string
	settings suite.Cell
	executor bench.Executor
	made     *suite.Run // the last one
}

// run makes a run. ready, if there is one, is called before the load begins.
func (s *side) run(ctx context.Context, pair int, ready func(context.Context) error) error {
	planned := suite.Planned{ID: fmt.Sprintf("compare-%s-%d", s.name, pair+1), Kind: suite.KindRun, Cell: s.settings, Repeat: pair + 1,
		Seed: s.c.Seed + uint64(pair)}
	m, err := s.executor.Execute(ctx, bench.Job{
		Planned: planned, Settings: s.settings, Warmup: s.c.Warmup, Duration: s.c.Duration, Ready: ready,
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	if m.Status == suite.StatusFailed {
		return &FailedError{Side: s.name, Reasons: m.Reasons}
	}
	s.made = &suite.Run{Planned: planned, Status: m.Status, Reasons: m.Reasons, Result: m.Result}
	s.made.Offered, _ = suite.Rate(s.settings.Get("rate"))
	return nil
}

// FailedError is the error of a comparison one of whose runs came to nothing.
type FailedError struct {
	Side    string
	Reasons []string
}

// Error says which side, and why.
func (e *FailedError) Error() string {
	return fmt.Sprintf("a run of %s failed: %s", e.Side, strings.Join(e.Reasons, "; "))
}

// note keeps which runs of a pair did not hold.
func (o *Outcome) note(runs ...*suite.Run) {
	for _, r := range runs {
		if !r.Held() {
			o.Failing = append(o.Failing, fmt.Sprintf("%s is %s: %s", r.ID, r.Status, strings.Join(r.Reasons, "; ")))
		}
	}
}

type sides struct {
	a, b   []float64
	untold int
}

// add keeps a column's values of a pair.
func add(values map[string]*sides, column suite.Column, a, b *suite.Run) {
	if values[column.Name] == nil {
		values[column.Name] = &sides{}
	}
	s := values[column.Name]
	x, okA := a.Figure(column)
	y, okB := b.Figure(column)
	if !okA || !okB {
		s.untold++
		return
	}
	s.a, s.b = append(s.a, x), append(s.b, y)
}

func (o *Outcome) conclude(values map[string]*sides) error {
	for _, name := range columns {
		s := values[name]
		if s == nil || len(s.a) == 0 {
			continue
		}
		column, _ := suite.ColumnOf(name)
		comparison, err := stat.Compare(s.a, s.b)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		o.Lines = append(o.Lines, Line{column, stat.Median(s.a), stat.Median(s.b), comparison, s.untold, comparison.P})
	}
	if len(o.Lines) == 0 {
		return errors.New("no pair tells any figure")
	}
	o.correct()
	return nil
}

// correct takes into account how many lines there are.
func (o *Outcome) correct() {
	ps := make([]float64, len(o.Lines))
	for i := range o.Lines {
		ps[i] = o.Lines[i].P
	}
	for i, p := range stat.Holm(ps) {
		o.Lines[i].P = p
	}
}

// Write says in words and figures who is ahead in throughput, and what the other columns say.
func (o *Outcome) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "A: %s\nB: %s\n\n", text(o.A), text(o.B))
	heading := "95 % interval"
	if o.Lines[0].Comparison.IsRange() {
		heading = "range of the pairs"
	}
	fmt.Fprintf(t, "\tA\tB\tratio A/B\t%s\tsign test\tcorrected\t\n", heading)
	for i := range o.Lines {
		l := &o.Lines[i]
		c := l.Comparison
		fmt.Fprintf(t, "%s\t%s\t%s\t%.3f\t[%.3f, %.3f]\tp = %.2g\tp = %.2g\t%s\n", label(l.Column), chart.Spell(l.Column, l.A.Median),
			chart.Spell(l.Column, l.B.Median), c.Ratio, c.Lo, c.Hi, c.P, l.P, l.marks())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, reason := range o.Failing {
		fmt.Fprintln(w, "counts as worse than any figure:", reason)
	}
	what := "pairs"
	if o.Duet != nil {
		what = "duets"
	}
	_, err := fmt.Fprintf(w, "\n%d %s, %v each: %s\n", o.Lines[0].Comparison.Pairs, what, o.Duration, o.Verdict())
	return err
}

// marks says what to see in a line.
func (l *Line) marks() string {
	var marks []string
	if l.Differs() {
		marks = append(marks, "differs")
	}
	if l.Comparison.Noisy() {
		marks = append(marks, "noisy")
	}
	if l.Untold > 0 {
		marks = append(marks, fmt.Sprintf("not told in %d pairs", l.Untold))
	}
	return strings.Join(marks, ", ")
}

// Verdict says who is ahead in throughput, and if nobody is, what else differs.
func (o *Outcome) Verdict() string {
	throughput := &o.Lines[0]
	var others []string
	for i := range o.Lines {
		if l := &o.Lines[i]; l.Differs() {
			others = append(others, l.Column.Label)
		}
	}
	needed := stat.PairsFor(len(o.Lines))
	switch {
	case throughput.Comparison.Pairs < needed:
		return fmt.Sprintf("no difference shown: %d pairs cannot show one, %d can", throughput.Comparison.Pairs, needed)
	case throughput.Differs():
		return throughput.Comparison.Verdict("A", "B")
	case len(others) > 0:
		return "no difference in throughput, but in " + strings.Join(others, ", ")
	}
	return "no difference"
}

func text(c suite.Cell) string {
	if len(c) == 0 {
		return "(nothing but defaults)"
	}
	return c.String()
}

// label names a column, with the unit that its values do not carry.
func label(c suite.Column) string {
	if c.Unit == "ops/s" {
		return c.Label + ", " + c.Unit
	}
	return c.Label
}
