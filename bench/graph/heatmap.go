package graph

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"paxosbench/bench/paint"
)

// ramp goes from pale to dark, evenly in lightness, so that it reads the same to everybody and in grey.
var ramp = []color.RGBA{
	{R: 255, G: 255, B: 229, A: 255}, {R: 217, G: 240, B: 191, A: 255}, {R: 143, G: 210, B: 186, A: 255},
	{R: 65, G: 167, B: 188, A: 255}, {R: 32, G: 107, B: 165, A: 255}, {R: 11, G: 46, B: 112, A: 255},
}

// shade returns the colour for a share from 0 to 1.
func shade(share float64) color.RGBA {
	at := min(max(share, 0), 1) * float64(len(ramp)-1)
	i := min(int(at), len(ramp)-2)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + (at-float64(i))*(float64(b)-float64(a)))) }
	a, b := ramp[i], ramp[i+1]
	return color.RGBA{R: mix(a.R, b.R), G: mix(a.G, b.G), B: mix(a.B, b.B), A: 255}
}

// heatmap draws one facet of a heat map: a tile for each pair of knobs, all facets in the same colours.
func (d *Data) heatmap(facet string) (*plot.Plot, error) {
	p := paint.NewPlot("", d.Graph.X, d.Graph.Y)
	p.X.Min, p.X.Max = -0.5, float64(len(d.Xs))-0.5
	p.Y.Min, p.Y.Max = -0.5, float64(len(d.Series))-0.5
	p.X.Tick.Marker, p.Y.Tick.Marker = names(d.Xs), names(d.Series)
	p.X.Padding, p.Y.Padding = 0, 0
	p.Add(tiles{d: d, facet: facet})
	return p, nil
}

func names(values []string) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for i, v := range values {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: v})
	}
	return ticks
}

// tiles draws the tiles of a facet, each with its figure, and a frame around the best one.
type tiles struct {
	d     *Data
	facet string
}

// Plot implements plot.Plotter.
func (t tiles) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	share := t.scale()
	best := t.best()
	var frame []vg.Point
	for i := range t.d.Spots {
		s := &t.d.Spots[i]
		if s.Facet != t.facet {
			continue
		}
		x, y := float64(slices.Index(t.d.Xs, s.X)), float64(slices.Index(t.d.Series, s.Series))
		corners := []vg.Point{
			{X: toX(x - 0.48), Y: toY(y - 0.47)}, {X: toX(x + 0.48), Y: toY(y - 0.47)},
			{X: toX(x + 0.48), Y: toY(y + 0.47)}, {X: toX(x - 0.48), Y: toY(y + 0.47)},
		}
		c.FillPolygon(shade(share(s.Y.Median)), corners)
		if s == best {
			frame = append(corners, corners[0])
		}
		t.write(c, s, vg.Point{X: toX(x), Y: toY(y)}, share(s.Y.Median) > 0.55)
	}
	if frame != nil {
		c.StrokeLines(draw.LineStyle{Color: paint.Colour(1), Width: vg.Points(2.4)}, frame)
	}
}

// write puts the figure on a tile, and below it how much of the bound that is, or how far runs were apart.
func (t tiles) write(c draw.Canvas, s *Spot, at vg.Point, onDark bool) {
	style := textStyle(9.5, true, draw.XCenter, draw.YBottom)
	if onDark {
		style.Color = color.White
	}
	c.FillText(style, at, Spell(t.d.Column, s.Y.Median)+mark(s))
	style.Font, style.YAlign = paint.Font(7.5, false), draw.YTop
	note := ""
	switch {
	case s.Bound > 0:
		note = paint.SI(math.Round(100*s.Y.Median/s.Bound)) + " % of bound"
	case s.Y.N > 1 && s.Y.Median > 0:
		note = "± " + paint.SI(math.Round(50*(s.Y.Hi-s.Y.Lo)/s.Y.Median)) + " %"
	}
	c.FillText(style, vg.Point{X: at.X, Y: at.Y - vg.Points(2)}, note)
}

// mark follows a figure that needs a reservation.
func mark(s *Spot) string {
	if s.Hollow {
		return " !"
	}
	return ""
}

// scale returns how a value maps to the ramp: logarithmically, if the greatest is more than ten times the least.
func (t tiles) scale() func(float64) float64 {
	var values []float64
	for _, s := range t.d.Spots {
		values = append(values, s.Y.Median)
	}
	low, high := lowest(values), greatest(values)
	switch {
	case high == low:
		return func(float64) float64 { return 0.5 }
	case low > 0 && high/low > 10:
		return func(v float64) float64 { return math.Log(v/low) / math.Log(high/low) }
	}
	return func(v float64) float64 { return (v - low) / (high - low) }
}

func (t tiles) best() *Spot {
	var best *Spot
	for i := range t.d.Spots {
		s := &t.d.Spots[i]
		if s.Facet != t.facet || s.Hollow {
			continue
		}
		if best == nil || (s.Y.Median > best.Y.Median) == t.d.Column.HigherIsBetter {
			best = s
		}
	}
	return best
}
