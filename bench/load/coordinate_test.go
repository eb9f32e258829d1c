package load

import (
	"context"
	"errors"
	"testing"
	"time"

	"paxosbench/bench/load/observe/observetest"
	"paxosbench/bench/record"
	"paxosbench/wire/client/clienttest"
)

// atPhase cancels the run when it enters a phase.
type atPhase struct {
	phase  string
	cancel context.CancelFunc
}

func (p atPhase) Phase(text string) {
	if text == p.phase {
		p.cancel()
	}
}
func (atPhase) Interval(*record.Row) {}

// A run that is interrupted before there is anything to measure has no outcome, and leaves none of its threads behind,
// wherever they are: under way, at different barriers, or waiting for the coordinator to look at the replicas.
func TestInterruptedBeforeTheMeasurement(t *testing.T) {
	server := listen(t, clienttest.Config{})
	for _, phase := range []string{"connecting", "warming up", "looking at the replicas"} {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		cfg := shortConfig(server.Addr())
		cfg.Threads, cfg.Warmup, cfg.Preload = 2, time.Hour, true
		if phase == "looking at the replicas" {
			cfg.Warmup = 0
			cfg.Admin = []string{observetest.Replica(t, func() string { cancel(); return "{}" }, func() string { return "" })}
		}
		if _, err := Run(ctx, cfg, nil, atPhase{phase, cancel}); !errors.Is(err, errNotBegun) {
			t.Errorf("%s: error %v, want %q", phase, err, errNotBegun)
		}
	}
}

// What went wrong is told, and not that it stopped others.
func TestRootCause(t *testing.T) {
	cause := errors.New("cause")
	for _, errs := range [][]error{{errBroken, cause, nil}, {nil, cause, errBroken}} {
		if got := rootCause(errs); got != cause {
			t.Errorf("cause of %v: %v", errs, got)
		}
	}
	if got := rootCause([]error{nil, errBroken}); got != errBroken {
		t.Errorf("cause of a broken run: %v", got)
	}
	if got := rootCause([]error{nil, nil}); got != nil {
		t.Errorf("cause of nothing: %v", got)
	}
}
