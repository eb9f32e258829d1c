package chart

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"paxosbench/bench/suite"
)

const (
	lineWidth    = 1.4 // points
	markerRadius = 3.4
	dotRadius    = 1.5 // of single runs
	capWidth     = 5   // of error bars
	strokeWidth  = 12  // of a bound at a single place
)

// lines draws one facet of a line graph or a hockey stick: every run a faint point, markers at the medians, joined, with
// the intervals as bands and bars over them, and the model dashed.
func (d *Data) lines(facet string) (*plot.Plot, error) {
	p := newPlot("", "", "")
	d.vertical(p, facet)
	x := d.horizontal(p)
	var l layers
	for i, name := range d.Series {
		if err := d.line(&l, d.of(facet, name), i, x); err != nil {
			return nil, err
		}
	}
	l.notes = append(l.notes, &notes{d: d, facet: facet, x: x})
	l.addTo(p)
	return p, nil
}

// layers are what the lines of a panel consist of, from the ground up: no band covers a line, no line a marker, no marker
// an interval.
type layers struct{ bands, bounds, dots, lines, marks, intervals, notes []plot.Plotter }

func (l *layers) addTo(p *plot.Plot) {
	for _, plotter := range slices.Concat(l.bands, l.bounds, l.dots, l.lines, l.marks, l.intervals, l.notes) {
		p.Add(within{plotter})
	}
}

// within keeps a plotter from stretching the axes to hold all of it: a bound may lie far outside.
type within struct{ plot.Plotter }

// horizontal is how a line graph places spots along X.
type horizontal struct {
	at     func(s Spot, series int) (place, lo, hi float64)
	joined func(from, to Spot) bool
	banded bool
	// measured tells that a run has a place of its own.
	measured bool
}

func (d *Data) horizontal(p *plot.Plot) horizontal {
	if !d.measuredX() {
		a := d.knobAxis()
		a.span(&p.X)
		return horizontal{
			at: func(s Spot, series int) (place, lo, hi float64) {
				v := a.place(s.X) + a.aside(s.X, series, len(d.Series))
				return v, v, v
			},
			joined: func(from, to Spot) bool { return a.joined(from.X, to.X) },
			banded: true,
		}
	}
	column, _ := suite.ColumnOf(d.Graph.X)
	var values []float64
	for _, s := range d.Spots {
		values = append(values, s.XValue.Median)
		values = append(values, measuredOf(s.Runs, func(r Dot) float64 { return r.X })...)
	}
	measuredAxis(column, values, d.Graph.XLog).span(&p.X, values)
	return horizontal{
		at:     func(s Spot, _ int) (place, lo, hi float64) { return s.XValue.Median, s.XValue.Lo, s.XValue.Hi },
		joined: func(Spot, Spot) bool { return true }, measured: true,
	}
}

// vertical sets the vertical axis of a facet. Facets share a logarithmic scale; linear ones begin at zero and have
// lengths of their own, lest one facet flatten the others.
func (d *Data) vertical(p *plot.Plot, facet string) axis {
	y := d.scale()
	spots := d.Spots
	if !y.log {
		spots = slices.DeleteFunc(slices.Clone(spots), func(s Spot) bool { return s.Facet != facet })
	}
	over := boundOver
	if y.log {
		over = boundOverLog
	}
	y.span(&p.Y, extent(spots, over))
	return y
}

// How many times the greatest value an axis goes on to show a bound, which beyond that would flatten everything else.
const (
	boundOver    = 1.6
	boundOverLog = 10
)

// scale is that of the measured quantity.
func (d *Data) scale() axis { return measuredAxis(d.Column, extent(d.Spots, boundOver), d.Graph.YLog) }

// LogY tells whether the measured quantity is drawn on a logarithmic scale.
func (d *Data) LogY() bool { return d.scale().log }

// extent lists the values that an axis must hold: all runs, and the model as far as it is not over the highest of them by
// more than so many times.
func extent(spots []Spot, over float64) []float64 {
	var values []float64
	for _, s := range spots {
		values = append(values, s.Figure)
		values = append(values, measuredOf(s.Runs, func(r Dot) float64 { return r.Y })...)
	}
	highest := greatest(values)
	for _, s := range spots {
		if s.Bound > 0 {
			values = append(values, min(s.Bound, over*highest))
		}
	}
	return values
}

