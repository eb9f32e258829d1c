package load

import (
	"context"
	"fmt"
	"math"

	"paxosbench/bench/record"
)

// Runner carries out one run of a series at one rate (0: a closed loop) and keeps its files under the given name.
type Runner func(ctx context.Context, cfg *Config, name string) (*Outcome, error)

// Point is one run of a ramp or a search.
type Point struct {
	Name   string         `json:"name"`
	Rate   Rate           `json:"rate"` // 0: the closed-loop probe
	Result *record.Result `json:"result"`
	Holds  bool           `json:"holds"` // it fell short of nothing
	// Shortfalls lists what it fell short of, with figures: checks that make a run invalid, goodput, the objective.
	Shortfalls []string `json:"shortfalls,omitempty"`
	Outcome    *Outcome `json:"-"`
}

// shortfalls lists why a run does not count as held. Goodput and latency both count: a rate that is answered late, or
// in part, is not one that the cluster serves.
func shortfalls(cfg *Config, o *Outcome) []string {
	var short []string
	for _, c := range o.Result.Checks {
		if c.Failed() && (c.Severity == record.Invalid || c.Name == checkAnswered) {
			value, limit := c.Text()
			short = append(short, fmt.Sprintf("%s %s (limit %s)", c.Name, value, limit))
		}
	}
	if !cfg.Objective.Met(o.Set.Intended) {
		short = append(short, fmt.Sprintf("objective %v: %s", cfg.Objective, record.Ns(int64(o.Set.Intended.Percentile(cfg.Objective.Percentile)))))
	}
	return short
}

// atRate runs one point.
func atRate(ctx context.Context, cfg *Config, rate Rate, run Runner) (Point, error) {
	at := *cfg
	at.Rate = rate
	name := "probe"
	if rate > 0 {
		at.Window = 0
		name = fmt.Sprintf("rate-%010.0f", float64(rate))
	}
	outcome, err := run(ctx, &at, name)
	if err != nil {
		return Point{}, err
	}
	short := shortfalls(&at, outcome)
	return Point{Name: name, Rate: rate, Result: outcome.Result, Holds: len(short) == 0, Shortfalls: short, Outcome: outcome}, nil
}

// Ramp runs one open loop after the other at steps rates from the first to the last, evenly spaced. It goes on past
// the rate at which the schedule is no longer held: the knee is what one wants to see. each is told about every point.
func Ramp(ctx context.Context, cfg *Config, from, to Rate, steps int, run Runner, each func(Point)) ([]Point, error) {
	var points []Point
	for i := range steps {
		rate := from
		if steps > 1 {
			rate += (to - from) * Rate(i) / Rate(steps-1)
		}
		point, err := atRate(ctx, cfg, Rate(math.Round(float64(rate))), run)
		if err != nil {
			return points, err
		}
		points = append(points, point)
		each(point)
		if point.Outcome.Interrupted {
			break
		}
	}
	return points, nil
}

const (
	// searchAbove is where a search begins, relative to what a closed loop reaches.
	searchAbove = 1.05
	// searchBelow is where it gives up.
	searchBelow = 1.0 / 128
)

// LowestNotHeld returns the point of an open loop that, of those not held, had the lowest rate: the one that ended a
// search. It is nil if every rate was held.
func LowestNotHeld(points []Point) *Point {
	var lowest *Point
	for i := range points {
		p := &points[i]
		if p.Rate > 0 && !p.Holds && (lowest == nil || p.Rate < lowest.Rate) {
			lowest = p
		}
	}
	return lowest
}

// Search looks for the highest rate that is held and meets the objective. A closed-loop probe tells where to begin;
// from there on the interval is halved until it is narrower than precision, relative to its lower end. It returns
// every point and the best one, nil if none holds.
func Search(ctx context.Context, cfg *Config, precision float64, run Runner, each func(Point)) ([]Point, *Point, error) {
	probe, err := atRate(ctx, cfg, 0, run)
	if err != nil {
		return nil, nil, err
	}
	points := []Point{probe}
	each(probe)
	var best *Point
	peak := probe.Result.ThroughputOpsPerS
	low, high := 0.0, peak*searchAbove
	for !points[len(points)-1].Outcome.Interrupted && high > max(low*(1+precision), peak*searchBelow) {
		rate := (low + high) / 2
		if len(points) == 1 {
			rate = high
		}
		point, err := atRate(ctx, cfg, Rate(math.Round(rate)), run)
		if err != nil {
			return points, best, err
		}
		points = append(points, point)
		each(point)
		if point.Holds {
			low, best = rate, &point
		} else {
			high = rate
		}
	}
	return points, best, nil
}
