package explore

import (
	"strings"
	"testing"

	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

func none(*Report) {}

// A cluster of two with one ballot is small enough to be gone through in a test. How many states it has changes with the
// protocol; that they are the same in each run shows that nothing depends on chance.
func TestSmallestScopeIsExhausted(t *testing.T) {
	scope := Scope{Name: "smallest", Replicas: 2, Ballots: ballots("1.1"), Slots: 2, Rounds: 1}
	var first *Report
	for range 2 {
		r, err := Run(scope, Limits{States: 1 << 20}, none)
		if err != nil || r.Violation != nil || !r.Exhausted {
			t.Fatalf("%v, %v, exhausted: %v\n%s", err, r.Violation, r.Exhausted, r.Transcript)
		}
		if first == nil {
			first = r
		}
		if r.States != first.States || r.Depth != first.Depth || r.Transitions != first.Transitions || r.States < 1000 {
			t.Errorf("%d states, depth %d, %d transitions; before %d, %d, %d", r.States, r.Depth, r.Transitions, first.States, first.Depth, first.Transitions)
		}
	}
}

// What the scopes begin with happens, and nothing goes wrong near it.
func TestScopesBegin(t *testing.T) {
	names := map[string]bool{}
	for _, scope := range Scopes {
		r, err := Run(scope, Limits{States: 2000}, none)
		if err != nil || r.Violation != nil {
			t.Errorf("%s: %v, %v\n%s", scope.Name, err, r.Violation, r.Transcript)
		}
		if names[scope.Name] {
			t.Errorf("two scopes are called %q", scope.Name)
		}
		names[scope.Name] = true
	}
}

func TestScopesThatCannotBe(t *testing.T) {
	for want, scope := range map[string]Scope{
		"want 2 to 3":   {Replicas: 4, Ballots: ballots("1.1"), Rounds: 1},
		"must exceed":   {Replicas: 3, Quorum1: 1, Quorum2: 2, Ballots: ballots("1.1"), Rounds: 1},
		"could lead":    {Replicas: 2, Rounds: 1},
		"is of none of": {Replicas: 2, Ballots: ballots("1.3"), Rounds: 1},
	} {
		if _, err := Run(scope, Limits{States: 10}, none); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", scope, err, want)
		}
	}
}

// The invariants of the cluster, each broken by hand.
func TestClusterInvariantsCanFail(t *testing.T) {
	low, high := wire.MakeBallot(1, 1), wire.MakeBallot(2, 2)
	held := []*wire.Record{{Kind: wire.RecordAccept, Ballot: high, Slot: 1, Payload: wire.MakeBody([]byte("a"))}}
	voted := func(b wire.Ballot, value string) facts { return facts{votes: []vote{{b, 1, value}}} }
	for want, list := range map[string][3]facts{
		"":                      {voted(low, "a"), voted(low, "a"), {commit: []string{"a"}, leads: high, log: held}},
		"two values":            {voted(low, "a"), voted(low, "b"), {}},
		"second value":          {{votes: []vote{{low, 1, "a"}, {high, 1, "b"}}}, voted(low, "a"), voted(high, "b")},
		"and it is not":         {voted(low, "a"), {commit: []string{"a"}}, {}},
		"chosen is":             {voted(low, "a"), voted(low, "a"), {commit: []string{"b"}}},
		"does not hold what is": {voted(low, "a"), voted(low, "a"), {leads: high}},
	} {
		b := newFactBook(2)
		b.list = list[:]
		err := b.check([maxReplicas]uint32{0, 1, 2})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// What a single replica may not do, done.
func TestReplicaInvariantsCanFail(t *testing.T) {
	b := wire.MakeBallot(1, 2)
	promise, accepted := wire.NewPromise(b, 0, 1, 0, false, nil), wire.NewAccepted(b, 1, 1, 0)
	granted, prepare := wire.NewPreVoteReply(b, true, 0, 0), wire.NewPrepare(b, 1, 1)
	durable := []wire.Record{{Kind: wire.RecordPromise, Ballot: b}}
	for want, tt := range map[string]struct {
		l     local
		ready paxos.Ready
	}{
		"":                  {local{disk: durable}, paxos.Ready{Messages: []wire.Message{promise, prepare}}},
		"only 0.0":          {local{}, paxos.Ready{Messages: []wire.Message{promise}}},
		"has not accepted":  {local{disk: durable}, paxos.Ready{Messages: []wire.Message{accepted}}},
		"second life":       {local{disk: durable, usedBefore: []wire.Ballot{b}}, paxos.Ready{Messages: []wire.Message{prepare}}},
		"but has promised":  {local{disk: durable}, paxos.Ready{Records: []wire.Record{{Kind: wire.RecordAccept, Ballot: b - 1, Slot: 1}}}},
		"and does not vote": {local{amnesiac: true}, paxos.Ready{Messages: []wire.Message{granted}}},
	} {
		scope := Scope{Replicas: 2, Quorum1: 2, Quorum2: 2}
		r := newReplicaSpace(1, &scope, newNetwork(), newFactBook(2))
		tt.l.core = paxos.New(scope.config(1, 1), birth)
		if tt.l.amnesiac {
			tt.l.core.Forget()
		}
		err := r.check(&tt.l, &tt.l, tick, &tt.ready)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
