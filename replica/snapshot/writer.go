package snapshot

import (
	"errors"
	"fmt"
	"io/fs"

	"paxosbench/replica/journal"
	"paxosbench/wire"
)

// syncBytes is how much of a snapshot is written between two syncs. A single sync at the end would have the disk busy
// with all of it at once, and the journal would wait.
const syncBytes = 4 << 20

// Form says what a Writer is given.
type Form uint8

// Forms.
const (
	Raw    Form = iota // the stream of a machine.Snapshot
	Stored             // the bytes of a stored snapshot, as a peer has sent them; already decoded, and so known to be intact
)

// Writer stores one snapshot. After an error, which Commit returns, it does nothing more.
type Writer struct {
	store   *Store
	slot    wire.Slot
	encoder *Encoder // nil with Stored
	file    journal.File
	size    int64
	synced  int64
	buffer  []byte // what the encoder has made of a piece
	err     error
}

// Create begins a snapshot of the given slot. End it with Commit or Abort before another one is begun.
func (s *Store) Create(slot wire.Slot, form Form) *Writer {
	w := &Writer{store: s, slot: slot}
	if w.err = s.fs.MkdirAll(s.dir); w.err != nil {
		return w
	}
	if w.file, w.err = s.fs.Open(w.scratch(), journal.OpenCreate); w.err != nil {
		return w
	}
	if form == Raw {
		w.encoder = new(Encoder)
		w.write(w.encoder.Begin(nil, slot, s.id))
	}
	return w
}

// Write appends a piece of any size, which stays the caller's.
func (w *Writer) Write(piece []byte) {
	if w.err != nil {
		return
	}
	if w.encoder == nil {
		w.write(piece)
		return
	}
	w.buffer = w.encoder.Append(w.buffer[:0], piece)
	w.write(w.buffer)
}

// Commit makes the snapshot durable under its name, and the newest one; older ones are removed. An error says that it
// has not become the newest. Nothing is lost by it but the work.
func (w *Writer) Commit() (Info, error) {
	if w.err == nil && w.encoder != nil {
		w.write(w.encoder.End(nil))
	}
	if w.err == nil {
		w.err = w.file.Sync()
	}
	if w.err == nil {
		w.err = w.close()
	}
	if w.err == nil {
		w.err = w.store.fs.Rename(w.scratch(), w.store.path(w.slot))
	}
	if w.err != nil {
		w.Abort()
		return Info{}, fmt.Errorf("snapshot of slot %d cannot be stored: %w", w.slot, w.err)
	}
	return w.settle()
}

// settle makes the new name durable and removes older snapshots, which are not needed any more after that.
func (w *Writer) settle() (Info, error) {
	if err := w.store.fs.SyncDir(w.store.dir); err != nil {
		return Info{}, fmt.Errorf("snapshot of slot %d cannot be stored: %w", w.slot, err)
	}
	info := Info{Slot: w.slot, Bytes: w.size}
	w.store.publish(info)
	if err := w.store.removeBelow(w.slot); err != nil {
		w.store.log.Warn("an older snapshot stays on disk until the next one", "error", err)
	}
	return info, nil
}

// Abort gives up.
func (w *Writer) Abort() {
	err := w.close()
	if removed := w.store.fs.Remove(w.scratch()); !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	if err != nil {
		w.store.log.Warn("an unfinished snapshot may stay on disk until the next start", "file", w.scratch(), "error", err)
	}
}

func (w *Writer) scratch() string { return w.store.path(w.slot) + scratchSuffix }

// write appends stored bytes to the file and syncs it from time to time.
func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.file.WriteAt(b, w.size)
	w.size += int64(n)
	if err == nil && w.size-w.synced >= syncBytes {
		w.synced = w.size
		err = w.file.Sync()
	}
	w.err = err
}

// close closes the file, once.
func (w *Writer) close() error {
	if w.file == nil {
		return nil
	}
	file := w.file
	w.file = nil
	return file.Close()
}
