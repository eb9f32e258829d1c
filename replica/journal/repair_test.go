package journal_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/wire"
)

var repairedAt = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

const asideDir = dir + "/damaged-20260102T150405Z"

// mayRepair reports whether --repair is the remedy for an error of Open.
func mayRepair(err error) bool {
	var corrupt *journal.CorruptError
	var diverged *journal.DivergedError
	return errors.As(err, &corrupt) || errors.As(err, &diverged)
}

// openRepairing does what a replica does with --repair.
func openRepairing(opts journal.Options) (*journal.Journal, error) {
	j, err := openOnly(opts)
	if !mayRepair(err) {
		return j, err
	}
	if err := journal.Repair(opts, repairedAt); err != nil {
		return nil, err
	}
	return openOnly(opts)
}

// broken are directories of a replica that has voted, each with something that only a repair helps against.
var broken = map[string]func(t *testing.T, fs *memfs.FS){
	"a record": func(_ *testing.T, fs *memfs.FS) {
		fs.FlipBit(journal.SegmentPath(dir, 1), journal.BlockSize+40, 0)
	},
	"the identity": func(_ *testing.T, fs *memfs.FS) {
		fs.Damage(identityFile, func(data []byte) []byte { data[20] ^= 1; data[3000] ^= 1; return data })
	},
	"no identity": func(t *testing.T, fs *memfs.FS) {
		noError(t, fs.Remove(identityFile))
		noError(t, fs.SyncDir(dir))
	},
	"all segments": func(t *testing.T, fs *memfs.FS) {
		for _, name := range segmentsOf(t, fs) {
			noError(t, fs.Remove(dir+"/"+name))
		}
		noError(t, fs.SyncDir(dir))
	},
	"divergence": func(t *testing.T, fs *memfs.FS) {
		noError(t, openAs(t, fs, unchanged, func(j *journal.Journal) { noError(t, j.Diverged(3)) }))
	},
}

// brokenDirectory returns a directory of a replica that has voted, with a snapshot in it, and damages it.
func brokenDirectory(t *testing.T, damage func(*testing.T, *memfs.FS)) *memfs.FS {
	t.Helper()
	fs, p := threeSegments(t)
	noError(t, p.Meet(0, wire.Members(0).With(3)))
	p.close(t)
	f, err := fs.Open(dir+"/snapshot-2", journal.OpenCreate)
	noError(t, err)
	noError(t, f.Sync())
	noError(t, fs.SyncDir(dir))
	fs = fs.Restart()
	damage(t, fs)
	return fs.Restart()
}

// TestRepair checks what a repair leaves: a replica that has forgotten, with an empty journal, and the old files aside.
func TestRepair(t *testing.T) {
	for what, damage := range broken {
		t.Run(what, func(t *testing.T) {
			fs := brokenDirectory(t, damage)
			before, err := fs.List(dir)
			noError(t, err)
			opts := options(fs)
			opts.Salt = 0
			j, err := openRepairing(opts)
			noError(t, err)
			if !j.Amnesiac() || j.FirstSlot() != 0 {
				t.Errorf("amnesiac: %v, first slot %d", j.Amnesiac(), j.FirstSlot())
			}
			kept := what != "the identity" && what != "no identity"
			if _, by := j.Met(); by.Has(3) != kept {
				t.Errorf("replica 3 has met this one: %v, want %v", by.Has(3), kept)
			}
			noError(t, j.Close())
			aside, err := fs.List(asideDir)
			noError(t, err)
			for _, name := range before {
				if name != "lock" && !strings.Contains(strings.Join(aside, " "), name) {
					t.Errorf("%s is not among what is set aside: %v", name, aside)
				}
			}
			opts = options(fs.Crash(0))
			p := mustOpen(t, opts, &history{})
			if !p.Amnesiac() {
				t.Error("it votes after the next start")
			}
			noError(t, p.Rejoined())
			p.group(t, accept(1, "one"))
			if p = mustOpen(t, options(opts.FS.(*memfs.FS).Restart()), p.twin); p.Amnesiac() {
				t.Error("rejoining was forgotten")
			}
		})
	}
}

