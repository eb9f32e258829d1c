package graph

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"paxosbench/bench/paint"
	"paxosbench/bench/suite"
)

const (
	lineWidth    = 1.4 // points
	markerRadius = 3.4
	capWidth     = 5  // of error bars
	strokeWidth  = 12 // of a bound at a single place
)

// lines draws one facet of a line graph or a hockey stick: markers at the medians, joined, with the intervals as bands
// or bars, and the model dashed.
func (d *Data) lines(facet string) (*plot.Plot, error) {
	p := paint.NewPlot("", "", "")
	d.vertical(p, facet)
	x := d.horizontal(p)
	var l layers
	for i, name := range d.Series {
		if err := d.line(&l, d.of(facet, name), i, x); err != nil {
			return nil, err
		}
	}
	l.addTo(p)
	return p, nil
}

// layers are what the lines of a panel consist of, from the ground up: no band covers a line, no line a marker.
type layers struct{ bands, bounds, lines, marks []plot.Plotter }

func (l *layers) addTo(p *plot.Plot) {
	for _, plotter := range slices.Concat(l.bands, l.bounds, l.lines, l.marks) {
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
		values = append(values, s.XValue.Median, s.XValue.Hi)
	}
	measuredAxis(column, values, d.Graph.XLog).span(&p.X, values)
	return horizontal{
		at:     func(s Spot, _ int) (place, lo, hi float64) { return s.XValue.Median, s.XValue.Lo, s.XValue.Hi },
		joined: func(Spot, Spot) bool { return true },
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

// extent lists the values that an axis must hold: all intervals, and the model as far as it is not over the highest of
// them by more than so many times.
func extent(spots []Spot, over float64) []float64 {
	var values []float64
	for _, s := range spots {
		values = append(values, s.Y.Lo, s.Y.Median, s.Y.Hi)
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
	colour := paint.Colour(index)
	medians, bounds := make(plotter.XYs, len(spots)), plotter.XYs{}
	ribbon := make(plotter.XYs, 2*len(spots))
	for i, s := range spots {
		place, _, _ := x.at(s, index)
		medians[i] = plotter.XY{X: place, Y: s.Y.Median}
		ribbon[i] = plotter.XY{X: place, Y: s.Y.Hi}
		ribbon[len(ribbon)-1-i] = plotter.XY{X: place, Y: s.Y.Lo}
		if s.Bound > 0 {
			bounds = append(bounds, plotter.XY{X: place, Y: s.Bound})
		}
	}
	if x.banded && len(spots) > 1 {
		band, err := plotter.NewPolygon(ribbon)
		if err != nil {
			return err
		}
		band.Color = color.NRGBA{R: colour.R, G: colour.G, B: colour.B, A: 50}
		band.LineStyle.Width = 0
		l.bands = append(l.bands, band)
	}
	if len(bounds) > 0 {
		l.bounds = append(l.bounds, dashed(bounds, colour))
	}
	line, err := plotter.NewLine(medians)
	if err != nil {
		return err
	}
	line.Color, line.Width = colour, vg.Points(lineWidth)
	l.lines = append(l.lines, line)
	l.marks = append(l.marks, spotMarks{spots: spots, index: index, x: x, bars: !x.banded || len(spots) == 1})
	return nil
}

// dashed draws a model: a line, or where there is but one place a short stroke.
func dashed(bounds plotter.XYs, colour color.Color) plot.Plotter {
	if len(bounds) == 1 {
		return stroke{at: bounds[0], colour: colour}
	}
	return &plotter.Line{XYs: bounds, LineStyle: boundStyle(colour)}
}

func boundStyle(colour color.Color) draw.LineStyle {
	return draw.LineStyle{Color: colour, Width: vg.Points(1), Dashes: paint.Dashes(1)}
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

// spotMarks draws markers, and intervals as bars.
type spotMarks struct {
	spots []Spot
	index int
	x     horizontal
	bars  bool
}

// Plot implements plot.Plotter.
func (m spotMarks) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	colour := paint.Colour(m.index)
	for _, s := range m.spots {
		place, left, right := m.x.at(s, m.index)
		at := vg.Point{X: x(place), Y: y(s.Y.Median)}
		if m.bars {
			bar(c, colour, vg.Point{X: at.X, Y: y(s.Y.Lo)}, vg.Point{X: at.X, Y: y(s.Y.Hi)})
			bar(c, colour, vg.Point{X: x(left), Y: at.Y}, vg.Point{X: x(right), Y: at.Y})
		}
		c.DrawGlyph(draw.GlyphStyle{Color: colour, Radius: vg.Points(markerRadius), Shape: paint.Marker(m.index, s.Hollow)}, at)
	}
}

// bar draws an interval, upright or level, with caps. One that would hide behind its marker is left out.
func bar(c draw.Canvas, colour color.Color, from, to vg.Point) {
	length := to.X - from.X + to.Y - from.Y
	if length < vg.Points(2) {
		return
	}
	style := draw.LineStyle{Color: colour, Width: vg.Points(0.9)}
	across := vg.Point{X: vg.Points(capWidth / 2)}
	if from.X != to.X {
		across = vg.Point{Y: vg.Points(capWidth / 2)}
	}
	c.StrokeLines(style, []vg.Point{from, to}, []vg.Point{from.Sub(across), from.Add(across)}, []vg.Point{to.Sub(across), to.Add(across)})
}
