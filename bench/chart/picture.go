package chart

import (
	"errors"
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"paxosbench/bench/suite"
)

// Measures of a picture.
const (
	width         = 25 * vg.Centimeter
	panelHeight   = 11 * vg.Centimeter
	lowHeight     = 8 * vg.Centimeter // of panels that share the width
	margin        = 14 * vg.Millimeter / 2
	gap           = 5 * vg.Millimeter
	titleHeight   = 22 // points, of a title of one line and what keeps it apart
	headingHeight = 16 // of a line more
	entryHeight   = 14
	smallHeight   = 11
)

// ErrEmpty is the error of drawing a graph none of whose cells has figures.
var ErrEmpty = errors.New("no cell of this graph has figures yet")

// Write draws the graph in a format, svg or png.
func (d *Data) Write(w io.Writer, format string) error {
	if len(d.Spots)+len(d.Courses) == 0 {
		return ErrEmpty
	}
	panels, err := d.panels()
	if err != nil {
		return fmt.Errorf("graph %s: %w", d.Graph.Name, err)
	}
	small := textStyle(8, false, draw.XLeft, draw.YBottom)
	small.Color = soft
	heading := textStyle(13, true, draw.XLeft, draw.YTop)
	title, caption, legend := lines(heading, d.Graph.Title), lines(small, d.caption()...), d.legend()
	titles := d.headHeight()
	body := vg.Length(len(panels))*(d.rowHeight()+titles) + vg.Length(len(panels)-1)*gap
	more := vg.Points(headingHeight * float64(len(title)-1))
	head := more + vg.Points(titleHeight+entryHeight*float64(len(legend))+6)
	foot := vg.Points(smallHeight*float64(len(caption)) + 6)
	return writePicture(w, format, width, 2*margin+head+body+foot, func(c draw.Canvas) {
		inner := draw.Crop(c, margin, -margin, margin, -margin)
		for i, line := range title {
			inner.FillText(heading, vg.Point{X: inner.Min.X, Y: inner.Max.Y - vg.Points(headingHeight*float64(i))}, line)
		}
		d.drawLegend(draw.Crop(inner, 0, 0, 0, -more), legend)
		for i, line := range caption {
			inner.FillText(small, vg.Point{X: inner.Min.X, Y: inner.Min.Y + vg.Points(smallHeight*float64(len(caption)-1-i))}, line)
		}
		drawPanels(draw.Crop(inner, 0, 0, foot, -head), panels, titles)
	})
}

// entry is one item of the legend: a series, or the model.
type entry struct {
	text  string
	index int
	model bool
}

// legend lists the entries in rows. It stands above the panels: within, it would hide what it explains.
func (d *Data) legend() (rows [][]entry) {
	var entries []entry
	switch {
	case d.Graph.Kind == suite.KindHeatmap:
	case d.Graph.Series != "":
		for i, name := range d.Series {
			entries = append(entries, entry{text: d.Graph.Series + " " + name, index: i})
		}
	}
	if d.anyBound() && d.Graph.Kind != suite.KindHeatmap {
		entries = append(entries, entry{text: "model: bound", model: true})
	}
	room := width - 2*margin
	left := vg.Length(0)
	for _, e := range entries {
		if left < e.width() {
			rows, left = append(rows, nil), room
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
		left -= e.width()
	}
	return rows
}

const keyWidth = 26 // points, of the line before a legend's text

func (e entry) width() vg.Length {
	return textStyle(9.5, false, draw.XLeft, draw.YCenter).Width(e.text) + vg.Points(keyWidth+18)
}

func (d *Data) drawLegend(c draw.Canvas, rows [][]entry) {
	y := c.Max.Y - vg.Points(titleHeight+entryHeight/2)
	for _, row := range rows {
		x := c.Min.X
		for _, e := range row {
			var colour color.Color = seriesColour(e.index)
			style := draw.LineStyle{Color: colour, Width: vg.Points(lineWidth)}
			if e.model {
				style = boundStyle(soft)
			}
			if d.Graph.Kind != suite.KindBars || e.model {
				c.StrokeLine2(style, x, y, x+vg.Points(keyWidth-6), y)
			}
			if !e.model && d.Graph.Kind != suite.KindTimeline {
				c.DrawGlyph(draw.GlyphStyle{Color: colour, Radius: vg.Points(markerRadius), Shape: d.key(e.index)},
					vg.Point{X: x + vg.Points((keyWidth-6)/2), Y: y})
			}
			c.FillText(textStyle(9.5, false, draw.XLeft, draw.YCenter), vg.Point{X: x + vg.Points(keyWidth), Y: y}, e.text)
			x += e.width()
		}
		y -= vg.Points(entryHeight)
	}
}

// key is the mark of a series in the legend: that of its points, or a piece of its bars.
func (d *Data) key(index int) draw.GlyphDrawer {
	if d.Graph.Kind == suite.KindBars && !d.scale().log {
		return draw.BoxGlyph{}
	}
	return seriesMarker(index, Full)
}
