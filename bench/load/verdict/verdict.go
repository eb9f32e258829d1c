// Package verdict judges how far the figures of a run describe the system under test, by checks with limits: valid, degraded, or
// invalid, with reasons. It sees nothing but the result and what it is told of the run, so it can be argued with by a table; it
// says of what nobody has observed that it was not, and never that it was as it should be.
package verdict

import (
	"fmt"
	"math"
	"strings"
	"time"

	"paxosbench/bench/load/pacing"
	"paxosbench/bench/record"
)

// Limits of the verdict.
const (
	scheduleHeld      = 0.98                    // least share of the schedule that must be sent, and answered in time
	lagFloor          = 10 * pacing.LongestTick // of which the tick is a tenth
	lagShare          = 0.10                    // of the median service time
	littleTolerance   = 0.05
	halvesTolerance   = 0.03
	stealLimit        = 1.0  // percent
	stopsLimit        = 1.0  // percent
	stopsLeast        = 3    // below that many it may be chance
	generatorCPULimit = 0.95 // of a processor per thread
	leastForHalves    = 4    // intervals below which halves are not compared
)

// Run is what the verdict has to know of a run beside its result.
type Run struct {
	Open         bool
	Threads      int
	MaxSendLag   time.Duration // up to which an open loop is valid; 0: what is usual
	StallTimeout time.Duration
	History      bool // was to be checked
	Events       bool // were asked for
	Stages       int

	InFlight      float64 // integral of the operations in flight, in operation-nanoseconds
	LeaderKnown   bool    // by the connections, or by the replicas
	LeaderChanged bool
	// Observed tells whether replicas were to be looked at, and how many; Unseen are those that could not be, with the reason.
	Observed int
	Unseen   []string
	Exposed  []string // replicas that anybody could have answered for
}

// checkAnswered is the check of goodput, which a search wants passed although a single run is only degraded by it.
const checkAnswered = "schedule answered"

// Judge fills in the checks, the reasons and the verdict.
func Judge(run *Run, r *record.Result, rows []record.Row) {
	v := &judging{result: r}
	if run.Open {
		v.openLoop(run, r)
	}
	v.little(run, r)
	if !run.Events && run.Stages < 2 { // what was ordered is no drift
		v.halves(rows)
	}
	v.steady(run, r)
	v.atMost("steal time", r.Host.StealPercent, stealLimit, "%", record.Degraded,
		"other guests of the machine took CPU time: repeat the run")
	v.stops(&r.Host)
	v.atMost("generator cpu", r.Generator.CPUShare/float64(run.Threads), generatorCPULimit, "cores per thread", generatorSeverity(run),
		"the load generator itself is saturated: add --threads or lower the load")
	v.exactly("accounting", boolFigure(r.Ops.Consistent()), 1, record.Invalid, "the counters do not sum: a defect of the load generator")
	v.exactly("sent early", float64(r.Ops.Early), 0, record.Invalid, "operations were sent before they were due")
	v.exactly("verification", float64(r.Verification.Violations), 0, record.Invalid, "answers were wrong")
	v.asked(run, r)
	v.conclude()
}

// generatorSeverity: a closed loop that runs at full speed uses its processor fully by design.
func generatorSeverity(run *Run) record.Verdict {
	if run.Open {
		return record.Invalid
	}
	return record.Degraded
}

// asked checks that what was asked for beside the load has taken place.
func (v *judging) asked(run *Run, r *record.Result) {
	if run.History {
		v.atLeast("history", float64(r.Verification.HistoryOps), 1, "operations decided", record.Degraded,
			"linearizability was not checked, because no key's history was decided in time: have fewer operations of a key overlap, "+
				"with a lower --rate or --window, or with more --keys")
	}
	if run.Events {
		var failed []string
		for _, e := range r.Events {
			if e.Error != "" {
				failed = append(failed, e.Text+": "+e.Error)
			}
		}
		v.exactly("events", float64(len(failed)), 0, record.Invalid, "what --at asked for did not take place: "+strings.Join(failed, "; "))
	}
}

type judging struct{ result *record.Result }

