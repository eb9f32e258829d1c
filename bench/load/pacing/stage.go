package pacing

import (
	"fmt"
	"math"
	"strings"
	"time"

	"paxosbench/bench/load/units"
)

// Stage is a part of an open loop's measurement with a rate of its own, written '10s 100k', or '10s 100k..200k' if the rate
// changes evenly from the first to the second.
type Stage struct {
	Length   time.Duration
	From, To units.Rate // in operations per second
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
		into *units.Rate
	}{{from, &parsed.From}, {to, &parsed.To}} {
		if err := part.into.UnmarshalText([]byte(part.text)); err != nil {
			return fmt.Errorf("stage %q: %w", text, err)
		}
	}
	*s = parsed
	return nil
}

// Rates renders the rates in the form that UnmarshalText reads.
func (s Stage) Rates() string {
	if s.From == s.To {
		return s.From.String()
	}
	return s.From.String() + ".." + s.To.String()
}

// String renders the stage in the form that UnmarshalText reads.
func (s Stage) String() string { return s.Length.String() + " " + s.Rates() }

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
	return Never / 2 // behind the end, also if the beginning is added
}
