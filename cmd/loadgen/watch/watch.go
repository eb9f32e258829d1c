// Package watch tells people and monitoring what a run of the load generator does.
package watch

import (
	"fmt"
	"io"

	"paxosbench/bench/expose"
	"paxosbench/bench/load"
	"paxosbench/bench/record"
	"paxosbench/bench/report"
	"paxosbench/cmd/program"
)

// Watchers are all told what a run does.
type Watchers []load.Progress

// Phase implements load.Progress.
func (w Watchers) Phase(text string) {
	for _, one := range w {
		one.Phase(text)
	}
}

// Interval implements load.Progress.
func (w Watchers) Interval(row *record.Row) {
	for _, one := range w {
		one.Interval(row)
	}
}

// New returns who is to be told what runs do, and what ends that: a status line, unless it is to be quiet, and who asks at the
// address of the metrics, if there is one.
func New(stderr io.Writer, quiet bool, metrics string) (w Watchers, end func(), err error) {
	if !quiet {
		w = append(w, &statusLine{w: stderr})
	}
	if metrics == "" {
		return w, func() {}, nil
	}
	exporter, err := expose.Listen(metrics)
	if err != nil {
		return nil, nil, program.Usage(err)
	}
	return append(w, exporter), func() { _ = exporter.Close() }, nil // there is nothing to lose by then
}

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
