// Package graph draws the graphs of a suite from its runs.
package graph

import (
	"fmt"
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
	// Facets, Series and Xs are the values of the knobs that tell panels, lines and places apart, in the suite's order.
	// A graph without facets or series has one that is empty. Xs is empty if X is measured.
	Facets, Series, Xs []string
	// Spots are the points, bars or tiles, in the order of the suite's cells.
	Spots []Spot
	// Courses are the runs of a timeline, in the order they were made.
	Courses []Course
	// Missing counts cells that should have a spot and have no figures.
	Missing int
}

// Spot is one cell's place in a graph.
type Spot struct {
	Cell             suite.Cell
	Facet, Series, X string
	// XValue is the place along X if X is measured.
	XValue stat.Summary
	Y      stat.Summary
	// Hollow marks figures to be read with reservations: all runs were invalid, or the load offered was not kept up with.
	Hollow bool
	// Bound is the model's, and Resource what it is bound by; 0: none.
	Bound    float64
	Resource string
}

// Course is one run over time.
type Course struct {
	Facet, Series string
	Run           *suite.Run
}

// keptUp is the share of an offered load that must have been answered for it to count as kept up with.
const keptUp = 0.98

// Collect gathers the figures of a graph. Runs that failed or are invalid are left out where a cell has others. The
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
	spot := Spot{Cell: cell, Facet: get(settings, d.Graph.Facet), Series: get(settings, d.series())}
	usable := without(runs, func(r *suite.Run) bool { return !r.Usable() })
	spot.Hollow = len(usable) == 0
	if spot.Hollow {
		usable = without(runs, func(r *suite.Run) bool { return r.Status == suite.StatusFailed })
	}
	values := valuesOf(usable, d.Column.Name)
	if len(values) == 0 {
		d.Missing++
		return nil
	}
	spot.Y = stat.Median(values)
	spot.Hollow = spot.Hollow || behind(usable)
	if d.measuredX() {
		spot.XValue = stat.Median(valuesOf(usable, d.Graph.X))
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

func without(runs []*suite.Run, what func(*suite.Run) bool) []*suite.Run {
	return slices.DeleteFunc(slices.Clone(runs), what)
}

// behind tells whether runs in an open loop answered less than was offered.
func behind(runs []*suite.Run) bool {
	var shares []float64
	for _, r := range runs {
		if throughput, ok := r.Value("throughput"); ok && r.Offered > 0 {
			shares = append(shares, throughput/r.Offered)
		}
	}
	return len(shares) > 0 && stat.Median(shares).Median < keptUp
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

func valuesOf(runs []*suite.Run, column string) []float64 {
	var values []float64
	for _, r := range runs {
		if v, ok := r.Value(column); ok {
			values = append(values, v)
		}
	}
	return values
}

// of returns the spots of one line, in order.
func (d *Data) of(facet, series string) []Spot {
	var spots []Spot
	for _, s := range d.Spots {
		if s.Facet == facet && s.Series == series {
			spots = append(spots, s)
		}
	}
	return spots
}

// repeats returns the least and the greatest number of runs behind a spot.
func (d *Data) repeats() (least, most int) {
	for i, s := range d.Spots {
		if i == 0 {
			least = s.Y.N
		}
		least, most = min(least, s.Y.N), max(most, s.Y.N)
	}
	return least, most
}

// anyHollow tells whether a spot is to be read with reservations.
func (d *Data) anyHollow() bool {
	return slices.ContainsFunc(d.Spots, func(s Spot) bool { return s.Hollow })
}

// anyBound tells whether there is a model to draw.
func (d *Data) anyBound() bool {
	return slices.ContainsFunc(d.Spots, func(s Spot) bool { return s.Bound > 0 })
}
