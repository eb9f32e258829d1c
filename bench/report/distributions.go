package report

import (
	"fmt"
	"math"

	"paxosbench/bench/chart"
	"paxosbench/bench/record"
	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// percentiles are those that results keep, and how many observations they need to mean something.
var percentiles = []struct {
	name  string
	least int64
	of    func(*record.Latency) int64
}{
	{"p50", 1, func(l *record.Latency) int64 { return l.P50 }},
	{"p90", 10, func(l *record.Latency) int64 { return l.P90 }},
	{"p99", 100, func(l *record.Latency) int64 { return l.P99 }},
	{"p99.9", 10_000, func(l *record.Latency) int64 { return l.P999 }},
	{"p99.99", 100_000, func(l *record.Latency) int64 { return l.P9999 }},
}

// shownCells is how many cells are shown at first.
const shownCells = 6

// spectrum is the latency of every cell by percentile, the median over all runs.
func spectrum(dir *suite.Dir) plot {
	c := plot{Name: "spectrum", X: scale{Label: "percentile"}, Y: scale{Label: "latency from when due", Unit: "ns", Log: true}}
	for _, p := range percentiles {
		c.X.Names = append(c.X.Names, p.name)
	}
	c.addCells(dir, spectrumOf)
	return c
}

// distribution is the share of the operations of every cell that was answered within a time: every run, and the median over all.
func distribution(dir *suite.Dir) plot {
	c := plot{Name: "distribution", X: scale{Label: "latency from when due", Unit: "ns", Log: true}, Y: scale{Label: "answered", Unit: "%"}, Curves: true}
	c.addCells(dir, distributionOf)
	return c
}

// addCells adds a panel with a series of each cell, if there is any with spots.
func (c *plot) addCells(dir *suite.Dir, spots func(runs []*suite.Run) []spot) {
	byCell := make(map[string][]*suite.Run)
	for i := range dir.Runs() {
		if r := &dir.Runs()[i]; r.Kind == suite.KindRun && r.Result != nil {
			byCell[r.Cell.String()] = append(byCell[r.Cell.String()], r)
		}
	}
	var all panel
	for _, cell := range dir.Suite.Cells() {
		if of := spots(byCell[cell.String()]); len(of) > 0 {
			all.Series = append(all.Series, line{Name: cell.String(), Hidden: len(all.Series) >= shownCells, Spots: of})
		}
	}
	if len(all.Series) > 0 {
		c.Panels = append(c.Panels, all)
	}
}

func spectrumOf(runs []*suite.Run) []spot {
	var spots []spot
	for i, p := range percentiles {
		m := middle{}
		at := spot{X: float64(i), Join: len(spots) > 0}
		for _, r := range runs {
			if l := &r.Result.Latency; l.Count >= p.least {
				v := float64(p.of(l))
				m.add(r, v)
				at.Runs = append(at.Runs, single{at.X, &v, r.Held()})
			}
		}
		if len(at.Runs) == 0 {
			continue
		}
		var figure stat.Summary
		figure, at.Fill, at.Held = m.of()
		at.Y, at.Lo, at.Hi = finite(figure.Median), finite(figure.Lo), finite(figure.Hi)
		spots = append(spots, at)
	}
	return spots
}

func distributionOf(runs []*suite.Run) []spot {
	var spots []spot
	for i, share := range suite.Shares {
		m := middle{}
		at := spot{Y: &share, Join: i > 0}
		for _, r := range runs {
			if len(r.Distribution) == len(suite.Shares) { // others keep none: they are of an earlier version, or nothing was answered
				v := max(1, float64(r.Distribution[i])) // a logarithm has no 0
				m.add(r, v)
				at.Runs = append(at.Runs, single{v, &share, r.Held()})
			}
		}
		if len(at.Runs) == 0 {
			return nil
		}
		var figure stat.Summary
		figure, at.Fill, at.Held = m.of()
		at.X = figure.Median
		spots = append(spots, at)
	}
	return spots
}

// middle is the median of what runs measured, of which those that did not hold count as worse than any figure.
type middle struct {
	figures, measured []float64
	held              int
}

func (m *middle) add(r *suite.Run, v float64) {
	m.measured = append(m.measured, v)
	if !r.Held() {
		v = math.Inf(1)
	} else {
		m.held++
	}
	m.figures = append(m.figures, v)
}

// of returns the median, and how many held. Where most did not, there is none: it is hollow, and that of what was measured.
func (m *middle) of() (figure stat.Summary, fill int, held string) {
	figure, held = stat.Median(m.figures), fmt.Sprintf("held in %d of %d", m.held, len(m.figures))
	switch {
	case !figure.IsFigure():
		figure.Median, fill = stat.Median(m.measured).Median, int(chart.Hollow)
	case m.held < len(m.figures):
		fill = int(chart.Half)
	}
	return figure, fill, held
}
