package load

import (
	"fmt"
	"math"
	"strings"
	"time"

	"paxosbench/bench/record"
)

// Limits of the verdict.
const (
	scheduleHeld      = 0.98 // least share of the schedule that must be sent, and answered in time
	lagFloor          = time.Millisecond
	lagShare          = 0.10 // of the median service time
	littleTolerance   = 0.05
	halvesTolerance   = 0.03
	stealLimit        = 1.0  // percent
	generatorCPULimit = 0.95 // of a processor per thread
	leastForHalves    = 4    // intervals below which halves are not compared
)

// checkAnswered is the check of goodput, which a search wants passed although a single run is only degraded by it.
const checkAnswered = "schedule answered"

// judge fills in the checks, the reasons and the verdict.
func judge(cfg *Config, r *record.Result, rows []record.Row, measured *measurement) {
	v := &judging{result: r}
	if cfg.Open {
		v.openLoop(cfg, r)
	}
	v.little(r, measured)
	if len(cfg.Events) == 0 && len(cfg.Stages) < 2 { // what was ordered is no drift
		v.halves(rows)
	}
	v.steady(cfg, r, measured)
	v.atMost("steal time", r.Host.StealPercent, stealLimit, "%", record.Degraded,
		"other guests of the machine took CPU time: repeat the run")
	v.atMost("generator cpu", r.Generator.CPUShare/float64(cfg.Threads), generatorCPULimit, "cores per thread", generatorSeverity(cfg),
		"the load generator itself is saturated: add --threads or lower the load")
	v.exactly("accounting", boolFigure(r.Ops.Consistent()), 1, record.Invalid, "the counters do not sum: a defect of the load generator")
	v.exactly("sent early", float64(r.Ops.Early), 0, record.Invalid, "operations were sent before they were due")
	v.exactly("verification", float64(r.Verification.Violations), 0, record.Invalid, "answers were wrong")
	v.asked(cfg, r)
	v.conclude()
}

// generatorSeverity: a closed loop that runs at full speed uses its processor fully by design.
func generatorSeverity(cfg *Config) record.Verdict {
	if cfg.Open {
		return record.Invalid
	}
	return record.Degraded
}

// asked checks that what was asked for beside the load has taken place.
func (v *judging) asked(cfg *Config, r *record.Result) {
	if cfg.Verify == VerifyHistory {
		v.atLeast("history", float64(r.Verification.HistoryOps), 1, "operations decided", record.Degraded,
			"linearizability was not checked, because no key's history was decided in time: have fewer operations of a key overlap, "+
				"with a lower --rate or --window, or with more --keys")
	}
	if len(cfg.Events) > 0 {
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

func (v *judging) openLoop(cfg *Config, r *record.Result) {
	scheduled := float64(max(r.Ops.Scheduled, 1))
	v.atLeast("schedule sent", float64(r.Ops.Sent)/scheduled, scheduleHeld, "of schedule", record.Invalid,
		"the schedule was not held: the rate is beyond what the replicas or the generator can do")
	v.atLeast(checkAnswered, float64(r.Ops.OK)/scheduled, scheduleHeld, "of schedule", record.Degraded,
		"answers fell behind the schedule")
	v.sendLag(cfg, r)
}

// sendLag judges how late operations left. Who permits more than is usual gets figures, but not without a word.
func (v *judging) sendLag(cfg *Config, r *record.Result) {
	usual := max(float64(lagFloor), lagShare*float64(r.Service.P50))
	limit := usual
	if cfg.MaxSendLag > 0 {
		limit = float64(cfg.MaxSendLag)
	}
	severity := record.Invalid
	if len(cfg.Events) > 0 {
		severity = record.Degraded // while no replica takes commands none can leave, and that was asked for
	}
	lag := float64(r.SendLag.P99)
	why := "operations left late: the generator or the window limited the load, not the schedule"
	if c := &r.Client; c.Reconnects > 0 {
		why = fmt.Sprintf("operations left late: while connections were lost (%d, of which %d were silent for %v and more) nothing could leave; "+
			"otherwise the generator or the window limited the load", c.Reconnects, c.Stalls, cfg.StallTimeout)
	}
	v.atMost("send lag p99", lag, limit, "ns", severity, why)
	if limit > usual {
		v.atMost("usual send lag", lag, usual, "ns", record.Degraded,
			"operations left later than is usually allowed: latency from when due includes that")
	}
}

// little compares the mean number in flight with throughput times mean service time.
func (v *judging) little(r *record.Result, m *measurement) {
	answered := float64(r.Service.Count)
	if answered == 0 || m.inFlight == 0 {
		return
	}
	expected := float64(r.Service.Mean) * answered
	v.atMost("little's law", math.Abs(m.inFlight-expected)/expected, littleTolerance, "relative difference", record.Degraded,
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
func (v *judging) steady(cfg *Config, r *record.Result, m *measurement) {
	if len(cfg.Events) == 0 {
		changed := m.leaders[0] != m.leaders[1] || leaderChanged(m.replicas[0], m.replicas[1])
		v.exactly("leader changes", boolFigure(changed), 0, record.Degraded, "another replica leads than at the beginning")
		disturbances := r.Client.Reconnects + r.Client.Redirects + r.Client.LostSessions
		v.exactly("connections", float64(disturbances), 0, record.Degraded, "connections were lost or redirected: the leader changed, or was replaced")
	}
	v.observed(cfg, m)
	v.exactly("corrupt frames", float64(r.Client.CorruptFrames), 0, record.Degraded, "frames arrived damaged")
	v.exactly("failed operations", float64(r.Ops.Failed+r.Ops.TimedOut), 0, record.Degraded, "operations failed or timed out")
}

// observed says whose replicas' figures, configuration and state nobody has seen: what depends on them has not been checked.
// It was not to be seen if there are no admin addresses; a replica that events kill is excused.
func (v *judging) observed(cfg *Config, m *measurement) {
	if len(cfg.Admin) == 0 {
		v.unobserved("replicas", "no admin addresses were given: figures, configuration and version of the replicas are not known, their states not compared")
		return
	}
	missing := unseen(m.replicas[0], m.replicas[1])
	if len(cfg.Events) > 0 && len(missing) < len(cfg.Admin) {
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
