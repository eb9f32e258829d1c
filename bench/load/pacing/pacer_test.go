package pacing

import (
	"math"
	"slices"
	"testing"
	"time"

	"paxosbench/bench/load/draw"
	"paxosbench/bench/load/units"
)

// alone is the only generator.
var alone = units.GeneratorID{Of: 1}

func parseArrival(t *testing.T, text string) Arrival {
	t.Helper()
	var a Arrival
	if err := a.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConstantScheduleIsFractionalAndAbsolute(t *testing.T) {
	p := parseArrival(t, "constant").Pacer(3, 0, 1, alone, 0)
	for i, want := range []time.Duration{0, 333333333, 666666666, 1e9, 1333333333} {
		if got := p.Next(); got != want {
			t.Errorf("operation %d is due at %v, want %v", i, got, want)
		}
	}
	// After ten million operations of a third of a second each, nothing has piled up.
	p = &steadyPacer{gap: 1e9 / 3.0, burst: 1, k: 1e7}
	if got, want := p.Next(), time.Duration(3333333333333333); (got - want).Abs() > 1 {
		t.Errorf("due at %v, want %v", got, want)
	}
}

func TestThreadsShareASchedule(t *testing.T) {
	var both []time.Duration
	for thread := range 2 {
		p := parseArrival(t, "constant").Pacer(1000, thread, 2, alone, 0)
		for range 50 {
			both = append(both, p.Next())
		}
	}
	slices.Sort(both)
	for i, at := range both {
		if want := time.Duration(i) * time.Millisecond; at != want {
			t.Fatalf("operation %d of both threads is due at %v, want %v", i, at, want)
		}
	}
}

func TestBurstsAreDueTogether(t *testing.T) {
	p := parseArrival(t, "burst:4").Pacer(1000, 0, 1, alone, 0)
	for i := range 20 {
		if got, want := p.Next(), time.Duration(i/4)*4*time.Millisecond; got != want {
			t.Errorf("operation %d is due at %v, want %v", i, got, want)
		}
	}
}

// TestPoissonGaps compares the gaps with the exponential distribution: mean, standard deviation and the
// Kolmogorov-Smirnov distance. Seed 1, 100,000 gaps; the tolerances are those of the 99.9 % level.
func TestPoissonGaps(t *testing.T) {
	const n, mean = 100_000, float64(time.Millisecond)
	p := parseArrival(t, "poisson").Pacer(1000, 0, 1, alone, 1)
	gaps := make([]float64, n)
	last := time.Duration(0)
	sum, squares := 0.0, 0.0
	for i := range gaps {
		at := p.Next()
		if at < last {
			t.Fatalf("operation %d is due before the one before it", i)
		}
		gaps[i] = float64(at - last)
		last = at
		sum += gaps[i]
		squares += gaps[i] * gaps[i]
	}
	average := sum / n
	deviation := math.Sqrt(squares/n - average*average)
	if math.Abs(average/mean-1) > 0.0105 {
		t.Errorf("mean gap %.0f ns, want %.0f within 1.05 %%", average, mean)
	}
	if math.Abs(deviation/mean-1) > 0.021 {
		t.Errorf("standard deviation %.0f ns, want the mean's %.0f within 2.1 %%", deviation, mean)
	}
	slices.Sort(gaps)
	distance := 0.0
	for i, g := range gaps {
		distance = max(distance, math.Abs(1-math.Exp(-g/mean)-float64(i)/n))
	}
	if limit := 1.95 / math.Sqrt(n); distance > limit {
		t.Errorf("Kolmogorov-Smirnov distance %.5f from the exponential distribution, limit %.5f", distance, limit)
	}
}

// Generators of one rate and one seed are not in step: constant arrivals interleave, Poisson's are drawn apart.
func TestGeneratorsDoNotArriveInStep(t *testing.T) {
	const n = 3
	var all []time.Duration
	for index := range n {
		for thread := range 2 {
			p := parseArrival(t, "constant").Pacer(1000, thread, 2, units.GeneratorID{Index: index, Of: n}, 0)
			for range 50 {
				all = append(all, p.Next())
			}
		}
	}
	slices.Sort(all)
	for i := 1; i < len(all); i++ {
		if gap := all[i] - all[i-1]; (gap - time.Millisecond/n).Abs() > 2 {
			t.Fatalf("arrivals %d and %d of all generators are %v apart, want a third of a millisecond", i-1, i, gap)
		}
	}

	// Arrivals of independent sources add up: the variance of counts is their mean. In step it is n times that.
	counts := make([]float64, 1000) // in intervals of 10 ms
	for index := range n {
		p := parseArrival(t, "poisson").Pacer(2000, 0, 1, units.GeneratorID{Index: index, Of: n}, draw.Word(1, draw.Measurement, index))
		for at := p.Next(); at < 10*time.Second; at = p.Next() {
			counts[at/(10*time.Millisecond)]++
		}
	}
	mean, variance := 0.0, 0.0
	for _, c := range counts {
		mean += c / float64(len(counts))
	}
	for _, c := range counts {
		variance += (c - mean) * (c - mean) / float64(len(counts))
	}
	if ratio := variance / mean; ratio < 0.8 || ratio > 1.2 {
		t.Errorf("arrivals of %d generators have a variance of %.1f at a mean of %.1f: not independent", n, variance, mean)
	}
}