func (d *Data) line(l *layers, spots []Spot, index int, x horizontal) error {
	for len(spots) > 0 {
		n := 1
		for n < len(spots) && x.joined(spots[n-1], spots[n]) {
			n++
		}
		if err := l.stretch(spots[:n], index, x); err != nil {
			return err
		}
		spots = spots[n:]
	}
	return nil
}

// stretch draws the spots of a line that are joined.
func (l *layers) stretch(spots []Spot, index int, x horizontal) error {
	colour := seriesColour(index)
	medians, bounds := make(plotter.XYs, len(spots)), plotter.XYs{}
	for i, s := range spots {
		place, _, _ := x.at(s, index)
		medians[i] = plotter.XY{X: place, Y: s.Figure}
		if s.Bound > 0 {
			bounds = append(bounds, plotter.XY{X: place, Y: s.Bound})
		}
	}
	if x.banded && len(spots) > 1 {
		l.bands = append(l.bands, band{spots: spots, index: index, x: x})
	}
	if len(bounds) > 0 {
		l.bounds = append(l.bounds, dashed(bounds, colour))
	}
	for i := range len(spots) - 1 {
		line, err := plotter.NewLine(medians[i : i+2])
		if err != nil {
			return err
		}
		line.Color, line.Width = colour, vg.Points(lineWidth)
		if spots[i].Fill() == Hollow || spots[i+1].Fill() == Hollow { // no figures at that end
			line.Width, line.Dashes = vg.Points(0.8), seriesDashes(2)
		}
		l.lines = append(l.lines, line)
	}
	l.dots = append(l.dots, dots{spots: spots, index: index, x: x})
	l.marks = append(l.marks, spotMarks{spots: spots, index: index, x: x})
	l.intervals = append(l.intervals, intervals{spots: spots, index: index, x: x})
	return nil
}

// band is the area of the intervals between one spot and the next.
type band struct {
	spots []Spot
	index int
	x     horizontal
}

// Plot implements plot.Plotter.
func (b band) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	ribbon := make([]vg.Point, 2*len(b.spots))
	for i, s := range b.spots {
		place, _, _ := b.x.at(s, b.index)
		lo, hi, _, _ := s.interval(&p.Y)
		ribbon[i] = vg.Point{X: toX(place), Y: toY(hi)}
		ribbon[len(ribbon)-1-i] = vg.Point{X: toX(place), Y: toY(lo)}
	}
	c.FillPolygon(faint(seriesColour(b.index)), ribbon)
}

func faint(c color.RGBA) color.Color { return color.NRGBA{R: c.R, G: c.G, B: c.B, A: 45} }

// interval returns the ends of a spot's interval on an axis, and whether they are open: worse than any figure.
func (s *Spot) interval(axis *plot.Axis) (lo, hi float64, openBelow, openAbove bool) {
	lo, hi = min(max(s.Y.Lo, axis.Min), axis.Max), min(max(s.Y.Hi, axis.Min), axis.Max)
	return lo, hi, math.IsInf(s.Y.Lo, 0), math.IsInf(s.Y.Hi, 0)
}

// dots draws every run by itself: what a median hides.
type dots struct {
	spots []Spot
	index int
	x     horizontal
}

// Plot implements plot.Plotter.
func (d dots) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	for _, s := range d.spots {
		place, _, _ := d.x.at(s, d.index)
		for _, run := range s.Runs {
			x := place
			if d.x.measured {
				x = run.X
			}
			if !math.IsNaN(run.Y) && !math.IsNaN(x) {
				dot(c, seriesColour(d.index), run, vg.Point{X: toX(x), Y: toY(run.Y)})
			}
		}
	}
}

// dot draws a run: a ring if it did not hold.
func dot(c draw.Canvas, colour color.RGBA, run Dot, at vg.Point) {
	style := draw.GlyphStyle{Color: color.NRGBA{R: colour.R, G: colour.G, B: colour.B, A: 120}, Radius: vg.Points(dotRadius), Shape: draw.CircleGlyph{}}
	if !run.Held {
		style.Shape = draw.RingGlyph{}
	}
	c.DrawGlyph(style, at)
}

