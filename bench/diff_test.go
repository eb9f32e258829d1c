package bench

import (
	"math"
	"strings"
	"testing"
	"time"

	"paxosbench/bench/record"
	"paxosbench/bench/suite"
)

// filled is a directory in which every run reached a throughput of its own times a handicap.
func filled(t *testing.T, handicap float64, status func(suite.Planned) string) *suite.Dir {
	t.Helper()
	d := newDir(t)
	for i, p := range d.Plan {
		ops := handicap * (1000 + 0.1*float64(i%7))
		if err := d.Append(suite.Run{Planned: p, Status: status(p), Result: &record.Result{ThroughputOpsPerS: ops}}); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func all(status string) func(suite.Planned) string {
	return func(suite.Planned) string { return status }
}

func throughput(t *testing.T) suite.Column {
	t.Helper()
	column, ok := suite.ColumnOf("throughput")
	if !ok {
		t.Fatal("no throughput")
	}
	return column
}

func diffed(t *testing.T, a, b *suite.Dir) *Diff {
	t.Helper()
	d, err := NewDiff(a, b, throughput(t))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDiffFindsAHandicap(t *testing.T) {
	d := diffed(t, filled(t, 1, all(suite.StatusValid)), filled(t, 0.9, all(suite.StatusDegraded)))
	if math.Abs(d.All.Ratio-1/0.9) > 1e-3 || d.All.Pairs != 4 || d.All.Wins != 4 || len(d.Cells) != 4 || d.Untold != 0 {
		t.Errorf("%+v", d)
	}
	if c := d.Cells[0]; c.A != 3 || c.B != 3 || c.Differs() || !c.IsRange() {
		t.Errorf("three runs of each can show nothing: %+v", c)
	}
}

func TestDiffOfEqualsIsNone(t *testing.T) {
	d := diffed(t, filled(t, 1, all(suite.StatusValid)), filled(t, 1, all(suite.StatusValid)))
	if d.All.Different() || d.All.Ratio != 1 {
		t.Errorf("%+v", d.All)
	}
}

// TestDiffLeavesNoRunOut wants runs that did not hold to count against the side that made them, and to be counted.
func TestDiffLeavesNoRunOut(t *testing.T) {
	lucky := filled(t, 1.5, func(p suite.Planned) string {
		if p.Repeat == 1 {
			return suite.StatusValid
		}
		return suite.StatusInvalid
	})
	d := diffed(t, filled(t, 1, all(suite.StatusValid)), lucky)
	if both := diffed(t, lucky, lucky).Cells[0]; !both.Neither || d.Cells[0].Neither {
		t.Error("that neither held is not told from no difference")
	}
	if d.Failing != [2]int{0, 8} || d.All.Wins != 4 || !math.IsInf(d.Cells[0].Ratio, 1) || d.Cells[0].B != 3 {
		t.Errorf("one lucky run of three in each cell is ahead: %+v", d)
	}
}

// TestDiffOfZeros wants zero to be a figure: so many failed operations are what one hopes for.
func TestDiffOfZeros(t *testing.T) {
	column, _ := suite.ColumnOf("failed")
	a, b := filled(t, 1, all(suite.StatusValid)), filled(t, 1, all(suite.StatusValid))
	for i := range b.Runs() {
		b.Runs()[i].Result.Ops.Failed = 3
	}
	d, err := NewDiff(a, b, column)
	if err != nil || d.Cells[0].A != 3 || d.Cells[0].Ratio != 0 || d.Untold != 0 {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestDiffSaysWhatItLacks wants cells that one of the two lacks, and runs that were not made, to be counted.
func TestDiffSaysWhatItLacks(t *testing.T) {
	a, b := newDir(t), filled(t, 1, all(suite.StatusValid))
	for _, p := range a.Plan {
		if p.Cell.Get("batch") == "none" && p.Repeat < 3 {
			if err := a.Append(suite.Run{Planned: p, Status: suite.StatusValid, Result: &record.Result{ThroughputOpsPerS: 5}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	d := diffed(t, a, b)
	if len(d.OnlyB) != 2 || len(d.OnlyA) != 0 || len(d.Cells) != 2 || d.Pending[0] == 0 || d.Pending[1] != 0 {
		t.Errorf("%+v", d)
	}
	if turned := diffed(t, b, a); len(turned.OnlyA) != 2 || len(turned.OnlyB) != 0 {
		t.Errorf("turned: %+v", turned)
	}
}

// TestApart wants everything named that makes two directories no comparison of programs, and nothing of what they may
// well differ in.
func TestApart(t *testing.T) {
	a := newDir(t)
	for want, change := range map[string]func(*suite.Dir){
		"":                     func(*suite.Dir) {},
		"duration: 1s and 2s":  func(d *suite.Dir) { d.Manifest.Duration = 2 * time.Second },
		"warm-up: 0s and 1s":   func(d *suite.Dir) { d.Manifest.Warmup = time.Second },
		"host:  and other":     func(d *suite.Dir) { d.Manifest.Host.Name = "other" },
		"processors: 0 and 64": func(d *suite.Dir) { d.Manifest.Host.CPUs = 64 },
		"max-send-lag=20ms window=64 and conns=4": func(d *suite.Dir) { d.Suite.Fixed = d.Suite.Fixed.With("value-size", "1KiB") },
		" ":  func(d *suite.Dir) { d.Manifest.Commit, d.Manifest.Seed = "new", 7 },
		"  ": func(d *suite.Dir) { d.Suite.Fixed = d.Suite.Fixed.With("compress", "snappy") },
	} {
		b := newDir(t)
		change(b)
		got := strings.Join(Apart(a, b), "; ")
		if want = strings.TrimSpace(want); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("apart in %q, want %q", got, want)
		}
	}
}
