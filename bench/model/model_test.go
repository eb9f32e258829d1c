package model

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paxosbench/bench/record"
	"paxosbench/bench/suite"
)

// bench is a host in round numbers.
func bench() *Calibration {
	costs := Costs{Leader: Cost{100, 10_000, 0.5}, Follower: Cost{50, 5_000, 0.25}, Loadgen: Cost{50, 0, 0}}
	return &Calibration{
		Schema: Schema, Taken: time.Unix(1_700_000_000, 0).UTC(), CPUs: 2, SyncNs: 500_000, DiskBytesPerS: 1e9, RoundTripNs: 50_000,
		Costs: map[string]Costs{"none": costs, "fsync": costs, Unreplicated: {Leader: Cost{CommandNs: 50}, Loadgen: Cost{CommandNs: 30}}},
	}
}

func cellOf(t interface{ Fatal(...any) }, text string) suite.Cell {
	cell, err := suite.ParseCell(text)
	if err != nil {
		t.Fatal(err)
	}
	return cell
}

func TestBoundByHand(t *testing.T) {
	for _, c := range []struct {
		cell, resource string
		want           float64
	}{
		// One command per batch and one batch in flight: a round trip, 20 ms on the way, a sync, and the work on both sides.
		{"batch=none pipeline=1 link-delay=10ms", ResourceWindow, 1 / (20e-3 + 50e-6 + 500e-6 + (100+10_000+8+50+5_000+4)*1e-9)},
		// Two processors for the leader, two followers and the generator, 64 commands to a batch.
		{"batch=count:64 pipeline=64 durability=none window=4096", ResourceHostCPU, 2e9 / (100 + 10_000.0/64 + 8 + 2*(50+5_000.0/64+4) + 50)},
		// 4 commands in flight, each for two round trips and a sync.
		{"window=1 batch=none", ResourceClients, 4 / (2*50e-6 + 500e-6)},
		{"unreplicated=true replicas=1 window=4096", ResourceLeaderCPU, 1e9 / 50},
		// 1 MB/s, and 16 bytes for each command, of key and value, if the batch is large; a mix has 8 of header for each.
		{"link-rate=1MB batch=count:4096 window=4096 durability=none", ResourceLink, 1e6 / (16 + 104.0/4096)},
		{"link-rate=1MB batch=count:4096 window=4096 durability=none compress=s2 compress-ratio=4", ResourceLink, 4e6 / (16 + 104.0/4096)},
		{"link-rate=1MB batch=count:4096 window=4096 durability=none mix=get:0.5", ResourceLink, 1e6 / (24 + 96.0/4096)},
		{"value-size=65536 window=1024 batch=bytes:1MiB", ResourceDisk, 0},
	} {
		got, ok := bench().Bound(cellOf(t, c.cell))
		if !ok || got.Resource != c.resource {
			t.Errorf("%s: %+v, %v; want a limit by %s", c.cell, got, ok, c.resource)
			continue
		}
		if c.want > 0 && math.Abs(got.OpsPerS/c.want-1) > 1e-9 {
			t.Errorf("%s: %.1f ops/s, want %.1f", c.cell, got.OpsPerS, c.want)
		}
	}
}

func TestBoundDeclines(t *testing.T) {
	for _, cell := range []string{
		"machine=noop", "reads=lease mix=get:1", "workload=ycsb-a", "value-size=uniform:16,1KiB", "durability=os", "replicas=many",
	} {
		if b, ok := bench().Bound(cellOf(t, cell)); ok {
			t.Errorf("%s: %+v, want none", cell, b)
		}
	}
}

// TestBoundGrows checks that more in flight, larger batches and less delay never make the bound lower.
func TestBoundGrows(t *testing.T) {
	c := bench()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) int { return rapid.IntRange(1, 4096).Draw(t, name) }
		batch, depth, window, delay := draw("batch"), draw("depth"), draw("window"), draw("delay")
		at := func(batch, depth, window, delay int) float64 {
			cell := suite.Cell{{Knob: "batch", Value: "count:" + strconv.Itoa(batch)}, {Knob: "pipeline", Value: strconv.Itoa(depth)},
				{Knob: "window", Value: strconv.Itoa(window)}, {Knob: "link-delay", Value: strconv.Itoa(delay) + "us"}}
			b, ok := c.Bound(cell)
			if !ok {
				t.Fatalf("no bound for %s", cell)
			}
			return b.OpsPerS * (1 + 1e-12)
		}
		base := at(batch, depth, window, delay) / (1 + 2e-12)
		if at(batch+1, depth, window, delay) < base || at(batch, depth+1, window, delay) < base ||
			at(batch, depth, window+1, delay) < base || at(batch, depth, window, delay-1) < base {
			t.Fatalf("more gives less than %g", base)
		}
	})
}

