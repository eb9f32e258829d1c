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
	if len(mutants) < 30 {
		t.Errorf("%d mutants, want at least 30", len(mutants))
	}
}
