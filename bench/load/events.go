package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	manager "paxosbench/bench/cluster"
	"paxosbench/bench/record"
)

// PlannedEvent is something to do to a replica during the measurement, written '10s kill leader': the time from its
// beginning, and a command of the cluster script. The replica is given by its id, or as the leader of that moment, or
// as the victim: the replica that was the leader of the last such event, so that it can be started again.
type PlannedEvent struct {
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
func (p *PlannedEvent) UnmarshalText(text []byte) error {
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
	*p = PlannedEvent{At: at, Action: action, Replica: replica}
	return nil
}

// String renders the event in the form that UnmarshalText reads.
func (p PlannedEvent) String() string { return p.At.String() + " " + p.what(p.Replica) }

// what renders what is done, and to which replica.
func (p PlannedEvent) what(replica string) string { return p.Action + " " + replica }

// MarshalText renders the event as String does.
func (p PlannedEvent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// inOrder returns events in the order of their times.
func inOrder(events []PlannedEvent) []PlannedEvent {
	return slices.SortedStableFunc(slices.Values(events), func(a, b PlannedEvent) int { return cmp.Compare(a.At, b.At) })
}

// validateEvents reports what would keep events from taking place.
func (c *Config) validateEvents() (errs []error) {
	named := false
	for _, planned := range inOrder(c.Events) {
		if planned.At >= c.Duration {
			errs = append(errs, fmt.Errorf("event '%v': the measurement ends after %v: lengthen --duration, or do it earlier", planned, c.Duration))
		}
		if planned.Replica == eventVictim && !named {
			errs = append(errs, fmt.Errorf("event '%v': no event before it is about the leader, who would be the victim: give the replica's id", planned))
		}
		named = named || planned.Replica == eventLeader
	}
	if len(c.Events) == 0 {
		return errs
	}
	if _, err := exec.LookPath(c.ClusterScript); err != nil {
		errs = append(errs, fmt.Errorf("events need the cluster script: %w: name it with --cluster-script", err))
	}
	return errs
}

// eventRunner carries out the events of one run, one at a time.
type eventRunner struct {
	script string
	admin  []string // of the replicas, which are asked who leads
	victim string
	events []record.Event
}

// eventTimeout bounds one call of the cluster script.
const eventTimeout = 30 * time.Second

// run carries out the events at their times after start, until ctx ends. What has begun by then is carried out: a
// cluster that is half stopped is of no use to anyone. What was due by then and could not begin is noted as failed.
func (r *eventRunner) run(ctx context.Context, events []PlannedEvent, start time.Time) []record.Event {
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

// carryOut carries out an event. It counts from when the replica is known and the cluster script is called.
func (r *eventRunner) carryOut(ctx context.Context, planned PlannedEvent, start time.Time) {
	replica, err := r.resolve(ctx, planned.Replica)
	at := time.Since(start)
	if err == nil {
		_, err = r.call(ctx, planned.Action, replica)
	}
	event := record.Event{AtS: at.Seconds(), TookS: (time.Since(start) - at).Seconds(), Text: planned.what(replica)}
	if err != nil {
		event.Error = err.Error()
	}
	r.events = append(r.events, event)
}

// resolve returns the id of the replica that is meant.
func (r *eventRunner) resolve(ctx context.Context, replica string) (string, error) {
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

// leader returns the id of the replica that leads now. The replicas are asked, which takes milliseconds. The cluster
// script takes longer and waits for a leader: it is called only if no replica says that it leads.
func (r *eventRunner) leader(ctx context.Context) (string, error) {
	if id := askLeader(ctx, r.admin); id != 0 {
		return fmt.Sprint(id), nil
	}
	id, err := r.call(ctx, eventLeader)
	return strings.TrimSpace(id), err
}

// call calls the cluster script and returns what it prints.
func (r *eventRunner) call(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, r.script, args...).Output()
	if err == nil {
		return string(out), nil
	}
	err = fmt.Errorf("%s %s: %w", r.script, strings.Join(args, " "), err)
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		said, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
		err = fmt.Errorf("%w: %s", err, said)
	}
	return "", err
}
