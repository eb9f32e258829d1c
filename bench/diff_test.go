package bench

import (
	"math"
	"testing"

	"paxosbench/bench/record"
	"paxosbench/bench/suite"
)

// filled is a directory in which every run reached a throughput of its own times a handicap.
func filled(t *testing.T, handicap float64, status string) *suite.Dir {
	t.Helper()
	d := newDir(t)
	for i, p := range d.Plan {
		ops := handicap * (1000 + 10*float64(i%7))
		if err := d.Append(suite.Run{Planned: p, Status: status, Result: &record.Result{ThroughputOpsPerS: ops}}); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func throughput(t *testing.T) suite.Column {
	t.Helper()
	column, ok := suite.ColumnOf("throughput")
	if !ok {
		t.Fatal("no throughput")
	}
	return column
}

func TestDiffFindsAHandicap(t *testing.T) {
	d, err := NewDiff(filled(t, 1, suite.StatusValid), filled(t, 0.9, suite.StatusDegraded), throughput(t))
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(d.All.Ratio-1/0.9) > 1e-9 || !d.All.Different() || d.All.Pairs != 12 || len(d.Cells) != 4 || d.Left != 0 {
		t.Errorf("%+v", d)
	}
}

func TestDiffOfEqualsIsNone(t *testing.T) {
	d, err := NewDiff(filled(t, 1, suite.StatusValid), filled(t, 1, suite.StatusValid), throughput(t))
	if err != nil {
		t.Fatal(err)
	}
	if d.All.Different() || d.All.Ratio != 1 {
		t.Errorf("%+v", d.All)
	}
}

func TestDiffLeavesOutWhatIsInvalid(t *testing.T) {
	if d, err := NewDiff(filled(t, 1, suite.StatusValid), filled(t, 1, suite.StatusInvalid), throughput(t)); err == nil {
		t.Errorf("compared with invalid runs: %+v", d)
	}
}
