package paint

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

// marker draws points.
type marker struct {
	shape
	hollow bool
}

// Marker is that of the i-th series, filled, or hollow for points that need a reservation.
func Marker(i int, hollow bool) draw.GlyphDrawer { return marker{shapes[i%len(shapes)], hollow} }

// DrawGlyph implements draw.GlyphDrawer.
func (m marker) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	outline := m.outline(style.Radius, at)
	c.SetLineDash(nil, 0)
	c.SetColor(style.Color)
	if m.hollow {
		c.SetColor(color.White)
	}
	c.Fill(outline)
	c.SetColor(style.Color)
	if !m.hollow {
		c.SetColor(color.White) // a rim, so that markers stand apart where they meet
	}
	c.SetLineWidth(vg.Points(1.1))
	if !m.hollow {
		c.SetLineWidth(vg.Points(0.5))
	}
	c.Stroke(outline)
}

func (m marker) outline(radius vg.Length, at vg.Point) vg.Path {
	var p vg.Path
	for i := range m.corners {
		m.corner(&p, radius, at, float64(i), m.radius)
		if m.waist > 0 {
			m.corner(&p, radius, at, float64(i)+0.5, m.waist)
		}
	}
	p.Close()
	return p
}

func (m marker) corner(p *vg.Path, radius vg.Length, at vg.Point, i, out float64) {
	sin, cos := math.Sincos(2 * math.Pi * (m.turn + i/float64(m.corners)))
	to := vg.Point{X: at.X + radius*vg.Length(out*cos), Y: at.Y + radius*vg.Length(out*sin)}
	if len(*p) == 0 {
		p.Move(to)
		return
	}
	p.Line(to)
}
