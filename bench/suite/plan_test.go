package suite

import (
	"reflect"
	"slices"
	"testing"
)

const hockey = `
name: hockey
title: H
question: Q
axes:
  batch: [none, adaptive]
  load: [50%, 105%]
repeats: 2
duration: 1s
`

func ids(plan []Planned) []string {
	var list []string
	for _, p := range plan {
		list = append(list, p.ID)
	}
	return list
}

func TestPlanIsDeterminedBySeed(t *testing.T) {
	s := parse(t, sample)
	first, again, other := s.Plan(7, 3), s.Plan(7, 3), s.Plan(8, 3)
	if !reflect.DeepEqual(first, again) {
		t.Error("one seed, two plans")
	}
	if slices.Equal(ids(first), ids(other)) {
		t.Error("two seeds, one plan")
	}
	if len(first) != 3*len(s.Cells()) {
		t.Errorf("%d runs", len(first))
	}
}

// Every repeat visits every cell once, before the next repeat begins, and not always in one order.
func TestRepeatsAreComplete(t *testing.T) {
	s := parse(t, sample)
	plan, n := s.Plan(1, 3), len(s.Cells())
	orders := make(map[string]bool)
	seen := make(map[string]bool)
	for repeat := range 3 {
		order := ""
		for i, p := range plan[repeat*n : (repeat+1)*n] {
			if p.Repeat != repeat+1 || p.Order != repeat*n+i+1 || seen[p.ID] {
				t.Errorf("run %d of repeat %d: %+v", i, repeat+1, p)
			}
			seen[p.ID] = true
			order += p.Cell.String() + ";"
		}
		orders[order] = true
	}
	if len(orders) == 1 {
		t.Error("all repeats have one order")
	}
}

// A plan with more repeats contains that with fewer: the runs have the same names.
func TestRunsKeepTheirNames(t *testing.T) {
	s := parse(t, sample)
	more := ids(s.Plan(1, 3))
	for _, id := range ids(s.Plan(1, 2)) {
		if !slices.Contains(more, id) {
			t.Errorf("run %s is not in the longer plan", id)
		}
	}
}

func TestProbesComeFirst(t *testing.T) {
	plan := parse(t, hockey).Plan(1, 2)
	if len(plan) != 4+8 {
		t.Fatalf("%d runs", len(plan))
	}
	for i, p := range plan {
		if probe := i < 4; (p.Kind == KindProbe) != probe || (p.Cell.Get(KnobLoad) == "") != probe {
			t.Errorf("run %d is %+v", i+1, p)
		}
	}
}

func TestSelect(t *testing.T) {
	plan := parse(t, hockey).Plan(1, 2)
	one := Select(plan, []Cell{{{"batch", "none"}, {"load", "50%"}}})
	if len(one) != 2+2 {
		t.Errorf("%d runs: want two and their two probes", len(one))
	}
	for _, p := range one {
		if p.Cell.Get("batch") != "none" || p.Kind == KindRun && p.Cell.Get(KnobLoad) != "50%" {
			t.Errorf("selected %+v", p)
		}
	}
	if len(Select(plan, nil)) != len(plan) {
		t.Error("no pattern selects less than all")
	}
	if len(Select(plan, []Cell{{{"batch", "unheard-of"}}})) != 0 {
		t.Error("selected what does not match")
	}
}
