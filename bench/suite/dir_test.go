package suite

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"paxosbench/bench/record"
)

// created is a fresh results directory of the sample suite.
func created(t *testing.T) *Dir {
	t.Helper()
	s := parse(t, sample)
	d, err := Create(filepath.Join(t.TempDir(), "results"), s, []byte(sample), Manifest{Suite: s.Name, Seed: 1}, s.Plan(1, 2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func opened(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func appendRun(t *testing.T, d *Dir, r Run) {
	t.Helper()
	if err := d.Append(r); err != nil {
		t.Fatal(err)
	}
}

func TestDirComesBack(t *testing.T) {
	d := created(t)
	r := Run{
		Planned: d.Plan[0], Status: StatusDegraded, Reasons: []string{"for a test"}, Command: []string{"bin/bench", "run"},
		Result: Slim(&record.Result{
			ThroughputOpsPerS: 1000, Latency: record.Latency{P99: 5, Count: 1},
			Host: record.Host{StealS: 1, StealPercent: 2, Looks: 3, Stops: 6, StoppedPercent: 4, LongestStopNs: 5},
		}),
	}
	appendRun(t, d, r)
	back := opened(t, d.Path)
	if !reflect.DeepEqual(back.Runs(), []Run{r}) {
		t.Errorf("came back as %+v", back.Runs())
	}
	if h := r.Result.Host; h.StealS != 1 || h.StealPercent != 2 || h.Looks != 3 || h.Stops != 6 || h.StoppedPercent != 4 || h.LongestStopNs != 5 {
		t.Errorf("kept of what the host did: %+v", h)
	}
	if !reflect.DeepEqual(back.Plan, d.Plan) || !reflect.DeepEqual(back.Suite, d.Suite) || back.Manifest.Seed != 1 {
		t.Error("plan, suite or manifest came back changed")
	}
	if !reflect.DeepEqual(ids(back.Pending()), ids(d.Plan)[1:]) {
		t.Errorf("pending: %v", ids(back.Pending()))
	}
}

// A process that was killed while it wrote leaves half a line: that run is made again, the others are kept.
func TestTornLineIsCut(t *testing.T) {
	d := created(t)
	appendRun(t, d, Run{Planned: d.Plan[0], Status: StatusValid})
	appendRun(t, d, Run{Planned: d.Plan[1], Status: StatusValid})
	d.Close()
	path := filepath.Join(d.Path, RunsFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 1; cut < 50; cut += 7 {
		if err := os.WriteFile(path, whole[:len(whole)-cut], 0o644); err != nil {
			t.Fatal(err)
		}
		torn := opened(t, d.Path)
		if len(torn.Runs()) != 1 || torn.Pending()[0].ID != d.Plan[1].ID {
			t.Fatalf("%d bytes short: %d runs", cut, len(torn.Runs()))
		}
		appendRun(t, torn, Run{Planned: d.Plan[1], Status: StatusValid})
		torn.Close()
		if now, err := os.ReadFile(path); err != nil || string(now) != string(whole) {
			t.Fatalf("%d bytes short, the run made again: the file is %q, %v", cut, now, err)
		}
	}
}

func TestRotIsRefused(t *testing.T) {
	d := created(t)
	if err := os.WriteFile(filepath.Join(d.Path, RunsFile), []byte("{}\nrot\n{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(d.Path); err == nil {
		t.Error("a line in the middle that is no run is passed over")
	}
}

func TestOneProcessAppends(t *testing.T) {
	d := created(t)
	if err := d.Lock(); err != nil {
		t.Fatal(err)
	}
	if err := opened(t, d.Path).Lock(); !errors.Is(err, ErrLocked) {
		t.Errorf("locked twice: %v", err)
	}
}

func TestCreateSparesResults(t *testing.T) {
	d := created(t)
	if _, err := Create(d.Path, d.Suite, []byte(sample), Manifest{}, d.Plan); !errors.Is(err, ErrExists) {
		t.Errorf("created over results: %v", err)
	}
}

// Files of someone in the place of a suite's are left as they are, except the suite itself.
func TestCreateSparesOtherFiles(t *testing.T) {
	s, dir := parse(t, sample), t.TempDir()
	create := func() error {
		d, err := Create(dir, s, []byte(sample), Manifest{Suite: s.Name}, s.Plan(1, 2))
		if err == nil {
			err = d.Close()
		}
		return err
	}
	for name, text := range map[string]string{
		ManifestFile: `{"name": "a page of mine"}`, SuiteFile: "another: suite\n", RunsFile: `{"id": "one that nobody planned"}` + "\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := create(); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := os.ReadFile(file); string(left) != text {
			t.Errorf("%s: %q is left of it (%v)", name, left, err)
		}
		if entries, err := os.ReadDir(dir); len(entries) != 1 || os.Remove(file) != nil {
			t.Errorf("%s: beside it there is %v (%v)", name, entries, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, SuiteFile), []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := create(); err != nil { // a suite that lies where its results go
		t.Error(err)
	}
	for _, name := range []string{PlanFile, RunsFile} { // as a Create leaves it that broke off
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := create(); err != nil {
		t.Error(err)
	}
}

func TestValues(t *testing.T) {
	r := Run{
		Planned: Planned{Cell: Cell{{"batch", "count:64"}}},
		Result: &record.Result{
			ThroughputOpsPerS: 7, Latency: record.Latency{P50: 3, Count: 1},
			Replicas: []record.Replica{{Role: "follower", CPUNsPerOp: 2}, {Role: "leader", CPUNsPerOp: 5, Batch: 9}, {Role: "follower", CPUNsPerOp: 4}},
		},
		Timeline: []Point{{0, 1, 5, 0}, {1, 1, 0, 0}, {2, 1, 0, 0}, {3, 1, 5, 0}},
	}
	for column, want := range map[string]float64{
		"throughput": 7, "p50": 3, "cpu_leader": 5, "cpu_follower": 3, "batch_mean": 9, "batch": 64, "outage": 2,
	} {
		if got, ok := r.Value(column); !ok || got != want {
			t.Errorf("%s is %v, %v, want %v", column, got, ok, want)
		}
	}
	for _, column := range []string{"offered", "syncs", "window", "nonsense"} {
		if got, ok := r.Value(column); ok {
			t.Errorf("%s is %v, and nobody measured it", column, got)
		}
	}
	if _, ok := new(Run).Value("throughput"); ok {
		t.Error("a failed run has a throughput")
	}
}

func TestReplayIsForAShell(t *testing.T) {
	r := Run{Command: []string{"bench", "--only", `at="2s kill" batch=none`, "it's"}}
	if got, want := r.Replay(), `bench --only 'at="2s kill" batch=none' 'it'\''s'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
