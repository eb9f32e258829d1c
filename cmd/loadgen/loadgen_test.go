//go:build linux

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"paxosbench/bench/load"
	"paxosbench/bench/record"
	"paxosbench/cmd/program"
	"paxosbench/wire"
	"paxosbench/wire/client/clienttest"
)

// outcome is what a command left.
type outcome struct {
	code     int
	out, err string
}

func loadgen(args ...string) outcome {
	var out, errs bytes.Buffer
	code := execute(args, &out, &errs)
	return outcome{code, out.String(), errs.String()}
}

// run is loadgen run, short, against a test server.
func run(t *testing.T, server *clienttest.Server, args ...string) outcome {
	t.Helper()
	return loadgen(append([]string{"run", "--addrs", server.Addr(), "--admin", "none", "--quiet", "--warmup", "0s", "--duration", "300ms",
		"--interval", "100ms", "--conns", "1", "--keys", "1000", "--window", "16"}, args...)...)
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

func (o outcome) want(t *testing.T, code int, message string) {
	t.Helper()
	if o.code != code || !strings.Contains(o.err, message) {
		t.Errorf("exit code %d, want %d; want %q in:\n%s\n%s", o.code, code, message, o.err, o.out)
	}
}

// hostWasBusy tells whether a run is invalid for no other reason than that the host was too slow for it, which has a server in
// the same process here and perhaps the race detector: the generator came late, and then perhaps did not get to all of the
// schedule.
func (o outcome) hostWasBusy() bool {
	busy := false
	for line := range strings.Lines(o.out) {
		why, ok := strings.CutPrefix(line, "  ! ")
		late := strings.Contains(why, "send lag") || strings.HasPrefix(why, "generator cpu") || strings.HasPrefix(why, "steal time") ||
			strings.HasPrefix(why, "host stops")
		if ok && !late && !strings.HasPrefix(why, "schedule ") {
			return false
		}
		busy = busy || late
	}
	return busy
}

func TestExitCodes(t *testing.T) {
	healthy := func() *clienttest.Server { return listen(t, clienttest.Config{}) }
	t.Run("valid", func(t *testing.T) {
		o := run(t, healthy())
		o.want(t, exitValid, "")
		if !strings.Contains(o.out, "op/s over 0.3 s, closed loop, window 16") {
			t.Errorf("summary:\n%s", o.out)
		}
	})
	t.Run("usage", func(t *testing.T) {
		for args, message := range map[string]string{
			"":                                    "expected one of",
			"walk":                                "unexpected argument walk",
			"run --rate 1m":                       "write M for a million",
			"run --value-size 1K":                 "1KiB",
			"run --window -1":                     "window",
			"run --session-window=-1":             "session window",
			"run --rate 1k --closed":              "can't be used together",
			"run --mix put:0.5":                   "mix",
			"run --objective p99":                 "p99<5ms",
			"run --generator 3/2":                 "generator",
			"run --workload ycsb-e":               "ycsb",
			"ramp --from 2k --to 1k":              "--from",
			"report --format pdf x":               "svg",
			"report /nonexistent":                 "/nonexistent",
			"merge /nonexistent":                  "/nonexistent",
			"search --precision 0":                "precision",
			"run --addrs 127.0.0.1:99999":         "from 1 to 65535 as the port",
			"run --addrs 127.0.0.1:65500":         "there is no port 200 higher",
			"run --addrs 127.0.0.1:1,127.0.0.1:1": "given twice",
			"run --addrs 127.0.0.1:1 --admin x":   "HOST:PORT",
			"run --addrs=":                        "an empty list of addresses",
			"run --warmup 2562047h":               "at most 10000h0m0s",
			"search --precision NaN":              "precision NaN: 0.001 to 1",
			"run --compress-ratio Inf":            "compression ratio +Inf",
			"run --max-errors NaN":                "max errors NaN",
			"run --keys 1G":                       "1G keys cannot be verified",
			"run --keys 1G --mix cas:1":           "compare-and-sets of 1G keys",
			"run --clients 18014398509481984 --generator 1/1024": "clients: at most",
			"run --addrs localhost":                              "localhost",
			"run --duration 10":                                  "duration \"10\": want a number with a unit, as in 500ms, 10s or 2m (see loadgen run --help)",
			"run --stall 0s":                                     "stall timeout 0s: must be positive",
			"run --connect-timeout=-1s":                          "connect timeout -1s: must be positive",
			"run --objective p1000<5ms":                          "p99<5ms",
			"run --keys 1.0005k":                                 "whole number",
			"search --nosuch":                                    "see loadgen search --help",
			"run --key-dist zipf:fast":                           "zipf",
			"run --max-send-lag=-1s":                             "max send lag",
			"report --of failed x":                               "--format hgrm",
			"report --of sent x":                                 "send-lag",
			"run --arrival constant":                             "--arrival is about the schedule of an open loop",
			"run --tick auto":                                    "--tick is about the schedule of an open loop",
			"run --max-send-lag 5ms":                             "give --rate, or leave it out",
			"run --start-at 2026-01-31T12:00:00Z":                "ago: give a time to come",
			"report --format hgrm x y":                           "merge them first",
			"report --format hlog x y":                           "merge them first",
			"report --format hgrm --ticks 101 x":                 "ticks",
		} {
			loadgen(strings.Fields(args)...).want(t, exitUsage, message)
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		server := healthy()
		server.Close()
		run(t, server, "--give-up", "50ms").want(t, exitUnreachable, server.Addr())
	})
	t.Run("errors", func(t *testing.T) {
		server := listen(t, clienttest.Config{Intercept: func(r *wire.Run) clienttest.Action {
			return clienttest.Action{Delay: 400 * time.Millisecond * time.Duration(min(r.Session, 1))} // registrations are not delayed
		}})
		run(t, server, "--timeout", "100ms", "--stall", "10s").want(t, exitErrors, "timed out")
	})
	t.Run("objective", func(t *testing.T) {
		run(t, healthy(), "--objective", "p50<1ns").want(t, exitObjective, "p50")
	})
	t.Run("invalid", func(t *testing.T) {
		// No machine holds this rate. The server answers all the same: the generator is what is too slow.
		server := listen(t, clienttest.Config{State: clienttest.NewNoopState()})
		o := run(t, server, "--rate", "500M", "--window", "0")
		o.want(t, exitInvalid, "the run is invalid")
		if !strings.Contains(o.out, "! schedule sent") {
			t.Errorf("no reason in:\n%s", o.out)
		}
	})
	t.Run("wrong", func(t *testing.T) {
		var runs atomic.Int64
		server := listen(t, clienttest.Config{Intercept: func(*wire.Run) clienttest.Action {
			if runs.Add(1)%20 == 0 {
				return clienttest.Action{Corrupt: func(value []byte) { value[len(value)-1] ^= 1 }}
			}
			return clienttest.Action{}
		}})
		run(t, server, "--mix", "put:0.5,get:0.5").want(t, exitWrong, "wrong answers")
	})
}

// interrupting is a stderr that interrupts the process when the first interval is reported. Like a file, it may be
// written to by several goroutines.
type interrupting struct {
	mu   sync.Mutex
	text bytes.Buffer
	once sync.Once
}

func (w *interrupting) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("op/s")) {
		w.once.Do(func() { _ = syscall.Kill(os.Getpid(), syscall.SIGINT) })
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *interrupting) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func TestInterruptWritesResults(t *testing.T) {
	server, dir := listen(t, clienttest.Config{}), t.TempDir()
	var out bytes.Buffer
	var errs interrupting
	code := execute([]string{"run", "--addrs", server.Addr(), "--admin", "none", "--warmup", "0s", "--duration", "1h", "--interval", "100ms",
		"--conns", "1", "--out", dir}, &out, &errs)
	if code != exitInterrupted || !strings.Contains(errs.String(), "interrupt again to exit at once") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	if r, err := record.Load(dir); err != nil || r.Ops.OK == 0 || r.MeasuredS > 600 {
		t.Errorf("no result of the part that was measured: %v", err)
	}
}

// A session has as many operations in flight as it is allowed, however wide its connection's window is. The examination behind the
// load has windows of its own.
func TestSessionWindow(t *testing.T) {
	var most atomic.Int64
	server := listen(t, clienttest.Config{Intercept: func(r *wire.Run) clienttest.Action {
		if r.Session != 0 {
			most.Store(max(most.Load(), int64(r.Count)))
		}
		return clienttest.Action{}
	}})
	run(t, server, "--clients", "2", "--session-window", "3", "--verify", "none").want(t, exitValid, "")
	if most.Load() != 3 {
		t.Errorf("runs of up to %d operations, want 3", most.Load())
	}
}

// What run leaves, merge and report take.
func TestResultsAreMergedAndReported(t *testing.T) {
	server, dir := listen(t, clienttest.Config{}), t.TempDir()
	one, two, both := filepath.Join(dir, "one"), filepath.Join(dir, "two"), filepath.Join(dir, "both")
	run(t, server, "--generator", "1/2", "--name", "a", "--out", one).want(t, exitValid, "")
	run(t, server, "--generator", "2/2", "--name", "b", "--out", two).want(t, exitValid, "")
	atTheSameTime(t, one, two)
	o := loadgen("merge", one, two, "--out", both, "--json")
	o.want(t, exitValid, "")
	var merged record.Result
	if err := json.Unmarshal([]byte(o.out), &merged); err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, path := range []string{one, two} {
		r, err := record.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		sum += r.Ops.OK
	}
	if merged.Ops.OK != sum || len(merged.Generators) != 2 {
		t.Errorf("%d operations of %d, %d generators", merged.Ops.OK, sum, len(merged.Generators))
	}
	if o := loadgen("merge", one, two); !strings.Contains(o.out, "1 clients, each of 2 generators\n") {
		t.Errorf("summary of two generators:\n%s", o.out)
	}
	loadgen("merge", one, filepath.Join(one, record.ResultFile)).want(t, exitUsage, `results 1 and 2 hold the same run of generator "a"`)
	loadgen("merge", one, two, "--out", two).want(t, exitUsage, "name another directory")
	later := filepath.Join(dir, "later")
	run(t, server, "--generator", "2/2", "--duration", "100ms", "--out", later).want(t, exitValid, "")
	o = loadgen("merge", one, later)
	o.want(t, exitUsage, "--start-at")
	o.want(t, exitUsage, "differ in duration (300ms, 100ms)")
	for _, format := range []string{"text", "json", "csv", "hgrm", "hlog", "bench", "png", "svg"} {
		file := filepath.Join(dir, "reports", "out."+format)
		loadgen("report", "--format", format, "--out", file, one).want(t, exitValid, "")
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// Every histogram of a run can be had as a percentile table, also the one that has no file of its own.
func TestPercentilesOfAnyHistogram(t *testing.T) {
	server, dir := listen(t, clienttest.Config{}), t.TempDir()
	run(t, server, "--out", dir).want(t, exitValid, "")
	for of, file := range map[string]string{"intended": record.IntendedFile, "service": record.ServiceFile, "send-lag": record.SendLagFile} {
		table, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		o := loadgen("report", "--format", "hgrm", "--of", of, dir)
		o.want(t, exitValid, "")
		if o.out != string(table) {
			t.Errorf("%s is not what %s holds:\n%s", of, file, o.out)
		}
		if short := loadgen("report", "--format", "hgrm", "--of", of, "--ticks", "1", dir); strings.Count(short.out, "\n") >= strings.Count(o.out, "\n") {
			t.Errorf("%s with one tick:\n%s", of, short.out)
		}
	}
	o := loadgen("report", "--format", "hgrm", "--of", "failed", dir)
	o.want(t, exitValid, "")
	if !strings.Contains(o.out, "Total count    =            0]") {
		t.Errorf("failures:\n%s", o.out)
	}
}

// Help fits 100 columns, and says the default of everything that has one.
func TestHelp(t *testing.T) {
	for _, command := range []string{"", "run", "ramp", "search", "merge", "report"} {
		o := loadgen(append(strings.Fields(command), "--help")...)
		o.want(t, exitValid, "")
		if !strings.Contains(o.out, "Usage: loadgen") {
			t.Errorf("%s --help:\n%s", command, o.out)
		}
		for line := range strings.Lines(o.out) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
				t.Errorf("%s --help: %d columns: %s", command, n, line)
			}
			if strings.Contains(line, "${") {
				t.Errorf("%s --help: a variable is left: %s", command, line)
			}
		}
	}
}

// codeIn returns the exit code of an error.
func codeIn(err error) int {
	var carried *program.Error
	if errors.As(err, &carried) {
		return carried.Code
	}
	return cmp.Or(codeOf(err), program.ExitInternal)
}

// Causes are told apart, also deep inside of an error.
func TestCausesHaveCodes(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{&net.DNSError{Err: "no such host", Name: "replica1"}, exitUnreachable},
		{load.ErrUnreachable, exitUnreachable},
		{record.ErrOutput, exitOutput},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, exitOutput},
		{program.Usage(errors.New("no")), exitUsage},
		{errors.New("something else"), exitInternal},
	} {
		if code := codeIn(fmt.Errorf("on the way: %w", tt.err)); code != tt.want {
			t.Errorf("%v: code %d, want %d", tt.err, code, tt.want)
		}
	}
}

