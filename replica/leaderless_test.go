package replica

import (
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	for name, tt := range map[string]struct {
		n, quorum, nonVoting, away int
		want                       string
	}{
		"two replicas, one lost disk": {2, 2, 1, 0, "there can be no leader: that takes 2 of 2 replicas, and 1 do not vote"},
		"three repaired at once":      {3, 2, 3, 0, "there can be no leader: that takes 2 of 3 replicas, and 3 do not vote"},
		"one of three alone":          {3, 2, 0, 2, "there can be no leader now: that takes 2 of 3 replicas, 1 are within reach and vote"},
		"one lost, one away":          {3, 2, 1, 1, "there can be no leader now"},
		"all there":                   {3, 2, 0, 0, "an election is under way: that takes 2 of 3 replicas, 3 are within reach and vote"},
		"a large quorum":              {3, 3, 0, 1, "there can be no leader now: that takes 3 of 3"},
	} {
		if got := verdict(tt.n, tt.quorum, tt.nonVoting, tt.away); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
