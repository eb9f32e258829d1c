package report

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"paxosbench/bench/record"
)

// Least numbers of observations for far percentiles to mean something.
const (
	leastForP90   = 10
	leastForP99   = 100
	leastForP999  = 10_000
	leastForP9999 = 100_000
)

// Summary writes what a person wants to know about a result first, in at most 100 columns.
func Summary(w io.Writer, r *record.Result) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s  %s op/s over %.1f s, %s\n", strings.ToUpper(string(r.Verdict)), Grouped(int64(r.ThroughputOpsPerS)),
		r.MeasuredS, loadText(r))
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "  ! %s\n", reason)
	}
	b.WriteByte('\n')
	writeLatencies(&b, r)
	b.WriteByte('\n')
	fmt.Fprintf(&b, "operations  %s\n", nonzero([]count{
		{"ok", r.Ops.OK}, {"failed", r.Ops.Failed}, {"timed out", r.Ops.TimedOut}, {"in flight at end", r.Ops.InFlightAtEnd},
		{"not sent", r.Ops.NotSent}, {"not found", r.Ops.NotFound}, {"mismatch", r.Ops.Mismatch}, {"store full", r.Ops.Full},
	}))
	if c := nonzero([]count{
		{"sent again", r.Client.Retries}, {"busy", r.Client.Busy}, {"gaps", r.Client.Gaps}, {"redirects", r.Client.Redirects},
		{"reconnects", r.Client.Reconnects}, {"stalls", r.Client.Stalls}, {"corrupt frames", r.Client.CorruptFrames},
		{"lost sessions", r.Client.LostSessions}, {"duplicates", r.Client.Duplicates},
	}); c != "" {
		fmt.Fprintf(&b, "client      %s%s\n", c, timeouts(r))
	}
	if h := &r.Host; h.Stops > 0 {
		fmt.Fprintf(&b, "host        stopped this machine at %d of %d looks (%.2g %%), for up to %s more\n",
			h.Stops, h.Looks, h.StoppedPercent, record.Ns(h.LongestStopNs))
	}
	fmt.Fprintf(&b, "verified    %s\n", verificationText(&r.Verification))
	for _, report := range r.Verification.Reports {
		fmt.Fprintf(&b, "  ! %s\n", report)
	}
	for _, why := range r.Verification.NotChecked {
		fmt.Fprintf(&b, "  ? %s\n", why)
	}
	for _, c := range r.Checks {
		if c.NotObserved {
			fmt.Fprintf(&b, "  ? %s\n", c.Reason)
		}
	}
	for _, stage := range r.Stages {
		fmt.Fprintf(&b, "stage       %.2f s  %s op/s for %v s: %s op/s, p50 %s, p99 %s, max %s\n", stage.AtS, stage.Rate, stage.LengthS,
			Grouped(int64(stage.OpsPerS)), record.Ns(stage.Latency.P50), record.Ns(stage.Latency.P99), record.Ns(stage.Latency.Max))
	}
	for _, e := range r.Events {
		fmt.Fprintf(&b, "event       %.2f s  %s (took %.2f s)%s%s\n", e.AtS, e.Text, e.TookS, prefixed("  failed: ", e.Error), prefixed("  note: ", e.Note))
	}
	b.WriteByte('\n')
	writeProcesses(&b, r)
	_, err := w.Write(b.Bytes())
	return err
}

// timeouts renders what the generator itself waits for when a connection is lost, beside how many were.
func timeouts(r *record.Result) string {
	stall, connect := r.Config["stall_timeout"], r.Config["connect_timeout"]
	if r.Client.Reconnects == 0 || stall == nil || connect == nil {
		return ""
	}
	return fmt.Sprintf(" (given up after %v of silence, or %v of connecting)", stall, connect)
}

// loadText describes the load in words.
func loadText(r *record.Result) string {
	get := func(name string) string {
		switch v := r.Config[name].(type) {
		case string:
			return v
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
		return ""
	}
	text := fmt.Sprintf("closed loop, window %s", get("window"))
	if get("mode") == "open" {
		rate, _ := r.Config["rate_ops_per_s"].(float64)
		text = fmt.Sprintf("open loop, %s op/s %s", Grouped(int64(rate)), get("arrival"))
	}
	text = fmt.Sprintf("%s, %s conns, %s clients", text, get("conns"), get("clients"))
	if n := len(r.Generators); n > 1 {
		text += fmt.Sprintf(", each of %d generators", n)
	}
	return text
}

func writeLatencies(w io.Writer, r *record.Result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "latency\tp50\tp90\tp99\tp99.9\tp99.99\tmax\tmean\t")
	for _, row := range []struct {
		name string
		*record.Latency
	}{{"from when due", &r.Latency}, {"from when sent", &r.Service}, {"send lag", &r.SendLag}, {"unknown outcome", &r.Failure}} {
		l := row.Latency
		if l.Count == 0 {
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", row.name, record.Ns(l.P50), enough(l.P90, l.Count, leastForP90),
			enough(l.P99, l.Count, leastForP99), enough(l.P999, l.Count, leastForP999), enough(l.P9999, l.Count, leastForP9999), record.Ns(l.Max), record.Ns(l.Mean))
	}
	t.Flush()
}

