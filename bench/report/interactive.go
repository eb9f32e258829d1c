package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"paxosbench/bench/chart"
	"paxosbench/bench/suite"
)

// plot is what a browser draws a graph from, as chart.js reads it. A picture stands in its place where no program runs.
type plot struct {
	Name   string  `json:"name"`
	X      scale   `json:"x"`
	Y      scale   `json:"y"`
	Panels []panel `json:"panels"`
	// Stepped tells that values hold for an interval each, and are no points of a curve.
	Stepped bool `json:"stepped,omitempty"`
	// Curves tells that a series is a line, and every run of it one as well, through the same places in order.
	Curves bool `json:"curves,omitempty"`
	// Apart tells that series stand side by side in a place.
	Apart bool `json:"apart,omitempty"`
}

// scale is an axis. Names are the labels of the places 0, 1, 2..; without them places are numbers.
type scale struct {
	Label string   `json:"label"`
	Title string   `json:"title,omitempty"` // what stands at the axis, if that is more
	Unit  string   `json:"unit"`
	Log   bool     `json:"log"`
	Names []string `json:"names,omitempty"`
}

type panel struct {
	Title  string  `json:"title"`
	Series []line  `json:"series"`
	Marks  []mark  `json:"marks,omitempty"`  // things that happened
	Silent []pause `json:"silent,omitempty"` // times in which nothing was answered
}

// line is a series. Hidden ones are drawn when they are asked for.
type line struct {
	Name   string `json:"name"`
	Hidden bool   `json:"hidden,omitempty"`
	Spots  []spot `json:"spots"`
}

// spot is a median with its interval, of runs of which some held. What is no figure is null.
type spot struct {
	X     float64  `json:"x"`
	Y     *float64 `json:"y"`
	Lo    *float64 `json:"lo,omitempty"`
	Hi    *float64 `json:"hi,omitempty"`
	Fill  int      `json:"fill"`
	Join  bool     `json:"join,omitempty"` // with the one before
	Note  string   `json:"note,omitempty"`
	Held  string   `json:"held,omitempty"`
	Bound float64  `json:"bound,omitempty"`
	Runs  []single `json:"runs,omitempty"`
}

// single is one run.
type single struct {
	X    float64  `json:"x"`
	Y    *float64 `json:"y"`
	Held bool     `json:"held"`
}

type mark struct {
	X    float64 `json:"x"`
	Text string  `json:"text"`
}

type pause struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
	Text string  `json:"text"`
}

// finite is what JSON has for a number that is one.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// plotsOf makes the charts of a graph: none of a heat map, whose picture is as good, two of a timeline.
func plotsOf(d *chart.Data) []plot {
	switch d.Graph.Kind {
	case suite.KindHeatmap:
		return nil
	case suite.KindTimeline:
		return []plot{
			coursePlot(d, "throughput", func(p *suite.Point) float64 { return p.OpsPerS }),
			coursePlot(d, "p99", func(p *suite.Point) float64 { return float64(p.P99) }),
		}
	}
	c := plot{Name: d.Graph.Name, X: scaleOfX(d), Y: scale{Label: d.Column.Label, Unit: d.Column.Unit, Log: d.LogY()},
		Apart: d.Graph.Kind == suite.KindBars}
	for _, facet := range d.Facets {
		p := panel{Title: titled(d.Graph.Facet, facet)}
		for _, name := range d.Series {
			l := line{Name: titled(d.Graph.Series, name)}
			for i := range d.Spots {
				if s := &d.Spots[i]; s.Facet == facet && s.Series == name {
					spot := spotOf(d, s, &c.X)
					l.Spots = append(l.Spots, spot)
				}
			}
			join(d, &c.X, l.Spots)
			p.Series = append(p.Series, l)
		}
		c.Panels = append(c.Panels, p)
	}
	return []plot{c}
}

func titled(knob, value string) string {
	if value == "" {
		return ""
	}
	return knob + " " + value
}

