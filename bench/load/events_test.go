package load

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"paxosbench/bench/load/events"
	"paxosbench/bench/record"
	"paxosbench/wire/client/clienttest"
)

// An event that fails makes a run invalid, and is marked as such where it was to take place.
func TestFailedEventInvalidates(t *testing.T) {
	server := listen(t, clienttest.Config{})
	script := filepath.Join(t.TempDir(), "cluster.sh") // it can do anything but stop a replica
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntest $1 != stop\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cfg := shortConfig(server.Addr())
	cfg.Events, cfg.ClusterScript = make([]events.Planned, 2), script
	parse(t, "0s kill 1", &cfg.Events[0])
	parse(t, "150ms stop 7", &cfg.Events[1])
	o := mustRun(t, cfg)
	if o.Result.Verdict != record.Invalid || !strings.Contains(fmt.Sprint(o.Result.Reasons), "stop 7: ") {
		t.Errorf("%s because of %q", o.Result.Verdict, o.Result.Reasons)
	}
	var marks []string
	for _, row := range o.Rows {
		marks = append(marks, row.Events...)
	}
	if !slices.Equal(marks, []string{"kill 1", "stop 7 (failed)"}) {
		t.Errorf("the series has the events %q", marks)
	}
}
