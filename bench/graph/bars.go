package graph

import (
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"paxosbench/bench/paint"
)

// labelColumns is the width that names below groups of bars are wrapped to.
const labelColumns = 14

// bars draws one facet of a bar graph: a group for each value of X. On a logarithmic scale, where a bar would have no
// foot to stand on, markers take its place.
func (d *Data) bars(facet string) (*plot.Plot, error) {
	p := paint.NewPlot("", d.Graph.X, "")
	y := d.vertical(p, facet)
	if y.log { // room for the figure on top
		p.Y.Max *= math.Pow(p.Y.Max/p.Y.Min, 0.06)
	} else {
		p.Y.Max *= 1.06
	}
	var ticks plot.ConstantTicks
	for i, x := range d.Xs {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: wrap(x, labelColumns)})
	}
	p.X.Tick.Marker = ticks
	p.X.Min, p.X.Max = -0.5, float64(len(d.Xs))-0.5
	for i, name := range d.Series {
		p.Add(group{d: d, spots: d.of(facet, name), index: i, y: y})
	}
	return p, nil
}

// group draws the bars of one series.
type group struct {
	d     *Data
	spots []Spot
	index int
	y     axis
}

// Plot implements plot.Plotter.
func (g group) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	xs := knobAxis{values: g.d.Xs, names: true}
	slot := 0.8 / float64(len(g.d.Series))
	for _, s := range g.spots {
		middle := xs.place(s.X) - 0.4 + slot*(float64(g.index)+0.5)
		half := (toX(middle+slot/2) - toX(middle)) * 0.86
		at := vg.Point{X: toX(middle), Y: toY(s.Y.Median)}
		top := vg.Point{X: at.X, Y: toY(s.Y.Hi)}
		if g.y.log {
			bar(c, paint.Colour(g.index), vg.Point{X: at.X, Y: toY(s.Y.Lo)}, top)
			c.DrawGlyph(draw.GlyphStyle{Color: paint.Colour(g.index), Radius: vg.Points(markerRadius + 1), Shape: paint.Marker(g.index, s.Hollow)}, at)
			top.Y += vg.Points(4)
		} else {
			g.bar(c, s, at, half, toY(0))
			bar(c, paint.Ink, vg.Point{X: at.X, Y: toY(s.Y.Lo)}, top)
		}
		if s.Bound > 0 {
			y := toY(s.Bound)
			if c.Contains(vg.Point{X: at.X, Y: y}) {
				c.StrokeLine2(boundStyle(paint.Ink), at.X-half, y, at.X+half, y)
			}
		}
		c.FillText(g.figureStyle(2.3*half), vg.Point{X: at.X, Y: top.Y + vg.Points(3)}, g.y.spell(s.Y.Median))
	}
}

// bar draws a bar from its foot to its median, hollow if its figures need a reservation.
func (g group) bar(c draw.Canvas, s Spot, at vg.Point, half, foot vg.Length) {
	colour := paint.Colour(g.index)
	corners := []vg.Point{{X: at.X - half, Y: foot}, {X: at.X + half, Y: foot}, {X: at.X + half, Y: at.Y}, {X: at.X - half, Y: at.Y}}
	if !s.Hollow {
		c.FillPolygon(colour, corners)
	}
	c.StrokeLines(draw.LineStyle{Color: colour, Width: vg.Points(1.2)}, append(corners, corners[0]))
}

// figureStyle sets the figures above bars: upright, if there is not the room to write all of the panel level.
func (g group) figureStyle(room vg.Length) draw.TextStyle {
	style := textStyle(8, false, draw.XCenter, draw.YBottom)
	for _, s := range g.d.Spots {
		if style.Width(g.y.spell(s.Y.Median)) > room {
			style.Rotation, style.XAlign, style.YAlign = math.Pi/2, draw.XLeft, draw.YCenter
			break
		}
	}
	return style
}

func textStyle(points float64, bold bool, x text.XAlignment, y text.YAlignment) draw.TextStyle {
	return draw.TextStyle{Color: paint.Ink, Font: paint.Font(points, bold), XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler}
}

// wrap breaks a text between words, and after commas, into lines of about so many columns.
func wrap(s string, columns int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(strings.ReplaceAll(s, ",", ", ")) {
		switch {
		case i == 0:
		case column+1+len(word) > columns:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
