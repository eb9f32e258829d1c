package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

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
var replicaKeys = []string{"batch", "linger", "pipeline", "compress", "durability", "replicas", "quorum2", "reads", "machine"}

// writeBench writes Go's benchmark format: one line per run, for benchstat to group and compare.
func writeBench(w io.Writer, runs []*Run) error {
	for i, run := range runs {
		r := run.Result
		if i == 0 {
			if _, err := fmt.Fprintf(w, "goos: linux\npkg: paxosbench/bench\ncpu: %s\n", r.Host.CPU); err != nil {
				return err
			}
		}
		if r.Ops.OK == 0 {
			continue // a benchmark without iterations is no line at all
		}
		_, err := fmt.Fprintf(w, "%s\t%d\t%.6g ns/op\t%.6g op/s\t%d p50-ns\t%d p99-ns\t%d p99.9-ns\t%.4g loadgen-cpu-ns/op%s\n",
			benchName(r), r.Ops.OK, 1e9/r.ThroughputOpsPerS, r.ThroughputOpsPerS, r.Latency.P50, r.Latency.P99, r.Latency.P999,
			r.Generator.CPUNsPerOp, leaderCPU(r))
		if err != nil {
			return err
		}
	}
	return nil
}

func leaderCPU(r *record.Result) string {
	for _, p := range r.Replicas {
		if p.Role == "leader" && p.CPUNsPerOp > 0 {
			return fmt.Sprintf("\t%.4g leader-cpu-ns/op", p.CPUNsPerOp)
		}
	}
	return ""
}

func benchName(r *record.Result) string {
	parts := []string{"BenchmarkLoad"}
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
