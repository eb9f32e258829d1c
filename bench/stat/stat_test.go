package stat

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMedianKnown(t *testing.T) {
	for _, c := range []struct {
		values   []float64
		want     Summary
		isRange  bool
		coverage float64
	}{
		{[]float64{7}, Summary{N: 1, Median: 7, Lo: 7, Hi: 7}, true, 0},
		{[]float64{3, 1, 2}, Summary{N: 3, Median: 2, Lo: 1, Hi: 3}, true, 0.75},
		{[]float64{5, 4, 3, 2, 1}, Summary{N: 5, Median: 3, Lo: 1, Hi: 5}, true, 0.9375},
		{[]float64{1, 2, 3, 4, 5, 6}, Summary{N: 6, Median: 3.5, Lo: 1, Hi: 6}, false, 0.96875},
		// As printed in tables of the sign test: n = 10 leaves out one value at either end, n = 20 five.
		{seq(10), Summary{N: 10, Median: 5.5, Lo: 2, Hi: 9}, false, 0.978515625},
		{seq(20), Summary{N: 20, Median: 10.5, Lo: 6, Hi: 15}, false, 0.958610534667969},
	} {
		got := Median(c.values)
		if math.Abs(got.Coverage-c.coverage) > 1e-9 || got.IsRange() != c.isRange {
			t.Errorf("n=%d: coverage %v, a range: %v; want %v, %v", c.want.N, got.Coverage, got.IsRange(), c.coverage, c.isRange)
		}
		got.Coverage = 0
		if got != c.want {
			t.Errorf("got %+v, want %+v", got, c.want)
		}
	}
	if s := Median(nil); !math.IsNaN(s.Median) || s.N != 0 {
		t.Errorf("of nothing: %+v", s)
	}
}

func seq(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = float64(n - i)
	}
	return values
}

// TestMedianTwin compares with a search over all symmetric intervals, their coverage counted in Pascal's triangle.
func TestMedianTwin(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	row := []float64{1} // how many of 2^n outcomes have so many values below the median
	for n := 1; n <= 40; n++ {
		next := make([]float64, n+1)
		for i, ways := range row {
			next[i] += ways
			next[i+1] += ways
		}
		row = next
		values := make([]float64, n)
		for i := range values {
			values[i] = random.NormFloat64()
		}
		before := slices.Clone(values)
		got := Median(values)
		if !slices.Equal(values, before) {
			t.Fatal("the values were moved")
		}
		slices.Sort(before)
		lo, hi := before[0], before[n-1]
		for cut := 0; cut < n-1-cut; cut++ {
			covered := 0.0
			for below := cut + 1; below <= n-1-cut; below++ {
				covered += row[below]
			}
			if covered/math.Pow(2, float64(n)) >= Confidence {
				lo, hi = before[cut], before[n-1-cut]
			}
		}
		if got.Lo != lo || got.Hi != hi || got.IsRange() != (n < MinPairs) {
			t.Errorf("n=%d: got %+v, want [%v, %v]", n, got, lo, hi)
		}
	}
}

// TestMedianCovers draws many samples from a skewed distribution and counts how often the interval covers its median.
func TestMedianCovers(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const trials = 4000
	covered := 0
	for range trials {
		values := make([]float64, 10)
		for i := range values {
			values[i] = random.ExpFloat64()
		}
		if s := Median(values); s.Lo <= math.Ln2 && math.Ln2 <= s.Hi {
			covered++
		}
	}
	if share := float64(covered) / trials; math.Abs(share-0.9785) > 0.01 {
		t.Errorf("covered %.4f of the time, want 0.9785", share)
	}
}

func TestSummaryNoisy(t *testing.T) {
	if (Summary{Median: 100, Lo: 96, Hi: 105}).Noisy() || !(Summary{Median: 100, Lo: 94, Hi: 105}).Noisy() {
		t.Error("the mark belongs on intervals wider than a tenth of the median")
	}
}

