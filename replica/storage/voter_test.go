package storage

import "testing"

// A replica that votes again is a voter for its journal once what it has learnt on the way is durable, and not before.
func TestRejoinWaitsForWhatWasLearnt(t *testing.T) {
	v := voter{amnesiac: true}
	for _, step := range []struct {
		voting            bool
		appended, durable uint64
		done              bool
	}{
		{false, 7, 7, false}, // learns
		{true, 9, 8, false},  // votes; two records are on their way
		{true, 12, 8, false},
		{true, 12, 9, true}, // what came later does not matter
		{true, 20, 9, true},
	} {
		if got := v.due(step.voting, step.appended, step.durable); got != step.done {
			t.Errorf("voting %v, %d appended, %d durable: %v, want %v", step.voting, step.appended, step.durable, got, step.done)
		}
	}
}
