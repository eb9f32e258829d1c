package watch

import (
	"fmt"
	"strings"

	"paxosbench/bench/load"
	"paxosbench/bench/load/units"
	"paxosbench/bench/record"
	"paxosbench/bench/report"
)

// Point renders a point of a series on one line.
func Point(p *load.Point) string {
	r := p.Result
	rate := "closed loop"
	if p.Open() {
		rate = Rate(p.Rate) + " op/s"
	}
	return fmt.Sprintf("%16s: %12s op/s  p50 %-8s p99 %-8s send lag p99 %-8s %s", rate, report.Grouped(int64(r.ThroughputOpsPerS)),
		record.Ns(r.Latency.P50), record.Ns(r.Latency.P99), record.Ns(r.SendLag.P99), Held(p))
}

// Rate renders a rate, which may be below one.
func Rate(rate units.Rate) string {
	if rate >= 1000 {
		return report.Grouped(int64(rate))
	}
	return rate.String()
}

// Held says whether a point was held, and if not what it fell short of.
func Held(p *load.Point) string {
	if p.Holds {
		return "held"
	}
	return "not held: " + strings.Join(p.Shortfalls, "; ")
}
