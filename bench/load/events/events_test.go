package events

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paxosbench/bench/load/observe"
	"paxosbench/bench/load/observe/observetest"
	"paxosbench/bench/record"
)

// fakeScript is a cluster script that says that 2 leads, cannot stop anything, and writes down what else it is to do. It
// returns a function that reads that.
func fakeScript(t *testing.T) (script string, calls func() string) {
	t.Helper()
	dir := t.TempDir()
	script, log := filepath.Join(dir, "cluster.sh"), filepath.Join(dir, "log")
	text := "#!/bin/sh\necho \"$@\" >>" + log + "\ncase $1 in leader) echo 2;; stop) echo 'there is no such replica\nsee status' >&2; exit 2;; esac\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return script, func() string {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
}

// cluster7 is the id of the cluster under load.
func cluster7() string { return "7" }

// planned parses events.
func planned(t *testing.T, texts ...string) []Planned {
	t.Helper()
	events := make([]Planned, len(texts))
	for i, text := range texts {
		if err := events[i].UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return events
}

// outcomes renders events with what became of them.
func outcomes(events []record.Event) (texts []string) {
	for _, e := range events {
		texts = append(texts, strings.TrimSpace(e.Text+" "+e.Error))
	}
	return texts
}

func TestEventsCallTheScript(t *testing.T) {
	script, calls := fakeScript(t)
	r := &Runner{actor: program(script), cluster: cluster7, nodes: observe.Pages(nil)}
	events := r.Run(context.Background(), planned(t, "2ms start victim", "1ms kill leader", "3ms stop 3", "0s cont 1"), time.Now())
	if got, want := calls(), "cont 1\nleader\nkill 2\nstart 2\nstop 3\n"; got != want {
		t.Errorf("the script was called with %q, want %q", got, want)
	}
	want := []string{"cont 1", "kill 2", "start 2", "stop 3 " + script + " stop 3: exit status 2: there is no such replica"}
	if got := outcomes(events); !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	for _, e := range events {
		if e.TookS <= 0 {
			t.Errorf("%s took %v s", e.Text, e.TookS)
		}
	}
}

// Replicas tell who leads in less time than the script takes: it is not called for that.
func TestReplicasTellWhoLeads(t *testing.T) {
	replica := func(json string) string {
		return observetest.Replica(t, func() string { return json }, func() string { return "" })
	}
	hung := make(chan struct{})
	hangs := observetest.Replica(t, func() string { <-hung; return "" }, func() string { return "" })
	defer close(hung)
	deposed, leads := replica(`{"id":1,"role":"leader","ballot":"4.1"}`), replica(`{"id":3,"role":"leader","ballot":"5.3"}`)
	follows, alone := replica(`{"id":2,"role":"follower","ballot":"6.2","leader":1}`), replica(`{"id":1,"role":"unreplicated"}`)
	for _, tt := range []struct {
		name  string
		admin []string
		want  string
	}{
		{"one leads", []string{deposed, leads, follows}, "kill 3\n"},
		{"one hangs", []string{leads, hangs}, "kill 3\n"},
		{"one alone", []string{alone, "127.0.0.1:1"}, "kill 1\n"},
		{"none leads", []string{follows}, "leader\nkill 2\n"},
		{"none is asked", nil, "leader\nkill 2\n"},
	} {
		script, calls := fakeScript(t)
		r := &Runner{actor: program(script), cluster: cluster7, nodes: observe.Pages(tt.admin)}
		r.Run(context.Background(), planned(t, "0s kill leader"), time.Now())
		if got := calls(); got != tt.want {
			t.Errorf("%s: the script was called with %q, want %q", tt.name, got, tt.want)
		}
	}
}

// What was due and could not begin has failed; what was not due, because the run was interrupted, is nobody's fault.
func TestEventsThatDoNotBegin(t *testing.T) {
	script, _ := fakeScript(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := &Runner{actor: program(script), cluster: cluster7, nodes: observe.Pages(nil)}
	events := r.Run(ctx, planned(t, "1s kill 1", "1h start 1"), time.Now().Add(-time.Minute))
	if len(events) != 1 || events[0].Text != "kill 1" || events[0].AtS != 1 || !strings.HasPrefix(events[0].Error, "not carried out") {
		t.Errorf("events %+v", events)
	}
}

func TestEventsThatCannotTakePlace(t *testing.T) {
	script, _ := fakeScript(t)
	for _, tt := range []struct {
		events []string
		script string
		want   string
	}{
		{nil, "", ""},
		{[]string{"900ms start victim", "100ms kill leader"}, script, ""},
		{[]string{"1s kill 1"}, script, "event '1s kill 1': the measurement ends after 1s: lengthen --duration"},
		{[]string{"100ms start victim", "200ms kill leader"}, script, "event '100ms start victim': no event before it is about the leader"},
		{[]string{"100ms kill 1"}, script + ".bak", "the program of --cluster-script"},
	} {
		plan := Plan{Events: planned(t, tt.events...), ClusterScript: tt.script}
		err := errors.Join(plan.Validate(time.Second), plan.CheckActor())
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q: error %v, want %q", tt.events, err, tt.want)
		}
	}
}
