package paxos

import (
	"strings"
	"testing"

	"paxosbench/pipeline"
	"paxosbench/wire"
)

func TestLimitsHaveDefaults(t *testing.T) {
	want := Limits{MaxAhead: 2 * pipeline.MaxDepth, FetchBytes: 1 << 20, PromiseBytes: 1 << 20}
	if got := (Limits{}).withDefaults(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := want.withDefaults(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestLimitsAreValidated(t *testing.T) {
	for want, limits := range map[string]Limits{
		"slots ahead: 31, want at least twice the window's 16": {MaxAhead: 31},
		"fetch -1": {FetchBytes: -1},
	} {
		cfg := labConfig(3)
		cfg.Self, cfg.Buffers, cfg.Limits = 1, new(wire.Buffers), limits
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", limits, err, want)
		}
	}
}
