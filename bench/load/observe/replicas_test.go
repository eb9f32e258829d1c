package observe

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"paxosbench/bench/load/observe/observetest"
	"paxosbench/bench/record"
	"paxosbench/bench/target"
	"paxosbench/wire"
)

func TestReplicasAreDescribed(t *testing.T) {
	var looks atomic.Int64
	admin := observetest.Replica(t,
		func() string {
			return fmt.Sprintf(`{"id":2,"role":"leader","ballot":"3.2","leader":2,"commit":7,"applied":7,"state_digest":"ab12","cpu_ns":%d,"config":{"batch":"adaptive"}}`,
				1_000_000_000+2_000_000*looks.Add(1))
		},
		func() string {
			n := float64(looks.Load())
			return fmt.Sprintf("# HELP x y\n%s %g\n%s %g\n%s %g\n%s %g\nx_depth 3\nx_seconds_sum{le=\"1 s\"} %g\n",
				metricCommandsApplied, 1000*n, metricBatchesApplied, 10*n, metricBatchesProposed, 10*n, metricWindowDepth, 25*n, n/2)
		})
	addrs := Pages{admin, "127.0.0.1:1"}
	before := addrs.Look(context.Background())
	after := addrs.Look(context.Background())
	replicas := Describe(before, after, nil, 1000)
	r := replicas[0]
	if r.ID != 2 || r.Role != "leader" || r.Commit != 7 || r.StateDigest != "ab12" || string(r.Config) != `{"batch":"adaptive"}` {
		t.Errorf("described as %+v", r)
	}
	if r.CPUNsPerOp != 2000 || r.Batch != 100 || r.Window != 2.5 || r.Deltas[`x_seconds_sum{le="1 s"}`] != 0.5 {
		t.Errorf("cpu %v ns/op, batch %v, window %v, deltas %v", r.CPUNsPerOp, r.Batch, r.Window, r.Deltas)
	}
	if _, ok := r.Deltas["x_depth"]; ok {
		t.Error("a gauge is taken for a counter")
	}
	if replicas[1].Error == "" {
		t.Error("an unreachable replica is not reported")
	}
	if changed, _ := LeaderChanged(before, after); changed {
		t.Error("a change of leader is seen where there was none")
	}
}

// What a replica counts from its start says nothing if it was started meanwhile and nobody has looked before.
func TestRestartedReplicaHasNoFigures(t *testing.T) {
	var looks atomic.Int64
	admin := observetest.Replica(t,
		func() string {
			n := looks.Add(1)
			return fmt.Sprintf(`{"id":2,"pid":%d,"role":"follower","cpu_ns":%d,"config":{"batch":"adaptive"},"version":"v1"}`, 100+n, 1_000_000*n)
		},
		func() string { return fmt.Sprintf("%s %d\n", metricCommandsApplied, 1000*looks.Load()) })
	before := Pages{admin}.Look(context.Background())
	r := Describe(before, Pages{admin}.Look(context.Background()), nil, 1000)[0]
	if r.Restarts != 1 || r.CPUNsPerOp != 0 || r.CPUShare != 0 || len(r.Deltas) != 0 || string(r.Config) == "" || string(r.Version) != `"v1"` {
		t.Errorf("%+v", r)
	}
}

