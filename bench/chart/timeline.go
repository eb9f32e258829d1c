package chart

import (
	"cmp"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"paxosbench/bench/record"
	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// course draws one facet of a timeline: throughput over time, every run a line of its own.
func (d *Data) course(facet string) (*plot.Plot, error) {
	column, _ := suite.ColumnOf("throughput")
	p, err := d.overTime(facet, column, opsPerS, true)
	if err == nil && p.Y.Max > d.roof() {
		p.Y.Max = d.roof()
	}
	return p, err
}

func opsPerS(p *suite.Point) float64 { return p.OpsPerS }

// throughputs are those of all intervals of all runs.
func (d *Data) throughputs() []float64 {
	var all []float64
	for _, c := range d.Courses {
		for _, p := range c.Run.Timeline {
			all = append(all, p.OpsPerS)
		}
	}
	return all
}

// roof is where the axis of throughput ends at the latest: three times the usual. After an outage everything that has
// waited is answered within an interval or two; an axis as high as that would flatten the outage itself.
func (d *Data) roof() float64 {
	if usual := stat.Median(d.throughputs()).Median; usual > 0 {
		return 3 * usual
	}
	return math.Inf(1)
}

// colour is that of a run's line: its series', for that is what is compared. Repeats are alike.
func (d *Data) colour(c Course) color.Color {
	colour := seriesColour(slices.Index(d.Series, c.Series))
	return color.NRGBA{R: colour.R, G: colour.G, B: colour.B, A: 170}
}

// courseLatency draws the p99 latency below it.
func (d *Data) courseLatency(facet string) (*plot.Plot, error) {
	column, _ := suite.ColumnOf("p99")
	return d.overTime(facet, column, func(p *suite.Point) float64 { return float64(p.P99) }, false)
}

func (d *Data) overTime(facet string, column suite.Column, of func(*suite.Point) float64, named bool) (*plot.Plot, error) {
	p := newPlot("", "", "")
	var all []float64
	end := 0.0
	for _, c := range d.Courses {
		for i := range c.Run.Timeline {
			point := &c.Run.Timeline[i]
			if v := of(point); v > 0 || column.Unit != "ns" {
				all = append(all, v)
			}
			end = max(end, point.T+point.Length)
		}
	}
	y := measuredAxis(column, all, false)
	y.span(&p.Y, all)
	p.X.Label.Text = "time, seconds"
	p.X.Min, p.X.Max = 0, end
	p.X.Tick.Marker = evenTicks{Spell: SI}
	first := true
	var happened []record.Event
	var silent []suite.Outage
	for _, c := range d.Courses {
		if c.Facet != facet {
			continue
		}
		if first {
			first = false
			if c.Run.Result != nil {
				happened = c.Run.Result.Events
			}
			silent = suite.Outages(c.Run.Timeline)
			p.Add(outages(silent), events(happened))
		}
		for _, course := range steps(c.Run.Timeline, spanOfPoint, of, y.log) {
			line, err := plotter.NewLine(course)
			if err != nil {
				return nil, err
			}
			line.Color, line.Width = d.colour(c), vg.Points(1)
			p.Add(line)
		}
	}
	if named {
		p.Add(eventNames(happened), outageNames(silent))
	}
	return p, nil
}

// steps makes a step of each interval of a series, so that a change is where it was, and even one interval is seen. A line of
// what must be positive, as on a logarithmic scale, breaks off where it is not: there nothing was answered.
func steps[I any](series []I, span func(*I) (start, length float64), of func(*I) float64, positive bool) (lines []plotter.XYs) {
	open := false
	for i := range series {
		v := of(&series[i])
		if positive && v <= 0 {
			open = false
			continue
		}
		if !open {
			lines, open = append(lines, nil), true
		}
		start, length := span(&series[i])
		last := &lines[len(lines)-1]
		*last = append(*last, plotter.XY{X: start, Y: v}, plotter.XY{X: start + length, Y: v})
	}
	return lines
}

func spanOfPoint(p *suite.Point) (start, length float64) { return p.T, p.Length }

// outages shades the times in which nothing of a run was answered.
type outages []suite.Outage

// Plot implements plot.Plotter.
func (o outages) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	for _, outage := range o {
		from, to := toX(outage.From), toX(outage.To)
		c.FillPolygon(gridGrey, []vg.Point{{X: from, Y: c.Min.Y}, {X: to, Y: c.Min.Y}, {X: to, Y: c.Max.Y}, {X: from, Y: c.Max.Y}})
	}
}

