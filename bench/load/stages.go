package load

import (
	"fmt"
	"math"
	"strings"
	"time"

	"paxosbench/bench/record"
)

// Stage is a part of an open loop's measurement with a rate of its own, written '10s 100k', or '10s 100k..200k' if the rate
// changes evenly from the first to the second.
type Stage struct {
	Length   time.Duration
	From, To Rate // in operations per second
}

// UnmarshalText parses a stage.
func (s *Stage) UnmarshalText(text []byte) error {
	length, rates, ok := strings.Cut(strings.TrimSpace(string(text)), " ")
	from, to, changes := strings.Cut(strings.TrimSpace(rates), "..")
	if !changes {
		to = from
	}
	var parsed Stage
	var err error
	if parsed.Length, err = time.ParseDuration(length); err != nil || !ok || parsed.Length <= 0 {
		return fmt.Errorf("stage %q: want a length and a rate, as in '10s 100k', or two rates, as in '10s 100k..200k'", text)
	}
	for _, part := range []struct {
		text string
		into *Rate
	}{{from, &parsed.From}, {to, &parsed.To}} {
		if err := part.into.UnmarshalText([]byte(part.text)); err != nil {
			return fmt.Errorf("stage %q: %w", text, err)
		}
	}
	*s = parsed
	return nil
}

// rates renders the rates in the form that UnmarshalText reads.
func (s Stage) rates() string {
	if s.From == s.To {
		return s.From.String()
	}
	return s.From.String() + ".." + s.To.String()
}

// String renders the stage in the form that UnmarshalText reads.
func (s Stage) String() string { return s.Length.String() + " " + s.rates() }

// MarshalText renders the stage as String does.
func (s Stage) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// due returns how many operations are due in the stage up to a time from its beginning.
func (s *Stage) due(t time.Duration) float64 {
	seconds := t.Seconds()
	return float64(s.From)*seconds + s.slope()*seconds*seconds/2
}

// slope is by how much the rate rises in a second.
func (s *Stage) slope() float64 { return float64(s.To-s.From) / s.Length.Seconds() }

// when returns the time from the stage's beginning up to which so many operations are due: due solved for the time.
func (s *Stage) when(due float64) time.Duration {
	from, slope := float64(s.From), s.slope()
	// The usual form of the solution divides by the slope; this one takes a slope of zero as well.
	seconds := 2 * due / (from + math.Sqrt(max(0, from*from+2*slope*due)))
	return min(s.Length, time.Duration(seconds*float64(time.Second)))
}

// stagesLength returns how long stages last together.
func stagesLength(stages []Stage) (sum time.Duration) {
	for _, s := range stages {
		sum += s.Length
	}
	return sum
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

// SetStages makes the configuration one of stages: an open loop that lasts as long as they do. Its rate is their mean.
func (c *Config) SetStages(stages []Stage) {
	c.Stages, c.Open, c.Duration = stages, true, stagesLength(stages)
	c.Rate = Rate(dueIn(stages, c.Duration) / c.Duration.Seconds())
}

// peak returns the highest rate that there is.
func (c *Config) peak() Rate {
	peak := c.Rate
	for _, s := range c.Stages {
		peak = max(peak, s.From, s.To)
	}
	return peak
}

// validateStages reports what is wrong with stages.
func (c *Config) validateStages() (errs []error) {
	for _, s := range c.Stages {
		if s.Length%c.Interval != 0 {
			errs = append(errs, fmt.Errorf("stage '%v' is no multiple of the interval of %v, so its figures cannot be told from the next one's: change --interval",
				s, c.Interval))
		}
		if s.From > maxRate || s.To > maxRate {
			errs = append(errs, fmt.Errorf("stage '%v': rates up to %v", s, maxRate))
		}
	}
	return errs
}

// stagePacer spreads the arrivals of a process of one operation a second over stages: what that one would have due after n
// seconds is due when n operations are.
type stagePacer struct {
	process Pacer
	stages  []Stage
	start   time.Duration // of the first of them
	before  float64       // operations due before it
}

func (p *stagePacer) Next() time.Duration {
	n := p.process.Next().Seconds()
	for len(p.stages) > 0 {
		s := &p.stages[0]
		if due := s.due(s.Length); n-p.before >= due {
			p.before += due
			p.start += s.Length
			p.stages = p.stages[1:]
			continue
		}
		return p.start + s.when(n-p.before)
	}
	return never / 2 // behind the end, also if the beginning is added
}

// pacer returns a thread's schedule of a measurement, or of a warm-up, which has the rate of the first stage.
func (c *Config) pacer(thread int, seed uint64, warmup bool) Pacer {
	switch {
	case len(c.Stages) == 0:
		return c.Arrival.Pacer(c.Rate, thread, c.Threads, c.Generator, seed)
	case warmup:
		return c.Arrival.Pacer(c.Stages[0].From, thread, c.Threads, c.Generator, seed)
	}
	return &stagePacer{process: c.Arrival.Pacer(1, thread, c.Threads, c.Generator, seed), stages: c.Stages}
}

// due returns how many operations become due between two times of the measurement, of all threads.
func (c *Config) due(from, to time.Duration) float64 {
	if len(c.Stages) == 0 {
		return (to - from).Seconds() * float64(c.Rate)
	}
	return dueIn(c.Stages, to) - dueIn(c.Stages, from)
}

// stageSums adds up the intervals of every stage.
type stageSums struct {
	stages []Stage
	sets   []*record.Set
}

func newStageSums(stages []Stage) *stageSums {
	s := &stageSums{stages: stages}
	for range stages {
		s.sets = append(s.sets, record.NewSet())
	}
	return s
}

// add adds an interval to the stage that it lies in; what is answered in the drain belongs to the last one.
func (s *stageSums) add(set *record.Set) {
	end := time.Duration(0)
	for i, stage := range s.stages {
		end += stage.Length
		if set.Start < end && !set.Drain || i == len(s.stages)-1 {
			s.sets[i].Merge(set)
			return
		}
	}
}

// describe returns what came of the stages.
func (s *stageSums) describe() (described []record.Stage) {
	at := time.Duration(0)
	for i, stage := range s.stages {
		set := s.sets[i]
		described = append(described, record.Stage{
			AtS: at.Seconds(), LengthS: stage.Length.Seconds(), Rate: stage.rates(), Ops: set.Counts,
			OpsPerS: float64(set.Counts.OK) / stage.Length.Seconds(), Latency: set.Intended.Summary(), Service: set.Service.Summary(),
		})
		at += stage.Length
	}
	return described
}