// neverVotes opens copies of a directory with every flag and fails if one of them takes it for that of a voter; or refuses
// it, although its repair has begun.
func neverVotes(t *testing.T, fs *memfs.FS, begun bool, when string) {
	t.Helper()
	for _, flags := range []struct {
		bootstrap, rejoin, repair bool
		durability                journal.Durability
	}{
		{durability: journal.DurabilityFsync},
		{bootstrap: true, durability: journal.DurabilityFsync},
		{rejoin: true, durability: journal.DurabilityFsync},
		{bootstrap: true, durability: journal.DurabilityNone},
		{repair: true, durability: journal.DurabilityOS},
		{repair: true, bootstrap: true, durability: journal.DurabilityFsync},
	} {
		opts, open := options(fs.Restart()), openOnly
		opts.Bootstrap, opts.Rejoin, opts.Durability = flags.bootstrap, flags.rejoin, flags.durability
		if flags.repair {
			open = openRepairing
		}
		j, err := open(opts)
		var refused *journal.DurabilityError // the repair has ended, and there is a new journal
		switch {
		case err == nil && !j.Amnesiac():
			t.Errorf("%s: started with %+v it is a voter", when, flags)
		case err != nil && (flags.repair || begun) && !errors.As(err, &refused):
			t.Errorf("%s: not repaired: %v", when, err)
		case errors.Is(err, journal.ErrEmpty):
			t.Errorf("%s: it counts as empty", when)
		}
	}
}

// TestRepairInterruptedEverywhere kills the process, and cuts the power, at every step of a repair, and makes every step
// fail, once or for ever: the directory is never that of a voter, and the next repair ends it.
func TestRepairInterruptedEverywhere(t *testing.T) {
	for what, damage := range broken {
		original, points, begun := brokenDirectory(t, damage), 0, false
		fs := original.Restart()
		fs.SetHook(func(c memfs.Call) error {
			points++
			when := fmt.Sprintf("%s, before call %d, %s %s", what, c.N, c.Op, c.Name)
			begun = begun || c.Op == memfs.OpRename && strings.HasSuffix(c.Name, ".seg")
			neverVotes(t, fs.Restart(), begun, when+", kill")
			neverVotes(t, fs.Crash(uint64(c.N)), begun, when+", power loss")
			return nil
		})
		_, err := openRepairing(options(fs))
		noError(t, err)
		for n := range points {
			for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
				fs := original.Restart()
				from := fs.Calls()
				fs.SetHook(func(c memfs.Call) error {
					full := cause == syscall.ENOSPC && c.N >= from+n && (c.Op == memfs.OpWrite || c.Op == memfs.OpOpen || c.Op == memfs.OpMkdir)
					if full || cause == syscall.EIO && c.N == from+n {
						return cause
					}
					return nil
				})
				if j, err := openRepairing(options(fs)); err == nil && !j.Amnesiac() {
					t.Errorf("%s: it votes although call %d failed", what, n)
				}
				fs.SetHook(nil)
				neverVotes(t, fs.Restart(), false, fmt.Sprintf("%s, %v at call %d", what, cause, n))
			}
		}
		if points < 30 {
			t.Errorf("%s: only %d points", what, points)
		}
	}
}

// TestBootstrapFailsEverywhere makes every step of the first start fail: it can be done again, and what is left is small.
func TestBootstrapFailsEverywhere(t *testing.T) {
	for n := 0; ; n++ {
		fs := memfs.New()
		fs.SetHook(func(c memfs.Call) error {
			if c.N >= n && (c.Op == memfs.OpWrite || c.Op == memfs.OpSync || c.Op == memfs.OpSyncDir) {
				return syscall.ENOSPC
			}
			return nil
		})
		_, err := openOnly(options(fs))
		fs.SetHook(nil)
		if err == nil {
			if n < 20 {
				t.Errorf("%d steps", n)
			}
			return
		}
		names, err := fs.List(dir)
		for _, name := range names {
			if strings.HasSuffix(name, journal.ScratchSuffix) {
				t.Errorf("failure at call %d leaves %s, error %v", n, name, err)
			}
		}
		for seed := range uint64(3) {
			p := mustOpen(t, options(fs.Crash(seed)), &history{})
			if p.Amnesiac() {
				t.Errorf("failure at call %d: it has forgotten", n)
			}
			p.group(t, promise(1))
		}
	}
}

