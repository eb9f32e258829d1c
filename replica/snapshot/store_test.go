package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/replica/machine"
	"paxosbench/wire"
)

const testDir = "data"

func newStore(files journal.FS) *Store {
	return NewStore(files, testDir, testID, slog.New(slog.DiscardHandler))
}

// put stores a state.
func put(s *Store, state *machine.State) (Info, error) {
	w := s.Create(state.Applied(), Raw)
	for _, piece := range stream(state, 1000) {
		w.Write(piece)
	}
	return w.Commit()
}

func mustPut(t testing.TB, s *Store, state *machine.State) Info {
	t.Helper()
	info, err := put(s, state)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func mustRestore(t testing.TB, s *Store) (*machine.State, *CorruptError) {
	t.Helper()
	state, damaged, err := s.Restore(newRestorer)
	if err != nil {
		t.Fatal(err)
	}
	return state, damaged
}

func TestStoreKeepsTheNewest(t *testing.T) {
	for name, files := range map[string]journal.FS{"disk": memfs.New(), "memory": NewMemory()} {
		t.Run(name, func(t *testing.T) {
			s := newStore(files)
			if state, damaged := mustRestore(t, s); state != nil || damaged != nil {
				t.Fatal("an empty store has a snapshot")
			}
			mustPut(t, s, makeState(5, 100))
			info := mustPut(t, s, makeState(9, 100))
			if s.Newest() != info || info.Slot != 9 {
				t.Fatalf("newest is %+v, stored %+v", s.Newest(), info)
			}
			if names, err := files.List(testDir); err != nil || !slices.Equal(names, []string{"snapshot-9"}) {
				t.Fatalf("directory holds %v, %v", names, err)
			}
			again := newStore(files)
			state, _ := mustRestore(t, again)
			requireEqual(t, state, makeState(9, 100))
			if again.Newest() != info {
				t.Fatalf("restored %+v, stored %+v", again.Newest(), info)
			}
			if err := again.Clear(); err != nil || again.Newest() != (Info{}) {
				t.Fatalf("cleared: %+v, %v", again.Newest(), err)
			}
			if state, _ := mustRestore(t, newStore(files)); state != nil {
				t.Fatal("a cleared store has a snapshot")
			}
		})
	}
}

func TestStoreTakesWhatAPeerSends(t *testing.T) {
	from, to := newStore(NewMemory()), newStore(NewMemory())
	want := makeState(400, 3000)
	info := mustPut(t, from, want)
	w := to.Create(info.Slot, Stored)
	chunks := 0
	for offset := uint64(0); offset < uint64(info.Bytes); chunks++ {
		m, ok := from.Answer(info.Slot, offset, 1<<40)
		if !ok || m.Type != wire.TypeSnapshotChunk || m.Slot != info.Slot || m.Size() != uint64(info.Bytes) ||
			m.Offset() != offset || m.BodyCRC != wire.Checksum(m.Body) || len(m.Body) == 0 || len(m.Body) > ChunkBytes {
			t.Fatalf("chunk at %d: %+v", offset, m)
		}
		w.Write(m.Body)
		offset += uint64(len(m.Body))
	}
	if got, err := w.Commit(); err != nil || got != info {
		t.Fatalf("stored %+v, %v, want %+v", got, err, info)
	}
	if chunks < 3 {
		t.Fatalf("%d chunks: too few for the test to mean anything", chunks)
	}
	state, _ := mustRestore(t, to)
	requireEqual(t, state, want)
}

func TestStoreAnswersWithTheNewest(t *testing.T) {
	s := newStore(NewMemory())
	if m, ok := s.Answer(0, 0, 1<<20); !ok || m.Size() != 0 || m.Slot != 0 || m.Body != nil {
		t.Errorf("without a snapshot: %+v, %v", m, ok)
	}
	info := mustPut(t, s, makeState(5, 10))
	for _, ask := range []struct {
		slot   wire.Slot
		offset uint64
		max    int
		start  uint64
		bytes  int
	}{
		{0, 0, 1 << 20, 0, int(info.Bytes)},
		{5, 10, 1 << 20, 10, int(info.Bytes) - 10},
		{5, 10, 7, 10, 7},
		{5, 10, 0, 10, 1}, // something, so that it goes on
		{5, 10, -1, 10, 1},
		{4, 10, 1 << 20, 0, int(info.Bytes)}, // another one: from the beginning
		{5, uint64(info.Bytes), 1 << 20, uint64(info.Bytes), 0},
		{5, 1 << 63, 1 << 20, 1 << 63, 0},
	} {
		m, ok := s.Answer(ask.slot, ask.offset, ask.max)
		if !ok || m.Slot != 5 || m.Offset() != ask.start || len(m.Body) != ask.bytes {
			t.Errorf("asked %+v: slot %d, offset %d, %d bytes, %v", ask, m.Slot, m.Offset(), len(m.Body), ok)
		}
	}
}

func TestStoreDoesNotAnswerWhatItCannotRead(t *testing.T) {
	files := memfs.New()
	s := newStore(files)
	mustPut(t, s, makeState(5, 10))
	files.SetHook(fail(memfs.OpRead))
	if m, ok := s.Answer(0, 0, 1<<20); ok {
		t.Errorf("answered %+v", m)
	}
}

func fail(op memfs.Op) func(memfs.Call) error {
	return func(c memfs.Call) error {
		if c.Op == op {
			return errors.New("input/output error")
		}
		return nil
	}
}

func TestStoreFallsBackFromDamage(t *testing.T) {
	files := memfs.New()
	s := newStore(files)
	mustPut(t, s, makeState(5, 100))
	old := files.Read("data/snapshot-5")
	mustPut(t, s, makeState(9, 100))
	rewrite(t, files, "data/snapshot-5", old)
	rewrite(t, files, "data/snapshot-11.new", old)
	files.FlipBit("data/snapshot-9", 300, 3)
	s = newStore(files)
	state, damaged := mustRestore(t, s)
	requireEqual(t, state, makeState(5, 100))
	if damaged == nil || damaged.Slot != 9 || damaged.File != "data/snapshot-9" || !errors.Is(damaged, ErrCorrupt) {
		t.Errorf("damage: %v", damaged)
	}
	if s.Newest().Slot != 5 {
		t.Errorf("newest is %+v", s.Newest())
	}
	if names, _ := files.List(testDir); slices.Contains(names, "snapshot-11.new") {
		t.Errorf("an unfinished snapshot is left in %v", names)
	}
}

// TestUnreadableSnapshotIsDamaged has the disk not give a snapshot back: the one before serves, and the place is named. A
// failure that may pass is none of the snapshot.
func TestUnreadableSnapshotIsDamaged(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.ENFILE} {
		files := memfs.New()
		s := newStore(files)
		mustPut(t, s, makeState(5, 100))
		old := files.Read("data/snapshot-5")
		mustPut(t, s, makeState(9, 100))
		rewrite(t, files, "data/snapshot-5", old)
		files.SetHook(func(c memfs.Call) error {
			if c.Name == "data/snapshot-9" && c.Op == memfs.OpRead {
				return cause
			}
			return nil
		})
		state, damaged, err := newStore(files).Restore(newRestorer)
		if cause != syscall.EIO {
			if !errors.Is(err, cause) || damaged != nil {
				t.Errorf("%v: damage %v, error %v", cause, damaged, err)
			}
			continue
		}
		if err != nil || damaged == nil || !errors.Is(damaged, cause) || !strings.Contains(damaged.Error(), "at offset 0") {
			t.Fatalf("%v: damage %v, error %v", cause, damaged, err)
		}
		requireEqual(t, state, makeState(5, 100))
	}
}