// join has spots in the order of their places, if these are names, and each joined with the one before where a line leads there.
func join(d *chart.Data, x *scale, spots []spot) {
	if x.Names != nil {
		slices.SortStableFunc(spots, func(a, b spot) int { return cmp.Compare(a.X, b.X) })
	}
	for i := 1; i < len(spots); i++ {
		spots[i].Join = joins(d, x, int(spots[i-1].X), int(spots[i].X))
	}
}

// joins tells whether a line leads from one place to the next: there is nothing between 64 and adaptive, nor between bars.
func joins(d *chart.Data, x *scale, from, to int) bool {
	if d.Graph.Kind == suite.KindBars {
		return false
	}
	if x.Names == nil {
		return true
	}
	_, first := suite.Numeric(x.Names[from])
	_, second := suite.Numeric(x.Names[to])
	return first && second
}

func scaleOfX(d *chart.Data) scale {
	if column, measured := suite.ColumnOf(d.Graph.X); measured {
		return scale{Label: column.Label, Unit: column.Unit, Log: d.Graph.XLog}
	}
	return scale{Label: d.Graph.X, Title: d.LabelX(), Names: d.Xs} // evenly apart, whatever they are
}

func spotOf(d *chart.Data, s *chart.Spot, x *scale) spot {
	p := spot{
		X: s.XValue.Median, Y: finite(s.Figure), Lo: finite(s.Y.Lo), Hi: finite(s.Y.Hi), Fill: int(s.Fill()), Held: s.HeldText(), Bound: s.Bound,
		Note: d.Note(s),
	}
	if x.Names != nil {
		p.X = float64(slices.Index(x.Names, s.X))
	}
	for _, r := range s.Runs {
		at := r.X
		if x.Names != nil {
			at = p.X
		}
		if !math.IsNaN(at) {
			p.Runs = append(p.Runs, single{X: at, Y: finite(r.Y), Held: r.Held})
		}
	}
	return p
}

// coursePlot is of a column over time: every run a series of its own.
func coursePlot(d *chart.Data, name string, of func(*suite.Point) float64) plot {
	column, _ := suite.ColumnOf(name)
	c := plot{Name: d.Graph.Name + "-" + name, X: scale{Label: "time", Unit: "s"}, Y: scale{Label: column.Label, Unit: column.Unit, Log: column.Unit == "ns"}, Stepped: true}
	for _, facet := range d.Facets {
		p := panel{Title: titled(d.Graph.Facet, facet)}
		for _, course := range d.Courses {
			if course.Facet != facet {
				continue
			}
			p.Series = append(p.Series, courseLine(course, column.Unit, of))
			if len(p.Series) > 1 { // what was done, and its effect, are those of the first run
				continue
			}
			for _, o := range suite.Outages(course.Run.Timeline) {
				p.Silent = append(p.Silent, pause{o.From, o.To, o.String()})
			}
			if course.Run.Result != nil {
				for _, e := range course.Run.Result.Events {
					p.Marks = append(p.Marks, mark{e.AtS, e.Text})
				}
			}
		}
		c.Panels = append(c.Panels, p)
	}
	return c
}

func courseLine(course chart.Course, unit string, of func(*suite.Point) float64) line {
	l := line{Name: strings.TrimSpace(fmt.Sprintf("%s repeat %d", course.Series, course.Run.Repeat))}
	for i := range course.Run.Timeline {
		p := &course.Run.Timeline[i]
		v := finite(of(p))
		if p.OpsPerS == 0 && unit == "ns" { // nothing was answered: no latency, and no small one
			v = nil
		}
		l.Spots = append(l.Spots, spot{X: p.T, Y: v})
		if i == len(course.Run.Timeline)-1 { // the last step ends with its interval
			l.Spots = append(l.Spots, spot{X: p.T + p.Length, Y: v})
		}
	}
	return l
}
