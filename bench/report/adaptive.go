package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"paxosbench/bench/chart"
	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

const (
	knobBatch = "batch"
	adaptive  = "adaptive"
)

// adaptiveTables compares adaptive batching with the best fixed setting at each value of the other axes: closed loops
// by throughput, open ones by the latency that the fixed settings have at the load that was offered to adaptive.
func adaptiveTables(s *suite.Suite, runs []suite.Run) []table {
	var tables []table
	for _, c := range []comparer{
		{s: s, column: column("throughput"), open: false}, {s: s, column: column("p50"), open: true}, {s: s, column: column("p99"), open: true},
	} {
		c.index(runs)
		if t := c.table(); len(t.Rows) > 0 {
			tables = append(tables, t)
		}
	}
	return tables
}

func column(name string) suite.Column {
	c, _ := suite.ColumnOf(name)
	return c
}

// comparer compares by one column, either the cells that run in a closed loop or those in an open one.
type comparer struct {
	s      *suite.Suite
	column suite.Column
	open   bool
	runs   map[string][]*suite.Run // by cell
}

func (c *comparer) index(runs []suite.Run) {
	c.runs = make(map[string][]*suite.Run)
	for i := range runs {
		if r := &runs[i]; r.Kind == suite.KindRun {
			c.runs[r.Cell.String()] = append(c.runs[r.Cell.String()], r)
		}
	}
}

func (c *comparer) isOpen(cell suite.Cell) bool { return c.s.Settings(cell).Get(suite.KnobLoad) != "" }

func (c *comparer) table() table {
	t := table{
		Title: "Adaptive batching against the best fixed setting: " + c.column.Label,
		Note: "The best fixed setting is chosen after the fact, for each row anew, which no one could do beforehand: the comparison " +
			"leans towards it. A run that did not hold counts as worse than any figure. Ratios are adaptive to fixed, of runs of the same repeat; below six repeats the interval is their range.",
		Head: []string{"at", "adaptive", "best fixed", "setting", "ratio", "interval", "outcome"},
	}
	if c.open {
		t.Note += " Latencies of fixed settings are read off their own curves at the load that was offered to adaptive; one whose curve ends below it is out of the race."
	}
	for _, cell := range c.s.Cells() {
		if cell.Get(knobBatch) == adaptive && c.isOpen(cell) == c.open && c.contested(cell) {
			if row := c.row(cell); row != nil {
				t.Rows = append(t.Rows, row)
			}
		}
	}
	return t
}

// contested tells whether the suite has a rival for an adaptive cell, measured or not.
func (c *comparer) contested(cell suite.Cell) bool {
	apart := []string{knobBatch}
	if c.open {
		apart = append(apart, suite.KnobLoad)
	}
	like := cell.Without(apart...).String()
	return slices.ContainsFunc(c.s.Cells(), func(other suite.Cell) bool {
		fixed := other.Get(knobBatch)
		return fixed != "" && fixed != adaptive && other.Without(apart...).String() == like
	})
}

// row compares one adaptive cell with its rivals: cells that differ from it in batch alone, or if the loop is open, in
// batch and load.
func (c *comparer) row(cell suite.Cell) []entry {
	own := make(map[int]float64)
	for _, r := range c.runs[cell.String()] {
		if v, ok := r.Figure(c.column); ok {
			own[r.Repeat] = v
		}
	}
	if len(own) == 0 {
		return nil
	}
	var best rival
	for _, setting := range c.settings() {
		if r := c.rival(cell, setting, own); r.of.N > 0 && (best.of.N == 0 || (r.of.Median > best.of.Median) == c.column.HigherIsBetter) {
			best = r
		}
	}
	at := cell.Without(knobBatch).String()
	mine := stat.Median(sorted(own))
	row := []entry{words(at), number(mine.Median, chart.Spell(c.column, mine.Median))}
	if best.of.N == 0 {
		return append(row, words(c.nobody()), words("–"), words("–"), words("–"), words("adaptive alone"))
	}
	outcome, err := stat.Compare(best.own, best.theirs)
	if err != nil {
		return append(row, words("–"), words(c.named(cell, best.setting)), words("–"), words("–"), words(err.Error()))
	}
	return append(row, number(best.of.Median, chart.Spell(c.column, best.of.Median)), words(c.named(cell, best.setting)),
		number(outcome.Ratio, fmt.Sprintf("%.3f", outcome.Ratio)),
		number(outcome.Hi-outcome.Lo, fmt.Sprintf("%.3f to %.3f", outcome.Lo, outcome.Hi)+ranged(outcome.IsRange())), words(c.verdict(outcome)))
}