// TestCalibrate gives it a system whose costs are known, and wants them back.
func TestCalibrate(t *testing.T) {
	want := bench().Costs["fsync"]
	measure := func(_ context.Context, cell suite.Cell) (*record.Result, error) {
		if cell.Get(suite.KnobUnreplicated) == "true" {
			return &record.Result{Generator: record.Generator{CPUNsPerOp: 30}, Replicas: []record.Replica{{ID: 1, Role: "unreplicated", CPUNsPerOp: 50}}}, nil
		}
		batch, _ := suite.Numeric(cell.Get("batch"))
		value, _ := suite.Numeric(cell.Get("value-size"))
		of := func(c Cost) float64 { return c.perCommand(batch, keySize+value) }
		r := &record.Result{Generator: record.Generator{CPUNsPerOp: of(want.Loadgen)}}
		for _, role := range []string{"follower", "leader", "follower"} {
			cost := want.Follower
			if role == "leader" {
				cost = want.Leader
			}
			r.Replicas = append(r.Replicas, record.Replica{ID: 1, Role: role, CPUNsPerOp: of(cost), Batch: batch})
		}
		return r, nil
	}
	dir := t.TempDir()
	c, err := Calibrate(t.Context(), dir, suite.Host{Name: "here", CPUs: 2}, measure)
	if err != nil {
		t.Fatal(err)
	}
	for _, durability := range []string{"none", "os", "fsync"} {
		got := c.Costs[durability]
		for _, pair := range [][2]Cost{{got.Leader, want.Leader}, {got.Follower, want.Follower}, {got.Loadgen, want.Loadgen}} {
			if math.Abs(pair[0].CommandNs-pair[1].CommandNs)+math.Abs(pair[0].BatchNs-pair[1].BatchNs)+math.Abs(pair[0].ByteNs-pair[1].ByteNs) > 1e-6 {
				t.Errorf("%s: got %+v, want %+v", durability, pair[0], pair[1])
			}
		}
	}
	if c.Costs[Unreplicated].Leader.CommandNs != 50 || c.SyncNs <= 0 || c.DiskBytesPerS <= 0 || c.RoundTripNs <= 0 {
		t.Errorf("%+v", c)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestCalibrateFails(t *testing.T) {
	broken := errors.New("no cluster")
	_, err := Calibrate(t.Context(), t.TempDir(), suite.Host{}, func(context.Context, suite.Cell) (*record.Result, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	silent := func(context.Context, suite.Cell) (*record.Result, error) {
		return &record.Result{Replicas: []record.Replica{{Role: "leader"}}}, nil
	}
	if _, err := Calibrate(t.Context(), t.TempDir(), suite.Host{}, silent); !errors.Is(err, errNoFigures) {
		t.Errorf("got %v", err)
	}
}

// TestSolveNoise wants no negative cost from runs that contradict the model.
func TestSolveNoise(t *testing.T) {
	got := solve([3]observation{{leader: 90, batch: 16, bytes: 16}, {leader: 100, batch: 2000, bytes: 16}, {leader: 95, batch: 900, bytes: 1032}},
		func(o observation) float64 { return o.leader })
	if got != (Cost{CommandNs: 100}) {
		t.Errorf("got %+v", got)
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "batching")
	if c, err := Find(dir); c != nil || err != nil {
		t.Errorf("found %v, %v where there is none", c, err)
	}
	if err := bench().Save(filepath.Join(root, File)); err != nil {
		t.Fatal(err)
	}
	c, err := Find(dir + "/")
	if err != nil || c == nil || c.SyncNs != bench().SyncNs || c.Costs["none"] != bench().Costs["none"] {
		t.Errorf("found %+v, %v", c, err)
	}
	other := bench()
	other.Schema = "something/1"
	if err := other.Save(filepath.Join(root, File)); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(dir); err == nil {
		t.Error("another format was read")
	}
}
