package explore

import (
	"fmt"
	"slices"
	"strings"

	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// violated notes what has gone wrong after a state that was visited, and how it came to that. On the way to where the walk
// begins the last state of that way has it.
func (s *search) violated(at uint32, replica int, e event, err error) bool {
	var path []state
	for ; at != 0; at = s.node(at).parent {
		path = append(path, s.node(at).state)
	}
	path = append(path, s.prefix[len(s.prefix)-1])
	slices.Reverse(path)
	path = slices.Concat(s.prefix[:len(s.prefix)-1], path)
	t := transcript{search: s}
	for i, to := range path[1:] {
		t.step(path[i], to)
	}
	t.happens(s.replicas[replica], path[len(path)-1][replica], e)
	t.printf("VIOLATION: %v", err)
	s.report.Violation, s.report.Transcript = err, t.out.String()
	return false
}

// transcript is a way through a scope in words: a number for each event, and below it what the replica does.
type transcript struct {
	*search
	out   strings.Builder
	steps int
}

func (t *transcript) printf(format string, args ...any) {
	fmt.Fprintf(&t.out, "     "+format+"\n", args...)
}

// step tells which step leads from one state to another.
func (t *transcript) step(from, to state) {
	for i, r := range t.replicas {
		steps, _ := r.from(from[i], from[maxReplicas+i])
		for j := range steps {
			if next, ok, _ := t.after(from, i, &steps[j]); ok && next == to {
				t.happens(r, from[i], steps[j].event)
				return
			}
		}
	}
	if from != to {
		fmt.Fprintln(&t.out, "     what was sent so far is lost, or comes late")
	}
}

// happens lets an event happen again, to say what comes of it.
func (t *transcript) happens(r *replicaSpace, before uint32, e event) {
	t.steps++
	fmt.Fprintf(&t.out, "%3d  %d %s\n", t.steps, r.id, t.net.describe(e))
	defer func() {
		if p := recover(); p != nil {
			t.printf("%d panics: %v", r.id, p)
		}
	}()
	was := r.locals[before]
	l := was.copy()
	r.happen(l, e)
	ready := l.core.Ready()
	t.changes(r.id, was.core, l.core)
	for i := range ready.Records {
		t.printf("%d appends %v", r.id, &ready.Records[i])
	}
	for i := range ready.Messages {
		t.printf("%d -> %d  %v", r.id, ready.Messages[i].To, &ready.Messages[i])
	}
}

func (t *transcript) changes(id wire.ReplicaID, was, now *paxos.Core) {
	if was.Role() != now.Role() {
		t.printf("%d %v => %v", id, was.Role(), now.Role())
	}
	if was.Voting() != now.Voting() {
		t.printf("%d votes: %v", id, now.Voting())
	}
	if now.Commit() < was.Commit() {
		t.printf("%d knows slots 1-%d chosen", id, now.Commit())
	}
	for s := was.Commit() + 1; s <= now.Commit(); s++ {
		t.printf("%d commits slot %d: %s", id, s, wire.DescribeBatch(now.Entry(s).Body))
	}
}

// describe says what an event is.
func (n *network) describe(e event) string {
	switch e.kind() {
	case deliver:
		m := &n.messages[e.about()]
		return fmt.Sprintf("<- %d  %v", m.From, m)
	case sync:
		return fmt.Sprintf("syncs its oldest records: %d", e.about())
	case tick:
		return "ticks, a heartbeat later"
	case silence:
		return "has heard nothing for an election timeout"
	case timeout:
		return "ticks, and all its timers have run out"
	case propose:
		return "is given a batch"
	case crash:
		return "crashes, and restarts with what was durable"
	default:
		return "loses its disk, and restarts without a vote"
	}
}