// TestSignTest compares with the sum over all outcomes of n tosses.
func TestSignTest(t *testing.T) {
	for n := 1; n < 16; n++ {
		for wins := range n + 1 {
			as := 0
			for tosses := range 1 << n {
				heads := bits.OnesCount(uint(tosses))
				if min(heads, n-heads) <= min(wins, n-wins) {
					as++
				}
			}
			want := float64(as) / float64(int(1)<<n)
			if got := signTest(n, max(wins, n-wins)); math.Abs(got-want) > 1e-9 {
				t.Errorf("%d of %d: got %v, want %v", wins, n, got, want)
			}
		}
	}
}

// TestIntervalIsTheTest wants the interval to leave out 1 exactly if the sign test finds a difference, ties or not.
func TestIntervalIsTheTest(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	different := 0
	for range 5000 {
		a, b := make([]float64, MinPairs+random.IntN(30)), make([]float64, 0, 40)
		bias := random.IntN(4)
		for i := range a {
			a[i] = float64(1 + random.IntN(3) + bias)
			b = append(b, float64(1+random.IntN(3)))
		}
		c, err := Compare(a, b)
		if err != nil {
			t.Fatal(err)
		}
		if c.Different() != (c.Lo > 1 || c.Hi < 1) {
			t.Fatalf("%v with %v: %v", a, b, c)
		}
		if c.Different() {
			different++
		}
	}
	if different < 500 || different > 4500 {
		t.Errorf("%d of 5000 differ: the trials are one-sided", different)
	}
}

// TestCompareCovers counts how often the interval of eight pairs covers the true ratio.
func TestCompareCovers(t *testing.T) {
	const trials = 2000
	covered := 0
	for seed := range uint64(trials) {
		a, b := measured(seed, 8, 0.05)
		c, err := Compare(a, b)
		if err != nil {
			t.Fatal(err)
		}
		if c.Lo <= 1/0.95 && 1/0.95 <= c.Hi {
			covered++
		}
	}
	if covered < trials*95/100 {
		t.Errorf("covered %d times of %d", covered, trials)
	}
}

// TestHolm has the worked example of tables of the method, and compares with its definition: a test is rejected at a level
// if no more significant one is kept, and its own p is at most the level by the number of those not rejected before.
func TestHolm(t *testing.T) {
	got := Holm([]float64{0.01, 0.04, 0.03, 0.005})
	for i, want := range []float64{0.03, 0.06, 0.06, 0.02} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("corrected to %v", got)
			break
		}
	}
	random := rand.New(rand.NewPCG(5, 6))
	for range 1000 {
		ps := make([]float64, 1+random.IntN(6))
		for i := range ps {
			ps[i] = random.Float64() * random.Float64()
		}
		corrected, level := Holm(ps), random.Float64()
		sorted := slices.Sorted(slices.Values(ps))
		rejected := 0
		for rejected < len(sorted) && sorted[rejected]*float64(len(sorted)-rejected) <= level {
			rejected++
		}
		for i, p := range ps {
			if want := rejected > 0 && p <= sorted[rejected-1]; (corrected[i] <= level) != want {
				t.Fatalf("%v at %v: corrected to %v", ps, level, corrected)
			}
		}
	}
}

func TestPairsFor(t *testing.T) {
	for tests, want := range map[int]int{1: MinPairs, 2: 7, 3: 7, 4: 8, 5: 8, 7: 9} {
		if got := PairsFor(tests); got != want {
			t.Errorf("%d pairs for %d tests, want %d", got, tests, want)
		}
	}
}

// measured is a synthetic pair of series: a drift that both share, noise of 2 %, and B's handicap.
func measured(seed uint64, pairs int, handicap float64) (a, b []float64) {
	random := rand.New(rand.NewPCG(seed, 5))
	for range pairs {
		drift := 1e6 * math.Exp(0.2*random.NormFloat64())
		a = append(a, drift*math.Exp(0.02*random.NormFloat64()))
		b = append(b, drift*math.Exp(0.02*random.NormFloat64())*(1-handicap))
	}
	return a, b
}

