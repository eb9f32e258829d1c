package pacing

import (
	"errors"
	"fmt"
	"math"
	"time"

	"paxosbench/bench/load/units"
)

// Schedule is when the operations of an open loop are due.
type Schedule struct {
	Rate    units.Rate // in operations per second, of all threads
	Stages  []Stage    // of the measurement; none: it has one rate
	Arrival Arrival
	Tick    Tick
}

// Rates are bounded to what can be scheduled in nanoseconds and counted at all.
const (
	minRate = units.Rate(1e-3)
	maxRate = units.Rate(1e9)
)

// Never is later than anything that is due.
const Never = time.Duration(math.MaxInt64)

// Validate reports everything that is wrong with the schedule of a measurement that is recorded in intervals.
func (s *Schedule) Validate(interval time.Duration) error {
	var errs []error
	if s.Rate < minRate || s.Rate > maxRate {
		errs = append(errs, fmt.Errorf("rate %v: from %v to %v", s.Rate, minRate, maxRate))
	}
	for _, stage := range s.Stages {
		if stage.Length%interval != 0 {
			errs = append(errs, fmt.Errorf("stage '%v' is no multiple of the interval of %v, so its figures cannot be told from the next one's: change --interval",
				stage, interval))
		}
		if stage.From > maxRate || stage.To > maxRate {
			errs = append(errs, fmt.Errorf("stage '%v': rates up to %v", stage, maxRate))
		}
	}
	return errors.Join(errs...)
}

// SetStages makes the schedule one of stages, whose mean is its rate, and returns how long they last together.
func (s *Schedule) SetStages(stages []Stage) (length time.Duration) {
	for _, stage := range stages {
		length += stage.Length
	}
	s.Stages, s.Rate = stages, units.Rate(dueIn(stages, length)/length.Seconds())
	return length
}

// Peak returns the highest rate that there is.
func (s *Schedule) Peak() units.Rate {
	peak := s.Rate
	for _, stage := range s.Stages {
		peak = max(peak, stage.From, stage.To)
	}
	return peak
}

// LeastGap returns the least time between two sends of each of several threads.
func (s *Schedule) LeastGap(threads int) time.Duration {
	return s.Tick.Of(s.Peak() / units.Rate(threads))
}

// Pacer returns a thread's schedule of a measurement, or of a warm-up, which has the rate of the first stage.
func (s *Schedule) Pacer(thread, threads int, generator units.GeneratorID, seed uint64, warmup bool) Pacer {
	switch {
	case len(s.Stages) == 0:
		return s.Arrival.Pacer(s.Rate, thread, threads, generator, seed)
	case warmup:
		return s.Arrival.Pacer(s.Stages[0].From, thread, threads, generator, seed)
	}
	return &stagePacer{process: s.Arrival.Pacer(1, thread, threads, generator, seed), stages: s.Stages}
}

// Due returns how many operations become due between two times of the measurement, of all threads.
func (s *Schedule) Due(from, to time.Duration) float64 {
	if len(s.Stages) == 0 {
		return (to - from).Seconds() * float64(s.Rate)
	}
	return dueIn(s.Stages, to) - dueIn(s.Stages, from)
}

// dueIn returns how many operations are due in stages up to a time from their beginning.
func dueIn(stages []Stage, t time.Duration) (sum float64) {
	for i := range stages {
		part := min(t, stages[i].Length)
		sum += stages[i].due(part)
		t -= part
	}
	return sum
}
