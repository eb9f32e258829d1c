package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	manager "paxosbench/bench/cluster"
	"paxosbench/bench/load/observe"
	"paxosbench/bench/record"
)

// Planned is something to do to a replica during the measurement, written '10s kill leader': the time from its
// beginning, and a command of bench cluster. The replica is given by its id, or as the leader of that moment, or
// as the victim: the replica that was the leader of the last such event, so that it can be started again.
type Planned struct {
	At      time.Duration
	Action  string
	Replica string
}

// What can be done, and to whom if not to a replica by its id.
var eventActions = manager.Actions()

const (
	eventLeader = "leader"
	eventVictim = "victim"
)

// UnmarshalText parses an event.
func (p *Planned) UnmarshalText(text []byte) error {
	fields := strings.Fields(string(text))
	if len(fields) != 3 {
		return fmt.Errorf("event %q: want a time, an action and a replica, as in '10s kill leader'", text)
	}
	at, err := time.ParseDuration(fields[0])
	if err != nil || at < 0 {
		return fmt.Errorf("event %q: %q is no time, want one as in 10s", text, fields[0])
	}
	action, replica := fields[1], fields[2]
	if !slices.Contains(eventActions, action) {
		return fmt.Errorf("event %q: there is no action %q, want one of %s", text, action, strings.Join(eventActions, ", "))
	}
	if id, err := strconv.ParseUint(replica, 10, 8); (err != nil || id == 0) && replica != eventLeader && replica != eventVictim {
		return fmt.Errorf("event %q: %q is no replica, want an id, %s or %s", text, replica, eventLeader, eventVictim)
	}
	*p = Planned{At: at, Action: action, Replica: replica}
	return nil
}

// String renders the event in the form that UnmarshalText reads.
func (p Planned) String() string { return p.At.String() + " " + p.what(p.Replica) }

// what renders what is done, and to which replica.
func (p Planned) what(replica string) string { return p.Action + " " + replica }

// MarshalText renders the event as String does.
func (p Planned) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// inOrder returns events in the order of their times.
func inOrder(events []Planned) []Planned {
	return slices.SortedStableFunc(slices.Values(events), func(a, b Planned) int { return cmp.Compare(a.At, b.At) })
}

// Plan is what is to be done during a measurement.
type Plan struct {
	Events []Planned
	// ClusterDir is the directory of the cluster that events act on, ClusterScript a program that they call instead.
	ClusterDir, ClusterScript string
	// ClusterID is the id of the cluster under load, for systems that do not say it themselves; empty: they do.
	ClusterID string
}

// Validate reports what would keep events from taking place in a measurement of so long.
func (p *Plan) Validate(duration time.Duration) error {
	if len(p.Events) == 0 {
		return nil
	}
	var errs []error
	named := false
	for _, planned := range inOrder(p.Events) {
		if planned.At >= duration {
			errs = append(errs, fmt.Errorf("event '%v': the measurement ends after %v: lengthen --duration, or do it earlier", planned, duration))
		}
		if planned.Replica == eventVictim && !named {
			errs = append(errs, fmt.Errorf("event '%v': no event before it is about the leader, who would be the victim: give the replica's id", planned))
		}
		named = named || planned.Replica == eventLeader
	}
	return errors.Join(errs...)
}

// CheckActor refuses events for which there is no cluster, or not the program that is to know it.
func (p *Plan) CheckActor() error {
	if len(p.Events) == 0 {
		return nil
	}
	return p.actor().check(p.Events)
}

// Runner carries out the events of one run, one at a time.
type Runner struct {
	actor   actor
	cluster func() string    // id of the cluster under load, empty if it is not known
	nodes   observe.Nodes    // which are asked who leads
	before  []observe.Scrape // looks at them
	victim  string
	events  []record.Event

	// Ended are the last looks at replicas that were killed.
	Ended []observe.Scrape
}

// NewRunner returns what carries out a plan. cluster returns the id of the cluster under load, empty as long as it is not known;
// before are looks at its nodes.
func NewRunner(p *Plan, cluster func() string, nodes observe.Nodes, before []observe.Scrape) *Runner {
	if p.ClusterID != "" {
		cluster = func() string { return p.ClusterID }
	}
	return &Runner{actor: p.actor(), cluster: cluster, nodes: nodes, before: before}
}

// Limits of one event.
const (
	eventTimeout  = 30 * time.Second // of what is to be done
	effectTimeout = 5 * time.Second  // until its effect is seen
	effectPoll    = 50 * time.Millisecond
)

