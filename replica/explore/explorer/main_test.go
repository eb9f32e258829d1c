package main

import "testing"

// A walk through nothing is refused, instead of finding no violation.
func TestNothingToExplore(t *testing.T) {
	for _, tt := range []struct {
		c  cli
		ok bool
	}{
		{cli{States: 1, Memory: 4, Parallel: 2}, true},
		{cli{States: 1, Memory: 4, Parallel: 2, Only: "election"}, true},
		{cli{States: 1, Memory: 4, Parallel: 2, Only: "nosuch"}, false},
		{cli{States: 1, Memory: 4}, false},
		{cli{States: 1, Parallel: 1}, false},
		{cli{Memory: 4, Parallel: 2}, false},
	} {
		if err := tt.c.Validate(); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.c, err)
		}
	}
}
