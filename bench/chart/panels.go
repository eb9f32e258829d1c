package chart

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"paxosbench/bench/suite"
)

// panels draws the facets side by side, at most three in a row; those of a timeline have two rows.
func (d *Data) panels() ([][]*plot.Plot, error) {
	kinds := map[string][]func(string) (*plot.Plot, error){
		suite.KindLine: {d.lines}, suite.KindHockey: {d.lines}, suite.KindBars: {d.bars}, suite.KindHeatmap: {d.heatmap},
		suite.KindTimeline: {d.course, d.courseLatency},
	}[d.Graph.Kind]
	if kinds == nil {
		return nil, fmt.Errorf("kind %q", d.Graph.Kind)
	}
	var rows [][]*plot.Plot
	for start := 0; start < len(d.Facets); start += mostColumns {
		for i, kind := range kinds {
			var row []*plot.Plot
			for _, facet := range d.Facets[start:min(start+mostColumns, len(d.Facets))] {
				p, err := kind(facet)
				if err != nil {
					return nil, err
				}
				if facet != "" && i == 0 {
					p.Title.Text = d.Graph.Facet + " " + facet
				}
				row = append(row, p)
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

const mostColumns = 3

// panelSize is about that of a panel with its axes.
func (d *Data) panelSize() vg.Point {
	columns := vg.Length(min(len(d.Facets), mostColumns))
	return vg.Point{X: (width-2*margin-(columns-1)*gap)/columns - labelRoom, Y: d.rowHeight()}
}

// rowHeight is that of a row of panels, without their titles.
func (d *Data) rowHeight() vg.Length {
	if len(d.Facets) > 1 || d.Graph.Kind == suite.KindTimeline {
		return lowHeight
	}
	return panelHeight
}

// headHeight is that of the titles above a row of panels, if panels have titles.
func (d *Data) headHeight() vg.Length {
	if d.Graph.Facet == "" {
		return 0
	}
	return vg.Points(17)
}

// labelRoom is what the label of an axis takes, left of a panel or below.
const labelRoom = vg.Length(15)

// lettering is the title of a panel and the labels of its axes. It is written here, around the place of the data: the
// library centres a title on the labels too, and takes a label for standing where the arithmetic middle of a logarithmic
// axis is, near its end, and so leaves a hand's breadth free beyond it.
type lettering struct{ title, x, y string }

// takeLettering takes it off a plot.
func takeLettering(p *plot.Plot) lettering {
	l := lettering{p.Title.Text, p.X.Label.Text, p.Y.Label.Text}
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = "", "", ""
	return l
}

// draw writes it around the data, left of a panel's corner and below it.
func (l lettering) draw(c draw.Canvas, data vg.Rectangle, corner vg.Point) {
	middle := data.Min.Add(data.Max).Scale(0.5)
	title := textStyle(11, false, draw.XCenter, draw.YBottom)
	c.FillText(title, vg.Point{X: middle.X, Y: data.Max.Y + vg.Points(5)}, l.title)
	label := textStyle(10, false, draw.XCenter, draw.YBottom)
	c.FillText(label, vg.Point{X: middle.X, Y: corner.Y - labelRoom + vg.Points(3)}, l.x)
	label.Rotation, label.YAlign = math.Pi/2, draw.YTop
	c.FillText(label, vg.Point{X: corner.X - labelRoom, Y: middle.Y}, l.y)
}

// drawPanels aligns the panels of a column, and leaves the place of one that is missing empty.
func drawPanels(c draw.Canvas, panels [][]*plot.Plot, head vg.Length) {
	columns := len(panels[0])
	var texts []lettering
	for i, row := range panels {
		for _, p := range row {
			texts = append(texts, takeLettering(p))
		}
		for len(row) < columns {
			row = append(row, nil)
		}
		panels[i] = row
	}
	tiles := draw.Tiles{
		Rows: len(panels), Cols: columns, PadX: gap + labelRoom, PadY: gap + labelRoom + head,
		PadTop: head, PadLeft: labelRoom, PadBottom: labelRoom,
	}
	for i, row := range plot.Align(panels, tiles, c) {
		for j, canvas := range row {
			if p := panels[i][j]; p != nil {
				p.Draw(canvas)
				texts[0].draw(c, p.DataCanvas(canvas).Rectangle, canvas.Min)
				texts = texts[1:]
			}
		}
	}
}
