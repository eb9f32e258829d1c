package verdict

import (
	"slices"
	"strings"
	"testing"
	"time"

	"paxosbench/bench/record"
)

// goodResult is a result without blemish, of an open loop.
func goodResult() (*Run, *record.Result, []record.Row) {
	r := &record.Result{
		Ops:       record.Counts{Scheduled: 10_000, Sent: 10_000, OK: 10_000},
		Service:   record.Latency{P50: int64(time.Millisecond), Mean: 1000, Count: 10_000},
		SendLag:   record.Latency{P99: int64(50 * time.Microsecond)},
		Generator: record.Generator{CPUShare: 0.3},
	}
	rows := make([]record.Row, 10)
	for i := range rows {
		rows[i] = record.Row{LengthS: 1, OK: 1000}
	}
	r.Host.Looks = 200
	run := &Run{Open: true, Threads: 1, StallTimeout: 2 * time.Second, InFlight: 10_000 * 1000, LeaderKnown: true}
	return run, r, append(rows, record.Row{Drain: true, LengthS: 0.1})
}

// stoppedHost is one that stopped the machine for a part of the measurement, in percent.
func stoppedHost(percent float64) record.Host {
	return record.Host{Looks: 200, Stops: 7, StoppedPercent: percent, LongestStopNs: int64(14 * time.Millisecond)}
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func(*Run, *record.Result, []record.Row)
		want   record.Verdict
		reason string
	}{
		{"good", func(*Run, *record.Result, []record.Row) {}, record.Valid, ""},
		{"schedule not sent", func(_ *Run, r *record.Result, _ []record.Row) {
			r.Ops.Sent, r.Ops.NotSent, r.Ops.OK = 9700, 300, 9700
		}, record.Invalid, "schedule sent"},
		{"answers behind", func(_ *Run, r *record.Result, _ []record.Row) {
			r.Ops.OK, r.Ops.InFlightAtEnd = 9700, 300
		}, record.Degraded, "schedule answered"},
		{"late", func(_ *Run, r *record.Result, _ []record.Row) {
			r.SendLag.P99 = int64(2 * time.Millisecond)
		}, record.Invalid, "send lag p99"},
		{"late, because of an event that was asked for", func(c *Run, r *record.Result, _ []record.Row) {
			c.Events, r.SendLag.P99 = true, int64(2*time.Second)
		}, record.Degraded, "send lag p99"},
		{"late, because no leader was there", func(c *Run, r *record.Result, _ []record.Row) {
			r.Client.Reconnects, r.Client.Stalls, r.SendLag.P99 = 4, 4, int64(2*time.Second)
		}, record.Invalid, "send lag p99: operations left late: while connections were lost (4, of which 4 were silent for 2s and more)"},
		{"late, but slow service", func(_ *Run, r *record.Result, _ []record.Row) {
			r.SendLag.P99, r.Service.P50 = int64(2*time.Millisecond), int64(30*time.Millisecond)
		}, record.Valid, ""},
		{"late, but permitted", func(c *Run, r *record.Result, _ []record.Row) {
			c.MaxSendLag, r.SendLag.P99 = 5*time.Millisecond, int64(2*time.Millisecond)
		}, record.Degraded, "usual send lag"},
		{"later than permitted", func(c *Run, r *record.Result, _ []record.Row) {
			c.MaxSendLag, r.SendLag.P99 = 5*time.Millisecond, int64(6*time.Millisecond)
		}, record.Invalid, "send lag p99"},
		{"not late by usual standards, but by the stricter one given", func(c *Run, r *record.Result, _ []record.Row) {
			c.MaxSendLag, r.SendLag.P99 = 100*time.Microsecond, int64(200*time.Microsecond)
		}, record.Invalid, "send lag p99"},
		{"little's law", func(c *Run, _ *record.Result, _ []record.Row) { c.InFlight *= 2 }, record.Degraded, "little's law"},
		{"not stationary", func(_ *Run, _ *record.Result, rows []record.Row) {
			for i := range 5 {
				rows[i].OK = 900
			}
		}, record.Degraded, "stationarity"},
		{"another second half, because of an event that was asked for", func(c *Run, _ *record.Result, rows []record.Row) {
			c.Events = true
			for i := range 5 {
				rows[i].OK = 500
			}
		}, record.Valid, ""},
		{"steal", func(_ *Run, r *record.Result, _ []record.Row) { r.Host.StealPercent = 5 }, record.Degraded, "steal time"},
		{"host that stopped the machine, as much as is allowed", func(_ *Run, r *record.Result, _ []record.Row) {
			r.Host = stoppedHost(1)
		}, record.Valid, ""},
		{"host that stopped the machine", func(_ *Run, r *record.Result, _ []record.Row) {
			r.Host = stoppedHost(1.1)
		}, record.Degraded, "host stops: the host stopped this machine at 7 of 200 looks, for up to 14ms more: " +
			"high latencies show that as well; use a host that does not limit its processor time, or lower the load (1.1, limit 1 %)"},
		{"host that may have stopped the machine by chance", func(_ *Run, r *record.Result, _ []record.Row) {
			r.Host = record.Host{Looks: 40, Stops: 2, StoppedPercent: 5}
		}, record.Valid, ""},
		{"host of which nobody could tell", func(_ *Run, r *record.Result, _ []record.Row) { r.Host.Looks = 0 }, record.Valid, ""},
		{"generator saturated", func(_ *Run, r *record.Result, _ []record.Row) { r.Generator.CPUShare = 0.99 }, record.Invalid, "generator cpu"},
		{"closed loop at full speed", func(c *Run, r *record.Result, _ []record.Row) {
			c.Open, r.Generator.CPUShare = false, 0.99
		}, record.Degraded, "generator cpu"},
		{"leader that nobody knows", func(c *Run, _ *record.Result, _ []record.Row) { c.LeaderKnown = false }, record.Valid, ""},
		{"reconnect", func(_ *Run, r *record.Result, _ []record.Row) { r.Client.Reconnects = 1 }, record.Degraded, "connections"},
		{"reconnect that was asked for", func(c *Run, r *record.Result, _ []record.Row) {
			r.Client.Reconnects, c.Events, c.LeaderChanged = 1, true, true
		}, record.Valid, ""},
		{"leader change", func(c *Run, _ *record.Result, _ []record.Row) { c.LeaderChanged = true }, record.Degraded, "leader changes"},
		{"replicas that could not be asked", func(c *Run, _ *record.Result, _ []record.Row) {
			c.Observed, c.Unseen = 2, []string{"b: connection refused"}
		}, record.Degraded, "replicas: figures, configuration and version of some replicas are not known, perhaps because their admin addresses " +
			"serve their own host only; --admin none expects none: b: connection refused"},
		{"replicas that anybody may have answered for", func(c *Run, _ *record.Result, _ []record.Row) { c.Exposed = []string{"replica 1"} }, record.Valid, ""},
		{"damaged frames", func(_ *Run, r *record.Result, _ []record.Row) { r.Client.CorruptFrames = 1 }, record.Degraded, "corrupt frames"},
		{"failures", func(_ *Run, r *record.Result, _ []record.Row) { r.Ops.OK, r.Ops.Failed = 9999, 1 }, record.Degraded, "failed operations"},
		{"wrong answers", func(_ *Run, r *record.Result, _ []record.Row) { r.Verification.Violations = 1 }, record.Invalid, "verification"},
		{"history of which nothing was decided", func(c *Run, r *record.Result, _ []record.Row) {
			c.History, r.Verification.HistoryUndecided = true, 5000
		}, record.Degraded, "history"},
		{"history of which a part was decided", func(c *Run, r *record.Result, _ []record.Row) {
			c.History, r.Verification.HistoryOps, r.Verification.HistoryUndecided = true, 10, 5000
		}, record.Valid, ""},
		{"event that failed", func(c *Run, r *record.Result, _ []record.Row) {
			c.Events, r.Events = true, []record.Event{{Text: "kill 1"}, {Text: "start 1", Error: "exit status 2"}}
		}, record.Invalid, "events: what --at asked for did not take place: start 1: exit status 2 (1, limit 0)"},
		{"counters off", func(_ *Run, r *record.Result, _ []record.Row) { r.Ops.Scheduled++ }, record.Invalid, "accounting"},
		{"early", func(_ *Run, r *record.Result, _ []record.Row) { r.Ops.Early = 1 }, record.Invalid, "sent early"},
	}
	for _, tt := range tests {
		run, r, rows := goodResult()
		tt.spoil(run, r, rows)
		Judge(run, r, rows)
		if r.Verdict != tt.want {
			t.Errorf("%s: verdict %s %q, want %s", tt.name, r.Verdict, r.Reasons, tt.want)
		}
		if got := strings.Join(r.Reasons, "\n"); tt.reason != "" && !strings.Contains("\n"+got, "\n"+tt.reason) {
			t.Errorf("%s: reasons %q do not name %s", tt.name, got, tt.reason)
		}
		if seen := slices.ContainsFunc(r.Checks, func(c record.Check) bool { return c.Name == "replicas" && c.NotObserved && !c.OK }); seen != (run.Observed == 0) {
			t.Errorf("%s: replicas that nobody has asked about are taken to be as they should", tt.name)
		}
		if seen := slices.ContainsFunc(r.Checks, func(c record.Check) bool { return c.Name == "identity" && c.NotObserved }); seen != (run.Exposed != nil) {
			t.Errorf("%s: it is not said that nobody has proved who answered, or it is without need", tt.name)
		}
		if seen := slices.ContainsFunc(r.Checks, func(c record.Check) bool { return c.Name == "host stops" && c.NotObserved }); seen != (r.Host.Looks == 0) {
			t.Errorf("%s: it is not said that nobody could see the host stop the machine, or it is without need", tt.name)
		}
		if len(r.Checks) < 9 {
			t.Errorf("%s: only %d checks have figures", tt.name, len(r.Checks))
		}
	}
}
