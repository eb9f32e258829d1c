package chart

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

	"paxosbench/bench/record"
	"paxosbench/bench/suite"
)

// Measures of a picture of runs.
const (
	runsWidth   = 22 * vg.Centimeter
	runsHeight  = 9 * vg.Centimeter // of each panel
	legendWidth = 130               // points, of the strip beside a panel that its legend stands in: within, it would hide what it explains
)

// WriteRuns draws runs one over the other in a format, svg or png, in four panels: throughput and latency over time,
// latency by percentile, and the share of operations by latency. Of results without a series there are the last two.
func WriteRuns(w io.Writer, format, title string, runs []*record.Run) error {
	kinds := []func([]*record.Run) (*plot.Plot, error){throughputPanel, latencyPanel, spectrumPanel, sharePanel}
	if !slices.ContainsFunc(runs, func(r *record.Run) bool { return len(r.Rows) > 0 }) {
		kinds = kinds[2:] // of a result alone nobody knows its course
	}
	var panels []*plot.Plot
	for _, kind := range kinds {
		p, err := kind(runs)
		if err != nil {
			return err
		}
		panels = append(panels, p)
	}
	panels[0].Title.Text = strings.TrimSuffix(title+"\n"+panels[0].Title.Text, "\n")
	tiles := draw.Tiles{Rows: len(panels), Cols: 1, PadY: vg.Points(14), PadTop: vg.Points(8), PadBottom: vg.Points(8),
		PadLeft: vg.Points(8), PadRight: vg.Points(16)}
	return writePicture(w, format, runsWidth, vg.Length(len(panels))*runsHeight, func(c draw.Canvas) {
		for i, p := range panels {
			drawBesideLegend(tiles.At(c, 0, i), p)
		}
	})
}

func drawBesideLegend(c draw.Canvas, p *plot.Plot) {
	legend := p.Legend
	p.Legend = plot.NewLegend()
	p.Draw(draw.Crop(c, 0, -vg.Points(legendWidth), 0, 0))
	legend.Left = true
	legend.Draw(draw.Crop(c, c.Max.X-c.Min.X-vg.Points(legendWidth-8), 0, 0, -vg.Points(18)))
}

// throughputPanel shows throughput over time, from zero, with the events.
func throughputPanel(runs []*record.Run) (*plot.Plot, error) {
	p := newPlot("", "seconds", "operations/s")
	addCourse(p, runs)
	for i, run := range runs {
		lines := stepsOfRun(run, func(r *record.Row) float64 { return r.OpsPerS }, false)
		if err := addLines(p, lines, run.Name, i, 0); err != nil {
			return nil, err
		}
	}
	p.X.Min, p.Y.Min = 0, 0
	p.Y.Max = max(p.Y.Max*1.1, 1)
	p.Y.Tick.Marker = evenTicks{Spell: SI}
	addEventNames(p, runs)
	for _, run := range runs {
		p.Add(outageNames(silences(run)))
	}
	return p, nil
}

// latencyPanel shows the median and the 99th percentile over time, on a logarithmic scale.
func latencyPanel(runs []*record.Run) (*plot.Plot, error) {
	p := newPlot("Latency from when due", "seconds", "")
	addCourse(p, runs)
	for i, run := range runs {
		for j, quantile := range []struct {
			name string
			of   func(*record.Row) float64
		}{
			{"p50", func(r *record.Row) float64 { return float64(r.P50Ns) }},
			{"p99", func(r *record.Row) float64 { return float64(r.P99Ns) }},
		} {
			if err := addLines(p, stepsOfRun(run, quantile.of, true), label(runs, run, quantile.name), i, j); err != nil {
				return nil, err
			}
		}
	}
	logScale(&p.Y)
	addEventNames(p, runs)
	return p, nil
}

// addCourse adds what the lines over time are drawn upon.
func addCourse(p *plot.Plot, runs []*record.Run) {
	for _, run := range runs {
		p.Add(outages(silences(run)), events(run.Result.Events))
	}
}

func silences(run *record.Run) []suite.Outage { return suite.Outages(suite.Timeline(run.Rows)) }