func TestStoreRefusesForeignSnapshots(t *testing.T) {
	files := memfs.New()
	mustPut(t, newStore(files), makeState(5, 100))
	other := NewStore(files, testDir, Identity{Cluster: 8, Settings: 1}, slog.New(slog.DiscardHandler))
	_, _, err := other.Restore(newRestorer)
	var mismatch *IdentityError
	if !errors.As(err, &mismatch) {
		t.Errorf("%v, want an IdentityError", err)
	}
}

func TestStoreNoticesARenamedFile(t *testing.T) {
	files := memfs.New()
	mustPut(t, newStore(files), makeState(5, 100))
	if err := files.Rename("data/snapshot-5", "data/snapshot-6"); err != nil {
		t.Fatal(err)
	}
	if state, damaged := mustRestore(t, newStore(files)); state != nil || damaged == nil {
		t.Errorf("state %v, damage %v", state, damaged)
	}
}

func rewrite(t *testing.T, files journal.FS, name string, data []byte) {
	t.Helper()
	f, err := files.Open(name, journal.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close(), files.SyncDir(testDir)); err != nil {
		t.Fatal(err)
	}
}

// TestStoreSurvivesACrashAnywhere loses the power before every single operation of storing one snapshot and then
// another. What is found is intact, and no older than what had been acknowledged.
func TestStoreSurvivesACrashAnywhere(t *testing.T) {
	states := []*machine.State{makeState(5, 500), makeState(9, 500)}
	files := memfs.New()
	s := newStore(files)
	crash := func(n int) {
		for seed := range uint64(6) {
			after, acknowledged := files.Crash(seed), s.Newest().Slot
			t.Run(fmt.Sprintf("%d/%d", n, seed), func(t *testing.T) { requireAtLeast(t, after, acknowledged, states) })
		}
	}
	files.SetHook(func(c memfs.Call) error {
		crash(c.N)
		return nil
	})
	for _, state := range states {
		mustPut(t, s, state)
	}
	crash(files.Calls())
}

