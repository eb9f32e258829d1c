package report

import (
	"fmt"
	"io"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"paxosbench/bench/paint"
)

const (
	graphWidth  = 22 * vg.Centimeter
	graphHeight = 27 * vg.Centimeter
)

// graph returns a renderer of three panels: throughput and latency over time, and the percentile spectrum.
func graph(format string) func(io.Writer, []*Run) error {
	return func(w io.Writer, runs []*Run) error {
		var panels []*plot.Plot
		for _, panel := range []func([]*Run) (*plot.Plot, error){throughputPanel, latencyPanel, spectrumPanel} {
			p, err := panel(runs)
			if err != nil {
				return err
			}
			panels = append(panels, p)
		}
		return drawPanels(w, format, panels)
	}
}

func drawPanels(w io.Writer, format string, panels []*plot.Plot) error {
	tiles := draw.Tiles{Rows: len(panels), Cols: 1, PadY: vg.Points(14), PadTop: vg.Points(8), PadBottom: vg.Points(8),
		PadLeft: vg.Points(8), PadRight: vg.Points(16)}
	return paint.Write(w, format, graphWidth, graphHeight, func(c draw.Canvas) {
		for i, p := range panels {
			drawPanel(tiles.At(c, 0, i), p)
		}
	})
}

// legendWidth is that of the strip beside a panel that its legend stands in: within, it would hide what it explains.
const legendWidth = 130 // points

func drawPanel(c draw.Canvas, p *plot.Plot) {
	legend := p.Legend
	p.Legend = plot.NewLegend()
	p.Draw(draw.Crop(c, 0, -vg.Points(legendWidth), 0, 0))
	legend.Left = true
	legend.Draw(draw.Crop(c, c.Max.X-c.Min.X-vg.Points(legendWidth-8), 0, 0, -vg.Points(18)))
}

// throughputPanel shows throughput over time, from zero, with the events.
func throughputPanel(runs []*Run) (*plot.Plot, error) {
	p := paint.NewPlot(caption(runs), "seconds", "operations/s")
	p.Add(outages{runs, true})
	for i, run := range runs {
		steps := seriesSteps(run, func(j int) float64 { return run.Rows[j].OpsPerS }, false)
		if err := addLines(p, steps, run.Name, i, 0); err != nil {
			return nil, err
		}
	}
	p.X.Min, p.Y.Min = 0, 0
	p.Y.Max = max(p.Y.Max*1.1, 1)
	p.Y.Tick.Marker = paint.EvenTicks{Spell: paint.SI}
	return p, markGraphEvents(p, runs)
}

// latencyPanel shows the median and the 99th percentile over time, on a logarithmic scale.
func latencyPanel(runs []*Run) (*plot.Plot, error) {
	p := paint.NewPlot("Latency from when due", "seconds", "")
	p.Add(outages{runs, false})
	for i, run := range runs {
		for j, quantile := range []struct {
			name string
			at   func(int) float64
		}{
			{"p50", func(k int) float64 { return float64(run.Rows[k].P50Ns) }},
			{"p99", func(k int) float64 { return float64(run.Rows[k].P99Ns) }},
		} {
			steps := seriesSteps(run, quantile.at, true)
			if err := addLines(p, steps, label(runs, run, quantile.name), i, j); err != nil {
				return nil, err
			}
		}
	}
	logScale(p)
	return p, markGraphEvents(p, runs)
}

// spectrumPanel shows latency by percentile: each mark on the horizontal axis is ten times rarer than the one before.
func spectrumPanel(runs []*Run) (*plot.Plot, error) {
	p := paint.NewPlot("Latency by percentile", "percentile", "")
	deepest := 1.0
	for i, run := range runs {
		set, err := run.Result.HDR.Set()
		if err != nil {
			return nil, err
		}
		for j, h := range []struct {
			name string
			show func() (percentiles []float64, valuesNs []int64)
		}{{"from when due", set.Intended.Spectrum}, {"from when sent", set.Service.Spectrum}} {
			points := spectrumPoints(h.show())
			if len(points) > 0 {
				deepest = max(deepest, points[len(points)-1].X)
			}
			if err := addLines(p, []plotter.XYs{points}, label(runs, run, h.name), i, j); err != nil {
				return nil, err
			}
		}
	}
	p.X.Min, p.X.Max = 0, deepest
	p.X.Tick.Marker = ninesTicks{}
	logScale(p)
	return p, nil
}

// spectrumPoints places percentile q at -log10(1-q/100), so that 90, 99, 99.9.. are evenly apart.
func spectrumPoints(percentiles []float64, valuesNs []int64) plotter.XYs {
	var points plotter.XYs
	for i, q := range percentiles {
		if q < 100 && valuesNs[i] > 0 {
			points = append(points, plotter.XY{X: -math.Log10(1 - q/100), Y: float64(valuesNs[i])})
		}
	}
	return points
}

