//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paxosbench/bench"
	"paxosbench/bench/record"
	"paxosbench/bench/suite"
	"paxosbench/cmd/bench/suitecmd"
	"paxosbench/cmd/program"
)

// bin is where TestMain has built the programs.
var bin string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "paxosbench-bench-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	if out, err := exec.Command("go", "build", "-o", dir, "paxosbench/cmd/replica", "paxosbench/cmd/loadgen", "paxosbench/cmd/bench").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
		return 1
	}
	for _, name := range []string{"PAXOSBENCH_STATE", "PAXOSBENCH_PORT_BASE"} {
		os.Unsetenv(name) // a cluster that whoever runs the tests works with is none of theirs
	}
	return m.Run()
}

// invoke runs a command line.
func invoke(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return invokeUntil(t.Context(), args...)
}

func invokeUntil(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = execute(ctx, args, &out, &err)
	return code, out.String(), err.String()
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const tiny = `
name: tiny
title: T
question: Q
axes:
  batch: [none, adaptive]
fixed: {conns: 1, window: 4, durability: none}
repeats: 1
warmup: 0s
duration: 200ms
`

func mustOpen(t *testing.T, dir string) *suite.Dir {
	t.Helper()
	d, err := suite.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// One suite on real processes: run, refused a second time, resumed with nothing to do, compared with itself.
func TestSweep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	mine := filepath.Join(dir, "scratch", "mine")
	if err := errors.Join(os.MkdirAll(filepath.Dir(mine), 0o755), os.WriteFile(mine, []byte("mine"), 0o644)); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", write(t, tiny), "--out", dir, "--bin", bin, "--port-base", "26000"}
	if code, stdout, stderr := invoke(t, args...); code != program.ExitDone || !strings.Contains(stdout, "0 failed") {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	d := mustOpen(t, dir)
	for _, r := range d.Runs() {
		if ops, ok := r.Value("throughput"); !ok || ops <= 0 || len(r.Result.Replicas) != 3 {
			t.Errorf("%s: %s, %v ops/s, %v", r.Cell, r.Status, ops, r.Reasons)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".run-*")); err != nil || len(left) > 0 {
		t.Errorf("data directories are left: %q, %v", left, err)
	}
	if text, err := os.ReadFile(mine); err != nil || string(text) != "mine" {
		t.Errorf("a file that was there is gone: %v", err)
	}
	if code, _, stderr := invoke(t, args...); code != program.ExitUsage || !strings.Contains(stderr, "--resume") {
		t.Errorf("run over results: exit code %d: %s", code, stderr)
	}
	if code, stdout, stderr := invoke(t, append(args, "--resume")...); code != program.ExitDone || !strings.Contains(stdout, "nothing to run") {
		t.Errorf("resumed: exit code %d: %s%s", code, stdout, stderr)
	}
	if err := os.WriteFile(args[1], []byte(strings.Replace(tiny, "title: T", "title: Another", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := invoke(t, append(args, "--resume")...); code != program.ExitDone || mustOpen(t, dir).Suite.Title != "Another" {
		t.Errorf("resumed with another title: exit code %d: %s", code, stderr)
	}
	lock := mustOpen(t, dir)
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := invoke(t, append(args, "--resume")...); code != program.ExitOutput || !strings.Contains(stderr, "another bench run is at work there") {
		t.Errorf("beside another one: exit code %d: %s", code, stderr)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := invoke(t, append(args, "--resume", "--repeats", "2")...); code != program.ExitUsage || !strings.Contains(stderr, "another plan") {
		t.Errorf("resumed with another plan: exit code %d: %s", code, stderr)
	}
	if code, _, stderr := invoke(t, "report", dir); code != program.ExitDone {
		t.Errorf("report: exit code %d: %s", code, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "report.html")); err != nil {
		t.Error(err)
	}
	if code, stdout, _ := invoke(t, "diff", dir, dir); code != program.ExitDone || !strings.Contains(stdout, "1.000") ||
		strings.Count(stdout, "--repeats 4") != 1 {
		t.Errorf("compared with itself: exit code %d: %s", code, stdout)
	}
}

// Runs of another version of the programs, or of another host, are not added to those that a directory has.
func TestResumedElsewhere(t *testing.T) {
	path := write(t, tiny)
	s, err := suite.Parse(path, []byte(tiny))
	if err != nil {
		t.Fatal(err)
	}
	commit, dirty := bench.Revision(filepath.Join(bin, "replica"))
	for want, change := range map[string]func(*suite.Manifest){
		"holds results of commit abcdef, and":   func(m *suite.Manifest) { m.Commit, m.Dirty = "abcdef", false },
		"with changes":                          func(m *suite.Manifest) { m.Dirty = !dirty },
		"holds results of host elsewhere with ": func(m *suite.Manifest) { m.Host.Name = "elsewhere" },
		" with 64 × ":                           func(m *suite.Manifest) { m.Host.CPUs = 64 },
	} {
		dir := filepath.Join(t.TempDir(), "out")
		m := suite.Manifest{
			Suite: s.Name, Seed: 1, Repeats: s.Repeats, Warmup: s.Warmup, Duration: s.Duration, Commit: commit, Dirty: dirty,
			Host: bench.DescribeHost(t.TempDir()),
		}
		change(&m)
		if _, err := suite.Create(dir, s, []byte(tiny), m, s.Plan(1, s.Repeats)); err != nil {
			t.Fatal(err)
		}
		code, _, stderr := invoke(t, "run", path, "--seed", "1", "--resume", "--out", dir, "--bin", bin, "--port-base", "23000")
		if code != program.ExitUsage || !strings.Contains(stderr, want) {
			t.Errorf("exit code %d, want %q in: %s", code, want, stderr)
		}
	}
}

// The leader is stopped during the run and comes back, which the timeline shows, and then it is killed, cut off and healed.
func TestFailoverSuite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	path := write(t, `
name: killed
title: T
question: Q
include: [{election-timeout: 200ms}]
fixed: {conns: 1, rate: 1000, interval: 10ms, durability: none, at: 300ms stop leader; 1s cont victim; 4s kill leader; 4s start victim; 5s isolate leader; 5200ms heal victim, max-send-lag: 10s}
repeats: 1
duration: 6s
graphs: [{name: course, title: C, kind: timeline}]
`)
	code, stdout, stderr := invoke(t, "run", path, "--out", dir, "--bin", bin, "--port-base", "26000")
	if code != program.ExitDone {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	r := mustOpen(t, dir).Runs()[0]
	if len(r.Result.Events) != 6 || slices.ContainsFunc(r.Result.Events, func(e record.Event) bool { return e.Error != "" || e.Note != "" }) {
		t.Errorf("events: %+v", r.Result.Events)
	}
	if outage, ok := r.Value("outage"); !ok || outage == 0 {
		t.Errorf("no outage in %+v", r.Timeline)
	}
}

// A cluster that cannot start makes failed runs, kept with the reason and the logs.
func TestFailedRunsAreKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	programs := t.TempDir()
	const replica = "#!/bin/sh\ncase $1 in --check) exit 0;; esac\necho out of luck >&2\nexit 1\n"
	err := errors.Join(os.WriteFile(filepath.Join(programs, "replica"), []byte(replica), 0o755),
		os.Symlink(filepath.Join(bin, "loadgen"), filepath.Join(programs, "loadgen")))
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, tiny)
	code, _, stderr := invoke(t, "run", path, "--out", dir, "--bin", programs, "--port-base", "26000")
	if code != suitecmd.ExitUnreachable || !strings.Contains(stderr, "out of luck") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	for _, r := range mustOpen(t, dir).Runs() {
		if r.Status != suite.StatusFailed || len(r.Reasons) == 0 {
			t.Errorf("%+v", r)
		}
		if logs, err := os.ReadDir(filepath.Join(dir, "logs", r.ID)); err != nil || len(logs) == 0 {
			t.Errorf("logs: %v, %v", logs, err)
		}
	}
}

func TestInterrupt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(500*time.Millisecond, cancel) // anywhere in the first run, which takes a minute
	args := []string{"run", write(t, strings.Replace(tiny, "200ms", "1m", 1)), "--out", dir, "--bin", bin, "--port-base", "26000"}
	code, _, stderr := invokeUntil(ctx, args...)
	if code != program.ExitInterrupted || !strings.Contains(stderr, "--resume") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if d := mustOpen(t, dir); len(d.Runs()) != 0 || len(d.Pending()) != 2 {
		t.Errorf("%d runs kept, %d pending", len(d.Runs()), len(d.Pending()))
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		want string
		args []string
	}{
		{"no suite is called", []string{"run", "nonsense"}},
		{"no such file", []string{"run", "nonsense.yaml"}},
		{"budget", []string{"run", "smoke", "--bin", bin, "--budget", "10s", "--out", t.TempDir()}},
		{"no cell", []string{"run", "smoke", "--only", "batch=unheard-of"}},
		{"KNOB=VALUE", []string{"run", "smoke", "--only", "batch"}},
		{"repeats 0", []string{"run", "smoke", "--dry-run", "--repeats", "0"}},
		{"duration 0s", []string{"run", "smoke", "--dry-run", "--duration", "0s"}},
		{"budget 0s", []string{"run", "smoke", "--dry-run", "--budget", "0s"}},
		{"port base 0", []string{"run", "smoke", "--dry-run", "--port-base", "0"}},
		{"port base 99999", []string{"run", "smoke", "--dry-run", "--port-base", "99999"}},
		{"not nothing", []string{"run", "smoke", "--dry-run", "--only", ""}},
		{"duration 0s", []string{"calibrate", "--duration", "0s"}},
		{"port base 1", []string{"calibrate", "--port-base", "1"}},
		{"pairs 0", []string{"compare", "--pairs", "0", "--", "", ""}},
		{"duration 0s", []string{"compare", "--duration", "0s", "--", "", ""}},
		{"warmup -1s", []string{"compare", "--warmup=-1s", "--", "", ""}},
		{"port base 99999", []string{"compare", "--port-base", "99999", "--", "", ""}},
		{`batch "nonsense"`, []string{"compare", "--bin", bin, "--", "--batch nonsense", ""}},
		{"line 6: axis replicas=9", []string{"run", "--dry-run", write(t, strings.Replace(tiny, "batch: [none, adaptive]", "replicas: [3, 9]", 1))}},
		{"is no program", []string{"run", "smoke", "--bin", t.TempDir(), "--out", filepath.Join(t.TempDir(), "out")}},
		{"unknown flag", []string{"run", "smoke", "--frobnicate"}},
		{"no measured column", []string{"diff", ".", ".", "--by", "beauty"}},
		{"holds no results", []string{"diff", t.TempDir(), t.TempDir()}},
		{"holds no results", []string{"report", t.TempDir()}},
	} {
		if code, _, stderr := invoke(t, c.args...); code != program.ExitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit code %d: %s", c.args, code, stderr)
		}
	}
}

// Directories that were not measured alike are refused, with what they differ in, and compared if that is wanted.
func TestDiffRefusesWhatIsNotAlike(t *testing.T) {
	s, err := suite.Parse("tiny", []byte(tiny))
	if err != nil {
		t.Fatal(err)
	}
	dirs := make([]string, 2)
	for i := range dirs {
		m := suite.Manifest{Suite: s.Name, Duration: time.Duration(1+i) * time.Second}
		d, err := suite.Create(filepath.Join(t.TempDir(), "out"), s, []byte(tiny), m, s.Plan(1, 1))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Plan {
			if err := d.Append(suite.Run{Planned: p, Status: suite.StatusValid, Result: &record.Result{ThroughputOpsPerS: 7}}); err != nil {
				t.Fatal(err)
			}
		}
		dirs[i] = d.Path
		d.Close()
	}
	if code, _, stderr := invoke(t, "diff", dirs[0], dirs[1]); code != program.ExitUsage || !strings.Contains(stderr, "duration: 1s and 2s") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	code, stdout, _ := invoke(t, "diff", "--anyway", dirs[0], dirs[1])
	if code != program.ExitDone || !strings.Contains(stdout, "! not measured alike: duration: 1s and 2s") || strings.Contains(stdout, "95 %") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
}

func TestDryRunAndList(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	code, stdout, _ := invoke(t, "run", "latency-throughput", "--dry-run", "--bin", bin, "--out", out, "--only", "batch=none load=5%")
	if code != program.ExitDone || !strings.Contains(stdout, "12 of 12 runs, about 52s") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a dry run leaves a directory")
	}
	if code, stdout, _ := invoke(t, "list"); code != program.ExitDone || !strings.Contains(stdout, "smoke") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
}
