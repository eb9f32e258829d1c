package report

import (
	"fmt"
	"math"
	"strings"

	"paxosbench/bench/chart"
	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// table is one that can be sorted.
type table struct {
	Title, Note string
	Head        []string
	Rows        [][]entry
}

// shortTable is the number of rows up to which a table does not stand in the way of what follows it.
const shortTable = 12

// Short tells whether the table can be shown unasked.
func (t table) Short() bool { return len(t.Rows) <= shortTable }

// entry is one field of a table: what is shown, and the number to sort by, if it is one.
type entry struct {
	Text   string
	Key    float64
	Number bool
	Class  string
}

func words(text string) entry { return entry{Text: text} }

func number(key float64, text string) entry {
	if math.IsNaN(key) {
		return entry{Text: "–"}
	}
	return entry{Text: text, Key: min(max(key, -math.MaxFloat64), math.MaxFloat64), Number: true}
}

// knobEntry sorts values that are numbers as such.
func knobEntry(value string) entry {
	if v, ok := suite.Numeric(value); ok {
		return entry{Text: value, Key: v, Number: true}
	}
	return words(value)
}

// tableOf lists the figures of a graph.
func tableOf(d *chart.Data) table {
	if d.Graph.Kind == suite.KindTimeline {
		return coursesTable(d)
	}
	var t table
	knobs := knobsOf(d.Spots)
	t.Head = append(t.Head, knobs...)
	x, measured := suite.ColumnOf(d.Graph.X)
	if measured {
		t.Head = append(t.Head, x.Label)
	}
	t.Head = append(t.Head, fmt.Sprintf("%s, median", d.Column.Label), "interval", "held", "as measured", "remarks")
	bounded := false
	for _, s := range d.Spots {
		bounded = bounded || s.Bound > 0
	}
	if bounded {
		t.Head = append(t.Head, "bound", "of bound", "bound by")
	}
	for _, s := range d.Spots {
		var row []entry
		for _, knob := range knobs {
			row = append(row, knobEntry(s.Cell.Get(knob)))
		}
		if measured {
			row = append(row, number(s.XValue.Median, chart.Spell(x, s.XValue.Median)))
		}
		row = append(row, number(s.Y.Median, chart.Spell(d.Column, s.Y.Median)),
			interval(d.Column, s.Y), number(float64(s.Held)/float64(len(s.Runs)), fmt.Sprintf("%d of %d", s.Held, len(s.Runs))),
			asMeasured(d.Column, s.Runs), remarks(s))
		if bounded {
			row = append(row, boundEntries(s)...)
		}
		t.Rows = append(t.Rows, row)
	}
	switch d.Column.Unit {
	case "ns", "ns/op", "s": // times are spelled each with its own
		t.Note = "Click a heading to sort."
	default:
		t.Note = "Unit, where none stands: " + d.Column.Unit + ". Click a heading to sort."
	}
	return t
}

// interval spells a median's interval, and says where it is only the range of the runs.
func interval(c suite.Column, s stat.Summary) entry {
	text := chart.Spell(c, s.Lo) + " to " + chart.Spell(c, s.Hi)
	switch {
	case s.N == 1:
		return words("–")
	}
	if s.Hi == s.Lo { // of infinite ones no difference can be taken
		return number(0, text+ranged(s.IsRange()))
	}
	return number(s.Hi-s.Lo, text+ranged(s.IsRange()))
}

func ranged(is bool) string {
	if is {
		return " (range)"
	}
	return ""
}

// asMeasured lists what every single run measured, in the order of the repeats, those that did not hold in brackets.
func asMeasured(c suite.Column, runs []chart.Dot) entry {
	var list []string
	for _, r := range runs {
		text := "–"
		if !math.IsNaN(r.Y) {
			text = chart.Spell(c, r.Y)
		}
		if !r.Held {
			text = "(" + text + ")"
		}
		list = append(list, text)
	}
	return words(strings.Join(list, ", "))
}

func remarks(s chart.Spot) entry {
	var list []string
	if s.Fill() == chart.Hollow {
		list = append(list, "no figure: too few runs held")
	}
	if s.Untold > 0 {
		list = append(list, fmt.Sprintf("not told by %d that held", s.Untold))
	}
	if s.Y.Noisy() {
		list = append(list, "noisy")
	}
	return words(strings.Join(list, "; "))
}

func boundEntries(s chart.Spot) []entry {
	if s.Bound == 0 {
		return []entry{words("–"), words("–"), words("–")}
	}
	bound := number(s.Bound, chart.SI(s.Bound))
	if !s.Y.IsFigure() {
		return []entry{bound, words("–"), words(s.Resource)}
	}
	share := s.Y.Median / s.Bound
	return []entry{bound, number(share, fmt.Sprintf("%.0f %%", 100*share)), words(s.Resource)}
}

// knobsOf lists the knobs that spots differ in, in the order of their cells.
func knobsOf(spots []chart.Spot) []string {
	var knobs []string
	seen := make(map[string]bool)
	for _, s := range spots {
		for _, setting := range s.Cell {
			if !seen[setting.Knob] {
				seen[setting.Knob] = true
				knobs = append(knobs, setting.Knob)
			}
		}
	}
	return knobs
}

func coursesTable(d *chart.Data) table {
	t := table{Head: []string{"cell", "repeat", "longest time without an answer", "throughput", "p99 latency"}}
	for _, c := range d.Courses {
		row := []entry{words(c.Run.Cell.String()), number(float64(c.Run.Repeat), fmt.Sprint(c.Run.Repeat))}
		outage, _ := c.Run.Value("outage")
		row = append(row, number(outage, fmt.Sprintf("%.1f s", outage)))
		for _, name := range []string{"throughput", "p99"} {
			row = append(row, valueEntry(c.Run, name))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func valueEntry(r *suite.Run, column string) entry {
	c, _ := suite.ColumnOf(column)
	v, ok := r.Value(column)
	if !ok {
		return words("–")
	}
	return number(v, chart.Spell(c, v))
}

// Runs lists the runs, failed and invalid ones too.
func (p *page) Runs() table {
	columns := []string{"throughput", "p50", "p99", "cpu_leader", "batch_mean", "depth_mean", "syncs"}
	t := table{Head: []string{"order", "kind", "cell", "repeat", "status"}}
	for _, name := range columns {
		c, _ := suite.ColumnOf(name)
		t.Head = append(t.Head, c.Label)
	}
	t.Head = append(t.Head, "reasons", "replay")
	runs := p.Dir.Runs()
	for i := range runs {
		r := &runs[i]
		row := []entry{number(float64(r.Order), fmt.Sprint(r.Order)), words(r.Kind), words(r.Cell.String()),
			number(float64(r.Repeat), fmt.Sprint(r.Repeat)), {Text: r.Status, Class: r.Status}}
		for _, name := range columns {
			row = append(row, valueEntry(r, name))
		}
		t.Rows = append(t.Rows, append(row, words(joined(r.Reasons)), entry{Text: r.Replay(), Class: "command"}))
	}
	return t
}

// Reservations lists the runs that are not simply valid: what else a reader should know before believing the graphs.
func (p *page) Reservations() table {
	t := table{Head: []string{"order", "cell", "repeat", "status", "reasons"}}
	for _, r := range p.Dir.Runs() {
		if r.Status != suite.StatusValid {
			t.Rows = append(t.Rows, []entry{number(float64(r.Order), fmt.Sprint(r.Order)), words(r.Cell.String()),
				number(float64(r.Repeat), fmt.Sprint(r.Repeat)), {Text: r.Status, Class: r.Status}, words(joined(r.Reasons))})
		}
	}
	return t
}

func joined(reasons []string) string { return strings.Join(reasons, "; ") }

// Tally counts runs by status, and those that are still to be made.
func (p *page) Tally() string {
	count := make(map[string]int)
	for _, r := range p.Dir.Runs() {
		count[r.Status]++
	}
	text := fmt.Sprintf("%d runs", len(p.Dir.Runs()))
	for _, status := range []string{suite.StatusValid, suite.StatusDegraded, suite.StatusInvalid, suite.StatusFailed} {
		if count[status] > 0 {
			text += fmt.Sprintf(", %d %s", count[status], status)
		}
	}
	if pending := len(p.Dir.Pending()); pending > 0 {
		text += fmt.Sprintf("; %d of the plan are still to be made", pending)
	}
	return text
}

// MinPairs is the least number of repeats that shows a difference.
func (*page) MinPairs() int { return stat.MinPairs }
