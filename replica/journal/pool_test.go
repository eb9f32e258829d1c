package journal_test

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/wire"
)

// fill appends so many groups that each takes a block.
func (p pair) fill(t *testing.T, groups int) {
	t.Helper()
	for range groups {
		p.group(t, accept(p.twin.slot+1, strings.Repeat("f", 3000)))
	}
}

// TestTruncateInOrder makes recycling the oldest segment fail: no younger one may go, for a gap would look like loss.
// The journal works on, and after a restart truncation does too.
func TestTruncateInOrder(t *testing.T) {
	for _, op := range []memfs.Op{memfs.OpRename, memfs.OpRemove} {
		fs := memfs.New()
		p := mustOpen(t, options(fs), &history{})
		p.group(t, accept(1, strings.Repeat("B", 2*journal.MinSegmentBytes))) // too long to be used again: it is removed
		p.fill(t, 30)
		failures := 0
		fs.SetHook(func(c memfs.Call) error {
			if c.Op == op && failures == 0 {
				failures++
				return syscall.EIO
			}
			return nil
		})
		p.twin.truncated = p.twin.slot
		p.Truncate(p.twin.slot)
		if failures == 0 {
			t.Fatalf("no %s", op)
		}
		removed := p.Stats().SegmentsRemoved
		p.fill(t, 30)
		p.twin.truncated = p.twin.slot
		p.Truncate(p.twin.slot)
		if again := p.Stats().SegmentsRemoved; again != removed {
			t.Errorf("%s failed, and %d more segments were removed", op, again-removed)
		}
		p = mustOpen(t, options(fs.Crash(7)), p.twin)
		before := p.FirstSlot()
		p.fill(t, 3)
		p.Truncate(p.twin.slot)
		if p.FirstSlot() <= before {
			t.Errorf("%s had failed: after a restart the first slot is still %d", op, p.FirstSlot())
		}
	}
}

// TestAsManyAreKeptAsAreReleasedAtATime truncates at long intervals: what one truncation releases is used again before the
// next, and no segment is made from nothing.
func TestAsManyAreKeptAsAreReleasedAtATime(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	p.fill(t, 60)
	created := p.Stats().SegmentsCreated
	for range 3 {
		p.twin.truncated = p.twin.slot
		p.Truncate(p.twin.slot)
		p.fill(t, 60)
	}
	if s := p.Stats(); s.SegmentsCreated > created+1 || s.SegmentsRemoved > 1 {
		t.Errorf("%d segments made after the first %d, %d removed", s.SegmentsCreated-created, created, s.SegmentsRemoved)
	}
}

// TestNamesNotDurable makes one sync of the directory fail: no segment is put to use afterwards whose name may be lost,
// however well the disk seems to work again.
func TestNamesNotDurable(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	p.fill(t, 30)
	failures := 0
	fs.SetHook(func(c memfs.Call) error {
		if c.Op == memfs.OpSyncDir && failures == 0 {
			failures++
			return syscall.EIO
		}
		return nil
	})
	p.twin.truncated = p.twin.slot
	p.Truncate(p.twin.slot)
	var err error
	for slot := wire.Slot(100); err == nil; slot++ {
		p.append(t, accept(slot, strings.Repeat("f", 3000)))
		var lsn journal.LSN
		if lsn, err = p.Flush(); err == nil {
			p.twin.acked = lsn
		}
	}
	if failures == 0 || !errors.Is(err, syscall.EIO) {
		t.Errorf("%d failures, Flush: %v", failures, err)
	}
	mustOpen(t, options(fs.Crash(0)), p.twin)
}

// TestPreparedGap removes a prepared segment: those behind it cannot be used, and nothing is lost.
func TestPreparedGap(t *testing.T) {
	fs, p := threeSegments(t)
	p.close(t)
	if err := fs.Remove(journal.SegmentPath(dir, 4)); err != nil {
		t.Fatal(err)
	}
	p = mustOpen(t, options(fs), p.twin)
	if names := segmentsOf(t, fs); slices.Contains(names, "00000005.seg") {
		t.Errorf("segments %v", names)
	}
	p.fill(t, 20)
	mustOpen(t, options(fs.Crash(0)), p.twin)
}

