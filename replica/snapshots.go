package replica

import (
	"log/slog"

	"paxosbench/replica/journal"
	"paxosbench/replica/snapshot"
	"paxosbench/wire"
)

const (
	// pinBytes is how much more than usual is kept for a peer that would otherwise be left behind: of the journal, or
	// of the memory where there is none.
	pinBytes = 1 << 30

	// maxSnapshotQueue is how many pieces of a snapshot may wait for the disk, a quarter of a MiB each.
	maxSnapshotQueue = 16
)

// newSnapshotStore returns where a replica keeps its snapshots: in the data directory, or in memory without durability.
func newSnapshotStore(cfg *Config, log *slog.Logger) *snapshot.Store {
	var files journal.FS = journal.OSFS{}
	if cfg.Durability == journal.DurabilityNone {
		files = snapshot.NewMemory()
	}
	return snapshot.NewStore(files, cfg.Data, cfg.snapshotIdentity(), log)
}

// snapshotWriter stores the node's snapshots on a goroutine of its own, because compressing and writing them takes
// longer than the loop can wait. Its methods belong to the loop.
type snapshotWriter struct {
	store *snapshot.Store
	log   *slog.Logger
	jobs  chan func()
	spare chan []byte   // buffers of pieces that have been written
	done  chan struct{} // closed when the goroutine has ended

	// The goroutine's.
	open   *snapshot.Writer // nil: none
	slot   wire.Slot        // of open
	stored func(slot wire.Slot, info snapshot.Info, err error)
}

// newSnapshotWriter starts the goroutine, on which stored is called for every snapshot that has been ended.
func newSnapshotWriter(store *snapshot.Store, log *slog.Logger, stored func(wire.Slot, snapshot.Info, error)) *snapshotWriter {
	w := &snapshotWriter{
		store: store, log: log, stored: stored,
		jobs: make(chan func(), 2*maxSnapshotQueue), spare: make(chan []byte, maxSnapshotQueue), done: make(chan struct{}),
	}
	go w.run()
	return w
}

func (w *snapshotWriter) run() {
	defer close(w.done)
	for job := range w.jobs {
		job()
	}
	w.abort()
}

// close gives up what is unfinished and ends the goroutine.
func (w *snapshotWriter) close() {
	close(w.jobs)
	<-w.done
}

// commit runs on the goroutine, like abort.
func (w *snapshotWriter) commit() {
	open := w.open
	w.open = nil
	info, err := open.Commit()
	w.stored(w.slot, info, err)
}

func (w *snapshotWriter) abort() {
	if w.open != nil {
		w.open.Abort()
		w.open = nil
	}
}

// buffer returns an empty buffer, one that has been released if there is any.
func (w *snapshotWriter) buffer() []byte {
	select {
	case b := <-w.spare:
		return b[:0]
	default:
		return nil
	}
}

// release runs on the goroutine.
func (w *snapshotWriter) release(b []byte) {
	select {
	case w.spare <- b:
	default:
	}
}

func (w *snapshotWriter) clear() {
	if err := w.store.Clear(); err != nil {
		w.log.Warn("snapshots that are not needed any more stay", "error", err)
	}
}

// BeginSnapshot starts storing a snapshot.
func (l *loop) BeginSnapshot(slot wire.Slot, form snapshot.Form) {
	w := l.storage.snapshots
	w.jobs <- func() {
		w.abort()
		w.open, w.slot = w.store.Create(slot, form), slot
	}
}

// WriteSnapshot hands over a copy of the next piece of it.
func (l *loop) WriteSnapshot(piece []byte) {
	w := l.storage.snapshots
	own := append(w.buffer(), piece...)
	w.jobs <- func() {
		w.open.Write(own)
		w.release(own)
	}
}

// EndSnapshot has it made durable.
func (l *loop) EndSnapshot() {
	w := l.storage.snapshots
	w.jobs <- w.commit
}

// AbortSnapshot gives it up.
func (l *loop) AbortSnapshot() {
	w := l.storage.snapshots
	w.jobs <- w.abort
}

// ClearSnapshots removes all snapshots.
func (l *loop) ClearSnapshots() {
	w := l.storage.snapshots
	w.jobs <- w.clear
}

// SnapshotRoom reports whether the writer keeps up. One piece, with what begins and ends a snapshot, always fits into
// the queue then.
func (l *loop) SnapshotRoom() bool { return len(l.storage.snapshots.jobs) < maxSnapshotQueue }

// SendSnapshot reads a chunk for a peer on a goroutine of its own.
func (l *loop) SendSnapshot(to wire.ReplicaID, slot wire.Slot, offset uint64) {
	store := l.storage.snapshots.store
	go func() {
		m, ok := store.Answer(slot, offset)
		if !ok {
			return
		}
		l.transport.Post(func() {
			m.From, m.To = l.cfg.ID, to
			l.transport.Send(to, &m)
		})
	}()
}

// snapshotStored is called on the writer's goroutine when a snapshot is durable, or could not be stored.
func (l *loop) snapshotStored(slot wire.Slot, info snapshot.Info, err error) {
	l.transport.Post(func() {
		if err != nil {
			l.log.Error("snapshot failed", "slot", slot, "err", err)
			l.node.SnapshotFailed(slot)
			return
		}
		l.log.Info("snapshot stored", "slot", info.Slot, "bytes", info.Bytes)
		if l.node.SnapshotStored(info) {
			l.storage.covered = info.Slot
			l.log.Info("state replaced by a peer's snapshot", "slot", info.Slot)
		}
	})
}
