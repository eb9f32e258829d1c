package chart

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// SI spells a number with k, M or G.
func SI(v float64) string {
	if v == 0 {
		return "0" // minus zero too
	}
	for _, step := range []struct {
		size float64
		unit string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= step.size {
			return short(v/step.size) + step.unit
		}
	}
	return short(v)
}

// short gives three digits, or all before the point.
func short(v float64) string {
	if math.Abs(v) >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return fmt.Sprintf("%.3g", v)
}

// Time spells nanoseconds with a unit, to three digits.
func Time(ns float64) string {
	if ns == 0 {
		return "0" // minus zero too, and it needs no unit
	}
	for _, step := range []struct {
		ns   float64
		unit string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if math.Abs(ns) >= step.ns {
			return short(ns/step.ns) + " " + step.unit
		}
	}
	return short(ns) + " ns"
}

// evenTicks divides an axis into four to nine even parts.
type evenTicks struct{ Spell func(float64) string }

// Ticks implements plot.Ticker.
func (t evenTicks) Ticks(low, high float64) []plot.Tick {
	step := evenStep((high - low) / 9)
	var ticks []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high*(1+1e-9); i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: t.Spell(i * step)})
	}
	return ticks
}

// evenStep is the next of 1, 2, 5, 10, 20..
func evenStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, digit := range []float64{1, 2, 5} {
		if digit*power >= least {
			return digit * power
		}
	}
	return 10 * power
}

// logTicks labels a logarithmic axis at 1, 2 and 5; at the powers of ten alone, if it spans more than three of them; at 3
// and 7 too, if it spans little more than one.
type logTicks struct{ Spell func(float64) string }

// Ticks implements plot.Ticker.
func (t logTicks) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	digits := "125"
	switch ratio := high / low; {
	case ratio > 1e3:
		digits = "1"
	case ratio < 20:
		digits = "12357"
	}
	for power := math.Floor(math.Log10(low)); power <= math.Ceil(math.Log10(high)); power++ {
		for digit := 1; digit < 10; digit++ {
			tick := plot.Tick{Value: float64(digit) * math.Pow(10, power)}
			if strings.Contains(digits, strconv.Itoa(digit)) {
				tick.Label = t.Spell(tick.Value)
			}
			if tick.Value >= low*(1-1e-9) && tick.Value <= high*(1+1e-9) {
				ticks = append(ticks, tick)
			}
		}
	}
	return ticks
}