// TestRepairOfOneCopy checks that a damaged copy of the identity costs nothing that is still known.
func TestRepairOfOneCopy(t *testing.T) {
	for _, offset := range []int64{20, 3000} {
		fs, p := threeSegments(t)
		p.close(t)
		fs.FlipBit(identityFile, offset, 3)
		j, err := openRepairing(options(fs))
		noError(t, err)
		if j.Amnesiac() {
			t.Error("one copy was whole, and yet the replica has forgotten")
		}
		noError(t, j.Close())
		if p = mustOpen(t, options(fs), p.twin); p.Amnesiac() {
			t.Error("it has forgotten at the next start")
		}
	}
}

// TestRepairIsForThisReplica does not touch another replica's directory, nor one of another version.
func TestRepairIsForThisReplica(t *testing.T) {
	fs := brokenDirectory(t, broken["a record"])
	calls := fs.Calls()
	opts := options(fs)
	opts.Identity.Replica = 3
	var wrong *journal.IdentityError
	if err := journal.Repair(opts, repairedAt); !errors.As(err, &wrong) {
		t.Errorf("another replica's directory: %v", err)
	}
	if n := fs.Calls() - calls; n > 8 {
		t.Errorf("%d calls", n)
	}
}

// TestRepairTwice gives each repair a directory of its own, also within one second.
func TestRepairTwice(t *testing.T) {
	fs := brokenDirectory(t, broken["a record"])
	for range 3 {
		noError(t, journal.Repair(options(fs), repairedAt))
		p := mustOpen(t, options(fs), &history{})
		p.group(t, accept(1, "one"), accept(2, "two"))
		p.group(t, accept(3, "three"))
		p.close(t)
	}
	for second := 5; second < 8; second++ {
		if names, err := fs.List(fmt.Sprintf("%s/damaged-20260102T15040%dZ", dir, second)); err != nil || len(names) < 2 {
			t.Errorf("set aside at second %d: %v, %v", second, names, err)
		}
	}
}

// TestRepairOfRealDirectories repairs directories by the names that operators give them: with a slash at the end, as the
// working directory, through a link. None is moved.
func TestRepairOfRealDirectories(t *testing.T) {
	for _, name := range []string{"d/", ".", "link", "link/", "d/../d"} {
		root := t.TempDir()
		t.Chdir(root)
		noError(t, os.Mkdir("d", 0o755))
		noError(t, os.Symlink("d", "link"))
		if name == "." {
			t.Chdir("d")
		}
		opts := options(journal.OSFS{})
		opts.Dir, opts.Salt = name, 0
		j, err := openOnly(opts)
		noError(t, err)
		noError(t, j.Diverged(1))
		noError(t, j.Close())
		inode := func() os.FileInfo {
			info, err := os.Stat(name)
			noError(t, err)
			return info
		}
		before := inode()
		j, err = openRepairing(opts)
		noError(t, err)
		if !j.Amnesiac() || !os.SameFile(before, inode()) {
			t.Errorf("%s: amnesiac: %v, the same directory: %v", name, j.Amnesiac(), os.SameFile(before, inode()))
		}
		noError(t, j.Close())
		if aside, err := filepath.Glob(filepath.Join(name, "damaged-*", "00000001.seg")); err != nil || len(aside) != 1 {
			t.Errorf("%s: set aside: %v, %v", name, aside, err)
		}
		if _, err := os.Lstat(filepath.Join(root, "link")); errors.Is(err, fs.ErrNotExist) {
			t.Error("the link is gone")
		}
	}
}
