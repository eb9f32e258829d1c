package load

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"paxosbench/bench/load/observe"
	"paxosbench/bench/load/verdict"
	"paxosbench/bench/load/verify"
	"paxosbench/bench/record"
)

// outcome puts the result together.
func (r *run) outcome(ctx context.Context, set *record.Set, rows []record.Row, happened []record.Event, m *measurement) (*Outcome, error) {
	interrupted := ctx.Err() != nil
	verification, illegal := r.verification(ctx)
	result := &record.Result{
		Schema:       record.Schema,
		MeasuredS:    max(m.end-m.start, 0).Seconds(),
		StartedAt:    m.started,
		Client:       clientFigures(m),
		Replicas:     observe.Describe(m.replicas[0], m.replicas[1], m.ended, set.Counts.OK),
		Verification: verification,
		Events:       happened,
		Host:         describeHost(m),
	}
	if err := result.SetFigures(set); err != nil {
		return nil, err
	}
	config, err := r.cfg.describe()
	if err != nil {
		return nil, err
	}
	result.Config = config
	if result.MeasuredS > 0 {
		result.ThroughputOpsPerS = float64(m.inWindow) / result.MeasuredS
	}
	result.Generator = r.generator(result, m)
	markEvents(rows, happened)
	verdict.Judge(r.judged(m), result, rows)
	if interrupted {
		if result.Verdict == record.Valid {
			result.Verdict = record.Degraded // good for the part it covers, which is not the run that was asked for
		}
		result.Reasons = append(result.Reasons, fmt.Sprintf("interrupted: after %.1f s of %v", result.MeasuredS, r.cfg.Duration))
	}
	outcome := &Outcome{Result: result, Rows: rows, Set: set, Interrupted: interrupted}
	if illegal != nil {
		if outcome.Picture, err = illegal.Draw(notes(happened, m)); err != nil { // what is wrong is said all the same
			result.Verification.Reports = append(result.Verification.Reports, err.Error())
		}
	}
	return outcome, nil
}

func clientFigures(m *measurement) record.Client {
	c := m.counters[1]
	c.Sub(&m.counters[0])
	return record.Client{
		Retries:       c.Resent,
		Busy:          c.Busy,
		Gaps:          c.Gaps,
		Redirects:     c.Redirects,
		Reconnects:    c.Disconnects,
		Stalls:        c.Stalls,
		Duplicates:    c.Duplicates,
		CorruptFrames: c.CorruptFrames,
		LostSessions:  c.LostSessions,
		BytesSent:     c.BytesSent,
		BytesReceived: c.BytesReceived,
		FramesSent:    c.FramesSent,
		FramesRead:    c.FramesReceived,
		Granted:       m.granted,
	}
}

func (r *run) generator(result *record.Result, m *measurement) record.Generator {
	g := record.Generator{
		Name:              r.cfg.Name,
		ThroughputOpsPerS: result.ThroughputOpsPerS,
		Ops:               result.Ops,
		Latency:           result.Latency,
		Threads:           r.cfg.Threads,
		Version:           r.cfg.Version,
	}
	cpu := float64(m.after.process - m.before.process)
	if m.inWindow > 0 {
		g.CPUNsPerOp = cpu / float64(m.inWindow)
	}
	if result.MeasuredS > 0 {
		g.CPUShare = cpu / (result.MeasuredS * float64(time.Second))
	}
	return g
}

// judged is what the verdict has to know of the run.
func (r *run) judged(m *measurement) *verdict.Run {
	changed, known := observe.LeaderChanged(m.replicas[0], m.replicas[1])
	return &verdict.Run{
		Open: r.cfg.Open, Threads: r.cfg.Threads, MaxSendLag: r.cfg.MaxSendLag, StallTimeout: r.cfg.StallTimeout,
		History: r.cfg.Verify == verify.History, Events: len(r.cfg.Events) > 0, Stages: len(r.cfg.Stages), InFlight: m.inFlight,
		LeaderKnown:   m.leaders[1] != 0 || known,
		LeaderChanged: m.leaders[0] != m.leaders[1] || changed,
		Observed:      len(m.replicas[1]), Unseen: observe.Unseen(m.replicas[0], m.replicas[1]), Exposed: observe.Exposed(m.replicas[1]),
	}
}