// requireAtLeast fails the test unless the directory holds one of the states, intact, of the acknowledged slot or newer.
func requireAtLeast(t *testing.T, files *memfs.FS, acknowledged wire.Slot, states []*machine.State) {
	t.Helper()
	got, damaged := mustRestore(t, newStore(files))
	if damaged != nil {
		t.Fatal(damaged)
	}
	if got == nil {
		if acknowledged != 0 {
			t.Fatalf("nothing found, slot %d was acknowledged", acknowledged)
		}
		return
	}
	if got.Applied() < acknowledged {
		t.Fatalf("slot %d found, slot %d was acknowledged", got.Applied(), acknowledged)
	}
	i := slices.IndexFunc(states, func(s *machine.State) bool { return s.Applied() == got.Applied() })
	requireEqual(t, got, states[i])
}

// TestStoreSurvivesAFailureAnywhere has every single operation fail. A snapshot that is not acknowledged has done no
// harm to the one before, and the next one succeeds.
func TestStoreSurvivesAFailureAnywhere(t *testing.T) {
	first, second, third := makeState(5, 500), makeState(9, 500), makeState(12, 500)
	dry := memfs.New()
	mustPut(t, newStore(dry), first)
	begin := dry.Calls()
	mustPut(t, newStore(dry), second)
	for n := begin; n < dry.Calls(); n++ {
		for _, failure := range []error{errors.New("no space left on device"), memfs.ErrShortWrite} {
			files := memfs.New()
			s := newStore(files)
			mustPut(t, s, first)
			files.SetHook(func(c memfs.Call) error {
				if c.N == n {
					return failure
				}
				return nil
			})
			_, err := put(s, second)
			files.SetHook(nil)
			requireAtLeast(t, files.Crash(0), s.Newest().Slot, []*machine.State{first, second})
			if want := map[bool]wire.Slot{true: 5, false: 9}[err != nil]; s.Newest().Slot != want {
				t.Fatalf("operation %d fails: newest is %d after %v", n, s.Newest().Slot, err)
			}
			mustPut(t, s, third)
			if names, _ := files.List(testDir); !slices.Contains(names, "snapshot-12") || len(names) != 1 {
				t.Fatalf("operation %d fails: %v is left", n, names)
			}
		}
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	files := memfs.New()
	s := newStore(files)
	w := s.Create(5, Raw)
	w.Write(make([]byte, 100))
	w.Abort()
	if names, err := files.List(testDir); err != nil || len(names) != 0 {
		t.Errorf("%v left, %v", names, err)
	}
}

// TestWriterSyncsInBetween: the journal shares the disk, and must not wait for a whole snapshot to be synced at once.
func TestWriterSyncsInBetween(t *testing.T) {
	files := memfs.New()
	unsynced, most := 0, 0
	w := newStore(files).Create(5, Stored)
	files.SetHook(func(c memfs.Call) error {
		switch c.Op {
		case memfs.OpWrite:
			unsynced += 600 << 10
			most = max(most, unsynced)
		case memfs.OpSync:
			unsynced = 0
		}
		return nil
	})
	for range 20 {
		w.Write(make([]byte, 600<<10))
	}
	if most < syncBytes || most > syncBytes+600<<10 {
		t.Errorf("%d bytes written without a sync", most)
	}
}

// TestMemoryIsAFileSystem compares Memory with the simulated disk over random operations.
func TestMemoryIsAFileSystem(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var files [2]journal.File
	for i, fsys := range []journal.FS{NewMemory(), memfs.New()} {
		if err := fsys.MkdirAll(testDir); err != nil {
			t.Fatal(err)
		}
		f, err := fsys.Open("data/x", journal.OpenCreate)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = f
	}
	for range 300 {
		off, n := rng.Int64N(3*memoryBlock), rng.IntN(memoryBlock*3/2)
		data := bytes.Repeat([]byte{byte(rng.Uint32())}, n)
		if rng.IntN(2) == 0 {
			for _, f := range files {
				if got, err := f.WriteAt(data, off); got != n || err != nil {
					t.Fatal(got, err)
				}
			}
			continue
		}
		var read [2][]byte
		var errs [2]error
		for i, f := range files {
			read[i] = make([]byte, n)
			var got int
			got, errs[i] = f.ReadAt(read[i], off)
			read[i] = read[i][:got]
		}
		if !bytes.Equal(read[0], read[1]) || n > 0 && errs[0] != errs[1] {
			t.Fatalf("%d bytes at %d: %d, %v; want %d, %v", n, off, len(read[0]), errs[0], len(read[1]), errs[1])
		}
	}
}