// outageNames says how long they were, where there is room for it: of those too close for that the longest lowest.
type outageNames []suite.Outage

// Plot implements plot.Plotter.
func (o outageNames) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	style := textStyle(8, false, draw.XLeft, draw.YBottom)
	longest := slices.SortedStableFunc(slices.Values(o), func(a, b suite.Outage) int { return cmp.Compare(b.To-b.From, a.To-a.From) })
	var taken []vg.Rectangle
	for _, outage := range longest {
		text, x := outageName(c, style, outage.String(), toX(outage.From), toX(outage.To))
		size := vg.Point{X: style.Width(text), Y: style.Height(text)}
		place := vg.Rectangle{Min: vg.Point{X: x, Y: c.Min.Y + vg.Points(4)}}
		for place.Max = place.Min.Add(size); ; place.Max = place.Min.Add(size) {
			over := slices.IndexFunc(taken, func(r vg.Rectangle) bool {
				return place.Min.X < r.Max.X && r.Min.X < place.Max.X && place.Min.Y < r.Max.Y && r.Min.Y < place.Max.Y
			})
			if over < 0 {
				break
			}
			place.Min.Y = taken[over].Max.Y + vg.Points(4)
		}
		taken = append(taken, place)
		textOnGround(c, style, place.Min, text)
	}
}

// outageName breaks what is said of an outage where it has to be, and returns where it begins: behind it if there is room.
func outageName(c draw.Canvas, style draw.TextStyle, whole string, from, to vg.Length) (name string, x vg.Length) {
	gap := vg.Points(3)
	broken := strings.Replace(whole, " for ", "\nfor ", 1)
	name, x = broken, c.Max.X-style.Width(broken) // if there is none anywhere
	for _, t := range []string{broken, whole} {
		before, after := from-gap-style.Width(t), to+gap
		if before >= c.Min.X {
			name, x = t, before
		}
		if after+style.Width(t) <= c.Max.X {
			name, x = t, after
		}
	}
	return name, x
}

// events marks when something was done to the system.
type events []record.Event

// Plot implements plot.Plotter.
func (e events) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	for _, event := range e {
		x := toX(event.AtS)
		if !c.ContainsX(x) {
			continue
		}
		c.StrokeLine2(draw.LineStyle{Color: soft, Width: vg.Points(0.8), Dashes: seriesDashes(2)}, x, c.Min.Y, x, c.Max.Y)
	}
}

// eventNames says what was done, on a ground of its own: lines may run there.
type eventNames []record.Event

// Plot implements plot.Plotter.
func (e eventNames) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	for i, event := range e {
		if !c.ContainsX(toX(event.AtS)) {
			continue
		}
		style := textStyle(8, false, draw.XRight, draw.YTop)
		style.Color = soft
		x := toX(event.AtS) - vg.Points(3)
		if i > 0 || x-style.Width(event.Text) < c.Min.X { // the first one before it: lines jump afterwards
			x, style.XAlign = x+vg.Points(6), draw.XLeft
		}
		// Every other name is a line lower, for events that follow each other closely.
		at := vg.Point{X: x, Y: c.Max.Y - vg.Points(2) - vg.Points(10)*vg.Length(i%2)}
		textOnGround(c, style, at, event.Text)
	}
}
