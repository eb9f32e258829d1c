package memfs_test

import (
	"bytes"
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
)

func create(t *testing.T, f *memfs.FS, name string, data []byte) journal.File {
	t.Helper()
	if err := f.MkdirAll("/d"); err != nil {
		t.Fatal(err)
	}
	file, err := f.Open(name, journal.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	return file
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestCrashTearsSectors checks that synced contents survive, and that of the rest every mixture of old and new sectors
// occurs, but never a torn sector.
func TestCrashTearsSectors(t *testing.T) {
	f := memfs.New()
	before := bytes.Repeat([]byte{1}, 3*memfs.SectorSize)
	after := bytes.Repeat([]byte{2}, 3*memfs.SectorSize)
	file := create(t, f, "/d/a", before)
	must(t, file.Sync(), f.SyncDir("/d"))
	if _, err := file.WriteAt(after, 0); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for seed := range uint64(300) {
		mixture := ""
		data := f.Crash(seed).Read("/d/a")
		for i := 0; i < len(data); i += memfs.SectorSize {
			sector := data[i : i+memfs.SectorSize]
			if !bytes.Equal(sector, before[:memfs.SectorSize]) && !bytes.Equal(sector, after[:memfs.SectorSize]) {
				t.Fatalf("seed %d: torn sector", seed)
			}
			mixture += string('0' + rune(sector[0]))
		}
		seen[mixture] = true
		if again := f.Crash(seed).Read("/d/a"); !bytes.Equal(again, data) {
			t.Fatalf("seed %d: not repeatable", seed)
		}
	}
	if len(seen) != 8 {
		t.Errorf("mixtures %v, want all 8", seen)
	}
	if !bytes.Equal(f.Read("/d/a"), after) || !bytes.Equal(f.Restart().Read("/d/a"), after) {
		t.Error("the running system or a restarted process does not see what was written")
	}
}

// TestCrashLosesNames checks that names are durable only after SyncDir, and that a rename is never half done.
func TestCrashLosesNames(t *testing.T) {
	f := memfs.New()
	must(t, create(t, f, "/d/a", []byte("a")).Sync())
	seen := map[bool]bool{}
	for seed := range uint64(50) {
		names, err := f.Crash(seed).List("/d")
		must(t, err)
		seen[len(names) == 1] = true
	}
	if len(seen) != 2 {
		t.Error("an unsynced name always or never survives")
	}
	must(t, f.SyncDir("/d"), f.Rename("/d/a", "/d/b"))
	renamed := map[string]bool{}
	for seed := range uint64(50) {
		names, err := f.Crash(seed).List("/d")
		must(t, err)
		if len(names) != 1 {
			t.Fatalf("seed %d: %v after a rename", seed, names)
		}
		renamed[names[0]] = true
	}
	if len(renamed) != 2 {
		t.Errorf("after an unsynced rename: %v", renamed)
	}
	must(t, f.SyncDir("/d"), f.Remove("/d/b"))
	if names, _ := f.Crash(0).List("/d"); len(names) > 1 {
		t.Errorf("after a removal: %v", names)
	}
}

func TestHook(t *testing.T) {
	f := memfs.New()
	file := create(t, f, "/d/a", make([]byte, 8))
	calls := f.Calls()
	var seen []memfs.Call
	f.SetHook(func(c memfs.Call) error {
		seen = append(seen, c)
		switch c.Op {
		case memfs.OpSync:
			return syscall.EIO
		case memfs.OpWrite:
			return memfs.ErrShortWrite
		}
		return nil
	})
	if err := file.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Sync: %v", err)
	}
	if n, err := file.WriteAt([]byte{1, 1, 1, 1}, 0); n != 2 || !errors.Is(err, memfs.ErrShortWrite) {
		t.Errorf("WriteAt: %d, %v", n, err)
	}
	if got := f.Read("/d/a"); !bytes.Equal(got, []byte{1, 1, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("after a short write: %v", got)
	}
	want := []memfs.Call{{N: calls, Op: memfs.OpSync, Name: "/d/a"}, {N: calls + 1, Op: memfs.OpWrite, Name: "/d/a"}}
	if len(seen) != 2 || seen[0] != want[0] || seen[1] != want[1] {
		t.Errorf("calls %v, want %v", seen, want)
	}
}

func TestDirectNeedsAlignment(t *testing.T) {
	f := memfs.New()
	create(t, f, "/d/a", make([]byte, journal.BlockSize))
	file, err := f.Open("/d/a", journal.OpenWrite|journal.OpenDirect)
	must(t, err)
	if _, err := file.WriteAt(make([]byte, 100), 0); err == nil {
		t.Error("an odd direct write succeeded")
	}
	if _, err := file.ReadAt(make([]byte, 100), 8); err == nil {
		t.Error("an odd direct read succeeded")
	}
}

func TestMissing(t *testing.T) {
	f := memfs.New()
	must(t, f.MkdirAll("/d"))
	_, open := f.Open("/d/none", 0)
	_, nowhere := f.Open("/e/none", journal.OpenCreate)
	_, list := f.List("/e")
	for i, err := range []error{open, nowhere, list, f.Rename("/d/none", "/d/x"), f.Remove("/d/none"), f.SyncDir("/e")} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("case %d: %v", i, err)
		}
	}
	file := create(t, f, "/d/a", nil)
	must(t, file.Close())
	if err := f.MkdirAll("/d/a"); err == nil {
		t.Error("a directory was made over a file")
	}
	read, err := f.Open("/d/a", 0)
	must(t, err)
	if _, err := read.WriteAt([]byte{1}, 0); err == nil {
		t.Error("wrote to a file that is open for reading")
	}
}

func TestLock(t *testing.T) {
	f := memfs.New()
	l, err := f.Lock("/d/lock")
	must(t, err)
	if _, err := f.Lock("/d/lock"); err == nil {
		t.Error("locked twice")
	}
	if _, err := f.Crash(0).Lock("/d/lock"); err != nil {
		t.Errorf("still locked after a crash: %v", err)
	}
	must(t, l.Close())
	if _, err := f.Lock("/d/lock"); err != nil {
		t.Errorf("still locked after Close: %v", err)
	}
}
