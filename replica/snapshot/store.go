package snapshot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"paxosbench/replica/journal"
	"paxosbench/replica/machine"
	"paxosbench/wire"
)

// ChunkBytes is the most of a stored snapshot that travels in one message: what a replica that restores it can decode
// without missing a heartbeat, yet enough that the round trip does not matter.
const ChunkBytes = 256 << 10

// Info describes a stored snapshot.
type Info struct {
	Slot  wire.Slot // 0: there is none
	Bytes int64     // as it is stored
}

// Store keeps snapshots in a directory, which it may share with a journal: the newest, and for as long as it takes to
// be rid of them older ones. A file gets its name when it is complete and synced, so whatever has the name of a
// snapshot is one, or has been damaged since.
//
// Newest and Answer may be called from any goroutine, the other methods from one at a time.
type Store struct {
	fs  journal.FS
	dir string
	id  Identity
	log *slog.Logger

	mu     sync.Mutex
	newest Info
}

const (
	namePrefix    = "snapshot-"
	scratchSuffix = journal.ScratchSuffix // of a file being made
)

// NewStore returns a store of the snapshots in a directory, which need not exist before the first call of Create. It
// touches nothing yet, and knows of no snapshot before Restore.
func NewStore(fsys journal.FS, dir string, id Identity, log *slog.Logger) *Store {
	return &Store{fs: fsys, dir: dir, id: id, log: log}
}

// Restore returns the state of the newest snapshot that is intact, nil if there is none. If there are damaged ones that
// are newer, it returns the newest of them too: whether the replica can do without it depends on the journal. Any
// other error means that nothing can be said, or that the directory is somebody else's. fresh makes a restorer for each
// attempt. What an unfinished snapshot has left behind is removed.
func (s *Store) Restore(fresh func() *machine.Restorer) (state *machine.State, damaged *CorruptError, err error) {
	slots, unfinished, err := s.list()
	for _, name := range unfinished {
		err = errors.Join(err, s.fs.Remove(filepath.Join(s.dir, name)))
	}
	if err != nil {
		return nil, nil, err
	}
	for _, slot := range slots {
		state, size, err := s.load(slot, fresh())
		if err == nil {
			s.publish(Info{Slot: slot, Bytes: size})
			return state, damaged, nil
		}
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, machine.ErrSnapshot) && !journal.OfMedium(err) {
			return nil, nil, fmt.Errorf("%s: %w", s.path(slot), err)
		}
		s.log.Error("snapshot is damaged", "file", s.path(slot), "error", err)
		if damaged == nil {
			damaged = &CorruptError{File: s.path(slot), Slot: slot, Err: err}
		}
	}
	return nil, damaged, nil
}

// Newest returns the newest snapshot, which is intact and durable.
func (s *Store) Newest() Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

// Answer returns the SnapshotChunk that answers a peer's SnapshotFetch: so many bytes of the snapshot of that slot from that
// offset on, up to ChunkBytes, or, if that is not the newest, of the newest from the beginning. Without a snapshot it says so. The body is the caller's. It reports false if
// the file cannot be read; a peer that is not answered turns to another replica.
func (s *Store) Answer(slot wire.Slot, offset uint64, maxBytes int) (wire.Message, bool) {
	none := wire.NewSnapshotChunk(slot, 0, offset, nil)
	for {
		newest := s.Newest()
		if newest.Slot == 0 {
			return none, true
		}
		if slot != 0 && slot != newest.Slot {
			offset = 0
		}
		body, err := s.read(newest, offset, maxBytes)
		if err == nil {
			return wire.NewSnapshotChunk(newest.Slot, uint64(newest.Bytes), offset, body), true
		}
		if newest == s.Newest() { // else the file was removed under this call
			s.log.Error("snapshot cannot be read for a peer", "file", s.path(newest.Slot), "error", err)
			return none, false
		}
	}
}

// Clear removes all snapshots.
func (s *Store) Clear() error {
	s.publish(Info{})
	return s.removeBelow(^wire.Slot(0))
}

func (s *Store) publish(i Info) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = i
}

// read returns bytes of a snapshot from offset on, none behind its end.
func (s *Store) read(i Info, offset uint64, maxBytes int) ([]byte, error) {
	f, err := s.fs.Open(s.path(i.Slot), 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if offset >= uint64(i.Bytes) {
		return nil, nil
	}
	body := make([]byte, min(uint64(max(1, min(maxBytes, ChunkBytes))), uint64(i.Bytes)-offset))
	if n, err := f.ReadAt(body, int64(offset)); n < len(body) {
		return nil, err
	}
	return body, nil
}

// load restores the state from a file.
func (s *Store) load(slot wire.Slot, restorer *machine.Restorer) (*machine.State, int64, error) {
	f, err := s.fs.Open(s.path(slot), 0)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, 0, err
	}
	decoder := NewDecoder(s.id, restorer)
	if n, err := io.CopyBuffer(decoderWriter{decoder}, io.NewSectionReader(f, 0, size), make([]byte, MaxBlock)); err != nil {
		return nil, 0, fmt.Errorf("at offset %d: %w", n, err)
	}
	state, err := decoder.Finish()
	if err == nil && state.Applied() != slot {
		err = fmt.Errorf("%w: it is of slot %d", ErrCorrupt, state.Applied())
	}
	return state, size, err
}

// decoderWriter makes a Decoder an io.Writer.
type decoderWriter struct{ d *Decoder }

func (w decoderWriter) Write(p []byte) (int, error) { return len(p), w.d.Write(p) }

// list returns the slots that there are snapshots of, newest first, and the names of unfinished files.
func (s *Store) list() (slots []wire.Slot, unfinished []string, err error) {
	names, err := s.fs.List(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	for _, name := range names {
		switch slot, scratch, ok := parseName(name); {
		case ok && scratch:
			unfinished = append(unfinished, name)
		case ok:
			slots = append(slots, slot)
		}
	}
	slices.Sort(slots)
	slices.Reverse(slots)
	return slots, unfinished, nil
}

// removeBelow removes the snapshots of slots below the given one.
func (s *Store) removeBelow(slot wire.Slot) error {
	slots, _, err := s.list()
	for _, old := range slots {
		if old < slot {
			err = errors.Join(err, s.fs.Remove(s.path(old)))
		}
	}
	return err
}

func (s *Store) path(slot wire.Slot) string {
	return filepath.Join(s.dir, namePrefix+strconv.FormatUint(uint64(slot), 10))
}

// parseName returns the slot of a snapshot's file, and whether it is unfinished.
func parseName(name string) (slot wire.Slot, scratch, ok bool) {
	digits, ok := strings.CutPrefix(name, namePrefix)
	digits, scratch = strings.CutSuffix(digits, scratchSuffix)
	n, err := strconv.ParseUint(digits, 10, 64)
	return wire.Slot(n), scratch, ok && err == nil && n > 0
}
