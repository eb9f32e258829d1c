package suite

import (
	"math"
	"strings"

	"paxosbench/bench/record"
)

// Column is a measured quantity of a run.
type Column struct {
	Name string
	// Label and Unit are for axes and tables. Latencies are in nanoseconds and have the unit "ns".
	Label, Unit string
	// HigherIsBetter tells gains from losses.
	HigherIsBetter bool

	value func(*Run) (float64, bool)
}

// Worst is worse than any figure of the column.
func (c Column) Worst() float64 {
	if c.HigherIsBetter {
		return math.Inf(-1)
	}
	return math.Inf(1)
}

// columns lists all measured quantities. No knob has the name of one.
var columns = []Column{
	{"throughput", "throughput", "ops/s", true, of(func(r *record.Result) float64 { return r.ThroughputOpsPerS })},
	{"offered", "offered load", "ops/s", true, func(r *Run) (float64, bool) { return r.Offered, r.Offered > 0 }},
	{"p50", "median latency", "ns", false, latency(func(r *record.Result) int64 { return r.Latency.P50 })},
	{"p90", "p90 latency", "ns", false, latency(func(r *record.Result) int64 { return r.Latency.P90 })},
	{"p99", "p99 latency", "ns", false, latency(func(r *record.Result) int64 { return r.Latency.P99 })},
	{"p999", "p99.9 latency", "ns", false, latency(func(r *record.Result) int64 { return r.Latency.P999 })},
	{"max", "highest latency", "ns", false, latency(func(r *record.Result) int64 { return r.Latency.Max })},
	{"mean", "mean latency", "ns", false, latency(func(r *record.Result) int64 { return r.Latency.Mean })},
	{"service_p50", "median service time", "ns", false, latency(func(r *record.Result) int64 { return r.Service.P50 })},
	{"service_p99", "p99 service time", "ns", false, latency(func(r *record.Result) int64 { return r.Service.P99 })},
	{"send_lag_p99", "p99 send lag", "ns", false, latency(func(r *record.Result) int64 { return r.SendLag.P99 })},
	{"cpu_leader", "CPU of the leader", "ns/op", false, leader(func(r record.Replica) float64 { return r.CPUNsPerOp })},
	{"cpu_follower", "mean CPU of a follower", "ns/op", false, follower(func(r record.Replica) float64 { return r.CPUNsPerOp })},
	{"cpu_loadgen", "CPU of the load generator", "ns/op", false, of(func(r *record.Result) float64 { return r.Generator.CPUNsPerOp })},
	{"batch_mean", "commands per batch", "commands", true, leader(func(r record.Replica) float64 { return r.Batch })},
	{"depth_mean", "slots in flight", "slots", true, leader(func(r record.Replica) float64 { return r.Window })},
	{"syncs", "syncs of the leader", "1/s", false, leader(func(r record.Replica) float64 { return r.Syncs })},
	{"bytes_per_sync", "bytes per sync of the leader", "B", true, leader(func(r record.Replica) float64 { return r.BytesPerSync })},
	{"failed", "operations failed or timed out", "ops", false, of(func(r *record.Result) float64 { return float64(r.Ops.Failed + r.Ops.TimedOut) })},
	{"steal", "CPU time stolen by other guests", "%", false, of(func(r *record.Result) float64 { return r.Host.StealPercent })},
	{"stopped", "time for which the host stopped the machine", "%", false, stopped},
	{"cpu_system", "CPU of all processes of the system", "ns/op", false, processes(func(p *record.Processes) float64 { return p.CPUNsPerOp })},
	{"disk", "written to disk by all processes", "B/op", false, processes(func(p *record.Processes) float64 { return p.DiskBytesPerOp })},
	{"wire", "bytes over loopback", "B/op", false, processes(func(p *record.Processes) float64 { return p.WireBytesPerOp })},
	{"resident", "memory of all processes", "B", false, processes(func(p *record.Processes) float64 { return p.MemoryBytes })},
	{"outage", "longest time without an answer", "s", false, outage},
}

// Columns returns all measured quantities.
func Columns() []Column { return columns }

// ColumnOf finds a measured quantity by name.
func ColumnOf(name string) (Column, bool) {
	for _, c := range columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

func columnNames() string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// of makes a column of a figure that every result has.
func of(figure func(*record.Result) float64) func(*Run) (float64, bool) {
	return func(r *Run) (float64, bool) {
		if r.Result == nil {
			return 0, false
		}
		return figure(r.Result), true
	}
}

// latency makes a column of a figure that is there if anything was answered.
func latency(figure func(*record.Result) int64) func(*Run) (float64, bool) {
	return func(r *Run) (float64, bool) {
		if r.Result == nil || r.Result.Latency.Count == 0 {
			return 0, false
		}
		return float64(figure(r.Result)), true
	}
}

// stopped is the share of the measurement for which the machine stood still, if anybody could see that.
func stopped(r *Run) (float64, bool) {
	if r.Result == nil || r.Result.Host.Looks == 0 {
		return 0, false
	}
	return r.Result.Host.StoppedPercent, true
}

// processes makes a column of a figure of the system's processes, if they were looked at.
func processes(figure func(*record.Processes) float64) func(*Run) (float64, bool) {
	return func(r *Run) (float64, bool) {
		if r.Result == nil || r.Result.Processes == nil {
			return 0, false
		}
		return figure(r.Result.Processes), true
	}
}

// leader makes a column of a figure of the replica that led at the end; 0 is one that it did not tell.
func leader(figure func(record.Replica) float64) func(*Run) (float64, bool) {
	return meanOf(func(r record.Replica) bool { return leads(r) }, figure)
}

// follower makes a column of the mean figure of the other replicas.
func follower(figure func(record.Replica) float64) func(*Run) (float64, bool) {
	return meanOf(func(r record.Replica) bool { return !leads(r) }, figure)
}

func leads(r record.Replica) bool { return r.Role == "leader" || r.Role == "unreplicated" }

func meanOf(which func(record.Replica) bool, figure func(record.Replica) float64) func(*Run) (float64, bool) {
	return func(r *Run) (float64, bool) {
		if r.Result == nil {
			return 0, false
		}
		sum, n := 0.0, 0
		for _, replica := range r.Result.Replicas {
			if which(replica) && figure(replica) > 0 {
				sum += figure(replica)
				n++
			}
		}
		return sum / float64(max(n, 1)), n > 0
	}
}

// outage is the longest time without an answer, in seconds, to within an interval of the timeline.
func outage(r *Run) (float64, bool) {
	longest := 0.0
	for _, o := range Outages(r.Timeline) {
		longest = max(longest, o.To-o.From)
	}
	return longest, len(r.Timeline) > 0
}
