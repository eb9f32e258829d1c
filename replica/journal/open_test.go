package journal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/wire"
)

func openOnly(opts journal.Options) (*journal.Journal, error) {
	return journal.Open(opts, func(journal.LSN, *wire.Record) error { return nil })
}

func TestEmptyDirectory(t *testing.T) {
	fs := memfs.New()
	opts := options(fs)
	opts.Bootstrap = false
	if _, err := openOnly(opts); !errors.Is(err, journal.ErrEmpty) || !strings.Contains(err.Error(), "--rejoin") {
		t.Errorf("an empty directory: %v", err)
	}
	if _, err := fs.List(dir); err == nil {
		t.Error("refusing an empty directory made it")
	}
	p := mustOpen(t, options(fs), &history{})
	p.group(t, accept(1, "one"))
	p.close(t)
	p = mustOpen(t, opts, p.twin) // no longer needs Bootstrap
	p.close(t)
	mustOpen(t, options(fs), p.twin) // and ignores it
}

// TestInterruptedBootstrap loses power at every step of the first Open: it can be repeated, with Bootstrap, and without
// it nothing is taken for a journal that is none.
func TestInterruptedBootstrap(t *testing.T) {
	fs := memfs.New()
	points := 0
	fs.SetHook(func(c memfs.Call) error {
		for seed := range uint64(5) {
			points++
			p, err := open(options(fs.Crash(seed)), &history{})
			if err != nil {
				t.Errorf("call %d, seed %d: %v", c.N, seed, err)
				continue
			}
			p.group(t, promise(1))
		}
		return nil
	})
	mustOpen(t, options(fs), &history{})
	if points < 50 {
		t.Errorf("only %d crash points", points)
	}
}

func TestLock(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	if _, err := openOnly(options(fs)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second Open: %v", err)
	}
	p.close(t)
	p = mustOpen(t, options(fs), p.twin)
	p.close(t)
	if err := p.Close(); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	opts := options(fs)
	if _, err := journal.Open(opts, func(journal.LSN, *wire.Record) error { return nil }); err != nil {
		t.Error(err)
	}
}

// TestFailedOpenUnlocks checks that an Open that fails leaves nothing locked.
func TestFailedOpenUnlocks(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	p.group(t, accept(1, "one"))
	p.close(t)
	refusal := errors.New("refused")
	if _, err := journal.Open(options(fs), func(journal.LSN, *wire.Record) error { return refusal }); !errors.Is(err, refusal) {
		t.Fatalf("replay refused, Open returned %v", err)
	}
	mustOpen(t, options(fs), p.twin)
}

func TestOptions(t *testing.T) {
	_, err := openOnly(journal.Options{SegmentBytes: 5, RecycleSegments: -1, Durability: 9, Bootstrap: true, Rejoin: true})
	for _, want := range []string{"file system", "data directory", "replica id 0", "5 bytes", "-1 segments", "Durability(9)", "rejoin"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %q", err, want)
		}
	}
}

func TestRealDirectory(t *testing.T) {
	opts := options(journal.OSFS{})
	opts.Dir = filepath.Join(t.TempDir(), "a", "b")
	for _, d := range []journal.Durability{journal.DurabilityFsync, journal.DurabilityOS} {
		opts.Durability = d
		p := mustOpen(t, opts, &history{})
		for slot := p.twin.slot + 1; slot < 40; slot++ {
			p.group(t, accept(slot, strings.Repeat("r", 100*int(slot))))
			if slot > 20 {
				p.twin.truncated = slot - 20
				p.Truncate(p.twin.truncated)
			}
		}
		if _, err := openOnly(opts); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
			t.Errorf("second Open: %v", err)
		}
		p.close(t)
		p = mustOpen(t, opts, p.twin)
		p.group(t, promise(99))
		p.close(t)
		opts.Dir = filepath.Join(t.TempDir(), "other")
	}
}

func TestNotADirectory(t *testing.T) {
	opts := options(journal.OSFS{})
	opts.Dir = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(opts.Dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openOnly(opts); err == nil || !strings.Contains(err.Error(), opts.Dir) {
		t.Errorf("a file as data directory: %v", err)
	}
}

func TestUnwritableDirectory(t *testing.T) {
	for _, op := range []memfs.Op{memfs.OpMkdir, memfs.OpLock, memfs.OpWrite, memfs.OpRename, memfs.OpSyncDir} {
		fs := memfs.New()
		fs.SetHook(func(c memfs.Call) error {
			if c.Op == op {
				return syscall.EACCES
			}
			return nil
		})
		if _, err := openOnly(options(fs)); !errors.Is(err, syscall.EACCES) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s is not permitted: %v", op, err)
		}
	}
}

// TestUnreadableSegment has the disk not give back what a start reads: that is damage with its place, for every read, and
// --repair helps.
func TestUnreadableSegment(t *testing.T) {
	original, p := threeSegments(t)
	p.close(t)
	var reads []memfs.Call
	fs := original.Restart()
	fs.SetHook(func(c memfs.Call) error {
		if c.Op == memfs.OpRead && strings.HasSuffix(c.Name, ".seg") {
			reads = append(reads, c)
		}
		return nil
	})
	mustOpen(t, options(fs), p.twin.clone())
	if len(reads) < 2*3 {
		t.Fatalf("%d reads", len(reads))
	}
	for _, read := range reads {
		fs := original.Restart()
		fs.SetHook(func(c memfs.Call) error {
			if c.Op == memfs.OpRead && c.N == read.N {
				return syscall.EIO
			}
			return nil
		})
		_, err := openOnly(options(fs))
		var corrupt *journal.CorruptError
		if !errors.As(err, &corrupt) || !errors.Is(err, syscall.EIO) || corrupt.File != read.Name {
			t.Errorf("EIO in %s: %v", read.Name, err)
		}
		fs.SetHook(nil)
		noError(t, journal.Repair(options(fs), repairedAt))
	}
}

// TestHeadersAreReadAlone checks that a start does not read a segment that has only been prepared, but for what is
// read ahead of what was written.
func TestHeadersAreReadAlone(t *testing.T) {
	fs := memfs.New()
	opts := options(fs)
	opts.SegmentBytes = 4 << 20
	p := mustOpen(t, opts, &history{})
	p.group(t, accept(1, "one"))
	p.prepared()
	p.close(t)
	var read int
	counted := countingFS{fs, &read}
	opts.FS = counted
	mustOpen(t, opts, p.twin)
	if prepared := len(segmentsOf(t, fs)); prepared != 2 || read > 11<<20 {
		t.Errorf("%d bytes read of %d segments", read, prepared)
	}
}

// countingFS counts the bytes read.
type countingFS struct {
	journal.FS
	read *int
}

type countingFile struct {
	journal.File
	read *int
}

func (c countingFS) Open(name string, flags journal.OpenFlags) (journal.File, error) {
	f, err := c.FS.Open(name, flags)
	return countingFile{f, c.read}, err
}

func (c countingFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.File.ReadAt(p, off)
	*c.read += n
	return n, err
}
