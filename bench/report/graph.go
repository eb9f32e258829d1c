package report

import (
	"fmt"
	"io"
	"math"
	"slices"
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
			p.Draw(tiles.At(c, 0, i))
		}
	})
}

// throughputPanel shows throughput over time, from zero, with the events.
func throughputPanel(runs []*Run) (*plot.Plot, error) {
	p := paint.NewPlot(caption(runs), "seconds", "operations/s")
	for i, run := range runs {
		points := seriesPoints(run, func(j int) float64 { return run.Rows[j].OpsPerS })
		if err := addLine(p, points, run.Name, i, 0); err != nil {
			return nil, err
		}
	}
	p.Y.Min = 0
	p.Y.Max *= 1.1
	p.Y.Tick.Marker = paint.EvenTicks{Spell: paint.SI}
	return p, markGraphEvents(p, runs)
}

// latencyPanel shows the median and the 99th percentile over time, on a logarithmic scale.
func latencyPanel(runs []*Run) (*plot.Plot, error) {
	p := paint.NewPlot("Latency from when due", "seconds", "")
	for i, run := range runs {
		for j, quantile := range []struct {
			name string
			at   func(int) float64
		}{
			{"p50", func(k int) float64 { return float64(run.Rows[k].P50Ns) }},
			{"p99", func(k int) float64 { return float64(run.Rows[k].P99Ns) }},
		} {
			points := positive(seriesPoints(run, quantile.at))
			if err := addLine(p, points, label(runs, run, quantile.name), i, j); err != nil {
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
			if err := addLine(p, points, label(runs, run, h.name), i, j); err != nil {
				return nil, err
			}
		}
	}
	p.X.Min, p.X.Max = 0, deepest
	p.X.Tick.Marker = ninesTicks{}
	p.Legend.Left = true
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

// positive leaves out what has no place on a logarithmic scale: intervals in which nothing was answered.
func positive(points plotter.XYs) plotter.XYs {
	return slices.DeleteFunc(points, func(p plotter.XY) bool { return p.Y <= 0 })
}

// seriesPoints places each interval's figure at its middle; the drain is left out.
func seriesPoints(run *Run, y func(int) float64) plotter.XYs {
	var points plotter.XYs
	for j, row := range run.Rows {
		if !row.Drain {
			points = append(points, plotter.XY{X: row.StartS + row.LengthS/2, Y: y(j)})
		}
	}
	return points
}

func addLine(p *plot.Plot, points plotter.XYs, name string, colour, dash int) error {
	if len(points) == 0 {
		return nil
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color = paint.Colour(colour)
	line.Width = vg.Points(1.4)
	line.Dashes = paint.Dashes(dash)
	p.Add(line)
	p.Legend.Add(name, line)
	return nil
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