// atTheSameTime changes results as if they had been measured at the same time: on a host that is busy none can promise that.
func atTheSameTime(t *testing.T, dirs ...string) {
	t.Helper()
	var start time.Time
	for i, dir := range dirs {
		r, err := record.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			start = r.StartedAt
		}
		r.StartedAt = start
		text, err := r.MarshalIndented()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, record.ResultFile), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A verdict has one exit code, whichever command has come to it.
func TestMergedVerdictHasItsCode(t *testing.T) {
	server := listen(t, clienttest.Config{State: clienttest.NewNoopState()})
	var dirs []string
	for _, id := range []string{"1/2", "2/2"} {
		dir := t.TempDir()
		run(t, server, "--generator", id, "--rate", "500M", "--window", "0", "--out", dir).want(t, exitInvalid, "")
		dirs = append(dirs, dir)
	}
	atTheSameTime(t, dirs...)
	loadgen(append([]string{"merge"}, dirs...)...).want(t, exitInvalid, "the run is invalid")
}

// YCSB's workloads have its records, unless others are asked for.
func TestWorkloadsOfYCSB(t *testing.T) {
	server := listen(t, clienttest.Config{})
	for _, tt := range []struct {
		args            []string
		size, mix, dist string
	}{
		{[]string{"--workload", "ycsb-a"}, "1000", "put:0.5,get:0.5", "scattered:0.99"},
		{[]string{"--workload", "ycsb-d", "--value-size", "16"}, "16", "put:0.05,get:0.95", "latest"},
		{[]string{"--workload", "ycsb-f"}, "1000", "get:0.5,rmw:0.5", "scattered:0.99"},
		{nil, "8", "put:1", "uniform"},
	} {
		dir := t.TempDir()
		run(t, server, append(tt.args, "--duration", "100ms", "--out", dir)...).want(t, exitValid, "")
		r, err := record.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if c := r.Config; c["value_size"] != tt.size || c["mix"] != tt.mix || c["key_dist"] != tt.dist {
			t.Errorf("%v: values of %v, %v, %v", tt.args, c["value_size"], c["mix"], c["key_dist"])
		}
	}
}

