package chart

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// notes says beside the spots of a panel how many runs are behind them, where that is not what the caption says of all:
// some did not hold, or there are fewer or more; and how many commands it had in flight, where that is not what most had.
type notes struct {
	d     *Data
	facet string
	x     horizontal

	taken []vg.Rectangle
}

// Note is what stands beside a spot, or nothing.
func (d *Data) Note(s *Spot) string {
	note := d.runsNote(s)
	if d.otherInFlight(s) {
		if note != "" {
			note += ", "
		}
		note += fmt.Sprintf("%d in flight", s.InFlight)
	}
	return note
}

func (d *Data) runsNote(s *Spot) string {
	_, most := d.repeats()
	switch {
	case s.Fill() == Hollow:
		return s.HeldText()
	case s.Held < len(s.Runs):
		return fmt.Sprintf("%d of %d", s.Held, len(s.Runs))
	case len(s.Runs) < most:
		return fmt.Sprintf("n = %d", len(s.Runs))
	}
	return ""
}

// Plot implements plot.Plotter.
func (n *notes) Plot(c draw.Canvas, p *plot.Plot) {
	n.taken = nil
	toX, toY := p.Transforms(&c)
	at := func(s *Spot, index int) vg.Point {
		place, _, _ := n.x.at(*s, index)
		return vg.Point{X: toX(place), Y: toY(s.Figure)}
	}
	radius := vg.Points(markerRadius)
	n.each(func(s *Spot, index int) {
		spot := at(s, index)
		n.taken = append(n.taken, vg.Rectangle{Min: spot.Sub(vg.Point{X: radius, Y: radius}), Max: spot.Add(vg.Point{X: radius, Y: radius})})
	})
	n.each(func(s *Spot, index int) {
		if text := n.d.Note(s); text != "" {
			n.write(c, text, at(s, index), index)
		}
	})
}

// each visits the spots of the panel.
func (n *notes) each(visit func(s *Spot, index int)) {
	for i, name := range n.d.Series {
		spots := n.d.of(n.facet, name)
		for j := range spots {
			visit(&spots[j], i)
		}
	}
}

// write puts a note where it covers least of what is there, on a ground of its own; where that is crowded, in fewer words.
func (n *notes) write(c draw.Canvas, text string, spot vg.Point, index int) {
	style := textStyle(7, false, draw.XLeft, draw.YCenter)
	style.Color = readable(seriesColour(index))
	size := func() vg.Point { return vg.Point{X: style.Width(text), Y: style.Font.Size} }
	best, least := n.place(c, size(), spot)
	if short := strings.TrimPrefix(text, heldIn); least > crowded && short != text {
		text = short
		best, least = n.place(c, size(), spot)
	}
	if math.IsInf(float64(least), 1) {
		return // the panel is smaller than the note
	}
	n.taken = append(n.taken, best)
	textOnGround(c, style, vg.Point{X: best.Min.X, Y: (best.Min.Y + best.Max.Y) / 2}, text)
}

// crowded is the area, in square points, that a note may cover before it is shortened.
const crowded = 2

// place finds where a note of a size covers least of what is there, and how much that is; infinite: it fits nowhere.
func (n *notes) place(c draw.Canvas, size, spot vg.Point) (best vg.Rectangle, least vg.Length) {
	least = vg.Length(math.Inf(1))
	for _, away := range []vg.Length{8, 16, 26} { // what is farther belongs to another one
		for _, side := range []vg.Point{{X: 1}, {X: -1}, {X: 0.5, Y: 1}, {X: 0.5, Y: -1}, {X: -0.5, Y: 1}, {X: -0.5, Y: -1}} {
			middle := vg.Point{X: spot.X + side.X*(away+size.X/2), Y: spot.Y + side.Y*(away+size.Y/2)}
			place := vg.Rectangle{Min: middle.Sub(size.Scale(0.5)), Max: middle.Add(size.Scale(0.5))}
			if place.Min.X < c.Min.X || place.Max.X > c.Max.X || place.Min.Y < c.Min.Y || place.Max.Y > c.Max.Y {
				continue
			}
			if covered := n.covered(place) + away/100; covered < least {
				best, least = place, covered
			}
		}
	}
	return best, least
}

// covered is the area that a place has in common with those taken.
func (n *notes) covered(place vg.Rectangle) vg.Length {
	area := vg.Length(0)
	for _, other := range n.taken {
		width := min(place.Max.X, other.Max.X) - max(place.Min.X, other.Min.X)
		height := min(place.Max.Y, other.Max.Y) - max(place.Min.Y, other.Min.Y)
		if width > 0 && height > 0 {
			area += width * height
		}
	}
	return area
}
