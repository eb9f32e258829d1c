package load

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"paxosbench/bench/record"
)

// PlannedEvent is something to do to the cluster during the measurement, written '10s kill leader': the time from its
// beginning and the arguments for the cluster script. The argument leader is replaced by the id of the leader of that
// moment, victim by the replica of the last such event, so that it can be started again.
type PlannedEvent struct {
	At   time.Duration
	Args []string
}

// UnmarshalText parses an event.
func (p *PlannedEvent) UnmarshalText(text []byte) error {
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return fmt.Errorf("event %q: want a time and arguments for the cluster script, as in '10s kill leader'", text)
	}
	at, err := time.ParseDuration(fields[0])
	if err != nil || at < 0 {
		return fmt.Errorf("event %q: %q is no time, want one as in 10s", text, fields[0])
	}
	*p = PlannedEvent{At: at, Args: fields[1:]}
	return nil
}

// String renders the event in the form that UnmarshalText reads.
func (p PlannedEvent) String() string { return p.At.String() + " " + strings.Join(p.Args, " ") }

// MarshalText renders the event as String does.
func (p PlannedEvent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// eventRunner carries out the events of one run, one at a time.
type eventRunner struct {
	script string
	victim string

	mu     sync.Mutex
	events []record.Event
}

// eventTimeout bounds one call of the cluster script.
const eventTimeout = 30 * time.Second

// run carries out the events at their times after start, until ctx ends.
func (r *eventRunner) run(ctx context.Context, events []PlannedEvent, start time.Time) {
	for _, planned := range events {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(start.Add(planned.At))):
		}
		r.carryOut(ctx, planned, start)
	}
}

func (r *eventRunner) carryOut(ctx context.Context, planned PlannedEvent, start time.Time) {
	at := time.Since(start)
	args, err := r.resolve(ctx, planned.Args)
	if err == nil {
		at = time.Since(start)
		_, err = r.call(ctx, args)
	}
	event := record.Event{AtS: at.Seconds(), TookS: (time.Since(start) - at).Seconds(), Text: strings.Join(args, " ")}
	if err != nil {
		event.Error = err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
}

// resolve replaces leader and victim.
func (r *eventRunner) resolve(ctx context.Context, args []string) ([]string, error) {
	resolved := make([]string, len(args))
	for i, arg := range args {
		resolved[i] = arg
		switch arg {
		case "leader":
			id, err := r.call(ctx, []string{"leader"})
			if err != nil {
				return args, err
			}
			r.victim = strings.TrimSpace(id)
			resolved[i] = r.victim
		case "victim":
			if r.victim == "" {
				return args, fmt.Errorf("no earlier event has named the leader")
			}
			resolved[i] = r.victim
		}
	}
	return resolved, nil
}

func (r *eventRunner) call(ctx context.Context, args []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, r.script, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", r.script, strings.Join(args, " "), err)
	}
	return string(out), nil
}

// done returns what has been carried out so far.
func (r *eventRunner) done() []record.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]record.Event(nil), r.events...)
}