// A file of flags is as good as the flags, and the command line comes before it.
func TestConfigFile(t *testing.T) {
	server, dir := listen(t, clienttest.Config{}), t.TempDir()
	file := filepath.Join(dir, "load.yaml")
	text := "rate: 2.5k\ntotal: 100\nkeys: 500\nvalue-size: uniform:8,64\nmix: put:0.5,get:0.5\nseed: 7\nobjective: p99<1h\nmax-send-lag: 1h\n" +
		"at:\n  - 0s kill 1\ncluster-script: " + fakeScript(t) + "\n"
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	configs := make([]map[string]any, 2)
	for i, args := range [][]string{
		{"--config", file, "--seed", "8"},
		{"--rate", "2.5k", "--total", "100", "--value-size", "uniform:8,64", "--mix", "put:0.5,get:0.5", "--seed", "8", "--objective", "p99<1h",
			"--max-send-lag", "1h", "--at", "0s kill 1", "--cluster-script", fakeScript(t)},
	} {
		out := filepath.Join(dir, "out")
		run(t, server, append(args, "--out", out)...)
		r, err := record.Load(out)
		if err != nil {
			t.Fatal(err)
		}
		configs[i] = r.Config
	}
	if !reflect.DeepEqual(configs[0], configs[1]) || configs[0]["keys"] != "1k" {
		t.Errorf("the file makes %v\nthe flags %v", configs[0], configs[1])
	}
	for text, message := range map[string]string{
		"rates: 5":                       "run has no flag rates",
		"precision: 0.1":                 "run has no flag precision",
		"config: other":                  "no flag config",
		"rate: [1k, 2k]":                 "rate takes one value",
		"rate:":                          "rate has no value",
		"rate: {a: 1}":                   "line 1: rate: want a value or a list",
		"start-at: 2026-01-31T12:00:00Z": "ago: give a time to come",
		"a: &x 1k\nrate: *x":             "no flag a",
		"duration: 5":                    "want a number with a unit",
		"- rate":                         "want lines of FLAG: VALUE",
		"rate: 1k\nclosed: yes":          "can't be used together",
		"rate: 1k\n---\nkeys: 5":         "a second document",
		"version: true":                  "no flag version",
		"rate: 1k\r\nrates: 5\r\n":       "no flag rates",
	} {
		write(text)
		loadgen("run", "--config", file).want(t, exitUsage, message)
	}
	loadgen("run", "--config", filepath.Join(dir, "none")).want(t, exitUsage, "no such file")
	write("# nothing yet\n")
	run(t, server, "--config", file).want(t, exitValid, "")
}