// addEventNames adds what stands above them.
func addEventNames(p *plot.Plot, runs []*record.Run) {
	for _, run := range runs {
		p.Add(eventNames(run.Result.Events))
	}
}

// stepsOfRun are the steps of what was measured: the drain is left out, which comes last.
func stepsOfRun(run *record.Run, of func(*record.Row) float64, positive bool) []plotter.XYs {
	rows := run.Rows
	for len(rows) > 0 && rows[len(rows)-1].Drain {
		rows = rows[:len(rows)-1]
	}
	return steps(rows, func(r *record.Row) (start, length float64) { return r.StartS, r.LengthS }, of, positive)
}

// spectrumPanel shows latency by percentile: each mark on the horizontal axis is ten times rarer than the one before.
func spectrumPanel(runs []*record.Run) (*plot.Plot, error) {
	p := newPlot("Latency by percentile", "percentile", "")
	if err := addDistributions(p, runs, nines); err != nil {
		return nil, err
	}
	p.X.Min, p.X.Max = 0, max(1, p.X.Max)
	p.X.Tick.Marker = ninesTicks{}
	logScale(&p.Y)
	return p, nil
}

// sharePanel shows which share of the operations was answered within which time: the cumulative distribution.
func sharePanel(runs []*record.Run) (*plot.Plot, error) {
	p := newPlot("Share of operations answered within a time", "latency", "%")
	if err := addDistributions(p, runs, shares); err != nil {
		return nil, err
	}
	p.Y.Min, p.Y.Max = 0, 100
	logScale(&p.X)
	return p, nil
}

// addDistributions adds the lines of both latencies of all runs.
func addDistributions(p *plot.Plot, runs []*record.Run, points func(percentile float64, valueNs int64) (plotter.XY, bool)) error {
	for i, run := range runs {
		set, err := run.Result.HDR.Set()
		if err != nil {
			return err
		}
		for j, h := range []struct {
			name string
			of   *record.Histogram
		}{{"from when due", set.Intended}, {"from when sent", set.Service}} {
			var line plotter.XYs
			percentiles, valuesNs := h.of.Spectrum()
			for k, q := range percentiles {
				if point, ok := points(q, valuesNs[k]); ok {
					line = append(line, point)
				}
			}
			if err := addLines(p, []plotter.XYs{line}, label(runs, run, h.name), i, j); err != nil {
				return err
			}
		}
	}
	return nil
}

// nines places percentile q at -log10(1-q/100), so that 90, 99, 99.9.. are evenly apart.
func nines(q float64, valueNs int64) (plotter.XY, bool) {
	return plotter.XY{X: -math.Log10(1 - q/100), Y: float64(valueNs)}, q < 100 && valueNs > 0
}

// shares places a latency at the share of operations that took no longer.
func shares(q float64, valueNs int64) (plotter.XY, bool) {
	return plotter.XY{X: float64(valueNs), Y: q}, valueNs > 0
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
		line.Color = seriesColour(colour)
		line.Width = vg.Points(1.4)
		line.Dashes = seriesDashes(dash)
		p.Add(line)
		if i == 0 {
			p.Legend.Add(name, line)
		}
	}
	return nil
}

// logScale makes an axis of times a logarithmic one, if there is anything positive to show.
func logScale(a *plot.Axis) {
	if a.Min <= 0 || math.IsInf(a.Min, 0) {
		a.Min = 1e3
	}
	a.Max = max(a.Max, a.Min*10)
	a.Scale = plot.LogScale{}
	a.Tick.Marker = logTicks{Spell: Time}
}

func label(runs []*record.Run, run *record.Run, what string) string {
	if len(runs) == 1 {
		return what
	}
	return run.Name + " " + what
}

// ninesTicks labels -log10(1-q): 0, 90, 99, 99.9..
type ninesTicks struct{}

// Ticks implements plot.Ticker.
func (ninesTicks) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for nines := math.Ceil(low); nines <= high; nines++ {
		q := 100 * (1 - math.Pow(10, -nines))
		ticks = append(ticks, plot.Tick{Value: nines, Label: fmt.Sprintf("%.*f%%", max(0, int(nines)-2), q)})
	}
	return ticks
}
