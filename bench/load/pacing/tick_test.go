package pacing

import (
	"testing"
	"time"

	"paxosbench/bench/load/units"
)

func parseTick(t *testing.T, text string) Tick {
	t.Helper()
	var tick Tick
	if err := tick.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if tick.String() != text {
		t.Errorf("%q is written %q", text, tick)
	}
	return tick
}

func TestAutomaticTickFollowsTheRate(t *testing.T) {
	auto := parseTick(t, "auto")
	for _, tt := range []struct {
		rate units.Rate
		want time.Duration
	}{
		{1e-3, 20 * time.Microsecond},
		{100, 20 * time.Microsecond},
		{10_000, 20 * time.Microsecond},
		{20_000, 40 * time.Microsecond},
		{50_000, 100 * time.Microsecond},
		{1e6, 100 * time.Microsecond},
		{maxRate, 100 * time.Microsecond},
	} {
		if got := auto.Of(tt.rate); got != tt.want {
			t.Errorf("%v a second: tick %v, want %v", tt.rate, got, tt.want)
		}
	}
	if auto != (Tick{}) {
		t.Error("the tick is not automatic unless something else is said")
	}
}

func TestGivenTickIsKept(t *testing.T) {
	for _, text := range []string{"0s", "1µs", "250µs", "1s"} {
		want, _ := time.ParseDuration(text)
		for _, rate := range []units.Rate{1, 1e6} {
			if got := parseTick(t, text).Of(rate); got != want {
				t.Errorf("tick %s at %v a second: %v", text, rate, got)
			}
		}
	}
	for _, text := range []string{"", "-1us", "20", "automatic"} {
		if err := new(Tick).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("tick %q is accepted", text)
		}
	}
}