// TestPrepareIsTriedAgain has the disk full while a segment is being prepared ahead of need: nothing half-made stays, and
// once there is room the segment is prepared before it is needed.
func TestPrepareIsTriedAgain(t *testing.T) {
	for _, op := range []memfs.Op{memfs.OpAllocate, memfs.OpWrite, memfs.OpSync, memfs.OpRename} {
		fs := memfs.New()
		opts := options(fs)
		opts.SegmentBytes = 64 * journal.BlockSize
		p := mustOpen(t, opts, &history{})
		full := true
		fs.SetHook(func(c memfs.Call) error {
			if full && c.Op == op && strings.HasSuffix(c.Name, ".new") {
				return memfs.ErrShortWrite
			}
			return nil
		})
		p.fill(t, 1)
		for range 100 {
			p.Maintain()
		}
		names, err := fs.List(dir)
		if prepared := len(segmentsOf(t, fs)); err != nil || prepared != 1 || slices.Contains(names, "segment.new") {
			t.Fatalf("%s fails: %d segments, files %v, error %v", op, prepared, names, err)
		}
		full = false
		p.prepared()
		if begun(t, fs, 2) || len(segmentsOf(t, fs)) != 2 {
			t.Errorf("%s no longer fails: segments %v", op, segmentsOf(t, fs))
		}
	}
}

// TestZerosAreWrittenBitByBit follows how a segment is prepared: room for the whole of it first, then zeros, a little each
// time, and as many as there are by the last quarter of the segment before it. It gets its name once, at its full length.
func TestZerosAreWrittenBitByBit(t *testing.T) {
	const blocks = 64
	for _, c := range []struct {
		name     string
		room     error // what taking room fails with
		maintain int   // how often Maintain is called after the first group
		ready    int   // groups, each a block, after which the next segment is there
		writes   int   // of zeros, a block each but for those without room
	}{
		{"no time", nil, 0, blocks * 3 / 4, 2},
		{"some time", nil, 9, blocks * 3 / 4, 11},
		{"much time", nil, blocks, 1, blocks},
		{"no room can be taken", syscall.EOPNOTSUPP, 0, blocks * 3 / 4, 3},
	} {
		fs := memfs.New()
		opts := options(fs)
		opts.SegmentBytes = blocks * journal.BlockSize
		p := mustOpen(t, opts, &history{})
		writes := 0
		fs.SetHook(func(call memfs.Call) error {
			switch {
			case !strings.HasSuffix(call.Name, "segment.new"):
			case call.Op == memfs.OpAllocate:
				return c.room
			case call.Op == memfs.OpWrite:
				writes++
			}
			return nil
		})
		p.fill(t, 1)
		for range c.maintain {
			p.Maintain()
		}
		groups := 1
		for ; len(segmentsOf(t, fs)) == 1; groups++ {
			p.fill(t, 1)
		}
		size := len(fs.Crash(0).Read(journal.SegmentPath(dir, 2)))
		if groups != c.ready || writes != c.writes || size != blocks*journal.BlockSize {
			t.Errorf("%s: prepared after %d groups with %d writes of zeros and %d bytes, want %d, %d, %d",
				c.name, groups, writes, size, c.ready, c.writes, blocks*journal.BlockSize)
		}
		p.fill(t, 2*blocks)
		p.close(t)
		mustOpen(t, opts, p.twin)
	}
}

// TestPrepareFails checks that failing to prepare a segment ahead of need is harmless, and at need final.
func TestPrepareFails(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	full := true
	fs.SetHook(func(c memfs.Call) error {
		if full && strings.HasSuffix(c.Name, ".new") {
			return syscall.ENOSPC
		}
		return nil
	})
	p.fill(t, 2)
	full = false
	p.fill(t, 8) // prepares what it needs itself
	full = true
	var err error
	for slot := wire.Slot(20); err == nil; slot++ {
		p.append(t, accept(slot, strings.Repeat("f", 3000)))
		var lsn journal.LSN
		if lsn, err = p.Flush(); err == nil {
			p.twin.acked = lsn
		}
	}
	if !strings.Contains(err.Error(), "preparing segment") {
		t.Errorf("Flush: %v", err)
	}
	mustOpen(t, options(fs.Crash(1)), p.twin)
}

// TestScratchIsRemoved starts in a directory with half-made files of every kind, and with files of others.
func TestScratchIsRemoved(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	p.close(t)
	scratch := []string{"identity.new", "segment.new", "snapshot-5.new"}
	for _, name := range append([]string{"notes.new"}, scratch...) {
		_, err := fs.Open(dir+"/"+name, journal.OpenCreate)
		noError(t, err)
	}
	mustOpen(t, options(fs), p.twin)
	names, err := fs.List(dir)
	noError(t, err)
	for _, name := range scratch {
		if slices.Contains(names, name) {
			t.Errorf("%s is still there", name)
		}
	}
	if !slices.Contains(names, "notes.new") {
		t.Error("a file of somebody else was removed")
	}
}
