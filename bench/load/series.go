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
	Name    string         `json:"name"`
	Rate    Rate           `json:"rate"` // 0: the closed-loop probe
	Result  *record.Result `json:"result"`
	Holds   bool           `json:"holds"` // the schedule was held and the objective met
	Outcome *Outcome       `json:"-"`
}

// holds reports whether a run kept up with its schedule and met the objective: goodput and latency both count.
func holds(cfg *Config, o *Outcome) bool {
	r := o.Result
	return r.Verdict != record.Invalid &&
		float64(r.Ops.OK) >= scheduleHeld*float64(r.Ops.Scheduled) &&
		cfg.Objective.Met(o.Set.Intended)
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
	return Point{Name: name, Rate: rate, Result: outcome.Result, Holds: holds(&at, outcome), Outcome: outcome}, nil
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
