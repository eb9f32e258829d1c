package main

import "testing"

// A campaign without seeds is refused, instead of finding no violation.
func TestNothingToSimulate(t *testing.T) {
	for _, tt := range []struct {
		c  cli
		ok bool
	}{
		{cli{Seeds: 1}, true}, {cli{}, false}, {cli{Seeds: 1, Parallel: -1}, false},
	} {
		if err := tt.c.Validate(); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.c, err)
		}
	}
}
