package report

import (
	"encoding/csv"
	"io"
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

func writeCSV(w io.Writer, runs []*record.Run) error {
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
