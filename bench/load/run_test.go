package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"paxosbench/bench/load/units"
	"paxosbench/bench/load/verdict"
	"paxosbench/bench/load/verify"
	"paxosbench/bench/record"
	"paxosbench/wire"
	"paxosbench/wire/client/clienttest"
	"paxosbench/wire/client/loop"
)

// serverVariable makes the test binary be a server instead: a process of its own, which can be stopped.
const serverVariable = "PAXOSBENCH_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		serve()
		return
	}
	goleak.VerifyTestMain(m)
}

// serve is a server that ends with its standard input.
func serve() {
	server, err := clienttest.Listen("", clienttest.Config{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(server.Addr())
	io.Copy(io.Discard, os.Stdin)
}

// startServer starts a server as a process.
func startServer(t *testing.T) (addr string, process *os.Process) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("server: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), cmd.Process
}

func listen(t *testing.T, cfg clienttest.Config) *clienttest.Server {
	t.Helper()
	server, err := clienttest.Listen("", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// shortConfig is a run of a few hundred milliseconds against one server.
func shortConfig(addr string) *Config {
	cfg := testConfig()
	cfg.Addrs = []string{addr}
	cfg.Keys = 1000
	cfg.Conns, cfg.Clients, cfg.Window = 2, 5, 64
	cfg.Warmup, cfg.Duration, cfg.Interval = 50*time.Millisecond, 300*time.Millisecond, 100*time.Millisecond
	return cfg
}

func mustRun(t *testing.T, cfg *Config) *Outcome {
	t.Helper()
	outcome, err := Run(context.Background(), cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkOutcome(t, outcome)
	return outcome
}

// checkOutcome checks what holds for every run.
func checkOutcome(t *testing.T, o *Outcome) {
	t.Helper()
	r := o.Result
	if !r.Ops.Consistent() {
		t.Errorf("the counters do not sum: %+v", r.Ops)
	}
	if r.Latency.Count != r.Ops.Scheduled {
		t.Errorf("%d of %d scheduled operations are in the latency histogram", r.Latency.Count, r.Ops.Scheduled)
	}
	if r.SendLag.Count != r.Ops.Sent || r.Service.Count != r.Ops.OK+r.Ops.Late {
		t.Errorf("%d of %d sent operations have a lag, %d of %d answered ones a service time", r.SendLag.Count, r.Ops.Sent, r.Service.Count, r.Ops.OK+r.Ops.Late)
	}
	if r.Ops.Early != 0 {
		t.Errorf("%d operations were sent early", r.Ops.Early)
	}
	ok := int64(0)
	for _, row := range o.Rows {
		ok += row.OK
	}
	if ok != r.Ops.OK {
		t.Errorf("the series has %d answers, the result %d", ok, r.Ops.OK)
	}
}

func TestClosedLoop(t *testing.T) {
	server := listen(t, clienttest.Config{})
	cfg := shortConfig(server.Addr())
	cfg.Threads = 2
	o := mustRun(t, cfg)
	r := o.Result
	if r.Ops.OK == 0 || r.Ops.OK != r.Ops.Scheduled || r.ThroughputOpsPerS == 0 || r.Verification.Violations != 0 {
		t.Errorf("operations %+v, %v op/s, %d violations", r.Ops, r.ThroughputOpsPerS, r.Verification.Violations)
	}
	if len(o.Rows) != 4 || !o.Rows[3].Drain || o.Rows[1].StartS != 0.1 {
		t.Errorf("%d rows, want three intervals and the drain: %+v", len(o.Rows), o.Rows)
	}
	// Little's law is exact: the integral of what is in flight is the sum of the service times.
	for _, c := range r.Checks {
		if c.Name == "little's law" && c.Value > 1e-3 {
			t.Errorf("little's law is off by %v", c.Value)
		}
	}
	if executed := server.State().Executed(); executed < r.Ops.OK {
		t.Errorf("%d commands executed for %d answers", executed, r.Ops.OK)
	}
}

// A loop sends from its first moment on: the shortest run has operations, unless another process has the processor for longer.
func TestShortestRunHasOperations(t *testing.T) {
	server := listen(t, clienttest.Config{})
	cfg := shortConfig(server.Addr())
	cfg.Duration, cfg.Verify = time.Millisecond, verify.None
	cfg.Conns, cfg.Clients, cfg.Window = 1, 1, 1 // a round of more takes longer than that under the race detector
	for range 100 {
		if mustRun(t, cfg).Result.Ops.Sent > 0 {
			return
		}
	}
	t.Error("no run of a millisecond has sent anything")
}

// slowOutput takes longer for an interval than an interval is.
type slowOutput struct {
	sum   *record.Set
	calls int
	ends  []time.Duration
}

func (*slowOutput) Start(time.Time) error { return nil }
func (o *slowOutput) Interval(_ *record.Row, set *record.Set) error {
	time.Sleep(150 * time.Millisecond)
	o.sum.Merge(set)
	o.calls++
	o.ends = append(o.ends, set.End)
	return nil
}

// A disk or a terminal that is slow holds no operation back: intervals are put together, and none is missing.
func TestSlowOutputHoldsNothingBack(t *testing.T) {
	server := listen(t, clienttest.Config{})
	cfg := shortConfig(server.Addr())
	cfg.Open, cfg.Rate, cfg.Window, cfg.Warmup, cfg.Duration, cfg.Interval = true, 1000, 0, 0, time.Second, 10*time.Millisecond
	output := &slowOutput{sum: record.NewSet()}
	o, err := Run(context.Background(), cfg, output, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkOutcome(t, o)
	// Who waits for the output sends 80 of them, and hands it every interval.
	if o.Result.Ops.Scheduled != 1000 || o.Result.Ops.Sent < 500 || len(o.Rows) != 101 {
		t.Errorf("%+v in %d rows", o.Result.Ops, len(o.Rows))
	}
	if output.calls > 30 || output.sum.Counts != o.Set.Counts || !slices.IsSorted(output.ends) {
		t.Errorf("%d calls have got %+v, ending at %v", output.calls, output.sum.Counts, output.ends)
	}
}

// A total ends the measurement when so many operations are answered, however the threads share them.
func TestTotal(t *testing.T) {
	server := listen(t, clienttest.Config{})
	for _, open := range []bool{false, true} {
		cfg := shortConfig(server.Addr())
		cfg.Threads, cfg.Total, cfg.Duration, cfg.Interval = 2, 3001, time.Hour, 100*time.Millisecond
		if cfg.Open = open; open {
			cfg.Rate, cfg.Window = 20_000, 0
		}
		r := mustRun(t, cfg).Result
		if r.Ops.Scheduled != 3001 || r.Ops.OK != 3001 || r.MeasuredS > 60 || r.ThroughputOpsPerS == 0 {
			t.Errorf("open %v: %+v in %v s", open, r.Ops, r.MeasuredS)
		}
	}
	cfg := shortConfig(server.Addr())
	cfg.Total = 1_000_000_000 // the time ends it
	if r := mustRun(t, cfg).Result; r.Ops.OK == 0 || r.Ops.OK >= int64(cfg.Total) || r.MeasuredS < 0.29 {
		t.Errorf("%+v in %v s", r.Ops, r.MeasuredS)
	}
}

func TestOpenLoop(t *testing.T) {
	server := listen(t, clienttest.Config{})
	for _, arrival := range []string{"constant", "poisson", "burst:20"} {
		cfg := shortConfig(server.Addr())
		cfg.Open, cfg.Rate, cfg.Window = true, 5000, 0
		if err := cfg.Arrival.UnmarshalText([]byte(arrival)); err != nil {
			t.Fatal(err)
		}
		r := mustRun(t, cfg).Result
		if want := int64(1500); r.Ops.Scheduled < want*8/10 || r.Ops.Scheduled > want*12/10 {
			t.Errorf("%s: %d operations scheduled in 0.3 s at 5000/s", arrival, r.Ops.Scheduled)
		}
		if arrival == "constant" && r.Ops.Scheduled != 1500 {
			t.Errorf("constant: %d operations scheduled, want exactly 1500", r.Ops.Scheduled)
		}
	}
}

// TestWorkloadsVerify runs every distribution against a correct server: no false alarm.
func TestWorkloadsVerify(t *testing.T) {
	for _, reads := range []wire.Reads{wire.ReadsLog, wire.ReadsIndex} {
		t.Run(reads.String(), func(t *testing.T) { testWorkloadsVerify(t, reads) })
	}
}

func testWorkloadsVerify(t *testing.T, reads wire.Reads) {
	server := listen(t, clienttest.Config{Reads: reads})
	for _, dist := range []string{"uniform", "seq", "latest", "zipf:0.99", "hot:0.1,0.9", "conflict:30"} {
		cfg := shortConfig(server.Addr())
		cfg.Duration, cfg.Preload, cfg.Verify = 100*time.Millisecond, true, verify.History
		cfg.Window = 8
		cfg.Mix.UnmarshalText([]byte("put:0.3,get:0.4,delete:0.1,cas:0.2"))
		cfg.ValueSize.UnmarshalText([]byte("uniform:8,64"))
		if err := cfg.KeyDist.UnmarshalText([]byte(dist)); err != nil {
			t.Fatal(err)
		}
		v := mustRun(t, cfg).Result.Verification
		if v.Violations != 0 || v.Reads == 0 || v.Checked == 0 || v.History == "illegal" || v.History == "" {
			t.Errorf("%s: %+v", dist, v)
		}
	}
	if queried := server.State().Queried() > 0; queried != (reads != wire.ReadsLog) {
		t.Errorf("gets went as queries: %v", queried)
	}
}

// TestFaultsDoNotUpsetTheAccounting: replies lost, frames damaged, sessions refused; every operation is accounted for
// and every answer right.
func TestFaultsDoNotUpsetTheAccounting(t *testing.T) {
	for _, reads := range []wire.Reads{wire.ReadsLog, wire.ReadsIndex} {
		t.Run(reads.String(), func(t *testing.T) { testAccountingOfFaults(t, reads) })
	}
}

func testAccountingOfFaults(t *testing.T, reads wire.Reads) {
	var d during
	var runs, faults atomic.Int64
	server := listen(t, clienttest.Config{Reads: reads, Intercept: func(*wire.Run) clienttest.Action {
		n := runs.Add(1)
		if n%10 == 0 && d.measuring.Load() && faults.Add(1) == 12 {
			d.end()
		}
		switch n % 40 {
		case 10:
			return clienttest.Action{DropReply: true}
		case 20:
			return clienttest.Action{BreakFrame: true}
		case 30:
			return clienttest.Action{Refuse: wire.StatusBusy}
		case 0:
			return clienttest.Action{Disconnect: true}
		}
		return clienttest.Action{}
	}})
	cfg := shortConfig(server.Addr())
	cfg.Open, cfg.Rate, cfg.Window, cfg.Preload = true, 2000, 0, true
	cfg.Mix.UnmarshalText([]byte("put:0.5,get:0.5"))
	r := d.run(t, cfg)
	if r.Verification.Violations != 0 || r.Ops.OK != r.Ops.Sent || r.Ops.OK == 0 { // whether all could be sent is a matter of time
		t.Errorf("verification %+v, operations %+v", r.Verification, r.Ops)
	}
	if r.Client.Reconnects == 0 || r.Client.Retries == 0 || !slices.ContainsFunc(r.Checks, func(c record.Check) bool { return c.Name == "connections" && !c.OK }) {
		t.Errorf("client %+v, checks %+v", r.Client, r.Checks)
	}
}

// during lets something happen within the measurement of a run, which goes on until it has, however busy the host is.
type during struct {
	measuring atomic.Bool
	end       context.CancelFunc // of the measurement
}

func (d *during) Phase(text string)    { d.measuring.Store(text == "measuring") }
func (*during) Interval(_ *record.Row) {}

// run makes the run that end ends.
func (d *during) run(t *testing.T, cfg *Config) *record.Result {
	t.Helper()
	cfg.Duration, cfg.Timeout, cfg.StallTimeout, cfg.GiveUp = time.Hour, time.Minute, time.Minute, time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	d.end = cancel
	o, err := Run(ctx, cfg, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	checkOutcome(t, o)
	return o.Result
}

// Sessions are lost within the measurement, which ends when all of them are registered again.
func TestLostSessionsAreFailures(t *testing.T) {
	var d during
	var server *clienttest.Server
	var evicted sync.Once
	var registered atomic.Int64
	started := make(chan struct{})
	cfg := shortConfig("")
	server = listen(t, clienttest.Config{Intercept: func(r *wire.Run) clienttest.Action {
		if <-started; !d.measuring.Load() {
			return clienttest.Action{}
		}
		evicted.Do(func() { server.State().EvictAll() })
		if r.Session == 0 && registered.Add(int64(r.Count)) == int64(cfg.Clients) {
			d.end()
		}
		return clienttest.Action{}
	}})
	close(started)
	cfg.Addrs = []string{server.Addr()}
	r := d.run(t, cfg)
	if r.Client.LostSessions == 0 || r.Ops.Failed == 0 || r.Failure.Count != r.Ops.Failed {
		t.Errorf("%d sessions lost, %d operations failed, %d in the histogram of failures", r.Client.LostSessions, r.Ops.Failed, r.Failure.Count)
	}
}

func TestCorruptedReplyIsFound(t *testing.T) {
	var runs atomic.Int64
	server := listen(t, clienttest.Config{Intercept: func(*wire.Run) clienttest.Action {
		if runs.Add(1)%20 == 0 {
			return clienttest.Action{Corrupt: func(value []byte) { value[0] ^= 4 }}
		}
		return clienttest.Action{}
	}})
	cfg := shortConfig(server.Addr())
	cfg.Preload = true
	cfg.Mix.UnmarshalText([]byte("put:0.5,get:0.5"))
	r := mustRun(t, cfg).Result
	if r.Verification.Violations == 0 || r.Verdict != record.Invalid || len(r.Verification.Reports) == 0 {
		t.Errorf("verdict %s, verification %+v", r.Verdict, r.Verification)
	}
}

func TestNoOneThere(t *testing.T) {
	server := listen(t, clienttest.Config{})
	server.Close()
	cfg := shortConfig(server.Addr())
	cfg.GiveUp = 50 * time.Millisecond
	if _, err := Run(context.Background(), cfg, nil, nil); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), server.Addr()) {
		t.Errorf("error %v, want one that names the address", err)
	}
}

// interrupter cancels the run at the first interval.
type interrupter struct{ cancel context.CancelFunc }

func (i interrupter) Phase(string)         {}
func (i interrupter) Interval(*record.Row) { i.cancel() }

func TestInterruptedRunIsComplete(t *testing.T) {
	server := listen(t, clienttest.Config{})
	cfg := shortConfig(server.Addr())
	cfg.Duration = time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o, err := Run(ctx, cfg, nil, interrupter{cancel})
	if err != nil {
		t.Fatal(err)
	}
	checkOutcome(t, o)
	r := o.Result
	if !o.Interrupted || r.Ops.OK == 0 || r.MeasuredS <= 0 || r.MeasuredS > 60 {
		t.Errorf("interrupted %v after %v s with %d answers", o.Interrupted, r.MeasuredS, r.Ops.OK)
	}
	if last := r.Reasons[len(r.Reasons)-1]; r.Verdict == record.Valid || !strings.HasPrefix(last, "interrupted: ") {
		t.Errorf("a part of what was asked for is %s because of %q", r.Verdict, r.Reasons)
	}
}

// TestImpossibleRateIsInvalid: a rate that no machine holds must not end in a figure.
func TestImpossibleRateIsInvalid(t *testing.T) {
	server := listen(t, clienttest.Config{State: clienttest.NewNoopState()})
	cfg := shortConfig(server.Addr())
	cfg.Open, cfg.Rate, cfg.Window = true, units.Rate(1e9), 0
	r := mustRun(t, cfg).Result
	if r.Verdict != record.Invalid || !strings.Contains(strings.Join(r.Reasons, " "), "schedule sent") {
		t.Errorf("verdict %s: %q", r.Verdict, r.Reasons)
	}
	if r.Ops.NotSent == 0 || r.Ops.Scheduled != 300_000_000 {
		t.Errorf("%d scheduled, %d not sent", r.Ops.Scheduled, r.Ops.NotSent)
	}
}

// TestCoordinatedOmission stops the server for a second in the middle of ten at a steady rate. A tenth of the
// operations become due while it stands still, evenly over that second; so the percentile 100-x of the latency from
// when they were due is, for x below 10, at least 1-x/10 seconds. From when an operation was sent, the median knows
// nothing of it.
func TestCoordinatedOmission(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Parallel()
	const stall = time.Second
	addr, process := startServer(t)
	cfg := testConfig()
	cfg.Addrs, cfg.Conns, cfg.Clients = []string{addr}, 2, 2
	cfg.Open, cfg.Rate, cfg.Window, cfg.Duration, cfg.Interval = true, 2000, 64, 10*stall, stall
	cfg.Timeout, cfg.StallTimeout, cfg.GiveUp = time.Minute, time.Minute, time.Minute
	stopped := make(chan error, 1)
	time.AfterFunc(4*stall, func() {
		err := process.Signal(syscall.SIGSTOP)
		time.Sleep(stall)
		stopped <- errors.Join(err, process.Signal(syscall.SIGCONT))
	})
	o := mustRun(t, cfg)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	r := o.Result
	if r.Ops.Scheduled != 20_000 || r.Ops.OK != r.Ops.Sent { // whether all could be sent is a matter of time
		t.Errorf("operations %+v, want 20,000 due, and all answered that were sent", r.Ops)
	}
	for _, x := range []float64{1, 2, 5} {
		want := time.Duration((1 - x/10 - 0.1) * float64(stall))
		if got := o.Set.Intended.Percentile(100 - x); got < want {
			t.Errorf("p%v is %v, want at least %v", 100-x, got, want)
		}
	}
	if got := o.Set.Intended.Max(); got < stall*95/100 {
		t.Errorf("longest latency %v, want about %v", got, stall)
	}
	// Whoever looks from the sending sees a stall in no more operations than are in flight, one window for each connection,
	// where a thousand were due. What else the host does stretches both alike.
	late, slow := above(o.Set.Intended, stall/2), above(o.Set.Service, stall/2)
	if late < 0.04 || slow > late/3 {
		t.Errorf("%.1f %% of the operations took more than %v from when due, %.1f %% from when sent", 100*late, stall/2, 100*slow)
	}
}

// above returns the share of what a histogram holds that is above a value.
func above(h *record.Histogram, value time.Duration) float64 {
	const steps = 10_000
	return 1 - float64(sort.Search(steps, func(i int) bool { return h.Percentile(100*float64(i)/steps) > value }))/steps
}

// TestGeneratorsShareACluster runs two generators with different numbers of sessions at once and merges them.
func TestGeneratorsShareACluster(t *testing.T) {
	server := listen(t, clienttest.Config{})
	start := time.Now().Add(200 * time.Millisecond) // a busy host may not be ready by then, and both begin late
	results := make([]*record.Result, 2)
	errs := make(chan error, 2)
	for i := range results {
		cfg := shortConfig(server.Addr())
		cfg.Generator, cfg.StartAt, cfg.Preload = units.GeneratorID{Index: i, Of: 2}, start, true
		cfg.Clients += 3 * i
		cfg.Name = fmt.Sprint("generator ", i)
		cfg.Mix.UnmarshalText([]byte("put:0.5,get:0.5"))
		go func() {
			o, err := Run(context.Background(), cfg, nil, nil)
			if err == nil {
				results[i] = o.Result
			}
			errs <- err
		}()
	}
	if err := errors.Join(<-errs, <-errs); err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Verification.Violations != 0 || r.Verification.Foreign != 0 {
			t.Errorf("%s: %+v", r.Generator.Name, r.Verification)
		}
	}
	for _, r := range results {
		if r.StartedAt.Before(start) {
			t.Errorf("%s began %v too early", r.Generator.Name, start.Sub(r.StartedAt))
		}
		r.StartedAt = start // those that are late are not what this is about
	}
	merged, _, err := record.Merge(results)
	if err != nil {
		t.Fatal(err)
	}
	if merged.Ops.OK != results[0].Ops.OK+results[1].Ops.OK || len(merged.Generators) != 2 || merged.Latency.Count != merged.Ops.Scheduled {
		t.Errorf("merged %+v of %d generators", merged.Ops, len(merged.Generators))
	}
}

// fakeRunner pretends that rates up to capacity are held.
func fakeRunner(capacity float64, rates *[]float64) Runner {
	return func(_ context.Context, cfg *Config, _ string) (*Outcome, error) {
		*rates = append(*rates, float64(cfg.Rate))
		set := record.NewSet()
		r := &record.Result{Verdict: record.Valid, ThroughputOpsPerS: capacity * 0.97}
		r.Ops.Scheduled, r.Ops.OK = 1000, 1000
		if float64(cfg.Rate) > capacity {
			r.Verdict = record.Invalid
			r.Checks = []record.Check{{Name: "send lag p99", Value: 3e6, Limit: 1e6, Unit: "ns", Severity: record.Invalid}}
		}
		set.Intended.Record(time.Millisecond, 1000)
		return &Outcome{Result: r, Set: set}, nil
	}
}

func TestSearchFindsTheKnee(t *testing.T) {
	var rates []float64
	points, best, err := Search(context.Background(), testConfig(), 0.02, fakeRunner(100_000, &rates), func(Point) {})
	if err != nil || best == nil || best.Rate < 97_000 || best.Rate > 100_000 {
		t.Errorf("best %+v of rates %v, error %v; want close below 100,000", best, rates, err)
	}
	if len(points) != len(rates) || rates[0] != 0 || len(rates) > 24 {
		t.Errorf("%d points of runs at %v", len(points), rates)
	}
	if last := LowestNotHeld(points, best); last == nil || last.Rate <= best.Rate || fmt.Sprint(last.Shortfalls) != "[send lag p99 3ms (limit 1ms)]" {
		t.Errorf("the search was ended by %+v", last)
	}
	impossible := testConfig()
	impossible.Objective = verdict.Objective{Percentile: 99, Bound: time.Microsecond}
	points, best, err = Search(context.Background(), impossible, 0.02, fakeRunner(100_000, &rates), func(Point) {})
	if best != nil || err != nil {
		t.Errorf("an objective that is never met has best %+v, error %v", best, err)
	}
	if last := LowestNotHeld(points, nil); last == nil || fmt.Sprint(last.Shortfalls) != "[objective p99<1µs: 1ms]" {
		t.Errorf("the search was ended by %+v", last)
	}
}

// TestSearchIsNotMisled wants every rate confirmed: a run that a busy moment spoils, or one that is held by luck, decides nothing.
func TestSearchIsNotMisled(t *testing.T) {
	for spoilt := range 10 {
		var rates []float64
		run, n := fakeRunner(100_000, &rates), 0
		misled := func(ctx context.Context, cfg *Config, name string) (*Outcome, error) {
			o, err := run(ctx, cfg, name)
			if n++; n == spoilt+2 { // the probe is the first
				o.Result.Checks = nil
				if float64(cfg.Rate) <= 100_000 {
					o.Result.Checks = []record.Check{{Name: "send lag p99", Severity: record.Invalid}}
				}
			}
			return o, err
		}
		points, best, err := Search(context.Background(), testConfig(), 0.02, misled, func(Point) {})
		if err != nil || best == nil || best.Rate < 97_000 || best.Rate > 100_000 {
			t.Errorf("run %d misleads to %+v of rates %v, error %v", spoilt+2, best, rates, err)
			continue
		}
		if above := LowestNotHeld(points, best); above == nil || above.Rate <= best.Rate {
			t.Errorf("run %d: the search was ended by %+v", spoilt+2, above)
		}
	}
}

func TestRampStepsEvenly(t *testing.T) {
	var rates []float64
	points, err := Ramp(context.Background(), testConfig(), 1000, 3000, 3, fakeRunner(2500, &rates), func(Point) {})
	if err != nil || fmt.Sprint(rates) != "[1000 2000 3000]" {
		t.Fatalf("rates %v, error %v", rates, err)
	}
	if !points[1].Holds || points[2].Holds {
		t.Errorf("2000 held %v, 3000 held %v", points[1].Holds, points[2].Holds)
	}
	if last := LowestNotHeld(points[:2], nil); last != nil {
		t.Errorf("%+v was not held", last)
	}
}

// Rates near 0 are open loops of that rate, and equal rates keep directories of their own.
func TestRampOfTinyAndEqualRates(t *testing.T) {
	for _, tt := range []struct {
		from, to units.Rate
		names    string
	}{
		{0.1, 0.4, "[rate-0000000000.100 rate-0000000000.250 rate-0000000000.400]"},
		{1000, 1000, "[rate-0000001000 rate-0000001000-2 rate-0000001000-3]"},
		{1000, 1001, "[rate-0000001000 rate-0000001001 rate-0000001001-2]"},
	} {
		var names []string
		run := func(_ context.Context, cfg *Config, name string) (*Outcome, error) {
			if err := cfg.Validate(); err != nil || !cfg.Open {
				t.Errorf("rate %v: open %v, %v", cfg.Rate, cfg.Open, err)
			}
			names = append(names, name)
			return &Outcome{Result: &record.Result{}, Set: record.NewSet()}, nil
		}
		if _, err := Ramp(context.Background(), testConfig(), tt.from, tt.to, 3, run, func(Point) {}); err != nil || fmt.Sprint(names) != tt.names {
			t.Errorf("%v to %v: %v, %v", tt.from, tt.to, names, err)
		}
	}
	cfg := testConfig()
	cfg.Open = true
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "rate 0") {
		t.Errorf("an open loop of no rate: %v", err)
	}
}

func TestExchangesDoNotAllocate(t *testing.T) {
	for _, rate := range []units.Rate{0, 1e6} {
		cfg := testConfig()
		cfg.Open, cfg.Rate = rate > 0, rate
		e := idleEngine(t, cfg)
		buf := e.exchange(make([]byte, 0, 1<<20), 1, 1000)
		n := 1001
		if allocs := testing.AllocsPerRun(100, func() {
			buf = e.exchange(buf, loop.Number(n), 1000)
			n += 1000
		}); allocs != 0 {
			t.Errorf("rate %v: %v allocations per 1000 operations, want 0", rate, allocs)
		}
	}
}

func init() { http.DefaultTransport.(*http.Transport).DisableKeepAlives = true }
