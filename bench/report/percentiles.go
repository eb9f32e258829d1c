package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"paxosbench/bench/record"
)

// Measure names one of a run's histograms: intended, service, send-lag or failed. The zero Measure is intended, the
// headline.
type Measure string

var measures = map[Measure]func(*record.Set) *record.Histogram{
	"intended": func(s *record.Set) *record.Histogram { return s.Intended },
	"service":  func(s *record.Set) *record.Histogram { return s.Service },
	"send-lag": func(s *record.Set) *record.Histogram { return s.SendLag },
	"failed":   func(s *record.Set) *record.Histogram { return s.Failure },
}

// Measures lists the names.
func Measures() []string {
	var names []string
	for _, m := range slices.Sorted(maps.Keys(measures)) {
		names = append(names, string(m))
	}
	return names
}

// UnmarshalText checks a measure's name.
func (m *Measure) UnmarshalText(text []byte) error {
	if measures[Measure(text)] == nil {
		return fmt.Errorf("histogram %q: want one of %s", text, strings.Join(Measures(), ", "))
	}
	*m = Measure(text)
	return nil
}

// Percentiles writes the percentile table (.hgrm) of one histogram of one run, in milliseconds, with the given number
// of lines per halving of the distance to 100 %.
func Percentiles(w io.Writer, runs []*record.Run, of Measure, ticks int) error {
	run, err := one(runs, "hgrm")
	if err != nil {
		return err
	}
	set, err := run.Result.HDR.Set()
	if err != nil {
		return err
	}
	if of == "" {
		of = "intended"
	}
	return measures[of](set).WritePercentiles(w, ticks)
}
