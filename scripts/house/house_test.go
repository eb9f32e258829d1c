// Package house holds the rules that the whole tree keeps, as tests: which package may import which, what the pure
// packages must not touch, how long things may get. A rule is a function from a package to its violations. Each comes
// with samples of what it must pass and what it must catch, so that a rule that cannot fail is noticed.
package house

import (
	"slices"
	"testing"
)

// rule is one rule of the house.
type rule struct {
	name string

	// check returns one line for each violation, with the place and what to do about it.
	check func(pkg) []string

	// passes and caught are samples that the rule must pass, and must complain about.
	passes, caught []sample
}

// sample is a package of one file: its path in the tree and its text.
type sample struct{ path, text string }

// rules returns all rules; the order has no meaning.
func rules() []rule {
	return slices.Concat(importRules, pureRules, sizeRules, textRules, outputRules)
}

func TestTreeKeepsTheRules(t *testing.T) {
	tree := loadTree(t)
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, p := range tree {
				for _, violation := range r.check(p) {
					t.Error(violation)
				}
			}
		})
	}
}

func TestRulesCanFail(t *testing.T) {
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			if len(r.passes) == 0 || len(r.caught) == 0 {
				t.Fatal("a rule needs samples of both kinds")
			}
			for _, s := range r.passes {
				if violations := r.check(parseSample(t, s)); len(violations) > 0 {
					t.Errorf("complains about what is allowed, %s with %.200q: %q", s.path, s.text, violations)
				}
			}
			for _, s := range r.caught {
				if len(r.check(parseSample(t, s))) == 0 {
					t.Errorf("does not catch %s with %.200q", s.path, s.text)
				}
			}
		})
	}
}
