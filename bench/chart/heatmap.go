package chart

import (
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
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
	p := newPlot("", knobLabel(d.Graph.X), d.Graph.Y)
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
	room := 0.9 * (toX(0.48) - toX(-0.48))
	size := t.size(room)
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
		ground := shade(share(s.Figure))
		c.FillPolygon(ground, corners)
		if s == best {
			frame = append(corners, corners[0])
		}
		t.write(c, s, vg.Point{X: toX(x), Y: toY(y)}, size, room, inkOn(ground))
	}
	if frame != nil {
		c.StrokeLines(draw.LineStyle{Color: seriesColour(1), Width: vg.Points(2.4)}, frame)
	}
}

// write puts the figure on a tile, and below it how many of the runs held if that is not all of them, how much of the bound
// the figure is, or how far runs were apart.
func (t tiles) write(c draw.Canvas, s *Spot, at vg.Point, size float64, room vg.Length, letters color.Color) {
	style := textStyle(size, true, draw.XCenter, draw.YBottom)
	style.Color = letters
	c.FillText(style, at, t.figure(s))
	style.YAlign = draw.YTop
	note := t.d.Note(s)
	switch {
	case note != "":
	case s.Bound > 0:
		note = SI(math.Round(100*s.Y.Median/s.Bound)) + " % of bound"
	case s.Y.N > 1 && s.Y.Median > 0:
		note = "± " + SI(math.Round(50*(s.Y.Hi-s.Y.Lo)/s.Y.Median)) + " %"
	}
	style, note = fitNote(style, note, 0.8*size, room)
	c.FillText(style, vg.Point{X: at.X, Y: at.Y - vg.Points(2)}, note)
}

// fitNote makes a note as narrow as a tile is, from letters of a size on: smaller, on several lines, or both.
func fitNote(style draw.TextStyle, note string, size float64, room vg.Length) (draw.TextStyle, string) {
	for _, split := range []*strings.Replacer{strings.NewReplacer(), strings.NewReplacer(", ", ",\n"), strings.NewReplacer(", ", ",\n", " in ", "\nin ")} {
		text := split.Replace(note)
		for points := size; points >= leastNote; points -= 0.5 {
			if style.Font = typeface(points, false); style.Width(text) <= room {
				return style, text
			}
		}
	}
	return style, note
}

const leastNote = 5.5 // points, the smallest letters of a note

// figure is what stands on a tile, in brackets if it is no median that counts.
func (t tiles) figure(s *Spot) string {
	text := Spell(t.d.Column, s.Figure)
	if s.Fill() == Hollow {
		return "(" + text + ")"
	}
	return text
}

// size is that of the largest letters in which every figure fits a tile.
func (t tiles) size(room vg.Length) float64 {
	size := 9.5
	for i := range t.d.Spots {
		for size > 6 && textStyle(size, true, draw.XCenter, draw.YBottom).Width(t.figure(&t.d.Spots[i])) > room {
			size -= 0.5
		}
	}
	return size
}

// inkOn is the colour of letters that stands out from a ground, at 4.5 to 1 or better.
func inkOn(ground color.RGBA) color.Color {
	if contrast(color.RGBA{A: 255}, ground) > contrast(ground, color.RGBA{R: 255, G: 255, B: 255, A: 255}) {
		return color.Black
	}
	return color.White
}

// contrast is that of a dark colour and a light one, as the accessibility guidelines for the web define it.
func contrast(dark, light color.RGBA) float64 {
	return (luminance(light) + 0.05) / (luminance(dark) + 0.05)
}

func luminance(c color.RGBA) float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// extremes are the least and the greatest median, and whether their colours stand for powers.
func (d *Data) extremes() (low, high float64, log bool) {
	var values []float64
	for _, s := range d.Spots {
		values = append(values, s.Figure)
	}
	low, high = lowest(values), greatest(values)
	return low, high, low > 0 && high/low > 10
}

// scale returns how a value maps to the ramp: logarithmically, if the greatest is more than ten times the least.
func (t tiles) scale() func(float64) float64 {
	low, high, log := t.d.extremes()
	switch {
	case high == low:
		return func(float64) float64 { return 0.5 }
	case log:
		return func(v float64) float64 { return math.Log(v/low) / math.Log(high/low) }
	}
	return func(v float64) float64 { return (v - low) / (high - low) }
}

func (t tiles) best() *Spot {
	var best *Spot
	for i := range t.d.Spots {
		s := &t.d.Spots[i]
		if s.Facet != t.facet || s.Fill() == Hollow {
			continue
		}
		if best == nil || (s.Figure > best.Figure) == t.d.Column.HigherIsBetter {
			best = s
		}
	}
	return best
}