// verification sums up what the threads' verifiers and connections found, and compares the replicas' states. It returns the
// first history that is illegal too, or nil.
func (r *run) verification(ctx context.Context) (record.Verification, *verify.IllegalHistory) {
	v := record.Verification{Mode: r.cfg.Verify.String()}
	var verifiers []*verify.Verifier
	var illegal *verify.IllegalHistory
	noticed := r.report()
	v.Violations, v.Reports = noticed.Counters.Violations, noticed.Violations
	for _, e := range r.engines {
		if e.verifier != nil {
			v.Add(e.verifier.Found())
			verifiers = append(verifiers, e.verifier)
		}
	}
	if r.cfg.Verify == verify.History {
		illegal = verify.Histories(verifiers, r.cfg.Generator.Of > 1 && r.cfg.KeyDist.Shared(), &v)
	}
	if r.cfg.Verify != verify.None {
		v.Digests = observe.CompareDigests(context.WithoutCancel(ctx), r.nodes)
		if v.Digests == "differ" {
			v.Violations++
			v.Reports = append(v.Reports, "the replicas have applied the same slots and their state digests differ")
		}
	}
	return v, illegal
}

// notes are what a picture of a history shows beside it: what was done to the cluster, and who led it.
func notes(happened []record.Event, m *measurement) (notes []verify.Note) {
	for _, e := range happened {
		notes = append(notes, verify.Note{Tag: "done to the cluster", Text: eventText(&e), Colour: "#d55e00",
			At: m.start + time.Duration(e.AtS*float64(time.Second)), Took: time.Duration(e.TookS * float64(time.Second))})
	}
	for i, at := range []time.Duration{m.start, m.end} {
		notes = append(notes, verify.Note{Tag: "leader", Text: fmt.Sprintf("replica %d leads", m.leaders[i]), At: at})
	}
	return notes
}

// markEvents notes each event in the row of its moment.
func markEvents(rows []record.Row, events []record.Event) {
	for _, event := range events {
		for i := range rows {
			if event.AtS >= rows[i].StartS && (event.AtS < rows[i].StartS+rows[i].LengthS || i == len(rows)-1) {
				rows[i].Events = append(rows[i].Events, eventText(&event))
				break
			}
		}
	}
}

// eventText says what was done, or was to be done.
func eventText(e *record.Event) string {
	if e.Error != "" {
		return e.Text + " (failed)"
	}
	return e.Text
}

// describe renders the configuration for the result, every value spelled as on the command line.
func (c *Config) describe() (map[string]any, error) {
	mode := "closed"
	if c.Open {
		mode = "open"
	}
	config := map[string]any{
		"mode": mode, "addrs": c.Addrs, "admin": c.Admin, "tls": c.TLS, "conns": c.Conns, "clients": c.Clients, "threads": c.Threads,
		"window": c.Window, "session_window": c.SessionWindow, "keys": c.Keys, "key_dist": c.KeyDist, "key_size": c.KeySize, "value_size": c.ValueSize,
		"compress_ratio": c.CompressRatio, "mix": c.Mix, "preload": c.Preload, "seed": c.Seed,
		"warmup": c.Warmup.String(), "duration": c.Duration.String(), "interval": c.Interval.String(),
		"timeout": c.Timeout.String(), "stall_timeout": c.StallTimeout.String(), "connect_timeout": c.ConnectTimeout.String(), "give_up": c.GiveUp.String(),
		"generator": c.Generator,
		"verify":    c.Verify, "examine": c.Examine.String(), "max_errors": c.MaxErrors, "events": c.Events,
	}
	if c.System != nil {
		config["system"] = c.System.Name()
	}
	if c.Total > 0 {
		config["total"] = c.Total
	}
	if len(c.Stages) > 0 {
		config["stages"] = c.Stages
	}
	if c.Open {
		config["rate_ops_per_s"] = float64(c.Rate)
		config["arrival"] = c.Arrival
		config["tick"] = c.LeastGap(c.Threads).String()
	}
	if c.MaxSendLag > 0 {
		config["max_send_lag"] = c.MaxSendLag.String()
	}
	if c.Objective.Bound > 0 {
		config["objective"] = c.Objective
	}
	// Through JSON and back, so that a result in memory equals one that was read.
	data, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("describe configuration: %w", err)
	}
	var described map[string]any
	if err := json.Unmarshal(data, &described); err != nil {
		return nil, fmt.Errorf("describe configuration: %w", err)
	}
	return described, nil
}
