package stat

import (
	"fmt"
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"
)

// Unpaired is the outcome of measuring two things, A and B, at different times, so that no run of the one belongs to one
// of the other.
//
// Interval and test are one and the same statement, as those of Comparison are: the interval holds the ratios that the
// exact test of Mann and Whitney would not reject. Nothing but the order of the values counts.
type Unpaired struct {
	// A and B are the numbers of values.
	A, B int
	// Ratio is A over B: the median of the ratios of every value of A to every one of B (Hodges and Lehmann 1963).
	Ratio float64
	// Lo and Hi bound the ratio: order statistics of the same ratios. Where IsRange is true they are all of them.
	Lo, Hi float64
	// P is the two-sided test. Ties count against the one that is ahead.
	P float64

	critical int // the greatest number of contradicting ratios that shows a difference, -1: none does
}

// CompareUnpaired compares values of which those of a have nothing to do with those of b. They are zero or more, or one
// of the infinities, as in Compare.
func CompareUnpaired(a, b []float64) (Unpaired, error) {
	if len(a) == 0 || len(b) == 0 {
		return Unpaired{}, fmt.Errorf("compare: %d values with %d: want some of each", len(a), len(b))
	}
	logs := make([]float64, 0, len(a)*len(b))
	greater, less := 0, 0
	for _, x := range a {
		for _, y := range b {
			if !admissible(x) || !admissible(y) {
				return Unpaired{}, fmt.Errorf("compare: %g with %g: want values of zero or more", x, y)
			}
			switch r := logRatio(x, y); {
			case r > 0:
				greater++
			case r < 0:
				less++
			}
			logs = append(logs, logRatio(x, y))
		}
	}
	slices.Sort(logs)
	u := Unpaired{A: len(a), B: len(b), Ratio: math.Exp(middle(logs)), critical: critical(len(a), len(b))}
	out := max(u.critical, 0)
	u.Lo, u.Hi = math.Exp(logs[out]), math.Exp(logs[len(logs)-1-out])
	u.P = rankTest(len(a), len(b), len(logs)-max(greater, less))
	return u, nil
}

// rankTest returns the two-sided probability that of all the pairs that values of A and B can form at most so few
// contradict the others.
func rankTest(a, b, against int) float64 {
	return min(1, 2*stats.UDist{N1: a, N2: b}.CDF(float64(against)))
}

// critical is the greatest number of contradicting ratios that still shows a difference, -1 if not even none does.
func critical(a, b int) int {
	against := -1
	for rankTest(a, b, against+1) <= 1-Confidence {
		against++
	}
	return against
}

// IsRange tells whether there were too few values for a difference to be shown, or for an interval.
func (u Unpaired) IsRange() bool { return u.critical < 0 }

// Different tells whether A and B differ, if this is the only test: then the interval leaves out 1.
func (u Unpaired) Different() bool { return u.P <= 1-Confidence }
