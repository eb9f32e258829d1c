package journal_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
)

// TestTwin compares the journal with a list, over random operations and restarts of every kind.
func TestTwin(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		fs := memfs.New()
		p := mustOpen(t, options(fs), &history{})
		for range 400 {
			p.randomStep(t, random)
			switch random.IntN(40) {
			case 0:
				p.close(t)
				p = mustOpen(t, options(fs), p.twin)
			case 1:
				fs = fs.Restart()
				p = mustOpen(t, options(fs), p.twin)
			case 2:
				fs = fs.Crash(random.Uint64())
				p = mustOpen(t, options(fs), p.twin)
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

// TestCrashEverywhere loses power before every single operation of the file system, then goes on, loses power again,
// and so on: nothing acknowledged is ever missing, and nothing comes back that had been cut.
func TestCrashEverywhere(t *testing.T) {
	points := 0
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 2))
		fs := memfs.New()
		p := mustOpen(t, options(fs), &history{})
		fs.SetHook(func(c memfs.Call) error {
			if c.Op == memfs.OpRead || c.Op == memfs.OpList {
				return nil
			}
			points++
			continueAfterCrash(t, fs.Crash(uint64(c.N)), p.twin.clone(), uint64(c.N))
			if t.Failed() {
				t.Fatalf("seed %d, call %d: %s %s", seed, c.N, c.Op, c.Name)
			}
			return nil
		})
		for range 150 {
			p.randomStep(t, random)
		}
	}
	if points < 2000 {
		t.Fatalf("only %d crash points, want at least 2000", points)
	}
	t.Logf("%d crash points", points)
}

// continueAfterCrash restarts on what a crash left, with a little work and another crash behind it, and at every third
// point twice more.
func continueAfterCrash(t *testing.T, fs *memfs.FS, twin *history, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 3))
	for round := range []int{3, 1, 1}[seed%3] {
		p, err := open(options(fs), twin)
		if err != nil {
			t.Errorf("restart %d: %v", round, err)
			return
		}
		for range 4 + random.IntN(8) {
			p.randomStep(t, random)
		}
		// The last group is often in the middle of being written.
		p.append(t, p.twin.next(random), p.twin.next(random), p.twin.next(random))
		fs.SetHook(func(c memfs.Call) error {
			if c.Op == memfs.OpSync && strings.HasSuffix(c.Name, ".seg") {
				return memfs.ErrShortWrite // any error: the sync does not happen
			}
			return nil
		})
		if _, err := p.Flush(); err == nil {
			t.Error("a failed sync went unnoticed")
		}
		fs = fs.Crash(random.Uint64())
	}
}

// TestLeftoversOfACut builds the case that only the epoch decides: the second of two unsynced records survives a crash,
// and a new record is written over the first that is as long as the old one.
func TestLeftoversOfACut(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	p.group(t, accept(1, "kept"))
	long := strings.Repeat("x", journal.BlockSize-journal.RecordHeaderSize)
	p.append(t, accept(2, long), accept(3, "leftover"))
	if _, err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	// The group began behind the header block and the first group.
	fs.Damage(journal.SegmentPath(dir, 1), func(data []byte) []byte {
		clear(data[2*journal.BlockSize : 2*journal.BlockSize+memfs.SectorSize])
		return data
	})
	fs = fs.Restart()
	p.twin.acked = 1
	p = mustOpen(t, options(fs), p.twin)
	if n := len(p.twin.facts); n != 1 {
		t.Fatalf("%d records after the cut, want 1", n)
	}
	p.group(t, accept(2, strings.Repeat("y", len(long))))
	fs = fs.Restart()
	p = mustOpen(t, options(fs), p.twin)
	if n := len(p.twin.facts); n != 2 {
		t.Fatalf("%d records after the second restart, want 2: a leftover came back", n)
	}
}

// TestTruncateRecycles checks that segments are reused, that the promise survives, and that FirstSlot follows.
func TestTruncateRecycles(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	p.group(t, promise(9))
	p.close(t)
	p = mustOpen(t, options(fs), p.twin)
	body := strings.Repeat("b", 3000)
	for slot := range p.twin.slot + 60 {
		p.group(t, accept(slot+1, body))
		if slot > 10 {
			p.twin.truncated = slot - 10
			p.Truncate(p.twin.truncated)
		}
	}
	if s := p.Stats(); s.SegmentsRecycled < 10 || s.SegmentsCreated > 8 {
		t.Errorf("created %d segments, recycled %d", s.SegmentsCreated, s.SegmentsRecycled)
	}
	if n := len(segmentsOf(t, fs)); n > 10 {
		t.Errorf("%d segment files", n)
	}
	if first := p.FirstSlot(); first < 40 || first > 50 {
		t.Errorf("first slot %d", first)
	}
	first := p.FirstSlot()
	p.close(t)
	p = mustOpen(t, options(fs), p.twin) // checks the promise
	if p.FirstSlot() != first {
		t.Errorf("first slot %d after a restart, %d before", p.FirstSlot(), first)
	}
}

// TestOversizedRecord checks that a record larger than a segment gets one of its own, which is not recycled.
func TestOversizedRecord(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	big := strings.Repeat("B", 5*journal.MinSegmentBytes)
	p.append(t, accept(1, big), accept(2, "b"), accept(3, big))
	p.flush(t)
	p.group(t, accept(4, big))
	fs = fs.Crash(0)
	p = mustOpen(t, options(fs), p.twin)
	if len(p.twin.facts) != 4 {
		t.Fatalf("%d records, want 4", len(p.twin.facts))
	}
	p.group(t, accept(5, "e"))
	p.Truncate(4)
	if s := p.Stats(); s.SegmentsRemoved != 3 || s.SegmentsRecycled != 1 {
		t.Errorf("removed %d segments and recycled %d, want the 3 long ones removed and the other recycled",
			s.SegmentsRemoved, s.SegmentsRecycled)
	}
	for _, name := range segmentsOf(t, fs) {
		if n := len(fs.Read(dir + "/" + name)); n != journal.MinSegmentBytes {
			t.Errorf("%s has %d bytes", name, n)
		}
	}
}
