package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"

	"paxosbench/bench/suite"
)

// axis is the scale of a measured quantity.
type axis struct {
	label string
	log   bool
	spell func(float64) string
}

// widestFromZero is how many times its least value the greatest one may be on a scale that begins at zero: below a
// fiftieth of the height neither a value nor its interval can be read.
const widestFromZero = 50

// measuredAxis suits a quantity and its values. Latencies, whose figures span powers of ten, are drawn logarithmically,
// and so is what spans too much for a scale from zero. Times are spelled each with its own unit.
func measuredAxis(c suite.Column, values []float64, log bool) axis {
	a := axis{label: c.Label + ", " + c.Unit, log: log, spell: SI}
	switch {
	case c.Unit == "ns":
		a = axis{label: c.Label, log: true, spell: Time}
	case c.Unit == "ns/op":
		a = axis{label: c.Label + ", per operation", log: log, spell: Time}
	case c.Unit == "s":
		a = axis{label: c.Label, log: log, spell: seconds}
	case strings.HasPrefix(c.Label, c.Unit): // commands per batch
		a.label = c.Label
	}
	low := lowest(values)
	a.log = low > 0 && (a.log || greatest(values) > widestFromZero*low) // there is no zero on such a scale
	return a
}

func seconds(s float64) string { return Time(1e9 * s) }

// Spell writes a value of a column; times get a unit, other values are in that of the column. What is worse than any
// figure is none.
func Spell(c suite.Column, v float64) string {
	if math.IsInf(v, 0) {
		return "none"
	}
	switch c.Unit {
	case "ns", "ns/op":
		return Time(v)
	case "s":
		return seconds(v)
	case "%":
		return fmt.Sprintf("%.1f", v)
	}
	return SI(v)
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
		to.Tick.Marker = evenTicks{Spell: a.spell}
		return
	}
	to.Min, to.Max = low/1.2, high*1.2
	if ratio := to.Max / to.Min; ratio < 4 {
		to.Min, to.Max = to.Min/math.Sqrt(4/ratio), to.Max*math.Sqrt(4/ratio)
	}
	to.Scale = plot.LogScale{}
	to.Tick.Marker = logTicks{Spell: a.spell}
}

// knobUnits says what the values of knobs count, where their names do not.
var knobUnits = map[string]string{
	"window":     "commands in flight per connection",
	"in-flight":  "commands in flight",
	"pipeline":   "slots in flight at most",
	"conns":      "client connections",
	"value-size": "bytes",
	"key-size":   "bytes",
	"mix":        "shares of operations",
	"rate":       "operations per second",
	"load":       "share of what a closed loop reaches",
	"link-rate":  "bytes per second, each way",
	"link-delay": "one way",
}

// LabelX is what stands at the horizontal axis.
func (d *Data) LabelX() string { return knobLabel(d.Graph.X) }

// knobLabel is what stands at the axis of a knob.
func knobLabel(knob string) string {
	if unit := knobUnits[knob]; unit != "" {
		return knob + ": " + unit
	}
	return knob
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

// aside is how far to the side of its place the spot of a series stands: where a value is a name and no line tells them
// apart, spots of all series stand side by side.
func (a knobAxis) aside(value string, series, all int) float64 {
	if _, number := suite.Numeric(value); number || all < 2 {
		return 0
	}
	return min(0.2, 0.7/float64(all-1)) * (float64(series) - float64(all-1)/2)
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
	to.Label.Text = knobLabel(a.knob)
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
