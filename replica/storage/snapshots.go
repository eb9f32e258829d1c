package storage

import (
	"sync"

	"paxosbench/replica/snapshot"
	"paxosbench/wire"
	"paxosbench/wire/ring"
)

// maxSnapshotQueue is how many pieces of a snapshot may wait for the disk, a quarter of a MiB each.
const maxSnapshotQueue = 16

// snapshotWriter stores the node's snapshots beside the replica's goroutine, because compressing and writing them takes
// longer than that can wait. A failure costs the snapshot, and nothing else: the next one is taken when it is due.
type snapshotWriter struct {
	storage *Storage
	store   *snapshot.Store
	worker  Worker

	mu    sync.Mutex         // guards what follows, never held during I/O
	jobs  ring.Queue[func()] // to be done in this order
	spare [][]byte           // buffers of pieces that have been written

	// The worker's.
	open *snapshot.Writer // nil: none
	slot wire.Slot        // of open
}

func newSnapshotWriter(s *Storage, store *snapshot.Store) *snapshotWriter {
	w := &snapshotWriter{storage: s, store: store}
	w.worker = s.runner.Worker(w.work)
	return w
}

// close gives up what is unfinished.
func (w *snapshotWriter) close() {
	w.worker.Stop()
	w.abort()
}

// later has the worker do a job after those that it has been given before.
func (w *snapshotWriter) later(job func()) {
	w.mu.Lock()
	w.jobs.Push(job)
	w.mu.Unlock()
	w.worker.Wake()
}

// work does what there is to do.
func (w *snapshotWriter) work() {
	for job := w.next(); job != nil; job = w.next() {
		job()
	}
}

// next returns the oldest job, nil if there is none.
func (w *snapshotWriter) next() (job func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.jobs.Len() == 0 {
		return nil
	}
	return w.jobs.Pop()
}

// room reports whether the worker keeps up.
func (w *snapshotWriter) room() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.jobs.Len() < maxSnapshotQueue
}

// copied returns a copy of a piece, in a buffer that has been written out if there is any.
func (w *snapshotWriter) copied(piece []byte) []byte {
	var buffer []byte
	w.mu.Lock()
	if last := len(w.spare) - 1; last >= 0 {
		buffer, w.spare = w.spare[last], w.spare[:last]
	}
	w.mu.Unlock()
	return append(buffer[:0], piece...)
}

// begin, write, commit and abort are the worker's jobs.
func (w *snapshotWriter) begin(slot wire.Slot, form snapshot.Form) {
	w.abort()
	w.open, w.slot = w.store.Create(slot, form), slot
}

func (w *snapshotWriter) write(piece []byte) {
	w.open.Write(piece)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.spare) < maxSnapshotQueue {
		w.spare = append(w.spare, piece)
	}
}

func (w *snapshotWriter) commit() {
	open, slot := w.open, w.slot
	w.open = nil
	info, err := open.Commit()
	w.storage.runner.Post(func() { w.storage.snapshotEnded(slot, info, err) })
}

func (w *snapshotWriter) abort() {
	if w.open != nil {
		w.open.Abort()
		w.open = nil
	}
}

func (w *snapshotWriter) clear() {
	if err := w.store.Clear(); err != nil {
		w.storage.log.Warn("snapshots that are not needed any more stay", "error", err)
	}
}

// snapshotEnded tells the replica what has become of a snapshot. If its state has been replaced by it, the journal is not
// asked any more for what it stands for.
func (s *Storage) snapshotEnded(slot wire.Slot, info snapshot.Info, err error) {
	if err != nil {
		s.log.Error("snapshot failed", "slot", slot, "err", err)
		s.replica.SnapshotFailed(slot)
		return
	}
	s.log.Info("snapshot stored", "slot", info.Slot, "bytes", info.Bytes)
	if s.replica.SnapshotStored(info) {
		s.archive.covered = info.Slot
		s.log.Info("state replaced by a peer's snapshot", "slot", info.Slot)
	}
}

// BeginSnapshot starts storing a snapshot.
func (s *Storage) BeginSnapshot(slot wire.Slot, form snapshot.Form) {
	w := s.snapshots
	w.later(func() { w.begin(slot, form) })
}

// WriteSnapshot hands over a copy of the next piece of it.
func (s *Storage) WriteSnapshot(piece []byte) {
	w := s.snapshots
	own := w.copied(piece)
	w.later(func() { w.write(own) })
}

// EndSnapshot has it made durable.
func (s *Storage) EndSnapshot() { s.snapshots.later(s.snapshots.commit) }

// AbortSnapshot gives it up.
func (s *Storage) AbortSnapshot() { s.snapshots.later(s.snapshots.abort) }

// ClearSnapshots removes all snapshots.
func (s *Storage) ClearSnapshots() { s.snapshots.later(s.snapshots.clear) }

// SnapshotRoom reports whether the writer keeps up.
func (s *Storage) SnapshotRoom() bool { return s.snapshots.room() }

// SendSnapshot answers a peer's SnapshotFetch from what is stored.
func (s *Storage) SendSnapshot(to wire.ReplicaID, slot wire.Slot, offset uint64, maxBytes int) {
	store := s.snapshots.store
	s.runner.Go(func() {
		if m, ok := store.Answer(slot, offset, maxBytes); ok {
			s.runner.Post(func() { s.replica.Answer(to, m) })
		}
	})
}
