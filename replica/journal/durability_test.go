package journal_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
)

func TestDurabilityNone(t *testing.T) {
	fs := memfs.New()
	opts := options(fs)
	opts.Durability = journal.DurabilityNone
	p := mustOpen(t, opts, &history{})
	p.append(t, accept(1, "one"))
	if !p.Pending() {
		t.Error("nothing pending after Append")
	}
	p.flush(t)
	if p.Pending() {
		t.Error("pending after Flush")
	}
	p.Truncate(1)
	if _, _, err := p.ReadEntries(1, 1, 100, nil); !errors.Is(err, journal.ErrTruncated) {
		t.Errorf("ReadEntries: %v", err)
	}
	p.close(t)
	if names := segmentsOf(t, fs); len(names) > 0 {
		t.Errorf("segments %v", names)
	}
}

// TestDurabilityOS checks that records survive the process without a single sync of a segment.
func TestDurabilityOS(t *testing.T) {
	fs := memfs.New()
	opts := options(fs)
	opts.Durability = journal.DurabilityOS
	p := mustOpen(t, opts, &history{})
	for slot := p.twin.slot + 1; slot < 50; slot++ {
		p.group(t, accept(slot, strings.Repeat("o", 500)))
	}
	if s := p.Stats(); s.Syncs > 0 || s.Flushes != 49 || s.RecordsPerFlush() != 1 {
		t.Errorf("stats %+v", s)
	}
	opts.FS = fs.Restart()
	p = mustOpen(t, opts, p.twin)
	// A power loss may cost anything, but what is left is a prefix, and never taken for rot.
	for seed := range uint64(200) {
		opts.FS = opts.FS.(*memfs.FS).Crash(seed)
		twin := p.twin.clone()
		twin.acked = 0
		q, err := open(opts, twin)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for range 8 {
			q.group(t, accept(60, strings.Repeat(fmt.Sprint(seed, ";"), int(seed))))
		}
		p = q
	}
	// What is kept is durable once fsync is asked for.
	opts.FS = opts.FS.(*memfs.FS).Restart()
	opts.Durability = journal.DurabilityFsync
	p = mustOpen(t, opts, p.twin)
	opts.FS = opts.FS.(*memfs.FS).Crash(0)
	mustOpen(t, opts, p.twin)
}

func TestDurabilityText(t *testing.T) {
	for _, name := range []string{"none", "os", "fsync"} {
		var d journal.Durability
		if err := d.UnmarshalText([]byte(name)); err != nil || d.String() != name {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
	if _, err := journal.ParseDurability("sync"); err == nil || !strings.Contains(err.Error(), "none, os, fsync") {
		t.Errorf("unknown durability: %v", err)
	}
}

// TestSticky makes the n-th write or sync of a segment fail: Flush fails from then on, whatever the disk does later,
// and nothing that was acknowledged is lost.
func TestSticky(t *testing.T) {
	for _, op := range []memfs.Op{memfs.OpWrite, memfs.OpSync, memfs.OpOpen} {
		for _, cause := range []error{syscall.EIO, syscall.ENOSPC, memfs.ErrShortWrite} {
			for n := range 6 {
				t.Run(fmt.Sprintf("%s %d %v", op, n, cause), func(t *testing.T) { stickyAt(t, op, cause, n) })
			}
		}
	}
}

func stickyAt(t *testing.T, op memfs.Op, cause error, n int) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	fs.SetHook(func(c memfs.Call) error {
		if c.Op == op && strings.HasSuffix(c.Name, ".seg") {
			if n--; n < 0 {
				return cause
			}
		}
		return nil
	})
	var failed error
	for slot := p.twin.slot + 1; failed == nil; slot++ {
		p.append(t, accept(slot, strings.Repeat("s", 2000)))
		var lsn journal.LSN
		if lsn, failed = p.Flush(); failed == nil {
			p.twin.acked = lsn
		}
	}
	if !errors.Is(failed, cause) {
		t.Errorf("Flush returned %v", failed)
	}
	fs.SetHook(nil)
	calls := fs.Calls()
	p.append(t, accept(1000, "after"))
	if lsn, err := p.Flush(); err != failed || lsn != p.twin.acked {
		t.Errorf("Flush returned %d, %v afterwards, want %d and the same error", lsn, err, p.twin.acked)
	}
	if p.Pending() || fs.Calls() != calls {
		t.Error("the journal went on after an error")
	}
	if err := p.Close(); !errors.Is(err, cause) {
		t.Errorf("Close returned %v", err)
	}
	mustOpen(t, options(fs.Crash(uint64(n))), p.twin)
}
