package graph

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"

	"paxosbench/bench/paint"
	"paxosbench/bench/suite"
)

// axis is the scale of a measured quantity.
type axis struct {
	label string
	log   bool
	spell func(float64) string
}

// measuredAxis suits a quantity and its values. Latencies, whose figures span powers of ten, are drawn logarithmically
// and spelled each with its own unit.
func measuredAxis(c suite.Column, values []float64, log bool) axis {
	a := axis{label: c.Label + ", " + c.Unit, log: log, spell: paint.SI}
	switch c.Unit {
	case "ns":
		a = axis{label: c.Label, log: true, spell: paint.Time}
	case "ns/op":
		a = axis{label: c.Label + ", per operation", log: log, spell: paint.Time}
	}
	a.log = a.log && lowest(values) > 0 // there is no zero on such a scale
	return a
}

// Spell writes a value of a column; times get a unit, other values are in that of the column.
func Spell(c suite.Column, v float64) string {
	switch c.Unit {
	case "ns", "ns/op":
		return paint.Time(v)
	case "%":
		return fmt.Sprintf("%.1f", v)
	}
	return paint.SI(v)
}

func greatest(values []float64) float64 {
	if len(values) == 0 {
		return 1
	}
	return slices.Max(values)
}

func lowest(values []float64) float64 {
	if len(values) == 0 {
		return 1
	}
	return slices.Min(values)
}

// span sets the range of a plot's axis: from zero, or around the values on a logarithmic scale, where it covers at
// least a factor of four lest noise look like an effect.
func (a axis) span(to *plot.Axis, values []float64) {
	high, low := greatest(values), lowest(values)
	to.Label.Text = a.label
	if !a.log {
		to.Min, to.Max = min(0, low), high*1.08
		if to.Max <= to.Min {
			to.Max = to.Min + 1
		}
		to.Tick.Marker = paint.EvenTicks{Spell: a.spell}
		return
	}
	to.Min, to.Max = low/1.2, high*1.2
	if ratio := to.Max / to.Min; ratio < 4 {
		to.Min, to.Max = to.Min/math.Sqrt(4/ratio), to.Max*math.Sqrt(4/ratio)
	}
	to.Scale = plot.LogScale{}
	to.Tick.Marker = paint.LogTicks{Spell: a.spell}
}

// knobAxis places the values of a knob: as numbers, or side by side if one of them is a name.
type knobAxis struct {
	knob   string
	values []string
	names  bool
	log    bool
}

func (d *Data) knobAxis() knobAxis {
	a := knobAxis{knob: d.Graph.X, values: d.Xs, log: d.Graph.XLog}
	for _, v := range d.Xs {
		number, numeric := suite.Numeric(v)
		a.names = a.names || !numeric
		a.log = a.log && number > 0
	}
	return a
}

// place is where a value stands along the axis.
func (a knobAxis) place(value string) float64 {
	if a.names {
		return float64(slices.Index(a.values, value))
	}
	number, _ := suite.Numeric(value)
	return number
}

// joined tells whether a line may lead from one value to the next. No line leads to a name: there is nothing between
// 64 and adaptive.
func (a knobAxis) joined(from, to string) bool {
	_, first := suite.Numeric(from)
	_, second := suite.Numeric(to)
	return !a.names || first && second
}

// span sets the range of a plot's axis and labels it with the values as they are spelled.
func (a knobAxis) span(to *plot.Axis) {
	to.Label.Text = a.knob
	var ticks plot.ConstantTicks
	for _, v := range a.values {
		ticks = append(ticks, plot.Tick{Value: a.place(v), Label: v})
	}
	low, high := ticks[0].Value, ticks[0].Value
	for _, t := range ticks {
		low, high = min(low, t.Value), max(high, t.Value)
	}
	switch {
	case a.names || high == low:
		to.Min, to.Max = low-0.5, high+0.5
	case a.log:
		edge := math.Pow(high/low, 0.04)
		to.Min, to.Max = low/edge, high*edge
		to.Scale = plot.LogScale{}
	default:
		edge := (high - low) * 0.04
		to.Min, to.Max = low-edge, high+edge
	}
	to.Tick.Marker = ticks
}
