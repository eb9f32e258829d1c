package load

import (
	"sync/atomic"
	"testing"
	"time"

	"paxosbench/bench/load/units"
	"paxosbench/bench/load/verify"
	"paxosbench/bench/load/workload"
	"paxosbench/bench/record"
	"paxosbench/bench/target"
	"paxosbench/wire"
)

// testConfig is a valid configuration that no test changes the meaning of by accident.
func testConfig() *Config {
	return &Config{
		Addrs: []string{"127.0.0.1:1"}, Window: 4096, Conns: 1, Threads: 1,
		Config: workload.Config{
			Clients: 1, Keys: 100_000, KeySize: 8, ValueSize: workload.SmallValues, CompressRatio: 1, Mix: workload.PutOnly, Seed: 1,
			Generator: units.GeneratorID{Of: 1},
		},
		Duration: time.Second, Interval: 100 * time.Millisecond, Timeout: 5 * time.Second,
		Examine: 20 * time.Millisecond, StallTimeout: 2 * time.Second, ConnectTimeout: time.Second, GiveUp: 5 * time.Second,
		Verify: verify.Replies, MaxErrors: 0.01, Name: "test",
	}
}

// idleEngine is an engine whose loop has no connection: its methods as a handler can be called by hand.
func idleEngine(t testing.TB, cfg *Config) *engine {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	work := workload.New(&cfg.Config, workload.NewPicker(&cfg.Config), 0xbeef, 0, cfg.Clients)
	e, err := newEngine(cfg, 0, time.Now(), work, 1, new(atomic.Bool))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.loop.Close() })
	e.rec = newRecorder(cfg.Interval, make(chan *record.Set, 1), make(chan *record.Set))
	return e
}

// exchange sends count operations in one frame and has them answered at once.
func (e *engine) exchange(buf []byte, first target.Number, count int) []byte {
	s := e.streams.All[0]
	last := first + target.Number(count) - 1
	now := e.loop.Now()
	e.books[0].due.Push(last, now)
	buf, _ = e.AppendCommands(buf[:0], s, first, count, 1<<20)
	e.Sent(s, first, count, e.loop.Now())
	e.Answered(s, first, count, wire.StatusOK, e.loop.Now())
	return buf
}

func BenchmarkOperation(b *testing.B) {
	e := idleEngine(b, testConfig())
	const run = 1000
	buf := make([]byte, 0, 1<<20)
	n := target.Number(1)
	b.ReportAllocs()
	before := readUsage()
	for b.Loop() {
		buf = e.exchange(buf, n, run)
		n += run
	}
	// CPU time, unlike elapsed time, does not depend on who else uses the machine.
	b.ReportMetric(float64(readUsage().process-before.process)/float64(b.N)/run, "cpu-ns/command")
}
