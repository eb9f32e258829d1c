package main

import "testing"

// Every mutant still applies to the sources, once, and changes them.
func TestMutantsApply(t *testing.T) {
	names := map[string]bool{}
	for i := range mutants {
		m := &mutants[i]
		if _, err := m.apply("../../.."); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if names[m.name] || m.rule == "" || m.old == m.new {
			t.Errorf("%s: twice, without a rule, or no change", m.name)
		}
		names[m.name] = true
	}
	for name := range foundBy {
		if !names[name] {
			t.Errorf("a test is named for %s, which is no mutant", name)
		}
	}
	for _, name := range explored {
		if !names[name] {
			t.Errorf("the explorer has to find %s, which is not in the list", name)
		}
	}
	if len(mutants) < 30 {
		t.Errorf("%d mutants, want at least 30", len(mutants))
	}
}

// A hunt for nothing is refused, instead of finding all of it.
func TestNothingToHunt(t *testing.T) {
	for _, tt := range []struct {
		c  cli
		ok bool
	}{
		{cli{Seeds: 1}, true}, {cli{Seeds: 1, Only: "rejoin"}, true}, {cli{Seeds: 1, Only: "nosuch"}, false}, {cli{}, false},
	} {
		if err := tt.c.Validate(); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.c, err)
		}
	}
}