func (v *judging) openLoop(run *Run, r *record.Result) {
	scheduled := float64(max(r.Ops.Scheduled, 1))
	v.atLeast("schedule sent", float64(r.Ops.Sent)/scheduled, scheduleHeld, "of schedule", record.Invalid,
		"the schedule was not held: the rate is beyond what the replicas or the generator can do")
	v.atLeast(checkAnswered, float64(r.Ops.OK)/scheduled, scheduleHeld, "of schedule", record.Degraded,
		"answers fell behind the schedule")
	v.sendLag(run, r)
}

// sendLag judges how late operations left. Who permits more than is usual gets figures, but not without a word.
func (v *judging) sendLag(run *Run, r *record.Result) {
	usual := max(float64(lagFloor), lagShare*float64(r.Service.P50))
	limit := usual
	if run.MaxSendLag > 0 {
		limit = float64(run.MaxSendLag)
	}
	severity := record.Invalid
	if run.Events {
		severity = record.Degraded // while no replica takes commands none can leave, and that was asked for
	}
	lag := float64(r.SendLag.P99)
	why := "operations left late: the generator or the window limited the load, not the schedule"
	if c := &r.Client; c.Reconnects > 0 {
		why = fmt.Sprintf("operations left late: while connections were lost (%d, of which %d were silent for %v and more) nothing could leave; "+
			"otherwise the generator or the window limited the load", c.Reconnects, c.Stalls, run.StallTimeout)
	}
	v.atMost("send lag p99", lag, limit, "ns", severity, why)
	if limit > usual {
		v.atMost("usual send lag", lag, usual, "ns", record.Degraded,
			"operations left later than is usually allowed: latency from when due includes that")
	}
}

// little compares the mean number in flight with throughput times mean service time.
func (v *judging) little(run *Run, r *record.Result) {
	answered := float64(r.Service.Count)
	if answered == 0 || run.InFlight == 0 {
		return
	}
	expected := float64(r.Service.Mean) * answered
	v.atMost("little's law", math.Abs(run.InFlight-expected)/expected, littleTolerance, "relative difference", record.Degraded,
		"operations in flight do not match throughput times service time: the accounting of time is off")
}

// halves compares the throughput of the first and the second half.
func (v *judging) halves(rows []record.Row) {
	var full []record.Row
	for _, row := range rows {
		if !row.Drain {
			full = append(full, row)
		}
	}
	if len(full) < leastForHalves {
		return
	}
	first, second := rate(full[:len(full)/2]), rate(full[len(full)/2:])
	v.atMost("stationarity", math.Abs(second-first)/max(first, second, 1), halvesTolerance, "difference of halves", record.Degraded,
		"throughput changed between the first and the second half: lengthen --warmup or --duration")
}

func rate(rows []record.Row) float64 {
	ok, seconds := 0.0, 0.0
	for _, row := range rows {
		ok += float64(row.OK)
		seconds += row.LengthS
	}
	return ok / seconds
}

// steady checks that nothing happened that was not asked for. Events excuse reconnects.
func (v *judging) steady(run *Run, r *record.Result) {
	if !run.LeaderKnown {
		v.unobserved("leader changes", "nobody has said which node leads, if one does")
	}
	if !run.Events && run.LeaderKnown {
		v.exactly("leader changes", boolFigure(run.LeaderChanged), 0, record.Degraded, "another replica leads than at the beginning")
	}
	if !run.Events {
		disturbances := r.Client.Reconnects + r.Client.Redirects + r.Client.LostSessions
		v.exactly("connections", float64(disturbances), 0, record.Degraded, "connections were lost or redirected: the leader changed, or was replaced")
	}
	v.observed(run)
	v.identity(run)
	v.exactly("corrupt frames", float64(r.Client.CorruptFrames), 0, record.Degraded, "frames arrived damaged")
	v.exactly("failed operations", float64(r.Ops.Failed+r.Ops.TimedOut), 0, record.Degraded, "operations failed or timed out")
}

