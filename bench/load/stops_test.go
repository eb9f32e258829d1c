package load

import (
	"context"
	"errors"
	"testing"
	"time"

	"paxosbench/bench/record"
)

// A stop is lateness that waiting for a processor does not explain.
func TestStopsAreLateInterrupts(t *testing.T) {
	type nap struct{ late, waited time.Duration }
	for _, tt := range []struct {
		name string
		naps []nap
		want stops
	}{
		{"nothing", nil, stops{}},
		{"in time", []nap{{0, 0}, {100 * time.Microsecond, 0}}, stops{looks: 2}},
		{"as late as a timer may be", []nap{{time.Millisecond, 0}}, stops{looks: 1}},
		{"a little later", []nap{{1100 * time.Microsecond, 0}}, stops{looks: 1, count: 1, longest: 1100 * time.Microsecond}},
		{"others had the processor", []nap{{12 * time.Millisecond, 11500 * time.Microsecond}}, stops{looks: 1}},
		{"others had it before the nap", []nap{{0, 5 * time.Millisecond}}, stops{looks: 1}},
		{"stopped, and then others had it", []nap{{14 * time.Millisecond, 3 * time.Millisecond}}, stops{looks: 1, count: 1, longest: 11 * time.Millisecond}},
		{"several", []nap{{14 * time.Millisecond, 0}, {0, 0}, {16 * time.Millisecond, 0}, {11 * time.Millisecond, 0}}, stops{looks: 4, count: 3, longest: 16 * time.Millisecond}},
	} {
		var got stops
		for _, n := range tt.naps {
			got.add(n.late, n.waited)
		}
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// What could not be watched is not described as a machine that never stood still.
func TestStopsAreDescribed(t *testing.T) {
	for _, tt := range []struct {
		found *stops
		want  record.Host
	}{
		{nil, record.Host{}},
		{&stops{}, record.Host{}},
		{&stops{looks: 40}, record.Host{Looks: 40}},
		{&stops{looks: 40, count: 3, longest: 16 * time.Millisecond}, record.Host{Looks: 40, Stops: 3, StoppedPercent: 7.5, LongestStopNs: 16e6}},
	} {
		var got record.Host
		if tt.found.describe(&got); got != tt.want {
			t.Errorf("%+v: %+v, want %+v", tt.found, got, tt.want)
		}
	}
}

func TestSchedstat(t *testing.T) {
	for _, tt := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"3446447 386330 2\n", 386330, true},
		{"0 0 1\n", 0, true},
		{"123456789012345 98765432109876 4000000000\n", 98765432109876, true},
		{"0 0 0\n", 0, false}, // the kernel does not keep them
		{"3446447 386330\n", 0, false},
		{"3446447 -1 2\n", 0, false},
		{"1 2 3 4\n", 0, false},
		{"not kept\n", 0, false},
		{"", 0, false},
	} {
		got, ok := parseSchedstat([]byte(tt.text))
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: %v, %v, want %v, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

// A watch ends when it is told to, and one of which nothing is known without figures.
func TestWatch(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want *stops
	}{
		{nil, &stops{looks: 3, count: 3, longest: 12 * time.Millisecond}},
		{errors.New("for a test"), nil},
	} {
		ctx, over := context.WithCancel(t.Context())
		looks := 0
		got := watch(ctx, 0, func() (late, waited time.Duration, _ error) {
			if looks++; looks == 3 {
				over()
			}
			return 12 * time.Millisecond, 0, tt.err
		})
		over()
		if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
			t.Errorf("%v: %+v, want %+v", tt.err, got, tt.want)
		}
	}
	ctx, over := context.WithCancel(t.Context())
	over()
	if got := watch(ctx, time.Hour, nil); got == nil || *got != (stops{}) {
		t.Errorf("over before it began: %+v", got)
	}
}

// The kernel's own figures can be read, nap after nap without allocating, and the watch ends when told to, also twice.
func TestSleeper(t *testing.T) {
	b, err := newBed()
	if err != nil {
		t.Skipf("this kernel does not tell: %v", err)
	}
	if n := testing.AllocsPerRun(5, func() {
		if _, _, err := b.nap(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per nap", n)
	}
	b.close()
	s := watchStops(time.Now())
	if first, again := s.end(), s.end(); first == nil || again != first {
		t.Errorf("watched %v, and then %v", first, again)
	}
}