// Who asks at --metrics while a run goes on is told how far it is.
func TestMetrics(t *testing.T) {
	var metrics string
	addr := freeAddr(t)
	var asked sync.Once
	server := listen(t, clienttest.Config{Intercept: func(r *wire.Run) clienttest.Action {
		if r.Session != 0 {
			asked.Do(func() {
				response, err := http.Get("http://" + addr + "/metrics")
				if err != nil {
					t.Error(err)
					return
				}
				defer response.Body.Close()
				text, err := io.ReadAll(response.Body)
				if metrics = string(text); err != nil {
					t.Error(err)
				}
			})
		}
		return clienttest.Action{}
	}})
	run(t, server, "--metrics", addr).want(t, exitValid, "")
	if !strings.Contains(metrics, `paxosbench_loadgen_phase{phase="`) || !strings.Contains(metrics, "paxosbench_loadgen_sent_total") {
		t.Errorf("metrics:\n%s", metrics)
	}
	run(t, server, "--metrics", server.Addr()).want(t, exitUsage, "metrics at "+server.Addr())
	loadgen("ramp", "--from", "1k", "--to", "1k", "--steps", "1", "--addrs", server.Addr(), "--admin", "none", "--quiet", "--warmup", "0s",
		"--duration", "50ms", "--conns", "1", "--metrics", addr).want(t, exitValid, "")
}

// freeAddr returns an address that is free now, and below those that the system gives out.
func freeAddr(t *testing.T) string {
	t.Helper()
	for port := 23_900; port < 24_000; port++ {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if listener, err := net.Listen("tcp", addr); err == nil {
			listener.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// Stages take the place of rate and duration.
func TestStages(t *testing.T) {
	server := listen(t, clienttest.Config{})
	o := run(t, server, "--stage", "100ms 1k", "--stage", "200ms 1k..3k", "--max-send-lag", "1h")
	if o.code != exitInvalid || !o.hostWasBusy() {
		o.want(t, exitValid, "")
	}
	for _, want := range []string{"open loop, 1,666 op/s", "stage       0.00 s  1k op/s for 0.1 s: ", "stage       0.10 s  1k..3k op/s for 0.2 s: "} {
		if !strings.Contains(o.out, want) {
			t.Errorf("%q is missing in\n%s", want, o.out)
		}
	}
	run(t, server, "--stage", "100ms 1k", "--rate", "1k").want(t, exitUsage, "can't be used together")
	loadgen("run", "--stage", "10s").want(t, exitUsage, "as in '10s 100k'")
}
