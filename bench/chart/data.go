// Package chart draws the graphs of a suite from its runs.
package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"paxosbench/bench/model"
	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// Data is what a graph shows, in figures: also the table beside it.
type Data struct {
	Suite    *suite.Suite
	Graph    suite.Graph
	Manifest suite.Manifest
	// Column is the measured quantity that the graph is about: Y, or the Value of a heat map.
	Column suite.Column
	// Facets, Series and Xs are the values of the knobs that tell panels, lines and places apart, in the suite's order, or by size if
	// all places are numbers. A graph without facets or series has one that is empty. Xs is empty if X is measured.
	Facets, Series, Xs []string
	// Spots are the points, bars or tiles, in the order of the suite's cells.
	Spots []Spot
	// Courses are the runs of a timeline, in the order they were made.
	Courses []Course
	// OtherCalibration says in what the bounds are of something else than the runs, if they are.
	OtherCalibration string
	// Missing counts cells that should have a spot and have no figures.
	Missing int
}

// Spot is one cell's place in a graph.
type Spot struct {
	Cell             suite.Cell
	Facet, Series, X string
	// Y is the median over all runs, those that did not hold counting as worse than any figure: it is none where most did
	// not. Figure is where the mark stands.
	Y stat.Summary
	// Figure is the median, or where that is none, the median of what was measured, for a hollow mark.
	Figure float64
	// XValue is the place along X if X is measured.
	XValue stat.Summary
	// Runs are all runs that were made of the cell, Held how many of them held.
	Runs []Dot
	Held int
	// InFlight is how many commands a closed loop has in flight at most; 0: it is open.
	InFlight int
	// Untold counts runs that held, and did not tell the figure.
	Untold int
	// Bound is the model's, and Resource what it is bound by; 0: none.
	Bound    float64
	Resource string
}

// Dot is a single run as it was measured; NaN where nothing was.
type Dot struct {
	Repeat int
	X, Y   float64
	Held   bool
	Status string
}

// Fill says how many of the runs of a spot held: all, most or fewer.
func (s *Spot) Fill() Fill {
	switch {
	case s.Held == len(s.Runs):
		return Full
	case s.Y.IsFigure():
		return Half
	}
	return Hollow
}

// HeldText says it in words.
func (s *Spot) HeldText() string { return fmt.Sprintf(heldIn+"%d of %d", s.Held, len(s.Runs)) }

const heldIn = "held in "

// Course is one run over time.
type Course struct {
	Facet, Series string
	Run           *suite.Run
}

// Collect gathers the figures of a graph, of all runs that were made: none is left out for what came of it. The
// calibration may be nil: then there are no bounds.
func Collect(s *suite.Suite, g suite.Graph, m suite.Manifest, runs []suite.Run, calibration *model.Calibration) (*Data, error) {
	d := &Data{Suite: s, Graph: g, Manifest: m}
	byCell := make(map[string][]*suite.Run)
	for i := range runs {
		if runs[i].Kind == suite.KindRun {
			key := runs[i].Cell.String()
			byCell[key] = append(byCell[key], &runs[i])
		}
	}
	if calibration != nil {
		d.OtherCalibration = calibration.Other(m.Commit, m.Host.Name, m.Host.CPUs)
	}
	if g.Kind == suite.KindTimeline {
		d.collectCourses(byCell)
		return d, nil
	}
	var ok bool
	if d.Column, ok = suite.ColumnOf(d.column()); !ok {
		return nil, fmt.Errorf("graph %s: %q is no measured column", g.Name, d.column())
	}
	for _, cell := range s.Cells() {
		if s.Settings(cell).Matches(g.Where) {
			if err := d.collect(cell, byCell[cell.String()], calibration); err != nil {
				return nil, err
			}
		}
	}
	if !d.knobAxis().names {
		slices.SortFunc(d.Xs, func(a, b string) int { return cmp.Compare(d.knobAxis().place(a), d.knobAxis().place(b)) })
	}
	return d, nil
}

// column names the measured quantity.
func (d *Data) column() string {
	if d.Graph.Kind == suite.KindHeatmap {
		return d.Graph.Value
	}
	return d.Graph.Y
}

// series names the knob that tells series apart. The rows of a heat map are its series.
func (d *Data) series() string {
	if d.Graph.Kind == suite.KindHeatmap {
		return d.Graph.Y
	}
	return d.Graph.Series
}

// measuredX tells whether X is a measured quantity and not a knob.
func (d *Data) measuredX() bool {
	_, measured := suite.ColumnOf(d.Graph.X)
	return measured
}

