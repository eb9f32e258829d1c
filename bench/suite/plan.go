package suite

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Planned is one run to make.
type Planned struct {
	// ID names the run by kind, cell, repeat and seed, so that it is the same in every plan that contains it.
	ID   string `json:"id"`
	Kind string `json:"kind"`
	Cell Cell   `json:"cell"`
	// Repeat counts from 1.
	Repeat int `json:"repeat"`
	// Order is the run's place in the plan, from 1.
	Order int `json:"order"`
	// Seed determines keys, values and arrivals of the load.
	Seed uint64 `json:"seed"`
}

// Plan lists the runs of a suite. Each cell with KnobLoad needs to know what 100% is: the plan begins with probes of
// these cells without their load, as many of each as there are repeats. Then come the repeats, each of which visits
// all cells in an order of its own, so that a drift of the machine does not look like an effect of an axis. Equal
// arguments give equal plans.
func (s *Suite) Plan(seed uint64, repeats int) []Planned {
	var plan []Planned
	add := func(kind string, repeat int, cells []Cell) {
		order := rand.New(rand.NewPCG(seed, uint64(len(plan)))).Perm(len(cells))
		for _, i := range order {
			plan = append(plan, planned(kind, cells[i], repeat, seed))
			plan[len(plan)-1].Order = len(plan)
		}
	}
	cells := s.Cells()
	probes := s.probes(cells)
	for repeat := 1; repeat <= repeats; repeat++ {
		add(KindProbe, repeat, probes)
	}
	for repeat := 1; repeat <= repeats; repeat++ {
		add(KindRun, repeat, cells)
	}
	return plan
}

func planned(kind string, cell Cell, repeat int, seed uint64) Planned {
	id := digest(fmt.Sprintf("%s %s %d %d", kind, cell, repeat, seed))
	own := rand.New(rand.NewPCG(seed, uint64(repeat))).Uint64N(1 << 32) // equal for all cells of a repeat
	return Planned{ID: id, Kind: kind, Cell: cell, Repeat: repeat, Seed: own}
}

// probes returns the cells whose saturation has to be known, each once.
func (s *Suite) probes(cells []Cell) []Cell {
	var probes []Cell
	seen := make(map[string]bool)
	for _, c := range cells {
		if s.Settings(c).Get(KnobLoad) == "" {
			continue
		}
		if probe := c.Without(KnobLoad); !seen[probe.String()] {
			seen[probe.String()] = true
			probes = append(probes, probe)
		}
	}
	return probes
}

// Select returns the planned runs whose cells match any of the patterns, and the probes these depend on. Without
// patterns it returns all.
func Select(plan []Planned, patterns []Cell) []Planned {
	if len(patterns) == 0 {
		return plan
	}
	wanted := func(p Planned) bool { return p.Kind == KindRun && matchesAny(p.Cell, patterns) }
	probed := make(map[string]bool)
	for _, p := range plan {
		if wanted(p) {
			probed[p.Cell.Without(KnobLoad).String()] = true
		}
	}
	var selected []Planned
	for _, p := range plan {
		if wanted(p) || p.Kind == KindProbe && probed[p.Cell.String()] {
			selected = append(selected, p)
		}
	}
	return selected
}

// perRun is what a run takes beside warm-up and measurement: starting and stopping the cluster, electing a leader,
// connecting, and awaiting the last answers. It is what such runs took on two cores.
const perRun = 1800 * time.Millisecond

// Estimate returns how long planned runs will take, with the given warm-up and length of measurement.
func Estimate(plan []Planned, warmup, duration time.Duration) time.Duration {
	return time.Duration(len(plan)) * (warmup + duration + perRun)
}
