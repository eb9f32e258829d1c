package chart

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// shape is a marker as a regular polygon: its corners, the angle of the first one in turns, and how far they stand out.
type shape struct {
	corners int
	turn    float64
	radius  float64
	waist   float64 // radius between two corners; 0: straight edges
}

// shapes are as far from each other as small polygons can be, and about equally large.
var shapes = []shape{
	disc: {corners: 48, radius: 1}, square: {corners: 4, turn: 0.125, radius: 1.2}, triangle: {corners: 3, turn: 0.25, radius: 1.35},
	diamond: {corners: 4, radius: 1.35}, onItsHead: {corners: 3, turn: 0.75, radius: 1.35},
	star: {corners: 4, turn: 0.125, radius: 1.5, waist: 0.55}, hexagon: {corners: 6, radius: 1.15},
}

// Names of the shapes, in the order in which series take them.
const (
	disc = iota
	square
	triangle
	diamond
	onItsHead
	star
	hexagon
)

// Fill is how much of a marker is filled: what it stands for needs no reservation, some, or all of them.
type Fill int

// The fills.
const (
	Full Fill = iota
	Half
	Hollow
)

// marker draws points.
type marker struct {
	shape
	fill Fill
}

// seriesMarker is that of the i-th series: those that share a colour differ in shape.
func seriesMarker(i int, fill Fill) draw.GlyphDrawer {
	return marker{shapes[(i+i/len(shapes))%len(shapes)], fill}
}

// DrawGlyph implements draw.GlyphDrawer.
func (m marker) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	corners := m.outline(style.Radius, at)
	outline := closed(corners)
	c.SetLineDash(nil, 0)
	if m.fill == Full {
		c.SetColor(style.Color)
		c.Fill(outline)
		c.SetColor(color.White) // a rim, so that markers stand apart where they meet
		c.SetLineWidth(vg.Points(0.5))
		c.Stroke(outline)
		return
	}
	c.SetColor(color.White)
	c.Fill(outline)
	c.SetColor(style.Color)
	if m.fill == Half {
		lower := draw.Canvas{Canvas: c.Canvas, Rectangle: below(at)}
		c.Fill(closed(lower.ClipPolygonXY(corners)))
	}
	c.SetLineWidth(vg.Points(1.1))
	c.Stroke(outline)
}

// below is the half of the plane below a point, as far as markers reach.
func below(at vg.Point) vg.Rectangle {
	const far = 1000
	return vg.Rectangle{Min: vg.Point{X: at.X - far, Y: at.Y - far}, Max: vg.Point{X: at.X + far, Y: at.Y}}
}

func closed(corners []vg.Point) vg.Path {
	var p vg.Path
	for i, corner := range corners {
		if i == 0 {
			p.Move(corner)
			continue
		}
		p.Line(corner)
	}
	p.Close()
	return p
}

// outline returns the corners of the marker.
func (m marker) outline(radius vg.Length, at vg.Point) []vg.Point {
	var corners []vg.Point
	corner := func(i, out float64) {
		sin, cos := math.Sincos(2 * math.Pi * (m.turn + i/float64(m.corners)))
		corners = append(corners, vg.Point{X: at.X + radius*vg.Length(out*cos), Y: at.Y + radius*vg.Length(out*sin)})
	}
	for i := range m.corners {
		corner(float64(i), m.radius)
		if m.waist > 0 {
			corner(float64(i)+0.5, m.waist)
		}
	}
	return corners
}
