// Package compare measures two configurations against each other: in pairs, so that what both of a pair have in common,
// such as a busy neighbour, cancels out.
package compare

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"paxosbench/bench"
	"paxosbench/bench/graph"
	"paxosbench/bench/paint"
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
}

// columns are compared, throughput first.
var columns = []string{"throughput", "p50", "p99", "p999", "cpu_leader"}

// Outcome is what came of a comparison.
type Outcome struct {
	Config
	// Lines compare one column each.
	Lines []Line
	// Left lists why pairs were left out.
	Left []string
}

// Line compares one measured column.
type Line struct {
	Column     suite.Column
	A, B       stat.Summary
	Comparison stat.Comparison // A to B
	// P is the comparison's, corrected for the number of lines: of five tests at 5 %, one in five would find something
	// where there is nothing.
	P float64
}

// Differs tells whether A and B differ in the column, all lines considered.
func (l *Line) Differs() bool { return l.P <= 1-stat.Confidence }

// MinPairs returns the least number of pairs that can show a difference in a single column.
func MinPairs() int { return stat.PairsFor(len(columns)) }

// Run makes the pairs, each with clusters of their own, in the order A B, B A, A B.. so that a drift favours neither. It
// tells progress about each pair. A run that fails ends the comparison; a pair with an invalid run is left out.
func Run(ctx context.Context, executor bench.Executor, c Config, progress io.Writer) (*Outcome, error) {
	o := &Outcome{Config: c}
	values := make(map[string]*sides)
	for pair := range c.Pairs {
		a, b, err := c.pair(ctx, executor, pair)
		if err != nil {
			return nil, err
		}
		if reason := reservations(a, b); reason != "" {
			o.Left = append(o.Left, fmt.Sprintf("pair %d: %s", pair+1, reason))
			fmt.Fprintf(progress, "%d/%d  left out: %s\n", pair+1, c.Pairs, reason)
			continue
		}
		for _, name := range columns {
			add(values, name, a, b)
		}
		x, _ := a.Value("throughput")
		y, _ := b.Value("throughput")
		fmt.Fprintf(progress, "%d/%d  A %s  B %s ops/s  ratio %.3f\n", pair+1, c.Pairs, paint.SI(x), paint.SI(y), x/y)
	}
	return o, o.conclude(values)
}

// pair makes a pair of runs.
func (c *Config) pair(ctx context.Context, executor bench.Executor, pair int) (a, b *suite.Run, err error) {
	if pair%2 == 0 {
		if a, err = c.run(ctx, executor, "A", c.A, pair); err == nil {
			b, err = c.run(ctx, executor, "B", c.B, pair)
		}
		return a, b, err
	}
	if b, err = c.run(ctx, executor, "B", c.B, pair); err == nil {
		a, err = c.run(ctx, executor, "A", c.A, pair)
	}
	return a, b, err
}

func (c *Config) run(ctx context.Context, executor bench.Executor, side string, settings suite.Cell, pair int) (*suite.Run, error) {
	planned := suite.Planned{ID: fmt.Sprintf("compare-%s-%d", side, pair+1), Kind: suite.KindRun, Cell: settings, Repeat: pair + 1,
		Seed: c.Seed + uint64(pair)}
	m, err := executor.Execute(ctx, bench.Job{Planned: planned, Settings: settings, Warmup: c.Warmup, Duration: c.Duration})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	if m.Status == suite.StatusFailed {
		return nil, &FailedError{Side: side, Reasons: m.Reasons}
	}
	return &suite.Run{Planned: planned, Status: m.Status, Reasons: m.Reasons, Result: m.Result}, nil
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

// reservations says why a pair cannot be used, or nothing.
func reservations(a, b *suite.Run) string {
	for _, r := range []*suite.Run{a, b} {
		if !r.Usable() {
			return fmt.Sprintf("%s is %s: %s", r.ID, r.Status, strings.Join(r.Reasons, "; "))
		}
	}
	return ""
}

type sides struct{ a, b []float64 }

// add keeps a column's values, if both runs have one.
func add(values map[string]*sides, column string, a, b *suite.Run) {
	x, okA := a.Value(column)
	y, okB := b.Value(column)
	if !okA || !okB || x <= 0 || y <= 0 {
		return
	}
	if values[column] == nil {
		values[column] = &sides{}
	}
	s := values[column]
	s.a, s.b = append(s.a, x), append(s.b, y)
}

func (o *Outcome) conclude(values map[string]*sides) error {
	for _, name := range columns {
		s := values[name]
		if s == nil {
			continue
		}
		column, _ := suite.ColumnOf(name)
		comparison, err := stat.Compare(s.a, s.b)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		o.Lines = append(o.Lines, Line{column, stat.Median(s.a), stat.Median(s.b), comparison, comparison.P})
	}
	if len(o.Lines) == 0 {
		return fmt.Errorf("no pair of usable runs: %s", strings.Join(o.Left, "; "))
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
	fmt.Fprintln(t, "\tA\tB\tratio A/B\t95 % interval\tsign test\tcorrected\t")
	for i := range o.Lines {
		l := &o.Lines[i]
		c := l.Comparison
		fmt.Fprintf(t, "%s\t%s\t%s\t%.3f\t[%.3f, %.3f]\tp = %.2g\tp = %.2g\t%s\n", label(l.Column), graph.Spell(l.Column, l.A.Median),
			graph.Spell(l.Column, l.B.Median), c.Ratio, c.Lo, c.Hi, c.P, l.P, l.marks())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, reason := range o.Left {
		fmt.Fprintln(w, "left out:", reason)
	}
	_, err := fmt.Fprintf(w, "\n%d pairs, %v each: %s\n", o.Lines[0].Comparison.Pairs, o.Duration, o.Verdict())
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