func TestDigestsAreCompared(t *testing.T) {
	metrics := func() string { return "" }
	replica := func(applied func() int, digest string) string {
		return observetest.Replica(t, func() string { return fmt.Sprintf(`{"applied":%d,"state_digest":"%s"}`, applied(), digest) }, metrics)
	}
	fixed := func() int { return 10 }
	var behind atomic.Int64
	catchingUp := func() int { return int(min(10, 7+behind.Add(1))) }
	a, a2, b, late := replica(fixed, "aa"), replica(fixed, "aa"), replica(fixed, "bb"), replica(catchingUp, "aa")
	tests := []struct {
		name  string
		addrs []string
		want  string
	}{
		{"equal", []string{a, a2}, "equal"},
		{"different", []string{a, b}, "differ"},
		{"one lags at first", []string{a, late}, "equal"},
		{"one alone", []string{a}, ""},
		{"one unreachable", []string{a, a2, "127.0.0.1:1"}, "equal"},
		{"but one unreachable", []string{a, "127.0.0.1:1"}, record.DigestsUnseen},
		{"none asked", nil, record.DigestsUnseen},
	}
	for _, tt := range tests {
		if got := CompareDigests(context.Background(), Pages(tt.addrs)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// seen is a look at a process of replica 1 that has used that many seconds of CPU time and applied as many batches.
func seen(pid int, seconds float64) Scrape {
	s := Scrape{At: time.Unix(int64(pid), 0), Status: Status{ID: 1, Role: "follower", PID: pid, CPUNs: int64(seconds * 1e9)}}
	s.setCounters(map[string]float64{metricBatchesApplied: seconds, metricCommandsApplied: 10 * seconds})
	return s
}

// A replica that is started again begins to count anew. What it did is the sum over its processes, and if one of them ended
// Unseen, nothing is said.
func TestRestartedReplicasAreDescribed(t *testing.T) {
	gone := Scrape{At: time.Unix(9, 0), Err: errors.New("connection refused")}
	other := seen(2, 50)
	other.Status.ID = 2
	for _, tt := range []struct {
		name          string
		before, after Scrape
		ended         []Scrape
		seconds       float64 // 0: not known
		restarts      int
	}{
		{"never", seen(1, 5), seen(1, 7), nil, 2, 0},
		{"once", seen(1, 5), seen(2, 3), []Scrape{seen(1, 6)}, 4, 1},
		{"once, and counts past where it began", seen(1, 5), seen(2, 30), []Scrape{other, seen(1, 6)}, 31, 1},
		{"twice", seen(1, 5), seen(3, 4), []Scrape{seen(1, 6), seen(2, 10)}, 15, 2},
		{"for good", seen(1, 5), gone, []Scrape{seen(1, 6)}, 1, 1},
		{"unseen", seen(1, 5), seen(2, 30), nil, 0, 1},
		{"unseen before it was seen", seen(1, 5), seen(3, 30), []Scrape{seen(2, 6)}, 0, 1},
		{"gone unseen", seen(1, 5), gone, nil, 0, 0},
		{"down at the beginning", gone, seen(2, 30), nil, 0, 0},
	} {
		r := describeReplica(&tt.before, &tt.after, tt.ended, 1000)
		if got := r.CPUNsPerOp / 1e6; got != tt.seconds || r.Restarts != tt.restarts {
			t.Errorf("%s: %v s of CPU time and %d restarts, want %v and %d", tt.name, got, r.Restarts, tt.seconds, tt.restarts)
		}
		if got := r.Deltas[metricBatchesApplied]; got != tt.seconds || tt.seconds > 0 && r.Batch != 10 {
			t.Errorf("%s: %v batches of %v commands, want %v of 10", tt.name, got, r.Batch, tt.seconds)
		}
	}
}

// TestLeaderChanged believes the newest ballot, and takes silence for nothing known.
func TestLeaderChanged(t *testing.T) {
	led := func(leader wire.ReplicaID, ballot wire.Ballot) Scrape {
		return Scrape{Status: Status{Leader: leader, Ballot: ballot}}
	}
	one, silent := led(1, 1), Scrape{Err: errors.New("connection refused")}
	for _, tt := range []struct {
		name          string
		before, after []Scrape
		want, known   bool
	}{
		{"the same", []Scrape{one, one}, []Scrape{one, one}, false, true},
		{"another, of which not all know", []Scrape{one}, []Scrape{one, led(2, 2)}, true, true},
		{"nobody answers", []Scrape{one}, []Scrape{silent}, false, false},
		{"nobody was asked", nil, nil, false, false},
	} {
		if got, known := LeaderChanged(tt.before, tt.after); got != tt.want || known != tt.known {
			t.Errorf("%s: %v, known %v", tt.name, got, known)
		}
	}
}

// teller is a driver that tells of nodes.
type teller []target.Observation

func (t teller) Observe(context.Context) ([]target.Observation, error) { return t, nil }

// Of nodes that a driver tells of, the one leads that says so, in the highest term, and goes by its place in the first look.
func TestObservedLeader(t *testing.T) {
	in := func(node, role string, term uint64) target.Observation {
		return target.Observation{Node: node, Role: role, Term: term}
	}
	gone := target.Observation{Node: "c", Role: target.RoleLeader, Term: 9, Err: errors.New("connection refused")}
	for _, tt := range []struct {
		name  string
		nodes teller
		want  wire.ReplicaID
	}{
		{"one says so", teller{in("a", target.RoleFollower, 3), in("b", target.RoleLeader, 3), gone}, 2},
		{"two say so", teller{in("a", target.RoleLeader, 3), in("b", target.RoleLeader, 2)}, 1},
		{"none says so", teller{in("a", target.RoleFollower, 3), in("b", "learner", 3)}, 0},
		{"one alone", teller{in("a", target.RoleUnreplicated, 0)}, 1},
		{"none is told of", nil, 0},
	} {
		if got := AskLeader(context.Background(), &Observed{Of: tt.nodes}); got != tt.want {
			t.Errorf("%s: node %d leads, want %d", tt.name, got, tt.want)
		}
	}
}
