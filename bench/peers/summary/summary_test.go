package summary

import (
	"math"
	"testing"

	"paxosbench/bench/record"
	"paxosbench/bench/suite"
)

func run(repeat int, ops float64) *suite.Run {
	r := &suite.Run{Planned: suite.Planned{Kind: suite.KindRun, Repeat: repeat}, Status: suite.StatusValid, Result: &record.Result{ThroughputOpsPerS: ops}}
	if ops == 0 {
		r.Status = suite.StatusFailed
	}
	return r
}

// A system that is fast where it works and fails elsewhere does not profit from its failures.
func TestFailuresArePenalised(t *testing.T) {
	situations := []*situation{
		{systems: []system{{suite.OwnSystem, []*suite.Run{run(1, 100)}}, {"other", []*suite.Run{run(1, 50)}}}},
		{systems: []system{{suite.OwnSystem, []*suite.Run{run(1, 800)}}, {"other", []*suite.Run{run(1, 0)}}}},
		{systems: []system{{suite.OwnSystem, []*suite.Run{run(1, 100)}}}}, // the other was not measured there
	}
	for _, s := range situations {
		s.rank()
	}
	all := means(situations)
	if len(all) != 1 || all[0].failed != 1 || all[0].ours != 0 || all[0].situations != 2 {
		t.Fatalf("got %+v", all)
	}
	if want := math.Sqrt(2 * 10); math.Abs(all[0].ratio.Median-want) > 1e-9 {
		t.Errorf("ratio %v, want the geometric mean of 2 and 10: %v", all[0].ratio.Median, want)
	}
	if first := situations[1].systems[0].name; first != suite.OwnSystem {
		t.Errorf("%s ranks first, and has failed", first)
	}
}

// Our failures count as theirs do.
func TestOurFailuresCount(t *testing.T) {
	s := &situation{systems: []system{{suite.OwnSystem, []*suite.Run{run(1, 0), run(2, 300)}}, {"other", []*suite.Run{run(1, 100), run(2, 100)}}}}
	s.rank()
	m := meanOf([]*situation{s}, "other")
	if m.ours != 1 || m.failed != 0 || math.Abs(m.ratio.Lo-0.1) > 1e-9 || math.Abs(m.ratio.Hi-3) > 1e-9 {
		t.Errorf("got %+v, want ratios of 0.1 and 3", m)
	}
}

// Where each system has its own best, what it has in flight does not tell situations apart.
func TestOwnBestIsOneSituation(t *testing.T) {
	a, _ := suite.ParseCell("system=etcd variant=best in-flight=512")
	b, _ := suite.ParseCell("system=redis variant=best in-flight=64")
	c, _ := suite.ParseCell("system=redis in-flight=64")
	if situationOf(a).String() != situationOf(b).String() || situationOf(b).String() == situationOf(c).String() {
		t.Errorf("%q, %q and %q", situationOf(a), situationOf(b), situationOf(c))
	}
}
