package load

import (
	"strings"
	"testing"
	"time"

	"paxosbench/bench/load/pacing"
	"paxosbench/wire/client/clienttest"
)

func stagesOf(t *testing.T, texts ...string) []pacing.Stage {
	t.Helper()
	stages := make([]pacing.Stage, len(texts))
	for i, text := range texts {
		parse(t, text, &stages[i])
	}
	return stages
}

// A run of stages has a figure for each, and they sum to those of the run.
func TestRunOfStages(t *testing.T) {
	server := listen(t, clienttest.Config{})
	cfg := shortConfig(server.Addr())
	cfg.Interval, cfg.Window = 50*time.Millisecond, 0
	cfg.SetStages(stagesOf(t, "100ms 1k", "200ms 5k", "100ms 5k..1k"))
	r := mustRun(t, cfg).Result
	if len(r.Stages) != 3 || r.Ops.Scheduled != 1400 || r.Stages[1].AtS != 0.1 || r.Stages[2].Rate != "5k..1k" {
		t.Fatalf("%+v", r.Stages)
	}
	scheduled, ok, count := int64(0), int64(0), int64(0)
	for _, s := range r.Stages {
		scheduled, ok, count = scheduled+s.Ops.Scheduled, ok+s.Ops.OK, count+s.Latency.Count
	}
	if scheduled != r.Ops.Scheduled || ok != r.Ops.OK || count != r.Latency.Count {
		t.Errorf("stages have %d of %d scheduled operations, %d of %d answers, %d of %d latencies", scheduled, r.Ops.Scheduled, ok, r.Ops.OK, count, r.Latency.Count)
	}
	for _, c := range r.Checks {
		if c.Name == "stationarity" {
			t.Error("a rate that was to change is expected not to")
		}
	}
	cfg.Interval = 30 * time.Millisecond
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "change --interval") {
		t.Errorf("%v", err)
	}
}