// TestCompareAA wants no difference between a thing and itself, but for the few times that chance allows.
func TestCompareAA(t *testing.T) {
	const trials = 200
	wrong := 0
	for seed := range uint64(trials) {
		a, b := measured(seed, 10, 0)
		c, err := Compare(a, b)
		if err != nil {
			t.Fatal(err)
		}
		if c.Verdict("A", "B") != "no difference" {
			wrong++
		}
	}
	if wrong > trials/20 {
		t.Errorf("a difference %d times of %d, at most one in twenty is chance", wrong, trials)
	}
}

// TestCompareHandicap wants a handicap of 10 % found, on either side, with an interval around it.
func TestCompareHandicap(t *testing.T) {
	found, around := 0, 0
	const trials = 50
	for seed := range uint64(trials) {
		a, b := measured(seed, 10, 0.10)
		c, err := Compare(a, b)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Compare(b, a)
		if err != nil {
			t.Fatal(err)
		}
		if c.Different() != back.Different() || math.Abs(c.Ratio*back.Ratio-1) > 1e-12 {
			t.Errorf("seed %d: %v one way, %v the other", seed, c, back)
		}
		if c.Different() && c.Ratio > 1 {
			found++
		}
		if c.Lo <= 1/0.9 && 1/0.9 <= c.Hi {
			around++
		}
	}
	if found < trials*98/100 || around < trials*85/100 {
		t.Errorf("found %d times, bounded %d times, of %d", found, around, trials)
	}
}

// TestCompareFew wants the interval of few pairs to be their range.
func TestCompareFew(t *testing.T) {
	for n := 1; n < MinPairs; n++ {
		a, b := measured(uint64(n), n, 0)
		c, err := Compare(a, b)
		if err != nil {
			t.Fatal(err)
		}
		ratios := make([]float64, n)
		for i := range ratios {
			ratios[i] = a[i] / b[i]
		}
		if math.Abs(c.Lo/slices.Min(ratios)-1) > 1e-12 || math.Abs(c.Hi/slices.Max(ratios)-1) > 1e-12 {
			t.Errorf("%d pairs: [%v, %v] of %v", n, c.Lo, c.Hi, ratios)
		}
	}
}