// dashed draws a model: a line, or where there is but one place a short stroke.
func dashed(bounds plotter.XYs, colour color.Color) plot.Plotter {
	if len(bounds) == 1 {
		return stroke{at: bounds[0], colour: colour}
	}
	return &plotter.Line{XYs: bounds, LineStyle: boundStyle(colour)}
}

func boundStyle(colour color.Color) draw.LineStyle {
	return draw.LineStyle{Color: colour, Width: vg.Points(1), Dashes: seriesDashes(1)}
}

// stroke is a short horizontal dashed line.
type stroke struct {
	at     plotter.XY
	colour color.Color
}

// Plot implements plot.Plotter.
func (s stroke) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	at := vg.Point{X: x(s.at.X), Y: y(s.at.Y)}
	if c.Contains(at) {
		c.StrokeLine2(boundStyle(s.colour), at.X-vg.Points(strokeWidth/2), at.Y, at.X+vg.Points(strokeWidth/2), at.Y)
	}
}

// spotMarks draws markers.
type spotMarks struct {
	spots []Spot
	index int
	x     horizontal
}

// Plot implements plot.Plotter.
func (m spotMarks) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, s := range m.spots {
		place, _, _ := m.x.at(s, m.index)
		c.DrawGlyph(draw.GlyphStyle{Color: seriesColour(m.index), Radius: vg.Points(markerRadius), Shape: seriesMarker(m.index, s.Fill())},
			vg.Point{X: x(place), Y: y(s.Figure)})
	}
}

// intervals draws them as bars over the markers, which may be larger than they are.
type intervals struct {
	spots []Spot
	index int
	x     horizontal
}

// Plot implements plot.Plotter.
func (m intervals) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for i := range m.spots {
		s := &m.spots[i]
		place, left, right := m.x.at(*s, m.index)
		upright(c, seriesColour(m.index), s, x(place), &p.Y, y)
		if left != right && s.Y.IsFigure() {
			level := y(s.Figure)
			bar(c, seriesColour(m.index), vg.Point{X: x(left), Y: level}, vg.Point{X: x(right), Y: level}, false, false)
		}
	}
}

// arrowLength is that of an end of an interval that is worse than any figure, and so is nowhere.
const arrowLength = 12

// upright draws the interval of a spot, if its median is a figure, and tells how high it reaches.
func upright(c draw.Canvas, colour color.Color, s *Spot, x vg.Length, axis *plot.Axis, y func(float64) vg.Length) vg.Length {
	lo, hi, openBelow, openAbove := s.interval(axis)
	if s.Y.N < 2 || lo == hi || !s.Y.IsFigure() {
		return 0
	}
	from, to, mark := y(lo), y(hi), y(s.Figure)
	if openBelow {
		from = max(from, mark-vg.Points(arrowLength))
	}
	if openAbove {
		to = min(to, mark+vg.Points(arrowLength))
	}
	bar(c, colour, vg.Point{X: x, Y: from}, vg.Point{X: x, Y: to}, openBelow, openAbove)
	return to
}

// bar draws an interval, upright or level, on a light ground, with a cap at each end, or an arrow where it is open.
func bar(c draw.Canvas, colour color.Color, from, to vg.Point, openFrom, openTo bool) {
	along, across := vg.Point{Y: vg.Points(capWidth / 2)}, vg.Point{X: vg.Points(capWidth / 2)}
	if from.X != to.X {
		along, across = across, along
	}
	tip := func(at vg.Point, open bool, inwards vg.Point) []vg.Point {
		if open {
			return []vg.Point{at.Add(inwards).Sub(across), at, at.Add(inwards).Add(across)}
		}
		return []vg.Point{at.Sub(across), at.Add(across)}
	}
	parts := [][]vg.Point{{from, to}, tip(from, openFrom, along), tip(to, openTo, along.Scale(-1))}
	c.StrokeLines(draw.LineStyle{Color: color.White, Width: vg.Points(2)}, parts...)
	c.StrokeLines(draw.LineStyle{Color: colour, Width: vg.Points(0.9)}, parts...)
}
