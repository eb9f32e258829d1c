// Package stat says how sure a figure is: medians with intervals, and paired comparisons with an interval and a test.
//
// Nothing here assumes a distribution. Throughputs of a system that shares its processors are skewed and have outliers,
// and five repeats are too few to see by how much.
package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Confidence is the coverage that intervals aim at.
const Confidence = 0.95

// NoiseLimit is the width of an interval, relative to its median, from which on a figure is marked as noisy.
const NoiseLimit = 0.10

// Summary is a median with an interval.
type Summary struct {
	// N is the number of values.
	N int
	// Median of the values; NaN if there are none.
	Median float64
	// Lo and Hi are order statistics of the values.
	Lo, Hi float64
	// Coverage is the exact probability that [Lo, Hi] covers the median of what the values were drawn from.
	Coverage float64
}

// Median returns the median of values and the narrowest order-statistic interval that covers it with at least
// Confidence: the number of values below the true median is binomial, whatever the distribution. Fewer than six values
// reach no such coverage; the interval is then their range, and IsRange says so. A value that is worse than any figure is
// one of the infinities; where most are, so is the median, and IsFigure is false. The values are left as they are.
func Median(values []float64) Summary {
	n := len(values)
	if n == 0 {
		return Summary{Median: math.NaN(), Lo: math.NaN(), Hi: math.NaN()}
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	below := distuv.Binomial{N: float64(n), P: 0.5}
	cut := 0 // values left out at either end
	for cut+1 < (n+1)/2 && 2*below.CDF(float64(cut+1)) <= 1-Confidence {
		cut++
	}
	return Summary{
		N:        n,
		Median:   middle(sorted),
		Lo:       sorted[cut],
		Hi:       sorted[n-1-cut],
		Coverage: max(0, 1-2*below.CDF(float64(cut))),
	}
}

// IsRange tells whether there were too few values for an interval of the wanted coverage, so that Lo and Hi are the
// least and the greatest of them.
func (s Summary) IsRange() bool { return s.Coverage < Confidence }

// IsFigure tells whether the median is a number that was measured, or lies between two that were.
func (s Summary) IsFigure() bool { return !math.IsNaN(s.Median) && !math.IsInf(s.Median, 0) }

// Noisy tells whether the interval is too wide for the median to be quoted alone.
func (s Summary) Noisy() bool { return wide(s.Lo, s.Median, s.Hi) }

// wide tells whether an interval is too wide for what it is around. One with an end that is no figure is.
func wide(lo, middle, hi float64) bool {
	return lo != hi && (math.IsInf(hi-lo, 0) || hi-lo > NoiseLimit*math.Abs(middle))
}

// middle returns the median of values in ascending order.
func middle(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