func TestCompareRefuses(t *testing.T) {
	for _, c := range [][2][]float64{{{1}, {1, 2}}, {{}, {}}, {{-1}, {1}}, {{1}, {math.NaN()}}} {
		if _, err := Compare(c[0], c[1]); err == nil {
			t.Errorf("%v was compared", c)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		comparison Comparison
		want       string
	}{
		{Comparison{Pairs: 10, Ratio: 1.1, Lo: 1.05, Hi: 1.2, P: 0.002}, "A faster by 10.0 % [5.0, 20.0]"},
		{Comparison{Pairs: 10, Ratio: 0.8, Lo: 0.5, Hi: 0.9, P: 0.002}, "B faster by 25.0 % [11.1, 100.0]"},
		{Comparison{Pairs: 10, Ratio: 1.1, Lo: 0.99, Hi: 1.2, P: 0.11}, "no difference"},
		{Comparison{Pairs: 5, Ratio: 1.1, Lo: 1.05, Hi: 1.2, P: 0.06}, "no difference shown: 5 pairs cannot show one, 6 can"},
	} {
		if got := c.comparison.Verdict("A", "B"); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestWorseThanAnyFigure wants values that are no figures to count as what they are: the median moves to their side, and
// where most are so, there is none.
func TestWorseThanAnyFigure(t *testing.T) {
	worst := math.Inf(1)
	for _, c := range []struct {
		values []float64
		median float64
		figure bool
	}{
		{[]float64{75, worst, worst, worst, worst, worst}, worst, false},
		{[]float64{1, 2, 3, worst, worst, worst}, worst, false},
		{[]float64{1, 2, 3, 4, worst, worst}, 3.5, true},
		{[]float64{worst}, worst, false},
		{[]float64{math.Inf(-1), 5, 7}, 5, true},
	} {
		got := Median(c.values)
		if got.N != len(c.values) || got.Median != c.median || got.IsFigure() != c.figure {
			t.Errorf("of %v: %+v, a figure: %v", c.values, got, got.IsFigure())
		}
	}
	if s := Median([]float64{1, worst, worst, worst}); s.Hi != worst || !s.Noisy() {
		t.Errorf("of one figure in four: %+v, noisy: %v", s, s.Noisy())
	}
}

// TestCompareWithRunsThatDidNotHold wants a pair with one such run to be won by the other, one with two to be a tie, and
// zero to be a value like any other.
func TestCompareWithRunsThatDidNotHold(t *testing.T) {
	worst := math.Inf(1)
	c, err := Compare([]float64{worst, worst, 3, 0, 0}, []float64{2, worst, worst, 0, 5})
	if err != nil || c.Pairs != 5 || c.Wins != 1 || c.Losses != 2 || c.Ratio != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = Compare([]float64{1, 1, 1, 1, 1, 1}, []float64{worst, worst, worst, worst, worst, 2})
	if err != nil || c.Losses != 6 || c.Ratio != 0 || !c.Different() || c.Verdict("A", "B") != "B ahead: most runs of the other did not hold" {
		t.Errorf("%+v, %v: %s", c, err, c.Verdict("A", "B"))
	}
}

// TestUnpaired compares with the tables of Mann and Whitney (1947): at 5 %, two-sided, samples of 4 and 4 need U = 0, of 5
// and 5 U <= 2, of 6 and 6 U <= 5, of 10 and 10 U <= 23; of 3 and 3 nothing can be shown.
func TestUnpaired(t *testing.T) {
	for n, want := range map[int]int{4: 0, 5: 2, 6: 5, 10: 23} {
		if got := critical(n, n); got != want {
			t.Errorf("%d and %d: U <= %d shows a difference, want %d", n, n, got, want)
		}
	}
	u, err := CompareUnpaired(seq(3), []float64{100, 200, 300})
	if err != nil || u.Different() || !u.IsRange() || math.Abs(u.Lo-0.01/3) > 1e-9 || math.Abs(u.Hi-0.03) > 1e-9 {
		t.Errorf("three of each: %+v, %v", u, err)
	}
	u, err = CompareUnpaired([]float64{8, 8, 8, 8, 8, 8}, []float64{4, 4, 4, 4, 4, 4})
	if err != nil || !u.Different() || u.IsRange() || math.Abs(u.Ratio-2) > 1e-12 {
		t.Errorf("twice as much: %+v, %v", u, err)
	}
	if _, err := CompareUnpaired(nil, []float64{1}); err == nil {
		t.Error("nothing was compared with something")
	}
	if _, err := CompareUnpaired([]float64{-1}, []float64{1}); err == nil {
		t.Error("a negative value was compared")
	}
}

// TestUnpairedIntervalIsTheTest wants the two never to contradict each other, with ties and with runs that did not hold.
func TestUnpairedIntervalIsTheTest(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	draw := func(n int, shift float64) []float64 {
		values := make([]float64, n)
		for i := range values {
			values[i] = max(0, math.Round(10+3*random.NormFloat64())) + shift
			if random.IntN(8) == 0 {
				values[i] = math.Inf(1)
			}
		}
		return values
	}
	different := 0
	for range 2000 {
		u, err := CompareUnpaired(draw(3+random.IntN(8), 0), draw(3+random.IntN(8), float64(random.IntN(9))))
		if err != nil {
			t.Fatal(err)
		}
		if out := u.Lo > 1 || u.Hi < 1; !u.IsRange() && out != u.Different() || u.IsRange() && u.Different() {
			t.Fatalf("%+v: the interval leaves out 1: %v, the test says different: %v", u, out, u.Different())
		}
		if u.Different() {
			different++
		}
	}
	if different < 200 || different > 1800 {
		t.Errorf("%d of 2000 differ: one of the two is not tested", different)
	}
}
