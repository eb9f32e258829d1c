package replica

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/wire"
)

// divergedConfig returns the configuration of a replica that has stopped because it differs from the others.
func divergedConfig(t *testing.T) Config {
	t.Helper()
	c := Default()
	c.ID, c.Members = 1, []Member{{1, "127.0.0.1:0", "127.0.0.1:0"}}
	c.Data, c.Bootstrap, c.SegmentBytes = filepath.Join(t.TempDir(), "data"), true, minSegmentBytes
	j, err := journal.Open(c.storage(slog.New(slog.DiscardHandler)).Journal, func(journal.LSN, *wire.Record) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Diverged(3), j.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Data, "snapshot-3"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return c
}

// A replica that differs from the others has whole files. It does not start with them, and --repair takes everything anew
// nevertheless, the snapshot too.
func TestRepairOfDivergence(t *testing.T) {
	c := divergedConfig(t)
	if err := Run(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "--repair") {
		t.Fatalf("it starts: %v", err)
	}
	c.Repair = true
	r, err := Start(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	for r.loop.Load() == nil && t.Context().Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"identity", "00000001.seg", "snapshot-3"} {
		if aside, err := filepath.Glob(filepath.Join(c.Data, "damaged-*", name)); err != nil || len(aside) != 1 {
			t.Errorf("%s is not set aside: %v, %v", name, aside, err)
		}
	}
}
