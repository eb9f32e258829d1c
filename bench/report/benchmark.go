package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"

	"paxosbench/bench/record"
	"paxosbench/bench/suite"
)

// benchKeys are the parts of the configuration that name a benchmark, in this order, as benchstat's /key.
var benchKeys = []string{"mode", "rate_ops_per_s", "arrival", "window", "conns", "clients", "key_size", "value_size", "mix", "key_dist"}

// replicaKeys are the knobs of the replicas that name a benchmark, if a replica has told its configuration.
var replicaKeys = []string{"batch", "linger", "pipeline", "compress", "durability", "quorum2", "reads", "machine", "unreplicated"}

// worstTime is what a time of a run that did not hold counts as in Go's benchmark format, in seconds: benchstat takes medians,
// and knows no figure that is worse than any.
const worstTime = float64(math.MaxInt64) * 1e-9

// heldUnit is the unit that tells in that format whether a run held: 1 or 0.
const heldUnit = "held"

// writeBench writes Go's benchmark format: one line per run, for benchstat to group and compare. An invalid run counts as
// worse than any figure, and is marked: without a line, or with its figures, it would be chosen by what came of it.
func writeBench(w io.Writer, runs []*record.Run) error {
	out := benchfmt.NewWriter(w)
	for _, unit := range []string{"op/s", heldUnit} {
		if err := out.Write(&benchfmt.UnitMetadata{UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: unit, Key: "better"}, OrigUnit: unit, Value: "higher"}); err != nil {
			return err
		}
	}
	for _, run := range runs {
		if err := out.Write(benchLine(run.Result)); err != nil {
			return err
		}
	}
	return nil
}

func benchLine(r *record.Result) *benchfmt.Result {
	b := &benchfmt.Result{Name: benchfmt.Name(benchName(r)), Iters: int(max(1, r.Ops.OK))}
	for _, c := range [][2]string{{"goos", "linux"}, {"pkg", "paxosbench/bench"}, {"cpu", r.Host.CPU}} {
		b.Config = append(b.Config, benchfmt.Config{Key: c[0], Value: []byte(c[1]), File: true})
	}
	held := r.Verdict != record.Invalid && r.Ops.OK > 0
	add := func(value float64, unit string, worst float64) {
		if !held {
			value = worst
		}
		b.Values = append(b.Values, benchfmt.Value{Value: value, Unit: unit})
	}
	add(r.ThroughputOpsPerS, "op/s", 0)
	for _, l := range []struct {
		ns   int64
		unit string
	}{{r.Latency.P50, "p50-sec"}, {r.Latency.P99, "p99-sec"}, {r.Latency.P999, "p99.9-sec"}} {
		add(float64(l.ns)*1e-9, l.unit, worstTime)
	}
	add(r.Generator.CPUNsPerOp*1e-9, "loadgen-cpu-sec/op", worstTime)
	for _, p := range r.Replicas {
		if p.Role == "leader" && p.CPUNsPerOp > 0 {
			add(p.CPUNsPerOp*1e-9, "leader-cpu-sec/op", worstTime)
		}
	}
	add(1, heldUnit, 0)
	return b
}

func benchName(r *record.Result) string {
	parts := []string{"Load"}
	if n := len(r.Replicas); n > 0 {
		parts = append(parts, fmt.Sprintf("replicas=%d", n))
	}
	for _, knob := range replicaKeys {
		if v := replicaKnob(r, knob); v != "" {
			parts = append(parts, knob+"="+benchSafe(v))
		}
	}
	for _, key := range benchKeys {
		if v, ok := r.Config[key]; ok {
			parts = append(parts, key+"="+benchSafe(fmt.Sprint(v)))
		}
	}
	return strings.Join(parts, "/")
}

// benchSafe makes a value one part of the name of a benchmark: names end at a space, parts at a slash.
func benchSafe(v string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' {
			return '_'
		}
		return r
	}, v)
}

// replicaKnob returns a knob of the replicas' configuration as text.
func replicaKnob(r *record.Result, knob string) string {
	at := slices.IndexFunc(r.Replicas, func(p record.Replica) bool { return len(p.Config) > 0 })
	if at < 0 {
		return ""
	}
	var config map[string]any
	if err := json.Unmarshal(r.Replicas[at].Config, &config); err != nil {
		return "" // another program's JSON, of a shape of its own
	}
	switch v := config[knob].(type) {
	case string:
		return v
	case float64, bool:
		return fmt.Sprint(v)
	}
	return ""
}

// benchmarkColumns are the units of Go's benchmark format and the columns they hold. The format wants times in seconds.
var benchmarkColumns = []struct {
	unit, column string
	scale        float64
}{
	{"op/s", "throughput", 1}, {"p50-sec", "p50", 1e-9}, {"p99-sec", "p99", 1e-9}, {"leader-cpu-sec/op", "cpu_leader", 1e-9},
	{"loadgen-cpu-sec/op", "cpu_loadgen", 1e-9}, {"commands/batch", "batch_mean", 1},
}

// benchmarkText writes all runs in Go's benchmark format, a line each, for benchstat to group by /knob and compare. Those that
// did not hold are marked by held, and count as worse than any figure.
func benchmarkText(dir *suite.Dir) ([]byte, error) {
	var out bytes.Buffer
	w := benchfmt.NewWriter(&out)
	for _, unit := range []string{"op/s", "commands/batch", heldUnit} {
		if err := w.Write(&benchfmt.UnitMetadata{UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: unit, Key: "better"}, OrigUnit: unit, Value: "higher"}); err != nil {
			return nil, err
		}
	}
	runs := dir.Runs()
	for i := range runs {
		if r := &runs[i]; r.Kind == suite.KindRun {
			if err := w.Write(benchmarkOf(dir, r)); err != nil {
				return nil, err
			}
		}
	}
	return out.Bytes(), nil
}

func benchmarkOf(dir *suite.Dir, r *suite.Run) *benchfmt.Result {
	b := &benchfmt.Result{Name: benchfmt.Name(benchmarkName(dir.Suite.Name, r.Cell)), Iters: 1}
	held := 0.0
	if r.Result != nil {
		b.Iters = int(max(1, r.Result.Ops.OK))
	}
	if r.Held() {
		held = 1
	}
	for _, c := range [][2]string{{"goos", "linux"}, {"pkg", "paxosbench/bench"}, {"cpu", dir.Manifest.Host.CPU}, {"commit", dir.Manifest.Commit}} {
		b.Config = append(b.Config, benchfmt.Config{Key: c[0], Value: []byte(c[1]), File: true})
	}
	for _, c := range benchmarkColumns {
		column, _ := suite.ColumnOf(c.column)
		if v, ok := r.Figure(column); ok {
			b.Values = append(b.Values, benchfmt.Value{Value: min(max(v*c.scale, 0), worstTime), Unit: c.unit})
		}
	}
	b.Values = append(b.Values, benchfmt.Value{Value: held, Unit: heldUnit})
	return b
}

// benchmarkName spells a cell as a benchmark's name: Batching/batch=count:64/window=16.
func benchmarkName(name string, cell suite.Cell) string {
	parts := []string{strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "-", "_")}
	for _, s := range cell {
		parts = append(parts, s.Knob+"="+benchSafe(s.Value))
	}
	return strings.Join(parts, "/")
}
