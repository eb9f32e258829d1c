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

// A replica without a vote believes in a leader for as long as an election takes after it was last heard.
func TestSilentLeaderIsNotBelievedForEver(t *testing.T) {
	c := Default()
	l := &loop{cfg: &c}
	if got := l.stillHeard(3, l.electionTakes()); got != 3 {
		t.Errorf("leader %d, want 3, which was heard in time", got)
	}
	if got := l.stillHeard(3, l.electionTakes()+1); got != 0 {
		t.Errorf("leader %d, want none: 3 is silent", got)
	}
}
