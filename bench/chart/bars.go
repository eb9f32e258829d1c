package chart

import (
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Measures of the texts in a bar graph, in points.
const (
	axisWidth    = 75 // about what the numbers and the label of the vertical axis take of a panel's width
	axisHeight   = 45 // and those of the horizontal one of its height
	letterWidth  = 4.8
	leastLetters = 7 // letters in a line of the names below groups
	mostLetters  = 18
)

// bars draws one facet of a bar graph: a group for each value of X. On a logarithmic scale, where a bar would have no
// foot to stand on, markers take its place.
func (d *Data) bars(facet string) (*plot.Plot, error) {
	p := newPlot("", knobLabel(d.Graph.X), "")
	y := d.vertical(p, facet)
	figures := d.figureStyle(y)
	y.leave(&p.Y, figures.height/(d.panelSize().Y-vg.Points(axisHeight)))
	letters := min(max(int(d.groupWidth()/vg.Points(letterWidth)), leastLetters), mostLetters)
	var ticks plot.ConstantTicks
	for i, x := range d.Xs {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: wrap(x, letters)})
	}
	p.X.Tick.Marker = ticks
	p.X.Min, p.X.Max = -0.5, float64(len(d.Xs))-0.5
	for i, name := range d.Series {
		p.Add(group{d: d, spots: d.of(facet, name), index: i, y: y, figures: figures})
	}
	return p, nil
}

// group draws the bars of one series.
type group struct {
	d     *Data
	spots []Spot
	index int
	y     axis
	// figures is the style of those above the bars.
	figures figureStyle
}

// Plot implements plot.Plotter.
func (g group) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	xs := knobAxis{values: g.d.Xs, names: true}
	slot := 0.8 / float64(len(g.d.Series))
	if g.y.log { // markers, unlike bars, do not need the room, and are compared more easily where they are near
		slot = min(slot, 0.2)
	}
	for i := range g.spots {
		s := &g.spots[i]
		middle := xs.place(s.X) + slot*(float64(g.index)-float64(len(g.d.Series)-1)/2)
		half := (toX(middle+slot/2) - toX(middle)) * 0.86
		at := vg.Point{X: toX(middle), Y: toY(s.Figure)}
		if g.y.log {
			c.DrawGlyph(draw.GlyphStyle{Color: seriesColour(g.index), Radius: vg.Points(markerRadius + 1), Shape: seriesMarker(g.index, s.Fill())}, at)
		} else {
			g.bar(c, s, at, half, toY(0))
		}
		top := vg.Point{X: at.X, Y: g.runs(c, s, at, half, toY)}
		top.Y = max(top.Y, upright(c, ink, s, at.X, &p.Y, toY))
		if s.Bound > 0 {
			y := toY(s.Bound)
			if c.Contains(vg.Point{X: at.X, Y: y}) {
				c.StrokeLine2(boundStyle(ink), at.X-half, y, at.X+half, y)
			}
		}
		c.FillText(g.figures.TextStyle, vg.Point{X: at.X, Y: top.Y + vg.Points(figureGap)}, g.d.figure(s, g.y, g.figures.between))
	}
}

// figure is what stands above a bar, with what separates the figure from a note.
func (d *Data) figure(s *Spot, y axis, between string) string {
	if note := d.Note(s); note != "" {
		return y.spell(s.Figure) + between + note
	}
	return y.spell(s.Figure)
}

// runs draws the single runs beside the middle of a bar, one after the other, and tells how high they and the bar reach.
func (g group) runs(c draw.Canvas, s *Spot, at vg.Point, half vg.Length, toY func(float64) vg.Length) vg.Length {
	top := at.Y + vg.Points(markerRadius+1)
	for i, run := range s.Runs {
		if math.IsNaN(run.Y) {
			continue
		}
		x := at.X + half*0.7*vg.Length(2*(float64(i)+0.5)/float64(len(s.Runs))-1)
		colour := seriesColour(g.index)
		if !g.y.log {
			colour = color.RGBA{A: 255} // upon a bar of the series' own
		}
		dot(c, colour, run, vg.Point{X: x, Y: toY(run.Y)})
		top = max(top, toY(run.Y)+vg.Points(dotRadius))
	}
	return top
}

