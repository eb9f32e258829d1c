package load

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"paxosbench/bench/record"
	"paxosbench/wire"
)

// goodResult is a result without blemish, of an open loop.
func goodResult() (*Config, *record.Result, []record.Row, *measurement) {
	cfg := testConfig()
	cfg.Open, cfg.Rate = true, 1000
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
	return cfg, r, append(rows, record.Row{Drain: true, LengthS: 0.1}), &measurement{inFlight: 10_000 * 1000}
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func(*Config, *record.Result, []record.Row, *measurement)
		want   record.Verdict
		reason string
	}{
		{"good", func(*Config, *record.Result, []record.Row, *measurement) {}, record.Valid, ""},
		{"schedule not sent", func(_ *Config, r *record.Result, _ []record.Row, _ *measurement) {
			r.Ops.Sent, r.Ops.NotSent, r.Ops.OK = 9700, 300, 9700
		}, record.Invalid, "schedule sent"},
		{"answers behind", func(_ *Config, r *record.Result, _ []record.Row, _ *measurement) {
			r.Ops.OK, r.Ops.InFlightAtEnd = 9700, 300
		}, record.Degraded, "schedule answered"},
		{"late", func(_ *Config, r *record.Result, _ []record.Row, _ *measurement) {
			r.SendLag.P99 = int64(2 * time.Millisecond)
		}, record.Invalid, "send lag p99"},
		{"late, because of an event that was asked for", func(c *Config, r *record.Result, _ []record.Row, _ *measurement) {
			c.Events, r.SendLag.P99 = make([]PlannedEvent, 1), int64(2*time.Second)
		}, record.Degraded, "send lag p99"},
		{"late, because no leader was there", func(c *Config, r *record.Result, _ []record.Row, _ *measurement) {
			r.Client.Reconnects, r.Client.Stalls, r.SendLag.P99 = 4, 4, int64(2*time.Second)
		}, record.Invalid, "send lag p99: operations left late: while connections were lost (4, of which 4 were silent for 2s and more)"},
		{"late, but slow service", func(_ *Config, r *record.Result, _ []record.Row, _ *measurement) {
			r.SendLag.P99, r.Service.P50 = int64(2*time.Millisecond), int64(30*time.Millisecond)
		}, record.Valid, ""},
		{"late, but permitted", func(c *Config, r *record.Result, _ []record.Row, _ *measurement) {
			c.MaxSendLag, r.SendLag.P99 = 5*time.Millisecond, int64(2*time.Millisecond)
		}, record.Degraded, "usual send lag"},
		{"later than permitted", func(c *Config, r *record.Result, _ []record.Row, _ *measurement) {
			c.MaxSendLag, r.SendLag.P99 = 5*time.Millisecond, int64(6*time.Millisecond)
		}, record.Invalid, "send lag p99"},
		{"not late by usual standards, but by the stricter one given", func(c *Config, r *record.Result, _ []record.Row, _ *measurement) {
			c.MaxSendLag, r.SendLag.P99 = 100*time.Microsecond, int64(200*time.Microsecond)
		}, record.Invalid, "send lag p99"},
		{"little's law", func(_ *Config, _ *record.Result, _ []record.Row, m *measurement) { m.inFlight *= 2 }, record.Degraded, "little's law"},
		{"not stationary", func(_ *Config, _ *record.Result, rows []record.Row, _ *measurement) {
			for i := range 5 {
				rows[i].OK = 900
			}
		}, record.Degraded, "stationarity"},
		{"another second half, because of an event that was asked for", func(c *Config, _ *record.Result, rows []record.Row, _ *measurement) {
			c.Events = make([]PlannedEvent, 1)
			for i := range 5 {
				rows[i].OK = 500
			}
		}, record.Valid, ""},
		{"steal", func(_ *Config, r *record.Result, _ []record.Row, _ *measurement) { r.Host.StealPercent = 5 }, record.Degraded, "steal time"},
		{"generator saturated", func(_ *Config, r *record.Result, _ []record.Row, _ *measurement) { r.Generator.CPUShare = 0.99 }, record.Invalid, "generator cpu"},
		{"closed loop at full speed", func(c *Config, r *record.Result, _ []record.Row, _ *measurement) {
			c.Open, r.Generator.CPUShare = false, 0.99
		}, record.Degraded, "generator cpu"},
		{"reconnect", func(_ *Config, r *record.Result, _ []record.Row, _ *measurement) { r.Client.Reconnects = 1 }, record.Degraded, "connections"},
		{"reconnect that was asked for", func(c *Config, r *record.Result, _ []record.Row, m *measurement) {
			r.Client.Reconnects, c.Events = 1, []PlannedEvent{{}}
			m.replicas[1] = []snapshot{{status: status{Leader: 2}}}
		}, record.Valid, ""},
		{"leader change", func(_ *Config, _ *record.Result, _ []record.Row, m *measurement) {
			m.replicas[0] = []snapshot{{status: status{Leader: 1, Ballot: 1}}}
			m.replicas[1] = []snapshot{{status: status{Leader: 1, Ballot: 1}}, {status: status{Leader: 2, Ballot: 2}}}
		}, record.Degraded, "leader changes"},
		{"leader change that only the connections have seen", func(_ *Config, _ *record.Result, _ []record.Row, m *measurement) {
			m.leaders = [2]wire.ReplicaID{1, 3}
		}, record.Degraded, "leader changes"},
		{"replicas that could not be asked", func(c *Config, _ *record.Result, _ []record.Row, m *measurement) {
			c.Admin = []string{"a", "b"}
			refused := snapshot{err: errors.New("b: connection refused")}
			m.replicas = [2][]snapshot{{{}, refused}, {{}, refused}}
		}, record.Degraded, "replicas: figures, configuration and version of some replicas are not known, perhaps because their admin addresses " +
			"serve their own host only; --admin none expects none: b: connection refused"},
		{"damaged frames", func(_ *Config, r *record.Result, _ []record.Row, _ *measurement) { r.Client.CorruptFrames = 1 }, record.Degraded, "corrupt frames"},
		{"failures", func(_ *Config, r *record.Result, _ []record.Row, _ *measurement) { r.Ops.OK, r.Ops.Failed = 9999, 1 }, record.Degraded, "failed operations"},
		{"wrong answers", func(_ *Config, r *record.Result, _ []record.Row, _ *measurement) { r.Verification.Violations = 1 }, record.Invalid, "verification"},
		{"history of which nothing was decided", func(c *Config, r *record.Result, _ []record.Row, _ *measurement) {
			c.Verify, r.Verification.HistoryUndecided = VerifyHistory, 5000
		}, record.Degraded, "history"},
		{"history of which a part was decided", func(c *Config, r *record.Result, _ []record.Row, _ *measurement) {
			c.Verify, r.Verification.HistoryOps, r.Verification.HistoryUndecided = VerifyHistory, 10, 5000
		}, record.Valid, ""},
		{"event that failed", func(c *Config, r *record.Result, _ []record.Row, _ *measurement) {
			c.Events, r.Events = make([]PlannedEvent, 2), []record.Event{{Text: "kill 1"}, {Text: "start 1", Error: "exit status 2"}}
		}, record.Invalid, "events: what --at asked for did not take place: start 1: exit status 2 (1, limit 0)"},
		{"counters off", func(_ *Config, r *record.Result, _ []record.Row, _ *measurement) { r.Ops.Scheduled++ }, record.Invalid, "accounting"},
		{"early", func(_ *Config, r *record.Result, _ []record.Row, _ *measurement) { r.Ops.Early = 1 }, record.Invalid, "sent early"},
	}
	for _, tt := range tests {
		cfg, r, rows, m := goodResult()
		tt.spoil(cfg, r, rows, m)
		judge(cfg, r, rows, m)
		if r.Verdict != tt.want {
			t.Errorf("%s: verdict %s %q, want %s", tt.name, r.Verdict, r.Reasons, tt.want)
		}
		if got := strings.Join(r.Reasons, "\n"); tt.reason != "" && !strings.Contains("\n"+got, "\n"+tt.reason) {
			t.Errorf("%s: reasons %q do not name %s", tt.name, got, tt.reason)
		}
		if seen := slices.ContainsFunc(r.Checks, func(c record.Check) bool { return c.Name == "replicas" && c.NotObserved && !c.OK }); seen != (len(cfg.Admin) == 0) {
			t.Errorf("%s: replicas that nobody has asked about are taken to be as they should", tt.name)
		}
		if len(r.Checks) < 9 {
			t.Errorf("%s: only %d checks have figures", tt.name, len(r.Checks))
		}
	}
}
