// Package charttest makes up results of suites: runs as a system of known costs would have them, with noise.
package charttest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"paxosbench/bench/model"
	"paxosbench/bench/record"
	"paxosbench/bench/suite"
	"paxosbench/wire"
)

// Calibration is a host in round numbers.
func Calibration() *model.Calibration {
	costs := model.Costs{
		Leader:   model.Cost{CommandNs: 70, BatchNs: 9_000, ByteNs: 0.4},
		Follower: model.Cost{CommandNs: 45, BatchNs: 6_000, ByteNs: 0.3},
		Loadgen:  model.Cost{CommandNs: 35, BatchNs: 900, ByteNs: 0.1},
	}
	return &model.Calibration{
		Schema: model.Schema, Host: "synthetic", CPUs: 2, SyncNs: 300_000, DiskBytesPerS: 1.2e9, RoundTripNs: 40_000,
		Costs: map[string]model.Costs{
			"none": costs, "os": costs, "fsync": costs,
			model.Unreplicated: {Leader: model.Cost{CommandNs: 40}, Loadgen: model.Cost{CommandNs: 30}},
		},
	}
}

// Manifest is that of a made-up host.
func Manifest(s *suite.Suite, seed uint64) suite.Manifest {
	return suite.Manifest{
		Suite: s.Name, Started: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), Command: []string{"bench", "run", s.Name},
		Seed: seed, Repeats: s.Repeats, Warmup: s.Warmup, Duration: s.Duration, Commit: "0123456789abcdef", Dirty: true,
		Host: suite.Host{
			Name: "synthetic", Kernel: "6.1.0", CPU: "Made-up Processor @ 2.00GHz", CPUs: 2, Governor: "unknown",
			Memory: 8 << 30, Filesystem: "ext4", Go: "go1.26",
		},
	}
}

// Dir makes a results directory below the test's own, with a run for every planned one.
func Dir(t *testing.T, s *suite.Suite, text []byte, seed uint64) *suite.Dir {
	t.Helper()
	plan := s.Plan(seed, s.Repeats)
	d, err := suite.Create(filepath.Join(t.TempDir(), s.Name), s, text, Manifest(s, seed), plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Runs(s, plan) {
		if err := d.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

// Runs makes up the runs of a plan. About one in forty fails or is invalid.
func Runs(s *suite.Suite, plan []suite.Planned) []suite.Run {
	random := rand.New(rand.NewPCG(1, uint64(len(plan))))
	runs := make([]suite.Run, 0, len(plan))
	for _, p := range plan {
		r := suite.Run{
			Planned: p, Started: time.Date(2026, 11, 24, 12, 0, 4*p.Order, 0, time.UTC), Seconds: 4, Status: suite.StatusValid,
			Command: []string{"bin/bench", "run", s.Name, "--only", p.Cell.String(), "--repeats", "1"},
		}
		switch odd := random.IntN(80); {
		case odd == 0 && p.Kind == suite.KindRun:
			r.Status, r.Reasons = suite.StatusFailed, []string{"replica 2 ended: flag <b>--what</b> is unknown"}
		case odd == 1 && p.Kind == suite.KindRun:
			r.Status, r.Reasons = suite.StatusInvalid, []string{"generator: the send lag was 31 ms"}
			fallthrough
		default:
			measure(s, &r, random)
		}
		runs = append(runs, r)
	}
	return runs
}

// measure gives a run the figures that its settings would have.
func measure(s *suite.Suite, r *suite.Run, random *rand.Rand) {
	settings := s.Settings(r.Cell)
	share := settings.Get(suite.KnobLoad)
	capacity := 400_000.0
	if b, ok := Calibration().Bound(settings.Without(suite.KnobLoad)); ok {
		capacity = 0.7 * b.OpsPerS
	}
	if policy := settings.Get("batch"); policy != "adaptive" && policy != "" {
		capacity *= 0.93
	}
	noise := func(width float64) float64 { return math.Exp(width * random.NormFloat64()) }
	throughput, p50 := capacity*noise(0.03), 4096e9/capacity
	if load, err := suite.LoadShare(share); err == nil {
		r.Offered = load * capacity
		throughput = min(r.Offered, capacity*noise(0.01))
		p50 = 2e5 / max(0.03, 1-min(load, 1))
		if load > 1 {
			r.Status, r.Reasons = suite.StatusInvalid, []string{"schedule: only 95 % of what was due was sent"}
		}
	}
	p50 *= noise(0.05)
	r.Result = &record.Result{
		Schema: record.Schema, Verdict: record.Verdict(r.Status), ThroughputOpsPerS: throughput, MeasuredS: 2,
		Ops:       record.Counts{OK: int64(2 * throughput), Failed: 0},
		Latency:   record.Latency{Count: int64(2 * throughput), P50: int64(p50), P90: int64(2 * p50), P99: int64(4 * p50 * noise(0.2)), P999: int64(9 * p50), Max: int64(20 * p50), Mean: int64(1.2 * p50)},
		Service:   record.Latency{Count: int64(2 * throughput), P50: int64(p50), P99: int64(3 * p50)},
		Generator: record.Generator{CPUNsPerOp: 40 * noise(0.05)},
	}
	for _, share := range suite.Shares { // exponential, up to 1 in 10^5
		r.Distribution = append(r.Distribution, int64(-p50*math.Log2(1-min(share/100, 1-1e-5))))
	}
	for id := range 3 {
		role := "follower"
		if id == 1 {
			role = "leader"
		}
		r.Result.Replicas = append(r.Result.Replicas, record.Replica{
			ID: wire.ReplicaID(id + 1), Role: role, CPUNsPerOp: 2e8 / capacity * noise(0.05), Batch: 64 * noise(0.1), Window: 3 * noise(0.1),
			Syncs: 900 * noise(0.1), BytesPerSync: 1e5,
		})
	}
	if s.Timeline() {
		fail(r, random)
	}
}

// fail gives a run the course of one whose leader was killed.
func fail(r *suite.Run, random *rand.Rand) {
	const interval, killed, back = 0.1, 2.0, 2.6
	for i := range 80 {
		at := float64(i) * interval
		p := suite.Point{T: at, Length: interval, OpsPerS: 50_000 * (1 + 0.03*random.NormFloat64()), P99: int64(2e6 * math.Exp(0.2*random.NormFloat64()))}
		switch {
		case at >= killed && at < back:
			p.OpsPerS, p.P99 = 0, 0
		case at >= back && at < back+0.2:
			p.OpsPerS, p.P99 = 180_000, 6e8
		}
		r.Timeline = append(r.Timeline, p)
	}
	r.Result.Events = []record.Event{{AtS: killed, Text: fmt.Sprintf("killed replica %d", 1)}, {AtS: 5, Text: "started replica 1"}}
}