// bar draws a bar from its foot to its figure: pale if some runs did not hold, hollow if most did not.
func (g group) bar(c draw.Canvas, s *Spot, at vg.Point, half, foot vg.Length) {
	colour := seriesColour(g.index)
	corners := []vg.Point{{X: at.X - half, Y: foot}, {X: at.X + half, Y: foot}, {X: at.X + half, Y: at.Y}, {X: at.X - half, Y: at.Y}}
	switch s.Fill() {
	case Full:
		c.FillPolygon(colour, corners)
	case Half:
		c.FillPolygon(color.NRGBA{R: colour.R, G: colour.G, B: colour.B, A: 110}, corners)
	}
	c.StrokeLines(draw.LineStyle{Color: colour, Width: vg.Points(1.2)}, append(corners, corners[0]))
}

const figureGap = 3 // points, below the figure of a bar

// figureStyle is how figures stand above bars, the height that they and their distance take, and what separates a figure from its
// note.
type figureStyle struct {
	draw.TextStyle
	height  vg.Length
	between string
}

// groupWidth is about that of a group of bars with the gap to the next one.
func (d *Data) groupWidth() vg.Length {
	return (d.panelSize().X - vg.Points(axisWidth)) / vg.Length(len(d.Xs))
}

// figureStyle sets the figures above bars: upright, if one of them is wider than its bar may be.
func (d *Data) figureStyle(y axis) figureStyle {
	room := 0.8 * d.groupWidth() / vg.Length(len(d.Series))
	style := textStyle(8, false, draw.XCenter, draw.YBottom)
	extent := func(between string) (width, height vg.Length) {
		for i := range d.Spots {
			size := style.Rectangle(d.figure(&d.Spots[i], y, between)).Size()
			width, height = max(width, size.X), max(height, size.Y)
		}
		return width, height
	}
	between := "\n"
	width, height := extent(between)
	if width > room {
		between = ", "
		height, _ = extent(between)
		style.Rotation, style.XAlign, style.YAlign = math.Pi/2, draw.XLeft, draw.YCenter
	}
	return figureStyle{style, height + vg.Points(figureGap+markerRadius), between}
}

// leave makes a share of an axis free above what it holds.
func (a axis) leave(on *plot.Axis, share vg.Length) {
	if a.log {
		on.Max = on.Min * math.Pow(on.Max/on.Min, 1/float64(1-share))
		return
	}
	on.Max = on.Min + (on.Max-on.Min)/float64(1-share)
}

func textStyle(points float64, bold bool, x text.XAlignment, y text.YAlignment) draw.TextStyle {
	return draw.TextStyle{Color: ink, Font: typeface(points, bold), XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler}
}

// wrap breaks a text into lines of so many columns: after commas, and within what stands between two of them only if that
// is too long by itself.
func wrap(s string, columns int) string {
	var lines []string
	line := ""
	for phrase := range strings.SplitAfterSeq(s, ",") {
		parts := []string{strings.TrimSpace(phrase)}
		if len(parts[0]) > columns {
			parts = strings.Fields(phrase)
		}
		for _, part := range hyphenate(parts, columns) {
			if line != "" && len(line)+1+len(part) > columns {
				lines, line = append(lines, line), ""
			}
			if strings.HasSuffix(line, "-") {
				line += part
			} else {
				line = strings.TrimSpace(line + " " + part)
			}
		}
	}
	return strings.Join(append(lines, line), "\n")
}

// hyphenate splits words that are longer than a line behind their hyphens.
func hyphenate(words []string, columns int) (parts []string) {
	for _, word := range words {
		if len(word) > columns {
			parts = append(parts, strings.SplitAfter(word, "-")...)
		} else {
			parts = append(parts, word)
		}
	}
	return parts
}