// seriesSteps makes a step of each interval, so that a change is where it was, and even one interval is seen; the drain is
// left out. A line of what must be positive breaks off where it is not: there nothing was answered.
func seriesSteps(run *Run, y func(int) float64, positive bool) []plotter.XYs {
	var lines []plotter.XYs
	open := false
	for j, row := range run.Rows {
		if row.Drain || positive && y(j) <= 0 {
			open = false
			continue
		}
		if !open {
			lines, open = append(lines, nil), true
		}
		last := &lines[len(lines)-1]
		*last = append(*last, plotter.XY{X: row.StartS, Y: y(j)}, plotter.XY{X: row.StartS + row.LengthS, Y: y(j)})
	}
	return lines
}

func addLines(p *plot.Plot, lines []plotter.XYs, name string, colour, dash int) error {
	for i, points := range lines {
		if len(points) == 0 {
			continue
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.Color = paint.Colour(colour)
		line.Width = vg.Points(1.4)
		line.Dashes = paint.Dashes(dash)
		p.Add(line)
		if i == 0 {
			p.Legend.Add(name, line)
		}
	}
	return nil
}

// outages shades the times in which a run was answered nothing, and says how long they were.
type outages struct {
	runs  []*Run
	named bool
}

// Plot implements plot.Plotter.
func (o outages) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	for _, run := range o.runs {
		for _, silence := range run.silences() {
			from, to := toX(silence.from), toX(silence.to)
			c.FillPolygon(paint.Grid, []vg.Point{{X: from, Y: c.Min.Y}, {X: to, Y: c.Min.Y}, {X: to, Y: c.Max.Y}, {X: from, Y: c.Max.Y}})
			if o.named {
				c.FillText(noteStyle(), vg.Point{X: to + vg.Points(3), Y: c.Min.Y + vg.Points(4)}, silence.String())
			}
		}
	}
}

// silence is a time without an answer, in seconds, to within the intervals of the series.
type silence struct{ from, to float64 }

func (s silence) String() string { return fmt.Sprintf("nothing answered for %.3g s", s.to-s.from) }

func (r *Run) silences() (list []silence) {
	silent := false
	for _, row := range r.Rows {
		if row.Drain || row.OK > 0 {
			silent = false
			continue
		}
		if !silent {
			list = append(list, silence{from: row.StartS})
		}
		silent = true
		list[len(list)-1].to = row.StartS + row.LengthS
	}
	return list
}

// noteStyle is that of words within a panel: the typeface of all others.
func noteStyle() draw.TextStyle {
	return draw.TextStyle{Color: paint.Ink, Font: paint.Font(8, false), Handler: plot.DefaultTextHandler}
}

// logScale switches the vertical axis to a logarithmic one, if there is anything positive to show.
func logScale(p *plot.Plot) {
	if p.Y.Min <= 0 || math.IsInf(p.Y.Min, 0) {
		p.Y.Min = 1e3
	}
	p.Y.Max = max(p.Y.Max, p.Y.Min*10)
	p.Y.Scale = plot.LogScale{}
	p.Y.Tick.Marker = paint.LogTicks{Spell: paint.Time}
}

// markGraphEvents draws a vertical line where something was done to the system.
func markGraphEvents(p *plot.Plot, runs []*Run) error {
	top := p.Y.Max
	for _, run := range runs {
		for _, e := range run.Result.Events {
			line, err := plotter.NewLine(plotter.XYs{{X: e.AtS, Y: p.Y.Min}, {X: e.AtS, Y: top}})
			if err != nil {
				return err
			}
			line.Color = paint.Soft
			line.Dashes = paint.Dashes(2)
			labels, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: e.AtS, Y: top}}, Labels: []string{" " + e.Text}})
			if err != nil {
				return err
			}
			labels.TextStyle[0] = noteStyle()
			labels.Offset.Y = -vg.Points(10)
			p.Add(line, labels)
		}
	}
	return nil
}

func label(runs []*Run, run *Run, what string) string {
	if len(runs) == 1 {
		return what
	}
	return run.Name + " " + what
}

// caption says what was run, so that the graph explains itself away from its directory.
func caption(runs []*Run) string {
	if len(runs) > 1 {
		names := make([]string, len(runs))
		for i, run := range runs {
			names[i] = run.Name
		}
		return "Throughput: " + strings.Join(names, ", ")
	}
	r := runs[0].Result
	return fmt.Sprintf("Throughput: %s op/s, %s (%s)", Grouped(int64(r.ThroughputOpsPerS)), loadText(r), r.Verdict)
}

// ninesTicks labels -log10(1-q): 0, 90, 99, 99.9..
type ninesTicks struct{}

func (ninesTicks) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for nines := math.Ceil(low); nines <= high; nines++ {
		q := 100 * (1 - math.Pow(10, -nines))
		ticks = append(ticks, plot.Tick{Value: nines, Label: fmt.Sprintf("%.*f%%", max(0, int(nines)-2), q)})
	}
	return ticks
}
