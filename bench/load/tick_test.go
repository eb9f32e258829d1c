package load

import (
	"testing"
	"time"

	"paxosbench/bench/client/clienttest"
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
		rate Rate
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
		for _, rate := range []Rate{1, 1e6} {
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

// Each thread has its share of the rate, and the tick that goes with it is in the result.
func TestTickInTheResult(t *testing.T) {
	cfg := testConfig()
	cfg.Open, cfg.Rate, cfg.Threads, cfg.Conns, cfg.Clients = true, 40_000, 2, 2, 2
	config, err := cfg.describe()
	if err != nil {
		t.Fatal(err)
	}
	if config["tick"] != "40µs" {
		t.Errorf("tick %v of two threads at 20,000 a second each, want 40µs", config["tick"])
	}
}

// Answers come much faster than the tick, and wake the loop each time: they must not bring the next send forward.
func TestAnswersDoNotShortenTheTick(t *testing.T) {
	server := listen(t, clienttest.Config{})
	cfg := shortConfig(server.Addr())
	cfg.Open, cfg.Conns, cfg.Clients, cfg.Rate, cfg.Window = true, 1, 1, 20_000, 0
	cfg.Tick = parseTick(t, "20ms")
	r := mustRun(t, cfg).Result
	if most := int64(cfg.Duration/cfg.tick()) + 1; r.Client.FramesSent > most || r.Client.FramesSent == 0 {
		t.Errorf("%d frames sent in %v, at most %d fit at %v apart", r.Client.FramesSent, cfg.Duration, most, cfg.tick())
	}
}

// While no client has room only an answer changes anything: operations that are due do not keep the loop spinning.
func TestFullWindowsDoNotSpin(t *testing.T) {
	e := idleEngine(t, testConfig())
	const start, tick = time.Second, time.Millisecond
	f := newOpenFeeder(parseArrival(t, "constant").Pacer(1000, 0, 1, GeneratorID{Of: 1}, 0), start, never, tick)
	if got := f.wake(e); got != never {
		t.Errorf("wakes at %v although there is no room", got)
	}
	e.ready.push(0)
	if got := f.wake(e); got != start {
		t.Errorf("wakes at %v, the first operation is due at %v", got, start)
	}
	f.sentAt = start
	if got := f.wake(e); got != start+tick {
		t.Errorf("wakes at %v, want a tick after the last send at %v", got, start)
	}
}
