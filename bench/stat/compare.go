package stat

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// MinPairs is the least number of pairs that can show a difference: with five, even five wins in a row come by chance
// once in sixteen times.
const MinPairs = 6

// PairsFor returns the least number of pairs that can show a difference in any one of several tests, corrected by Holm.
func PairsFor(tests int) int {
	pairs := 1
	for signTest(pairs, pairs)*float64(tests) > 1-Confidence {
		pairs++
	}
	return pairs
}

// Comparison is the outcome of measuring two things, A and B, in pairs.
//
// Interval and test are one and the same statement about the median of the ratios: the interval holds the values that the
// exact sign test would not reject. Nothing but the order of the ratios counts, whatever they are distributed like. (A
// percentile bootstrap of the median stood here before. Of eight pairs its 95 % covered in 91 of a hundred trials, and it
// could contradict the test.)
type Comparison struct {
	Pairs int
	// Ratio is A over B: the exponential of the median of the log-ratios of the pairs.
	Ratio float64
	// Lo and Hi bound the ratio: order statistics that cover it with at least Confidence, as those of Median. Of fewer than
	// MinPairs they are the range, and IsRange says so.
	Lo, Hi float64
	// Wins counts pairs in which A was greater, Losses those in which B was.
	Wins, Losses int
	// P is the exact two-sided sign test: how often the pairs would be as uneven as this, or more, if there were no
	// difference. Ties count against the one that is ahead.
	P float64
}

// Compare compares values measured in pairs, a[i] with b[i]. What the two of a pair have in common, such as a busy
// hour, cancels out. Values are zero or more, or one of the infinities: that is how a value counts that is worse than any
// figure. Equal ones are ties, the infinite too.
func Compare(a, b []float64) (Comparison, error) {
	if len(a) != len(b) || len(a) == 0 {
		return Comparison{}, fmt.Errorf("compare: %d values with %d: want pairs", len(a), len(b))
	}
	logs := make([]float64, len(a))
	c := Comparison{Pairs: len(a)}
	for i := range a {
		if !admissible(a[i]) || !admissible(b[i]) {
			return Comparison{}, fmt.Errorf("compare: pair %d is %g and %g: want values of zero or more", i+1, a[i], b[i])
		}
		logs[i] = logRatio(a[i], b[i])
		switch {
		case logs[i] > 0:
			c.Wins++
		case logs[i] < 0:
			c.Losses++
		}
	}
	median := Median(logs)
	c.Ratio, c.Lo, c.Hi = math.Exp(median.Median), math.Exp(median.Lo), math.Exp(median.Hi)
	c.P = signTest(c.Pairs, max(c.Wins, c.Losses))
	return c, nil
}

func admissible(v float64) bool { return v >= 0 || math.IsInf(v, -1) }

// logRatio is infinite where one of the two is zero or worse than any figure, and zero where both are alike.
func logRatio(a, b float64) float64 {
	switch {
	case a == b:
		return 0
	case a <= 0 || math.IsInf(b, 1):
		return math.Inf(-1)
	case b <= 0 || math.IsInf(a, 1):
		return math.Inf(1)
	}
	return math.Log(a / b)
}

// signTest returns the two-sided probability that of so many pairs at least so many go to one side.
func signTest(pairs, ahead int) float64 {
	return min(1, 2*distuv.Binomial{N: float64(pairs), P: 0.5}.CDF(float64(pairs-ahead)))
}

// Holm corrects the probabilities of several tests for their number (Holm 1979): where there is no difference, the chance
// that any of them falls to 1-Confidence is no greater than that, however the tests depend on each other. The argument is
// left as it is.
func Holm(ps []float64) []float64 {
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(ps[i], ps[j]) })
	corrected, least := make([]float64, len(ps)), 0.0
	for rank, i := range order {
		least = max(least, min(1, ps[i]*float64(len(ps)-rank)))
		corrected[i] = least
	}
	return corrected
}

// Different tells whether A and B differ, if this is the only test: the sign test says so, and then the interval leaves out
// 1.
func (c Comparison) Different() bool { return c.P <= 1-Confidence }

// IsRange tells whether there were too few pairs for an interval of the wanted coverage.
func (c Comparison) IsRange() bool { return c.Pairs < MinPairs }

// Noisy tells whether the interval is too wide to quote the ratio alone.
func (c Comparison) Noisy() bool { return wide(c.Lo, c.Ratio, c.Hi) }

// Verdict says the outcome in words, for values of which more is better: "no difference", or which of the two is
// faster, by how much, and between which bounds.
func (c Comparison) Verdict(a, b string) string {
	switch {
	case c.Pairs < MinPairs:
		return fmt.Sprintf("no difference shown: %d pairs cannot show one, %d can", c.Pairs, MinPairs)
	case !c.Different():
		return "no difference"
	case c.Ratio > 1:
		return faster(a, c.Ratio, c.Lo, c.Hi)
	}
	return faster(b, 1/c.Ratio, 1/c.Hi, 1/c.Lo)
}

func faster(who string, ratio, lo, hi float64) string {
	if math.IsInf(ratio, 1) {
		return who + " ahead: most runs of the other did not hold"
	}
	return fmt.Sprintf("%s faster by %.1f %% [%.1f, %.1f]", who, 100*(ratio-1), 100*(lo-1), 100*(hi-1))
}

// String gives all figures in one line.
func (c Comparison) String() string {
	return fmt.Sprintf("ratio %.4f [%.4f, %.4f], %d pairs: %d wins, %d losses, sign test p = %.2g",
		c.Ratio, c.Lo, c.Hi, c.Pairs, c.Wins, c.Losses, c.P)
}