// named names a fixed setting, and says how many commands it had in flight if that is not what the adaptive cell had.
func (c *comparer) named(cell suite.Cell, setting string) string {
	own, other := c.s.Settings(cell).InFlight(), c.s.Settings(cell.With(knobBatch, setting)).InFlight()
	if own == other {
		return setting
	}
	return fmt.Sprintf("%s, with %d in flight instead of %d", setting, other, own)
}

// nobody says why there is no rival.
func (c *comparer) nobody() string {
	if c.open {
		return "none gets there"
	}
	return "none has figures"
}

// verdict says who is ahead, in words for the column at hand.
func (c *comparer) verdict(o stat.Comparison) string {
	apart := fmt.Sprintf("%.1f %%", 100*math.Abs(o.Ratio-1))
	switch factor := max(o.Ratio, 1/o.Ratio); {
	case math.IsInf(factor, 1):
		apart = "what cannot be told: most runs of the other did not hold"
	case factor > 2:
		apart = fmt.Sprintf("a factor of %.3g", factor)
	}
	if o.Pairs < stat.MinPairs {
		apart += " in every repeat"
	}
	switch {
	case o.Pairs == 1:
		return "one repeat cannot tell"
	case o.Lo <= 1 && o.Hi >= 1:
		return "no difference"
	case (o.Ratio > 1) == c.column.HigherIsBetter:
		return "adaptive is ahead by " + apart
	}
	return "adaptive is behind by " + apart
}

// rival is a fixed setting's values, in pairs with those of adaptive.
type rival struct {
	setting     string
	own, theirs []float64
	of          stat.Summary
}

func (c *comparer) rival(cell suite.Cell, setting string, own map[int]float64) rival {
	r := rival{setting: setting}
	for _, repeat := range repeats(own) {
		if v, ok := c.valueOf(cell, setting, repeat); ok {
			r.own, r.theirs = append(r.own, own[repeat]), append(r.theirs, v)
		}
	}
	r.of = stat.Median(r.theirs)
	return r
}

// valueOf is what a fixed setting reached in one repeat where adaptive was measured.
func (c *comparer) valueOf(cell suite.Cell, setting string, repeat int) (float64, bool) {
	if !c.open {
		r := c.find(cell.With(knobBatch, setting), repeat)
		if r == nil {
			return 0, false
		}
		return r.Figure(c.column)
	}
	r := c.find(cell, repeat)
	if r == nil {
		return 0, false
	}
	return c.curve(cell, setting, repeat).at(r.Offered)
}

func (c *comparer) find(cell suite.Cell, repeat int) *suite.Run {
	for _, r := range c.runs[cell.String()] {
		if r.Repeat == repeat {
			return r
		}
	}
	return nil
}

// settings lists the fixed settings in the suite's order.
func (c *comparer) settings() []string {
	var settings []string
	for _, cell := range c.s.Cells() {
		if v := cell.Get(knobBatch); v != "" && v != adaptive && !slices.Contains(settings, v) {
			settings = append(settings, v)
		}
	}
	return settings
}

// point is a latency at a load offered, in operations per second.
type point struct{ load, latency float64 }

// curve is in the order of the load.
type curve []point

// curve gathers the runs of a fixed setting over all loads in one repeat.
func (c *comparer) curve(cell suite.Cell, setting string, repeat int) curve {
	var points curve
	like := cell.With(knobBatch, setting).Without(suite.KnobLoad)
	for _, other := range c.s.Cells() {
		if other.Without(suite.KnobLoad).String() != like.String() {
			continue
		}
		if r := c.find(other, repeat); r != nil {
			if v, ok := r.Figure(c.column); ok && r.Offered > 0 {
				points = append(points, point{r.Offered, v})
			}
		}
	}
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.load, b.load) })
	return points
}

// at reads a latency off the curve, evenly in its logarithm between two points. Below the first point it is that of the
// first; above the last there is none.
func (c curve) at(load float64) (float64, bool) {
	for i, p := range c {
		if load > p.load {
			continue
		}
		if i == 0 {
			return p.latency, true
		}
		before := c[i-1]
		if worst := max(before.latency, p.latency); math.IsInf(worst, 1) { // at one end nothing held
			return worst, true
		}
		share := (load - before.load) / (p.load - before.load)
		return math.Exp(math.Log(before.latency) + share*(math.Log(p.latency)-math.Log(before.latency))), true
	}
	return 0, false
}

func repeats(own map[int]float64) []int {
	var list []int
	for r := range own {
		list = append(list, r)
	}
	slices.Sort(list)
	return list
}

func sorted(own map[int]float64) []float64 {
	var values []float64
	for _, r := range repeats(own) {
		values = append(values, own[r])
	}
	return values
}
