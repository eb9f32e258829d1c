package record

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Merge makes one result of those of several generators that loaded one cluster at the same time: throughputs and
// counts add up, histograms are merged (percentiles never are), and each generator keeps a row of its own. Times,
// configuration, host and replicas are those of the first result, except that the replicas' CPU time is divided by the
// operations of all. The verdict is the worst of all. It refuses results that are not parts of one measurement.
func Merge(results []*Result) (*Result, *Set, error) {
	if err := addable(results); err != nil {
		return nil, nil, fmt.Errorf("merge: %w", err)
	}
	merged := *results[0]
	merged.Client, merged.Verification = Client{}, Verification{Mode: merged.Verification.Mode}
	merged.Generators, merged.Checks, merged.Events, merged.Stages = nil, nil, nil, nil
	merged.Verdict, merged.Reasons, merged.ThroughputOpsPerS = Valid, []string{}, 0
	sum := NewSet()
	for _, r := range results {
		set, err := r.HDR.Set()
		if err != nil {
			return nil, nil, fmt.Errorf("merge %s: %w", r.Generator.Name, err)
		}
		set.Counts = r.Ops
		sum.Merge(set)
		merged.add(r)
	}
	merged.conclude(results)
	merged.Generator = sumGenerators(merged.Generators)
	if err := merged.SetFigures(sum); err != nil {
		return nil, nil, err
	}
	merged.Generator.Ops, merged.Generator.Latency = merged.Ops, merged.Latency
	merged.Replicas = perOperationOfAll(results[0].Replicas, results[0].Ops.OK, merged.Ops.OK)
	return &merged, sum, nil
}

// conclude says which generators the result is of, and judges how far they have measured together.
func (m *Result) conclude(results []*Result) {
	var all []string
	for _, r := range results {
		all = append(all, generatorsOf(r)...)
	}
	m.Config = maps.Clone(m.Config)
	if len(all) > 0 {
		m.Config[generatorsKey] = strings.Join(all, ", ")
	}
	for _, c := range togetherness(results) {
		m.Checks = append(m.Checks, c)
		if !c.OK {
			m.Verdict = worse(m.Verdict, c.Severity)
			m.Reasons = append(m.Reasons, c.Failure())
		}
	}
}

// perOperationOfAll returns replicas whose CPU time was divided by the operations of one generator, divided by those of
// all: the replicas have worked for all of them.
func perOperationOfAll(replicas []Replica, one, all int64) []Replica {
	scaled := slices.Clone(replicas)
	for i := range scaled {
		if all > 0 {
			scaled[i].CPUNsPerOp *= float64(one) / float64(all)
		}
	}
	return scaled
}

// add adds what is summed up or listed, except histograms and counts.
func (m *Result) add(r *Result) {
	m.ThroughputOpsPerS += r.ThroughputOpsPerS
	if r.StartedAt.Before(m.StartedAt) {
		m.StartedAt = r.StartedAt
	}
	m.Generators = append(m.Generators, rowsOf(r)...)
	m.Checks = append(m.Checks, r.Checks...)
	m.Events = append(m.Events, r.Events...)
	m.Client.add(&r.Client)
	m.Verification.Add(&r.Verification)
	m.Verdict = worse(m.Verdict, r.Verdict)
	for _, reason := range r.Reasons {
		m.Reasons = append(m.Reasons, r.Generator.Name+": "+reason)
	}
}

func worse(a, b Verdict) Verdict {
	if a == Invalid || b == Invalid {
		return Invalid
	}
	if a == Degraded || b == Degraded {
		return Degraded
	}
	return Valid
}

func sumGenerators(rows []Generator) Generator {
	sum := Generator{Name: fmt.Sprintf("%d generators", len(rows))}
	cpu := 0.0
	for _, g := range rows {
		sum.ThroughputOpsPerS += g.ThroughputOpsPerS
		sum.CPUShare += g.CPUShare
		sum.Threads += g.Threads
		cpu += g.CPUNsPerOp * g.ThroughputOpsPerS
	}
	if sum.ThroughputOpsPerS > 0 {
		sum.CPUNsPerOp = cpu / sum.ThroughputOpsPerS
	}
	return sum
}

func (c *Client) add(o *Client) {
	c.Retries += o.Retries
	c.Busy += o.Busy
	c.Gaps += o.Gaps
	c.Redirects += o.Redirects
	c.Reconnects += o.Reconnects
	c.Stalls += o.Stalls
	c.Duplicates += o.Duplicates
	c.CorruptFrames += o.CorruptFrames
	c.LostSessions += o.LostSessions
	c.BytesSent += o.BytesSent
	c.BytesReceived += o.BytesReceived
	c.FramesSent += o.FramesSent
	c.FramesRead += o.FramesRead
	if c.Granted == 0 || o.Granted < c.Granted {
		c.Granted = o.Granted
	}
}

// Add adds o to v.
func (v *Verification) Add(o *Verification) {
	v.Checked += o.Checked
	v.Reads += o.Reads
	v.Foreign += o.Foreign
	v.NotJudged += o.NotJudged
	v.ReadBack += o.ReadBack
	v.Rounds += o.Rounds
	for _, why := range o.NotChecked {
		if !slices.Contains(v.NotChecked, why) {
			v.NotChecked = append(v.NotChecked, why)
		}
	}
	v.Violations += o.Violations
	v.Reports = append(v.Reports, o.Reports...)
	v.HistoryOps += o.HistoryOps
	v.HistoryUndecided += o.HistoryUndecided
	v.History = worseOf(v.History, o.History, "illegal", "unknown", "ok")
	v.Digests = worseOf(v.Digests, o.Digests, "differ", "unknown", DigestsUnseen, "equal")
}

// DigestsUnseen is what is said of states that could not be compared because fewer than two replicas could be asked.
const DigestsUnseen = "not observed"

// worseOf returns the first of ranked that a or b is.
func worseOf(a, b string, ranked ...string) string {
	for _, s := range ranked {
		if a == s || b == s {
			return s
		}
	}
	return ""
}
