package graph

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"paxosbench/bench/paint"
	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// Measures of a picture.
const (
	width       = 25 * vg.Centimeter
	panelHeight = 11 * vg.Centimeter
	lowHeight   = 8 * vg.Centimeter // of panels that share the width
	margin      = 14 * vg.Millimeter / 2
	gap         = 5 * vg.Millimeter
	titleHeight = 22 // points
	entryHeight = 14
	smallHeight = 11
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
	caption := lines(d.caption())
	legend := d.legend()
	each := panelHeight
	if len(panels)*len(panels[0]) > 1 {
		each = lowHeight
	}
	body := vg.Length(len(panels))*each + vg.Length(len(panels)-1)*gap
	head := vg.Points(titleHeight + entryHeight*float64(len(legend)) + 6)
	foot := vg.Points(smallHeight*float64(len(caption)) + 6)
	return paint.Write(w, format, width, 2*margin+head+body+foot, func(c draw.Canvas) {
		inner := draw.Crop(c, margin, -margin, margin, -margin)
		inner.FillText(textStyle(13, true, draw.XLeft, draw.YTop), vg.Point{X: inner.Min.X, Y: inner.Max.Y}, d.Graph.Title)
		d.drawLegend(inner, legend)
		small := textStyle(8, false, draw.XLeft, draw.YBottom)
		small.Color = paint.Soft
		for i, line := range caption {
			inner.FillText(small, vg.Point{X: inner.Min.X, Y: inner.Min.Y + vg.Points(smallHeight*float64(len(caption)-1-i))}, line)
		}
		drawPanels(draw.Crop(inner, 0, 0, foot, -head), panels)
	})
}

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

// drawPanels aligns the panels of a column, and leaves the place of one that is missing empty.
func drawPanels(c draw.Canvas, panels [][]*plot.Plot) {
	columns := len(panels[0])
	tiles := draw.Tiles{Rows: len(panels), Cols: columns, PadX: gap, PadY: gap}
	for i, row := range panels {
		for len(row) < columns {
			row = append(row, nil)
		}
		panels[i] = row
	}
	for i, row := range plot.Align(panels, tiles, c) {
		for j, canvas := range row {
			if panels[i][j] != nil {
				panels[i][j].Draw(canvas)
			}
		}
	}
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
	if d.Graph.Kind != suite.KindHeatmap && (len(d.Series) > 1 || d.Graph.Series != "") {
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
			var colour color.Color = paint.Colour(e.index)
			style := draw.LineStyle{Color: colour, Width: vg.Points(lineWidth)}
			if e.model {
				style = boundStyle(paint.Soft)
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
	return paint.Marker(index, false)
}

// caption says what one must know to read the graph away from its report.
func (d *Data) caption() []string {
	m := d.Manifest
	commit := m.Commit
	if len(commit) > 12 {
		commit = commit[:12]
	}
	if m.Dirty {
		commit += " with changes"
	}
	where := fmt.Sprintf("%s: %d × %s, Linux %s, %s. Commit %s, %s, seed %d.", m.Host.Name, m.Host.CPUs, m.Host.CPU, m.Host.Kernel,
		m.Host.Filesystem, commit, m.Started.UTC().Format("2006-01-02"), m.Seed)
	if m.Nice < 0 {
		where += fmt.Sprintf(" At raised priority (nice %d).", m.Nice)
	}
	fixed := ""
	if len(d.Suite.Fixed) > 0 {
		fixed = "All: " + d.Suite.Fixed.String() + ". "
	}
	return []string{d.reading(), fixed + where}
}

// reading says what marks and intervals mean.
func (d *Data) reading() string {
	if d.Graph.Kind == suite.KindTimeline {
		return fmt.Sprintf("Every run is a line of its own; runs: %d.", len(d.Courses)) + d.missing()
	}
	least, most := d.repeats()
	n := fmt.Sprintf("n = %d", least)
	if most > least {
		n += fmt.Sprintf(" to %d", most)
	}
	interval := "bars and bands: 95 % interval of the median"
	switch {
	case most == 1:
		interval = "single runs have no interval"
	case least < stat.MinPairs:
		interval = "bars and bands: range of the runs (too few for a 95 % interval)"
	}
	if d.Graph.Kind == suite.KindHeatmap {
		interval = "framed: the best of a panel; !: invalid runs"
	} else if d.anyHollow() {
		interval += "; hollow: load not kept up with, or invalid runs"
	}
	text := fmt.Sprintf("Medians of runs, %s; %s.", n, interval)
	if len(d.Facets) > 1 && d.Graph.Kind != suite.KindHeatmap && !d.scale().log {
		text += " Panels have scales of their own."
	}
	if d.anyBound() {
		text += " The bound is what window, processors, disk and links allow by calculation"
		if d.Graph.Kind != suite.KindHeatmap {
			text += "; where it is not to be seen, it is higher"
		}
		text += "."
	}
	return text + d.missing()
}

func (d *Data) missing() string {
	if d.Missing == 0 {
		return ""
	}
	return fmt.Sprintf(" Cells without figures: %d.", d.Missing)
}

// captionWidth leaves room for a browser's own typeface, which may be wider than ours.
const captionWidth = 0.88 * (width - 2*margin)

// lines wraps paragraphs to the width of the picture.
func lines(paragraphs []string) (out []string) {
	style := textStyle(8, false, draw.XLeft, draw.YBottom)
	for _, p := range paragraphs {
		line := ""
		for _, word := range strings.Fields(p) {
			if line != "" && style.Width(line+" "+word) > captionWidth {
				out, line = append(out, line), word
				continue
			}
			line = strings.TrimSpace(line + " " + word)
		}
		out = append(out, line)
	}
	return out
}
