package graph

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"paxosbench/bench/paint"
	"paxosbench/bench/suite"
)

// course draws one facet of a timeline: throughput over time, every run a line of its own.
func (d *Data) course(facet string) (*plot.Plot, error) {
	column, _ := suite.ColumnOf("throughput")
	return d.overTime(facet, column, func(p suite.Point) float64 { return p.OpsPerS }, true)
}

// courseLatency draws the p99 latency below it.
func (d *Data) courseLatency(facet string) (*plot.Plot, error) {
	column, _ := suite.ColumnOf("p99")
	return d.overTime(facet, column, func(p suite.Point) float64 { return float64(p.P99) }, false)
}

func (d *Data) overTime(facet string, column suite.Column, of func(suite.Point) float64, named bool) (*plot.Plot, error) {
	p := paint.NewPlot("", "", "")
	var all []float64
	end := 0.0
	for _, c := range d.Courses {
		for _, point := range c.Run.Timeline {
			if v := of(point); v > 0 || column.Unit != "ns" {
				all = append(all, v)
			}
			end = max(end, point.T+point.Length)
		}
	}
	y := measuredAxis(column, all, false)
	y.span(&p.Y, all)
	p.X.Label.Text = "seconds"
	p.X.Min, p.X.Max = 0, end
	p.X.Tick.Marker = paint.EvenTicks{Spell: paint.SI}
	marked := false
	for _, c := range d.Courses {
		if c.Facet != facet {
			continue
		}
		if !marked {
			p.Add(events{c.Run, named})
			marked = true
		}
		for _, stretch := range stretches(c.Run.Timeline, of, y.log) {
			line, err := plotter.NewLine(stretch)
			if err != nil {
				return nil, err
			}
			line.Color, line.Width = paint.Colour(indexOf(d.Series, c.Series)), vg.Points(1)
			p.Add(line)
		}
	}
	return p, nil
}

// stretches places each interval at its middle. On a logarithmic scale a line breaks off where nothing was answered.
func stretches(points []suite.Point, of func(suite.Point) float64, log bool) (lines []plotter.XYs) {
	open := false
	for _, point := range points {
		v := of(point)
		if log && v <= 0 {
			open = false
			continue
		}
		if !open {
			lines = append(lines, nil)
			open = true
		}
		last := &lines[len(lines)-1]
		*last = append(*last, plotter.XY{X: point.T + point.Length/2, Y: v})
	}
	return lines
}

func indexOf(list []string, item string) int {
	for i, v := range list {
		if v == item {
			return i
		}
	}
	return 0
}

// events marks what was done to the system.
type events struct {
	run   *suite.Run
	named bool
}

// Plot implements plot.Plotter.
func (e events) Plot(c draw.Canvas, p *plot.Plot) {
	if e.run.Result == nil {
		return
	}
	toX, _ := p.Transforms(&c)
	style := textStyle(8, false, draw.XLeft, draw.YTop)
	style.Color = paint.Soft
	for i, event := range e.run.Result.Events {
		x := toX(event.AtS)
		c.StrokeLine2(draw.LineStyle{Color: paint.Soft, Width: vg.Points(0.8), Dashes: paint.Dashes(2)}, x, c.Min.Y, x, c.Max.Y)
		if !e.named {
			continue
		}
		// Every other label is a line lower, for events that follow each other closely.
		c.FillText(style, vg.Point{X: x + vg.Points(3), Y: c.Max.Y - vg.Points(2) - vg.Points(10)*vg.Length(i%2)}, event.Text)
	}
}
