package load

import (
	"context"
	"fmt"
	"math"
	"slices"

	"paxosbench/bench/load/units"
	"paxosbench/bench/load/verdict"
	"paxosbench/bench/record"
)

// Runner carries out one run of a series, an open loop or the closed one of a probe, and keeps its files under the given name.
type Runner func(ctx context.Context, cfg *Config, name string) (*Outcome, error)

// Point is one run of a ramp or a search.
type Point struct {
	Name   string         `json:"name"`
	Rate   units.Rate     `json:"rate"` // of an open loop; the probe has none
	Result *record.Result `json:"result"`
	Holds  bool           `json:"holds"` // it fell short of nothing
	// Shortfalls lists what it fell short of, with figures: checks that make a run invalid, goodput, the objective.
	Shortfalls []string `json:"shortfalls,omitempty"`
	Outcome    *Outcome `json:"-"`
}

// probeName is what the closed loop that begins a search is called.
const probeName = "probe"

// Open tells a point of an open loop from the probe.
func (p *Point) Open() bool { return p.Name != probeName }

// probe runs the closed loop that tells where to begin.
func probe(ctx context.Context, cfg *Config, run Runner) (Point, error) {
	return point(ctx, *cfg, probeName, run)
}

// atRate runs one open loop. before are the points before it, of which it must not take a name.
func atRate(ctx context.Context, cfg *Config, rate units.Rate, before []Point, run Runner) (Point, error) {
	at := *cfg
	at.Open, at.Rate, at.Window = true, rate, 0
	return point(ctx, at, rateName(rate, before), run)
}

// rateName names a rate so that names sort as rates do, and none comes twice.
func rateName(rate units.Rate, before []Point) string {
	name := fmt.Sprintf("rate-%010.0f", float64(rate))
	if rate != units.Rate(math.Round(float64(rate))) {
		name = fmt.Sprintf("rate-%014.3f", float64(rate))
	}
	unique := name
	for n := 2; slices.ContainsFunc(before, func(p Point) bool { return p.Name == unique }); n++ {
		unique = fmt.Sprintf("%s-%d", name, n)
	}
	return unique
}

// point carries out one run.
func point(ctx context.Context, at Config, name string, run Runner) (Point, error) {
	outcome, err := run(ctx, &at, name)
	if err != nil {
		return Point{}, err
	}
	short := verdict.Shortfalls(outcome.Result, outcome.Set.Intended, at.Objective)
	return Point{Name: name, Rate: at.Rate, Result: outcome.Result, Holds: len(short) == 0, Shortfalls: short, Outcome: outcome}, nil
}

// fine rounds rates to whole numbers, and those below a thousand to thousandths.
func fine(rate units.Rate) units.Rate {
	if rate >= 1000 {
		return units.Rate(math.Round(float64(rate)))
	}
	return units.Rate(math.Round(float64(rate)*1000) / 1000)
}

// Ramp runs one open loop after the other at steps rates from the first to the last, evenly spaced. It goes on past
// the rate at which the schedule is no longer held: the knee is what one wants to see. each is told about every point.
func Ramp(ctx context.Context, cfg *Config, from, to units.Rate, steps int, run Runner, each func(Point)) ([]Point, error) {
	var points []Point
	for i := range steps {
		rate := from
		if steps > 1 {
			rate += (to - from) * units.Rate(i) / units.Rate(steps-1)
		}
		point, err := atRate(ctx, cfg, fine(rate), points, run)
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

// LowestNotHeld returns the point of an open loop that, of those not held, had the lowest rate above the best one, which may
// be nil: the one that ended a search. It is nil if every such rate was held.
func LowestNotHeld(points []Point, best *Point) *Point {
	var lowest *Point
	for i := range points {
		p := &points[i]
		if p.Open() && !p.Holds && (best == nil || p.Rate > best.Rate) && (lowest == nil || p.Rate < lowest.Rate) {
			lowest = p
		}
	}
	return lowest
}

// Search looks for the highest rate that is held and meets the objective. A closed-loop probe tells where to begin;
// from there on the interval is halved until it is narrower than precision, relative to its lower end. No rate is decided by
// a single run. It returns every point and the best one, nil if none holds.
func Search(ctx context.Context, cfg *Config, precision float64, run Runner, each func(Point)) ([]Point, *Point, error) {
	first, err := probe(ctx, cfg, run)
	if err != nil {
		return nil, nil, err
	}
	points := []Point{first}
	each(first)
	var best *Point
	peak := first.Result.ThroughputOpsPerS
	low, high := 0.0, peak*searchAbove
	for !points[len(points)-1].Outcome.Interrupted && high > max(low*(1+precision), peak*searchBelow) {
		rate := (low + high) / 2
		if len(points) == 1 {
			rate = high
		}
		decided, err := decide(ctx, cfg, fine(units.Rate(rate)), &points, run, each)
		if err != nil || decided == nil {
			return points, best, err
		}
		if decided.Holds {
			low, best = rate, decided
		} else {
			high = rate
		}
	}
	return points, best, nil
}

// decide runs a rate until two runs of at most three say the same, and returns the last one that does: one that a busy
// moment has spoilt would send the search away from the knee for good, a lucky one beyond it. It returns nil if it was
// interrupted.
func decide(ctx context.Context, cfg *Config, rate units.Rate, points *[]Point, run Runner, each func(Point)) (*Point, error) {
	said := make(map[bool]int)
	for {
		point, err := atRate(ctx, cfg, rate, *points, run)
		if err != nil {
			return nil, err
		}
		*points = append(*points, point)
		each(point)
		if said[point.Holds]++; said[point.Holds] == 2 {
			return &point, nil
		}
		if point.Outcome.Interrupted {
			return nil, nil
		}
	}
}
