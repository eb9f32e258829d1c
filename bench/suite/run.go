package suite

import (
	"fmt"
	"strings"
	"time"

	"paxosbench/bench/record"
)

// Statuses of a run.
const (
	StatusValid    = "valid"
	StatusDegraded = "degraded" // a figure with reservations, in Reasons
	StatusInvalid  = "invalid"  // its figures describe the load generator
	StatusFailed   = "failed"   // there are no figures, or none to be believed
)

// Kinds of runs.
const (
	// KindRun measures a cell.
	KindRun = "run"
	// KindProbe finds in a closed loop what 100% of a cell's load is.
	KindProbe = "probe"
)

// Run is one run as it is kept, a line of runs.ndjson: small enough for git.
type Run struct {
	// ID, Kind, Cell, Repeat, Order and Seed are those of the plan.
	Planned
	Started time.Time `json:"started"`
	// Seconds is how long the run took from the start of the first replica to the end of the last.
	Seconds float64  `json:"seconds"`
	Status  string   `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
	// Command repeats the run, and those that it depends on.
	Command []string `json:"command"`
	// Offered is the rate of an open loop in operations per second; 0: a closed loop.
	Offered float64 `json:"offered,omitempty"`
	// Result is nil if the run failed before there was one. What would fill a repository is left out of it: see Slim.
	Result *record.Result `json:"result,omitempty"`
	// Distribution holds the latencies from when due, in nanoseconds, that Shares of the operations did not exceed.
	Distribution []int64 `json:"distribution_ns,omitempty"`
	// Timeline is kept in suites that draw one.
	Timeline []Point `json:"timeline,omitempty"`
}

// Point is one interval of a run's course.
type Point struct {
	T       float64 `json:"t"` // seconds from the beginning of the measurement to that of the interval
	Length  float64 `json:"length"`
	OpsPerS float64 `json:"ops_per_s"`
	P99     int64   `json:"p99_ns"`
}

// Usable tells whether the run's figures describe the system under test.
func (r *Run) Usable() bool { return r.Status == StatusValid || r.Status == StatusDegraded }

// KeptUp is the share of an offered load that must have been answered for a run to count as having kept up with it.
const KeptUp = 0.98

// Held tells whether the run is one of the system under test and of the load that it was given: usable, and no less
// answered than was offered. A point of a graph says of how many of its runs that is true.
func (r *Run) Held() bool {
	return r.Usable() && (r.Offered <= 0 || r.Result != nil && r.Result.ThroughputOpsPerS >= KeptUp*r.Offered)
}

// Figure returns what a run counts for in medians and comparisons of a measured column. A run that did not hold counts as
// worse than any figure, and so does a latency where nothing was answered: to leave such runs out would be to choose by
// what came of them. It is false of a run that held and whose replicas did not tell the figure.
func (r *Run) Figure(c Column) (float64, bool) {
	v, ok := c.value(r)
	if !r.Held() || !ok && c.Unit == "ns" {
		return c.Worst(), true
	}
	return v, ok
}

// Figures gathers what runs count for.
func Figures(runs []*Run, c Column) []float64 {
	var figures []float64
	for _, r := range runs {
		if v, ok := r.Figure(c); ok {
			figures = append(figures, v)
		}
	}
	return figures
}

// Value returns a measured column of the run, or a knob of its cell as a number. It is false if the run has none.
func (r *Run) Value(column string) (float64, bool) {
	if c, ok := ColumnOf(column); ok {
		return c.value(r)
	}
	return Numeric(r.Cell.Get(column))
}

// Replay returns Command as one line for a shell.
func (r *Run) Replay() string { return ShellLine(r.Command) }

// ShellLine quotes arguments for a POSIX shell.
func ShellLine(args []string) string {
	quotedArgs := make([]string, len(args))
	for i, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\n\"'\\$`*?[]{}()<>|&;#~!") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		quotedArgs[i] = a
	}
	return strings.Join(quotedArgs, " ")
}

// Slim returns a copy of a result without what only the full result.json needs: histograms, counters of the
// replicas, their configuration, checks that passed, and of the host what the manifest has.
func Slim(r *record.Result) *record.Result {
	s := *r
	s.HDR = record.Blobs{}
	s.Config = nil
	s.Host = record.Host{
		StealS: r.Host.StealS, StealPercent: r.Host.StealPercent,
		Looks: r.Host.Looks, Stops: r.Host.Stops, StoppedPercent: r.Host.StoppedPercent, LongestStopNs: r.Host.LongestStopNs,
	}
	s.Generators = nil
	s.Generator.Ops, s.Generator.Latency = record.Counts{}, record.Latency{}
	s.Checks = nil
	for _, c := range r.Checks {
		if c.Failed() {
			s.Checks = append(s.Checks, c)
		}
	}
	s.Replicas = nil
	for _, replica := range r.Replicas {
		replica.Deltas, replica.Config = nil, nil
		s.Replicas = append(s.Replicas, replica)
	}
	return &s
}

// Outage is a time without an answer, in seconds from the beginning of the measurement.
type Outage struct{ From, To float64 }

// String says how long it was, to within the intervals it was found in.
func (o Outage) String() string { return fmt.Sprintf("nothing answered for %.3g s", o.To-o.From) }

// Outages are the times of a course in which nothing was answered.
func Outages(course []Point) []Outage {
	var outages []Outage
	silent := false
	for _, p := range course {
		if p.OpsPerS > 0 {
			silent = false
			continue
		}
		if !silent {
			outages = append(outages, Outage{From: p.T})
		}
		silent = true
		outages[len(outages)-1].To = p.T + p.Length
	}
	return outages
}

// Timeline makes points of the rows of a series; what was answered after the measurement is left out.
func Timeline(rows []record.Row) []Point {
	var points []Point
	for _, r := range rows {
		if !r.Drain {
			points = append(points, Point{T: r.StartS, Length: r.LengthS, OpsPerS: r.OpsPerS, P99: r.P99Ns})
		}
	}
	return points
}
