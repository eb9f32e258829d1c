package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"

	"paxosbench/bench/record"
)

// csvColumns is one line of the series per interval and run.
var csvColumns = []struct {
	name  string
	value func(*record.Row) string
}{
	{"start_s", func(r *record.Row) string { return decimal(r.StartS) }},
	{"length_s", func(r *record.Row) string { return decimal(r.LengthS) }},
	{"drain", func(r *record.Row) string { return strconv.FormatBool(r.Drain) }},
	{"ops_per_s", func(r *record.Row) string { return decimal(r.OpsPerS) }},
	{"ok", func(r *record.Row) string { return integer(r.OK) }},
	{"scheduled", func(r *record.Row) string { return integer(r.Scheduled) }},
	{"sent", func(r *record.Row) string { return integer(r.Sent) }},
	{"failed", func(r *record.Row) string { return integer(r.Failed) }},
	{"timed_out", func(r *record.Row) string { return integer(r.TimedOut) }},
	{"in_flight", func(r *record.Row) string { return decimal(r.InFlight) }},
	{"p50_ns", func(r *record.Row) string { return integer(r.P50Ns) }},
	{"p99_ns", func(r *record.Row) string { return integer(r.P99Ns) }},
	{"max_ns", func(r *record.Row) string { return integer(r.MaxNs) }},
	{"service_p50_ns", func(r *record.Row) string { return integer(r.ServiceP50Ns) }},
	{"service_p99_ns", func(r *record.Row) string { return integer(r.ServiceP99Ns) }},
	{"send_lag_p99_ns", func(r *record.Row) string { return integer(r.SendLagP99Ns) }},
	{"events", func(r *record.Row) string { return strings.Join(r.Events, "; ") }},
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
func integer(v int64) string   { return strconv.FormatInt(v, 10) }

func writeCSV(w io.Writer, runs []*Run) error {
	out := csv.NewWriter(w)
	head := []string{"run"}
	for _, c := range csvColumns {
		head = append(head, c.name)
	}
	out.Write(head) // errors are sticky: Flush and Error report them
	for _, run := range runs {
		if run.Torn != nil {
			return run.Torn
		}
		for i := range run.Rows {
			line := []string{run.Name}
			for _, c := range csvColumns {
				line = append(line, c.value(&run.Rows[i]))
			}
			out.Write(line)
		}
	}
	out.Flush()
	return out.Error()
}

// benchKeys are the parts of the configuration that name a benchmark, in this order, as benchstat's /key.
var benchKeys = []string{"mode", "rate_ops_per_s", "arrival", "window", "conns", "clients", "key_size", "value_size", "mix", "key_dist"}

// replicaKeys are the knobs of the replicas that name a benchmark, if a replica has told its configuration.
var replicaKeys = []string{"batch", "linger", "pipeline", "compress", "durability", "quorum2", "reads", "machine", "unreplicated"}

// WorstTime is what a time of a run that did not hold counts as in Go's benchmark format, in seconds: benchstat takes medians,
// and knows no figure that is worse than any.
const WorstTime = float64(math.MaxInt64) * 1e-9

// HeldUnit is the unit that tells in that format whether a run held: 1 or 0.
const HeldUnit = "held"

// writeBench writes Go's benchmark format: one line per run, for benchstat to group and compare. An invalid run counts as
// worse than any figure, and is marked: without a line, or with its figures, it would be chosen by what came of it.
func writeBench(w io.Writer, runs []*Run) error {
	out := benchfmt.NewWriter(w)
	for _, unit := range []string{"op/s", HeldUnit} {
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
		add(float64(l.ns)*1e-9, l.unit, WorstTime)
	}
	add(r.Generator.CPUNsPerOp*1e-9, "loadgen-cpu-sec/op", WorstTime)
	for _, p := range r.Replicas {
		if p.Role == "leader" && p.CPUNsPerOp > 0 {
			add(p.CPUNsPerOp*1e-9, "leader-cpu-sec/op", WorstTime)
		}
	}
	add(1, HeldUnit, 0)
	return b
}

func benchName(r *record.Result) string {
	parts := []string{"Load"}
	if n := len(r.Replicas); n > 0 {
		parts = append(parts, fmt.Sprintf("replicas=%d", n))
	}
	for _, knob := range replicaKeys {
		if v := replicaKnob(r, knob); v != "" {
			parts = append(parts, knob+"="+BenchSafe(v))
		}
	}
	for _, key := range benchKeys {
		if v, ok := r.Config[key]; ok {
			parts = append(parts, key+"="+BenchSafe(fmt.Sprint(v)))
		}
	}
	return strings.Join(parts, "/")
}

// BenchSafe makes a value one part of the name of a benchmark: names end at a space, parts at a slash.
func BenchSafe(v string) string {
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
