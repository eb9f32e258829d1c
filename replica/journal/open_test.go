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

func TestIdentity(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	p.close(t)
	for _, change := range []struct {
		what   string
		change func(*journal.Identity)
		want   []string
	}{
		{"cluster", func(id *journal.Identity) { id.Cluster = 0xabc }, []string{"0xc1", "0xabc"}},
		{"replica", func(id *journal.Identity) { id.Replica = 3 }, []string{"replica 2", "replica 3"}},
		{"configuration", func(id *journal.Identity) { id.ConfigHash = 0xdef }, []string{"0xcf", "0xdef"}},
	} {
		opts := options(fs)
		change.change(&opts.Identity)
		_, err := openOnly(opts)
		var wrong *journal.IdentityError
		if !errors.As(err, &wrong) || wrong.Got != identity || wrong.Want != opts.Identity {
			t.Errorf("another %s: %v", change.what, err)
			continue
		}
		for _, want := range change.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("another %s: %q does not name %s", change.what, err, want)
			}
		}
	}
	for bit := range uint(8 * journal.SegmentHeaderSize) {
		damaged := fs.Restart()
		damaged.FlipBit(dir+"/identity", int64(bit/8), bit)
		if _, err := openOnly(options(damaged)); err == nil {
			t.Errorf("bit %d of the identity file flipped, and nobody noticed", bit)
		}
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

func TestForgot(t *testing.T) {
	fs := memfs.New()
	expect := func(d journal.Durability, want bool, what string, then ...func(*journal.Journal)) {
		t.Helper()
		opts := options(fs)
		opts.Durability = d
		j, err := openOnly(opts)
		if err != nil {
			t.Fatal(err)
		}
		if j.Forgot() != want {
			t.Errorf("%s: Forgot is %v", what, j.Forgot())
		}
		for _, f := range then {
			f(j)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	rejoined := func(j *journal.Journal) {
		if err := j.Rejoined(); err != nil || j.Forgot() {
			t.Errorf("Rejoined: %v, Forgot is %v", err, j.Forgot())
		}
	}
	expect(journal.DurabilityFsync, false, "new")
	expect(journal.DurabilityFsync, false, "again")
	expect(journal.DurabilityNone, true, "volatile after durable")
	expect(journal.DurabilityFsync, true, "durable after volatile")
	expect(journal.DurabilityFsync, true, "still", rejoined)
	expect(journal.DurabilityFsync, false, "after rejoining")
	expect(journal.DurabilityOS, false, "os after fsync")

	fs = memfs.New()
	expect(journal.DurabilityNone, false, "new and volatile")
	expect(journal.DurabilityNone, true, "volatile again", rejoined)
	expect(journal.DurabilityNone, true, "rejoining is forgotten too")
}

// TestRejoin checks that a replica that lost its disk stays one that has forgotten until it has rejoined.
func TestRejoin(t *testing.T) {
	fs := memfs.New()
	opts := options(fs)
	opts.Bootstrap, opts.Rejoin = false, true
	p := mustOpen(t, opts, &history{})
	p.group(t, promise(2))
	fs = fs.Crash(0)
	opts = options(fs)
	opts.Bootstrap = false
	p = mustOpen(t, opts, p.twin)
	if !p.Forgot() {
		t.Error("a restart before rejoining made the replica vote")
	}
	if err := p.Rejoined(); err != nil {
		t.Fatal(err)
	}
	opts.FS = fs.Crash(0)
	if mustOpen(t, opts, p.twin).Forgot() {
		t.Error("rejoining was forgotten")
	}
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

// TestNewerVersion checks that a directory of a later format is refused as that, not as damage.
func TestNewerVersion(t *testing.T) {
	for _, file := range []string{dir + "/identity", journal.SegmentPath(dir, 1)} {
		fs, p := threeSegments(t)
		p.close(t)
		fs.Damage(file, func(data []byte) []byte {
			data[8] = journal.FormatVersion + 1
			if strings.HasSuffix(file, ".seg") {
				sum := wire.Checksum(data[8:journal.SegmentHeaderSize])
				data[4], data[5], data[6], data[7] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
			}
			return data
		})
		_, err := openOnly(options(fs))
		var corrupt *journal.CorruptError
		if err == nil || errors.As(err, &corrupt) || !strings.Contains(err.Error(), "version 2") {
			t.Errorf("%s of version 2: %v", file, err)
		}
	}
}