func (d *Data) collect(cell suite.Cell, runs []*suite.Run, calibration *model.Calibration) error {
	settings := d.Suite.Settings(cell)
	spot := Spot{Cell: cell, Facet: get(settings, d.Graph.Facet), Series: get(settings, d.series()), InFlight: settings.InFlight()}
	d.measure(&spot, runs)
	if math.IsNaN(spot.Figure) {
		d.Missing++
		return nil
	}
	if d.measuredX() {
		spot.XValue = stat.Median(measuredOf(spot.Runs, func(r Dot) float64 { return r.X }))
	} else {
		spot.X = settings.Get(d.Graph.X)
		if other := d.at(spot); other != nil {
			return fmt.Errorf("graph %s: the cells %s and %s are on one spot: tell them apart by series, facet or where",
				d.Graph.Name, other.Cell, cell)
		}
		d.Xs = with(d.Xs, spot.X)
	}
	if calibration != nil && d.Graph.Model && d.Column.Name == "throughput" {
		if b, ok := calibration.Bound(settings); ok {
			spot.Bound, spot.Resource = b.OpsPerS, b.Resource
		}
	}
	d.Facets, d.Series = with(d.Facets, spot.Facet), with(d.Series, spot.Series)
	d.Spots = append(d.Spots, spot)
	return nil
}

// otherInFlight tells whether a spot has another number of commands in flight than most of the graph, and no axis says so.
// What is compared then differs in two things.
func (d *Data) otherInFlight(s *Spot) bool {
	for _, knob := range []string{d.Graph.X, d.series(), d.Graph.Facet} {
		if knob == suite.KnobWindow || knob == suite.KnobConns || knob == suite.KnobInFlight {
			return false
		}
	}
	count := make(map[int]int)
	usual := s.InFlight
	for i := range d.Spots {
		n := d.Spots[i].InFlight
		if count[n]++; count[n] > count[usual] {
			usual = n
		}
	}
	return s.InFlight != usual
}

// measure fills in what the runs of a cell say.
func (d *Data) measure(spot *Spot, runs []*suite.Run) {
	for _, r := range runs {
		dot := Dot{Repeat: r.Repeat, X: orNaN(r.Value(d.Graph.X)), Y: orNaN(r.Value(d.Column.Name)), Held: r.Held(), Status: r.Status}
		spot.Runs = append(spot.Runs, dot)
		if dot.Held {
			spot.Held++
		}
	}
	figures := suite.Figures(runs, d.Column)
	spot.Y = stat.Median(figures)
	spot.Untold = len(runs) - len(figures)
	spot.Figure = spot.Y.Median
	if !spot.Y.IsFigure() {
		spot.Figure = stat.Median(measuredOf(spot.Runs, func(r Dot) float64 { return r.Y })).Median
	}
}

func orNaN(v float64, ok bool) float64 {
	if !ok {
		return math.NaN()
	}
	return v
}

// measuredOf gathers what was measured of something.
func measuredOf(runs []Dot, of func(Dot) float64) []float64 {
	var values []float64
	for _, r := range runs {
		if v := of(r); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	return values
}

// at returns the spot at the place of another one, nil if it is free.
func (d *Data) at(s Spot) *Spot {
	for i := range d.Spots {
		if o := &d.Spots[i]; o.Facet == s.Facet && o.Series == s.Series && o.X == s.X {
			return o
		}
	}
	return nil
}

func (d *Data) collectCourses(byCell map[string][]*suite.Run) {
	for _, cell := range d.Suite.Cells() {
		settings := d.Suite.Settings(cell)
		if !settings.Matches(d.Graph.Where) {
			continue
		}
		before := len(d.Courses)
		for _, r := range byCell[cell.String()] {
			if len(r.Timeline) > 0 {
				d.Courses = append(d.Courses, Course{get(settings, d.Graph.Facet), get(settings, d.Graph.Series), r})
			}
		}
		if len(d.Courses) == before {
			d.Missing++
			continue
		}
		d.Facets = with(d.Facets, get(settings, d.Graph.Facet))
		d.Series = with(d.Series, get(settings, d.Graph.Series))
	}
}

func get(settings suite.Cell, knob string) string {
	if knob == "" {
		return ""
	}
	return settings.Get(knob)
}

func with(list []string, item string) []string {
	if slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}

// of returns the spots of one line, in order.
func (d *Data) of(facet, series string) []Spot {
	var spots []Spot
	for _, s := range d.Spots {
		if s.Facet == facet && s.Series == series {
			spots = append(spots, s)
		}
	}
	slices.SortStableFunc(spots, func(a, b Spot) int { return cmp.Compare(slices.Index(d.Xs, a.X), slices.Index(d.Xs, b.X)) })
	return spots
}

// repeats returns the least and the greatest number of runs behind a spot.
func (d *Data) repeats() (least, most int) {
	for i, s := range d.Spots {
		if i == 0 {
			least = len(s.Runs)
		}
		least, most = min(least, len(s.Runs)), max(most, len(s.Runs))
	}
	return least, most
}

// any tells whether a spot has such a mark.
func (d *Data) any(fill Fill) bool {
	return slices.ContainsFunc(d.Spots, func(s Spot) bool { return s.Fill() == fill })
}

// anyBound tells whether there is a model to draw.
func (d *Data) anyBound() bool {
	return slices.ContainsFunc(d.Spots, func(s Spot) bool { return s.Bound > 0 })
}
