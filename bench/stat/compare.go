package stat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// MinPairs is the least number of pairs that can show a difference: with five, even five wins in a row come by chance
// once in sixteen times.
const MinPairs = 6

const (
	resamples     = 10_000
	bootstrapSeed = 20120630 // any constant: the same pairs always give the same interval
)

// Comparison is the outcome of measuring two things, A and B, in pairs.
type Comparison struct {
	Pairs int
	// Ratio is A over B: the exponential of the median of the log-ratios of the pairs.
	Ratio float64
	// Lo and Hi bound the ratio: a bootstrap interval for Confidence. Of fewer than MinPairs it is their range.
	Lo, Hi float64
	// Wins counts pairs in which A was greater, Losses those in which B was.
	Wins, Losses int
	// P is the exact two-sided sign test: how often wins and losses would be as uneven as this, or more, if there were
	// no difference.
	P float64
}

// Compare compares values measured in pairs, a[i] with b[i]. What the two of a pair have in common, such as a busy
// hour, cancels out. All values must be positive.
func Compare(a, b []float64) (Comparison, error) {
	if len(a) != len(b) || len(a) == 0 {
		return Comparison{}, fmt.Errorf("compare: %d values with %d: want pairs", len(a), len(b))
	}
	logs := make([]float64, len(a))
	c := Comparison{Pairs: len(a)}
	for i := range a {
		if !positive(a[i]) || !positive(b[i]) {
			return Comparison{}, fmt.Errorf("compare: pair %d is %g and %g: want positive values", i+1, a[i], b[i])
		}
		logs[i] = math.Log(a[i] / b[i])
		switch {
		case a[i] > b[i]:
			c.Wins++
		case a[i] < b[i]:
			c.Losses++
		}
	}
	c.Ratio, c.Lo, c.Hi = bootstrap(logs)
	c.P = signTest(c.Wins, c.Losses)
	return c, nil
}

func positive(v float64) bool { return v > 0 && !math.IsInf(v, 1) }

// bootstrap returns the median of log-ratios and its percentile interval over resamples, as ratios.
func bootstrap(logs []float64) (ratio, lo, hi float64) {
	random := rand.New(rand.NewPCG(bootstrapSeed, uint64(len(logs))))
	sample := make([]float64, len(logs))
	medians := make([]float64, resamples)
	for i := range medians {
		for j := range sample {
			sample[j] = logs[random.IntN(len(logs))]
		}
		slices.Sort(sample)
		medians[i] = middle(sample)
	}
	slices.Sort(medians)
	copy(sample, logs)
	slices.Sort(sample)
	tail := (1 - Confidence) / 2
	return math.Exp(middle(sample)),
		math.Exp(stat.Quantile(tail, stat.Empirical, medians, nil)),
		math.Exp(stat.Quantile(1-tail, stat.Empirical, medians, nil))
}

// signTest returns the two-sided probability of so uneven a split. Ties say nothing and are not among the numbers.
func signTest(wins, losses int) float64 {
	n := wins + losses
	if n == 0 {
		return 1
	}
	return min(1, 2*distuv.Binomial{N: float64(n), P: 0.5}.CDF(float64(min(wins, losses))))
}

// Different tells whether A and B differ: the interval leaves out 1, and the sign test agrees.
func (c Comparison) Different() bool {
	return c.P < 1-Confidence && (c.Lo > 1 || c.Hi < 1)
}

// Noisy tells whether the interval is too wide to quote the ratio alone.
func (c Comparison) Noisy() bool { return c.Hi-c.Lo > NoiseLimit*c.Ratio }

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
	return fmt.Sprintf("%s faster by %.1f %% [%.1f, %.1f]", who, 100*(ratio-1), 100*(lo-1), 100*(hi-1))
}

// String gives all figures in one line.
func (c Comparison) String() string {
	return fmt.Sprintf("ratio %.4f [%.4f, %.4f], %d pairs: %d wins, %d losses, sign test p = %.2g",
		c.Ratio, c.Lo, c.Hi, c.Pairs, c.Wins, c.Losses, c.P)
}