// enough renders a percentile, or a dash if there are too few observations for it.
func enough(ns, count, least int64) string {
	if count < least {
		return "-"
	}
	return record.Ns(ns)
}

type count struct {
	name  string
	value int64
}

// nonzero lists the counts that are not zero, and the first one always.
func nonzero(counts []count) string {
	var parts []string
	for i, c := range counts {
		if c.value != 0 || i == 0 && c.name == "ok" {
			parts = append(parts, c.name+" "+Grouped(c.value))
		}
	}
	return strings.Join(parts, ", ")
}

func verificationText(v *record.Verification) string {
	if v.Mode == "none" {
		return "nothing"
	}
	text := fmt.Sprintf("%s answers", Grouped(v.Checked))
	if v.Reads > 0 {
		text += fmt.Sprintf(", values of %s reads", Grouped(v.Reads))
	}
	if v.Foreign > 0 {
		text += fmt.Sprintf(" (%s from earlier runs)", Grouped(v.Foreign))
	}
	if v.ReadBack > 0 {
		text += fmt.Sprintf(", %s keys read back", Grouped(v.ReadBack))
	}
	if v.NotJudged > 0 {
		text += fmt.Sprintf(" (%s not judged)", Grouped(v.NotJudged))
	}
	if v.History != "" {
		text += fmt.Sprintf(", linearizability of %s operations: %s", Grouped(int64(v.HistoryOps)), v.History)
	}
	if v.HistoryUndecided > 0 {
		text += fmt.Sprintf(" (%s undecided)", Grouped(int64(v.HistoryUndecided)))
	}
	if v.Digests != "" {
		text += ", digests of the replicas: " + v.Digests
	}
	if v.Violations > 0 {
		return fmt.Sprintf("%s: %s WRONG", text, Grouped(v.Violations))
	}
	return text + ": nothing wrong"
}

// writeProcesses writes what each process has cost.
func writeProcesses(w io.Writer, r *record.Result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "process\tcpu ns/op\tcores\tbatch\twindow\tsyncs/s\t")
	generators := r.Generators
	if len(generators) == 0 {
		generators = []record.Generator{r.Generator}
	}
	for _, g := range generators {
		fmt.Fprintf(t, "loadgen %s\t%.1f\t%.2f\t\t\t\t\n", g.Name, g.CPUNsPerOp, g.CPUShare)
	}
	for _, p := range r.Replicas {
		if p.Error != "" {
			fmt.Fprintf(t, "replica %s\tunreachable\t\t\t\t\t\n", p.Admin)
			continue
		}
		role := p.Role
		if p.Restarts > 0 {
			role += ", restarted"
		}
		fmt.Fprintf(t, "replica %d %s\t%s\t%s\t%s\t%s\t%s\t\n", p.ID, role, known(p.CPUNsPerOp, 1), known(p.CPUShare, 2),
			known(p.Batch, 1), known(p.Window, 1), known(p.Syncs, 0))
	}
	t.Flush()
}

func known(v float64, digits int) string {
	if v == 0 {
		return "-"
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// Details writes the checks behind the verdict and the series.
func Details(w io.Writer, run *record.Run) error {
	var b bytes.Buffer
	b.WriteByte('\n')
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "check\tpassed\tfigure\tlimit")
	for _, c := range run.Result.Checks {
		value, limit := c.Text()
		if c.NotObserved {
			value, limit = "-", "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", c.Name, c.Outcome(), value, limit)
	}
	t.Flush()
	if len(run.Rows) > 0 {
		b.WriteByte('\n')
		writeSeries(&b, run.Rows)
	}
	if run.Torn != nil {
		fmt.Fprintf(&b, "! the series is not whole: %v\n", run.Torn)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func writeSeries(w io.Writer, rows []record.Row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "from s\top/s\tp50\tp99\tmax\tin flight\tevents\t")
	for _, row := range rows {
		start := strconv.FormatFloat(row.StartS, 'f', 1, 64)
		if row.Drain {
			start = "drain"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%.0f\t%s\t\n", start, Grouped(int64(row.OpsPerS)), Observed(row.P50Ns), Observed(row.P99Ns),
			Observed(row.MaxNs), row.InFlight, strings.Join(row.Events, "; "))
	}
	t.Flush()
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// Observed renders a latency of an interval, as a dash if nothing was answered in it: zero would look fast.
func Observed(ns int64) string {
	if ns == 0 {
		return "-"
	}
	return record.Ns(ns)
}

// Grouped renders a number with its thousands apart.
func Grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}
