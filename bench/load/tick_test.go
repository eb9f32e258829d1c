package load

import (
	"encoding"
	"testing"
	"time"

	"paxosbench/bench/load/pacing"
	"paxosbench/bench/load/units"
	"paxosbench/wire/client/clienttest"
)

// parse reads a text form.
func parse(t testing.TB, text string, into encoding.TextUnmarshaler) {
	t.Helper()
	if err := into.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
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
	parse(t, "20ms", &cfg.Tick)
	r := mustRun(t, cfg).Result
	if most := int64(cfg.Duration/cfg.LeastGap(cfg.Threads)) + 1; r.Client.FramesSent > most || r.Client.FramesSent == 0 {
		t.Errorf("%d frames sent in %v, at most %d fit at %v apart", r.Client.FramesSent, cfg.Duration, most, cfg.LeastGap(cfg.Threads))
	}
}

// While no client has room only an answer changes anything: operations that are due do not keep the loop spinning.
func TestFullWindowsDoNotSpin(t *testing.T) {
	e := idleEngine(t, testConfig())
	const start, tick = time.Second, time.Millisecond
	f := newOpenFeeder(pacing.Arrival{}.Pacer(1000, 0, 1, units.GeneratorID{Of: 1}, 0), start, pacing.Never, tick)
	if got := f.wake(e); got != pacing.Never {
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
