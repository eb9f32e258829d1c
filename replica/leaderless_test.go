package replica

import (
	"strings"
	"testing"
	"time"
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

// A replica that starts into a cluster without commands hears of a leader some time later, and cannot see at once that it works. That
// is no reason for alarm. A term that comes after others that did not work is.
func TestLeaderIsBelievedAtFirst(t *testing.T) {
	c := Default()
	takes := (&loop{cfg: &c}).electionTakes()
	for name, tt := range map[string]struct {
		began, since time.Duration
		want         bool
	}{
		"soon after the start":           {takes / 10, 0, true},
		"at the last moment":             {10*takes - 1, 9 * takes, true},
		"after others that did not work": {10 * takes, 9 * takes, false},
	} {
		if got := (&leaderless{began: tt.began, since: tt.since}).believed(takes); got != tt.want {
			t.Errorf("%s: believed %v, want %v", name, got, tt.want)
		}
	}
}
