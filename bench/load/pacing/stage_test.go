package pacing

import (
	"math"
	"strings"
	"testing"
	"time"
)

func parseStages(t *testing.T, texts ...string) []Stage {
	t.Helper()
	stages := make([]Stage, len(texts))
	for i, text := range texts {
		if err := stages[i].UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if stages[i].String() != text {
			t.Errorf("%q has become %q", text, stages[i])
		}
	}
	return stages
}

func TestStageTexts(t *testing.T) {
	for text, want := range map[string]string{
		"10s":            "want a length and a rate",
		"100k":           "want a length and a rate",
		"ten 100k":       "want a length and a rate",
		"0s 100k":        "want a length and a rate",
		"10s 0":          "must be positive",
		"10s 100k..":     "rate \"\"",
		"10s 100k..200m": "write M for a million",
	} {
		if err := new(Stage).UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Every arrival process keeps the rates of the stages, at their ends and within them, also when threads and generators share
// them.
func TestStagesKeepTheirRates(t *testing.T) {
	stages := parseStages(t, "2s 1k", "1s 10k", "3s 10k..1k", "2s 1k..5k")
	for _, arrival := range []string{"constant", "poisson", "burst:10"} {
		s := Schedule{Arrival: parseArrival(t, arrival)}
		s.SetStages(stages)
		counts := make([]int, 80) // in tenths of a second
		for thread := range 2 {
			last, p := time.Duration(0), s.Pacer(thread, 2, alone, 7, false)
			for at := p.Next(); at < 8*time.Second; at = p.Next() {
				if at < last {
					t.Fatalf("%s: due at %v after %v", arrival, at, last)
				}
				last = at
				counts[at/(100*time.Millisecond)]++
			}
			if p.Next() < Never/2 {
				t.Errorf("%s: more is due behind the end", arrival)
			}
		}
		for i, got := range counts {
			from, to := time.Duration(i)*100*time.Millisecond, time.Duration(i+1)*100*time.Millisecond
			want := s.Due(from, to)
			tolerance := 2.0
			switch arrival {
			case "poisson":
				tolerance = 5 * math.Sqrt(want)
			case "burst:10":
				tolerance = 20
			}
			if math.Abs(float64(got)-want) > tolerance {
				t.Errorf("%s: %d operations are due in the %d. tenth of a second, want %.0f", arrival, got, i, want)
			}
		}
	}
	if due := dueIn(stages, 8*time.Second); math.Abs(due-34_500) > 1e-6 {
		t.Errorf("%v operations are due in all", due)
	}
}
