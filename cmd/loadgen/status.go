package main

import (
	"fmt"
	"io"

	"paxosbench/bench/record"
	"paxosbench/bench/report"
)

// statusLine writes one line per phase and interval.
type statusLine struct{ w io.Writer }

// Phase implements load.Progress.
func (l *statusLine) Phase(text string) { fmt.Fprintf(l.w, "%s ..\n", text) }

// Interval implements load.Progress.
func (l *statusLine) Interval(row *record.Row) {
	if row.Drain {
		return
	}
	fmt.Fprintf(l.w, "%7.1f s  %12s op/s   p50 %-8s p99 %-8s max %-8s in flight %.0f\n", row.StartS+row.LengthS,
		report.Grouped(int64(row.OpsPerS)), report.Observed(row.P50Ns), report.Observed(row.P99Ns), report.Observed(row.MaxNs), row.InFlight)
}