// stops judges for how long the machine stood still. That is not in steal time where the host, and no other guest, is the reason.
func (v *judging) stops(h *record.Host) {
	if h.Looks == 0 {
		v.unobserved("host stops", "nobody has seen whether the host stopped this machine: the kernel does not tell how long threads wait for a processor "+
			"(/proc/thread-self/schedstat), or the measurement was too short to look")
		return
	}
	percent := h.StoppedPercent
	if h.Stops < stopsLeast {
		percent = 0
	}
	v.atMost("host stops", percent, stopsLimit, "%", record.Degraded, fmt.Sprintf("the host stopped this machine at %d of %d looks, for up to %s more: "+
		"high latencies show that as well; use a host that does not limit its processor time, or lower the load",
		h.Stops, h.Looks, record.Ns(h.LongestStopNs)))
}

// identity says if nobody has proved that those who answered were the replicas, and could have been somebody else.
func (v *judging) identity(run *Run) {
	if len(run.Exposed) > 0 {
		v.unobserved("identity", strings.Join(run.Exposed, ", ")+": whoever reaches its addresses could answer, read and change what passes (--insecure-listen instead of --tls)")
	}
}

// observed says whose replicas' figures, configuration and state nobody has seen: what depends on them has not been checked.
// It was not to be seen if there are neither admin addresses nor a driver that can tell; a replica that events kill is excused.
func (v *judging) observed(run *Run) {
	if run.Observed == 0 {
		v.unobserved("replicas", "nothing tells how the replicas are, neither admin addresses nor a driver: their figures, configuration and version are "+
			"not known, their states not compared")
		return
	}
	missing := run.Unseen
	if run.Events && len(missing) < run.Observed {
		missing = nil
	}
	if len(missing) > 0 {
		v.exactly("replicas", float64(len(missing)), 0, record.Degraded, "figures, configuration and version of some replicas are not known, "+
			"perhaps because their admin addresses serve their own host only; --admin none expects none: "+strings.Join(missing, "; "))
		return
	}
	v.exactly("replicas", 0, 0, record.Degraded, "")
}

func (v *judging) unobserved(name, why string) {
	v.result.Checks = append(v.result.Checks, record.Check{Name: name, NotObserved: true, Severity: record.Degraded, Reason: why})
}

func (v *judging) atMost(name string, value, limit float64, unit string, severity record.Verdict, reason string) {
	v.add(name, value <= limit, value, limit, unit, severity, reason)
}

func (v *judging) atLeast(name string, value, limit float64, unit string, severity record.Verdict, reason string) {
	v.add(name, value >= limit, value, limit, unit, severity, reason)
}

func (v *judging) exactly(name string, value, want float64, severity record.Verdict, reason string) {
	v.add(name, value == want, value, want, "", severity, reason)
}

func (v *judging) add(name string, ok bool, value, limit float64, unit string, severity record.Verdict, reason string) {
	check := record.Check{Name: name, OK: ok, Value: value, Limit: limit, Unit: unit, Severity: severity}
	if !ok {
		check.Reason = reason
	}
	v.result.Checks = append(v.result.Checks, check)
}

// conclude derives reasons and verdict from the checks.
func (v *judging) conclude() {
	r := v.result
	r.Verdict, r.Reasons = record.Valid, []string{}
	for _, c := range r.Checks {
		if !c.Failed() {
			continue
		}
		r.Reasons = append(r.Reasons, c.Failure())
		if r.Verdict == record.Valid || c.Severity == record.Invalid {
			r.Verdict = c.Severity
		}
	}
}

func boolFigure(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Shortfalls lists what a run fell short of, with figures: checks that make it invalid, goodput, the objective. Goodput and
// latency both count: a rate that is answered late, or in part, is not one that the system serves.
func Shortfalls(r *record.Result, latency *record.Histogram, o Objective) []string {
	var short []string
	for _, c := range r.Checks {
		if c.Failed() && (c.Severity == record.Invalid || c.Name == checkAnswered) {
			value, limit := c.Text()
			short = append(short, fmt.Sprintf("%s %s (limit %s)", c.Name, value, limit))
		}
	}
	if !o.Met(latency) {
		short = append(short, fmt.Sprintf("objective %v: %s", o, record.Ns(int64(latency.Percentile(o.Percentile)))))
	}
	return short
}