// Run carries out the events at their times after start, until ctx ends. What has begun by then is carried out: a
// cluster that is half stopped is of no use to anyone. What was due by then and could not begin is noted as failed.
func (r *Runner) Run(ctx context.Context, events []Planned, start time.Time) []record.Event {
	for _, planned := range inOrder(events) {
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(start.Add(planned.At))):
		}
		switch {
		case ctx.Err() == nil:
			r.carryOut(context.WithoutCancel(ctx), planned, start)
		case time.Since(start) >= planned.At:
			r.events = append(r.events, record.Event{AtS: planned.At.Seconds(), Text: planned.what(planned.Replica),
				Error: "not carried out: the event before it was not done until the measurement had ended"})
		}
	}
	return r.events
}

// carryOut carries out an event. It counts from when the replica is known and the cluster is acted on.
func (r *Runner) carryOut(ctx context.Context, planned Planned, start time.Time) {
	replica, err := r.resolve(ctx, planned.Replica)
	var last []observe.Scrape
	if err == nil && planned.Action == "kill" {
		last = r.lastLook(ctx, replica)
	}
	at := time.Since(start)
	if err == nil {
		err = r.act(ctx, planned.Action, replica)
	}
	event := record.Event{AtS: at.Seconds(), TookS: (time.Since(start) - at).Seconds(), Text: planned.what(replica)}
	if err == nil {
		event.Note, err = r.observe(ctx, planned.Action, replica)
	}
	if err != nil {
		event.Error = err.Error()
	} else {
		r.Ended = append(r.Ended, last...)
	}
	r.events = append(r.events, event)
}

// act does something to a replica of the cluster under load, and to no other.
func (r *Runner) act(ctx context.Context, action, replica string) error {
	id, err := r.underLoad()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	return r.actor.act(ctx, id, action, replica)
}

// underLoad returns the id of the cluster under load.
func (r *Runner) underLoad() (string, error) {
	id := r.cluster()
	if id == "" {
		return "", errors.New("not carried out: no replica has said yet which cluster is under load")
	}
	return id, nil
}

// resolve returns the id of the replica that is meant.
func (r *Runner) resolve(ctx context.Context, replica string) (string, error) {
	switch replica {
	case eventLeader:
		id, err := r.leader(ctx)
		if err != nil {
			return replica, err
		}
		r.victim = id
		return id, nil
	case eventVictim:
		if r.victim == "" {
			return replica, errors.New("the event before it that was about the leader has found none")
		}
		return r.victim, nil
	}
	return replica, nil
}

// leader returns the id of the replica that leads now. The replicas are asked, which takes milliseconds. The actor takes
// longer and waits for a leader: it is asked only if no replica says that it leads.
func (r *Runner) leader(ctx context.Context) (string, error) {
	if id := observe.AskLeader(ctx, r.nodes); id != 0 {
		return fmt.Sprint(id), nil
	}
	id, err := r.underLoad()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	return r.actor.leader(ctx, id)
}

// placeOf returns where a replica stands among the nodes, as far as that is known.
func (r *Runner) placeOf(replica string) (place int, known bool) {
	place = slices.IndexFunc(r.before, func(s observe.Scrape) bool { return s.Err == nil && fmt.Sprint(s.Status.ID) == replica })
	return place, place >= 0
}

// lastLook looks at a replica that is about to be killed: what it has counted ends with it.
func (r *Runner) lastLook(ctx context.Context, replica string) []observe.Scrape {
	place, known := r.placeOf(replica)
	if !known {
		return nil
	}
	if s := r.nodes.LookAt(ctx, place); s.Err == nil {
		return []observe.Scrape{s}
	}
	return nil
}

// observe waits for the effect of an action on the cluster under load: what is to answer no more does not answer, what is to
// answer does. It notes what cannot be observed.
func (r *Runner) observe(ctx context.Context, action, replica string) (note string, err error) {
	place, known := r.placeOf(replica)
	answers := action == "start" || action == "cont"
	switch {
	case r.actor.sees():
		return "", nil
	case manager.NeedsNetem(action):
		return "its effect was not observed: replicas do not show it", nil
	case !known:
		return "its effect was not observed: nothing tells how the replica is", nil
	}
	silent := false
	for deadline := time.Now().Add(effectTimeout); time.Now().Before(deadline); time.Sleep(effectPoll) {
		s := r.nodes.LookAt(ctx, place)
		there := s.Err == nil && fmt.Sprint(s.Status.ID) == replica
		silent = errors.Is(s.Err, context.DeadlineExceeded)
		switch {
		case silent && action == "kill": // it may only be slow: the host of a process that has ended says so
		case there == answers:
			return "", nil
		}
	}
	if silent && action == "kill" {
		return "its effect was not observed: nothing says that the replica has ended, it is only silent", nil
	}
	want := "still answers"
	if answers {
		want = "does not answer"
	}
	return "", fmt.Errorf("replica %s of the cluster under load, %s, %s at %s after %v: something else was acted on", replica, r.cluster(), want,
		r.before[place].Admin, effectTimeout)
}
