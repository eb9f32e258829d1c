// Package storage is what a replica has between its node and its disk: what is recovered at the start, when records are
// synced and what is durable, what the journal may let go, what peers are answered from it, and how snapshots are
// written and read.
//
// The event loop, the simulator and unit tests all use it as it is. What differs is how slow work is run (Runner) and what
// it is run on (journal.FS).
//
//	storage.go   opening and closing
//	recovery.go  what a start makes of snapshots and journal
//	commit.go    appending, syncing, and what is durable
//	voter.go     when a replica that had lost its memory is a voter again
//	lasting.go   what else outlives the life
//	archive.go   what of the journal is let go, and answers from the rest
//	snapshots.go writing, installing and serving snapshots
//	runner.go    where slow work is done
package storage

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/machine"
	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
	"paxosbench/replica/snapshot"
	"paxosbench/wire"
)

// Config describes a Storage.
type Config struct {
	Journal   journal.Options
	Snapshots snapshot.Identity
}

// Replica is the node as its storage sees it. All calls come on the replica's goroutine.
type Replica interface {
	// Restorer returns what a snapshot is restored with.
	Restorer() *machine.Restorer
	// RestoreSnapshot and Restore give back what earlier lives have left, before anything else: a snapshot, if there is
	// one, and then the records of the journal in their order.
	RestoreSnapshot(state *machine.State, info snapshot.Info)
	Restore(r *wire.Record) error
	// Forget says that earlier lives may have voted what is not given back.
	Forget()

	// Persisted says that the first records of this life, so many, are durable.
	Persisted(now time.Duration, records uint64)
	// SnapshotStored and SnapshotFailed say how the storing of a snapshot has ended.
	SnapshotStored(info snapshot.Info) (installed bool)
	SnapshotFailed(slot wire.Slot)
	// Answer sends a peer what it has asked for.
	Answer(to wire.ReplicaID, m wire.Message)
	// Fail says that nothing will be durable any more.
	Fail(err error)

	Core() *paxos.Core
	State() *machine.State
	Snapshots() node.SnapshotStatus
	Releasable() wire.Slot
}

// Storage is the storage of one life of a replica. It belongs to the replica's goroutine.
type Storage struct {
	cfg      Config
	log      *slog.Logger
	runner   Runner
	volatile bool // nothing is kept of what is appended
	replica  Replica
	journal  *journal.Journal // nil: not open

	base     journal.LSN // of the last record of earlier lives
	appended uint64      // records of this life
	inPlace  uint64      // of those, known to be durable from syncing on the replica's goroutine
	flusher  Worker
	newest   atomic.Uint64         // LSN that the flusher has made durable
	failed   atomic.Pointer[error] // the journal's, final
	announce func()                // persisted, kept because a new one for each sync would have to be allocated
	times    flushTimes

	opened        time.Duration
	leasesExpired bool // those of earlier lives

	maintenance Worker
	prepared    time.Duration // when Tick last had a part of the next segment prepared
	voter       voter
	archive     archive
	snapshots   *snapshotWriter
}

var _ node.Storage = (*Storage)(nil)

// New returns a storage that touches nothing yet. One that is never opened keeps nothing, and is asked for nothing.
func New(cfg Config, runner Runner) *Storage {
	if cfg.Journal.Logger == nil {
		cfg.Journal.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Storage{cfg: cfg, log: cfg.Journal.Logger, runner: runner, volatile: cfg.Journal.Durability == journal.DurabilityNone}
	s.announce = s.persisted
	return s
}

// Open gives a replica that has never run back what earlier lives have left, and keeps what this one makes.
func (s *Storage) Open(r Replica) error {
	s.replica = r
	store := s.newStore()
	recovery := newRecovery(r, store)
	j, err := journal.Open(s.cfg.Journal, recovery.replay)
	if err != nil {
		return err
	}
	if err := recovery.finish(j.FirstSlot()); err != nil {
		return errors.Join(err, j.Close())
	}
	s.journal, s.base, s.opened = j, recovery.last, s.runner.Now()
	s.newest.Store(uint64(s.base))
	s.archive.covered = recovery.slot
	r.Core().HonourLeases(j.GrantedLease())
	if s.voter.amnesiac = j.Amnesiac(); s.voter.amnesiac {
		r.Forget()
		s.log.Warn("this replica has forgotten what it voted; it learns, and votes again once the leader has told it from where on")
	}
	s.flusher = s.runner.Worker(s.flush)
	s.maintenance = s.runner.Worker(j.Maintain)
	j.OnMaintenance(s.maintenance.Wake)
	s.maintenance.Wake()
	s.snapshots = newSnapshotWriter(s, store)
	return nil
}

// newStore returns where snapshots are kept: in the data directory, or in memory if nothing is kept on disk.
func (s *Storage) newStore() *snapshot.Store {
	files := s.cfg.Journal.FS
	if s.volatile {
		files = snapshot.NewMemory()
	}
	return snapshot.NewStore(files, s.cfg.Journal.Dir, s.cfg.Snapshots, s.log)
}

// Tick does what becomes due by itself; the replica calls it whenever it tells the node the time.
func (s *Storage) Tick() {
	durable, err := s.Durable()
	if s.journal == nil || err != nil {
		return
	}
	s.recordVoter(durable)
	s.recordLeases()
	s.release(durable)
	s.prepare()
}

// prepareInterval is the time between the steps in which the next segment is prepared: 8 seconds for all of it, or 8 MiB
// of zeros a second beside the log.
const prepareInterval = 16 * time.Millisecond

// prepare has the next segment brought a step further, if it is time.
func (s *Storage) prepare() {
	if now := s.runner.Now(); now-s.prepared >= prepareInterval && s.journal.Preparing() {
		s.prepared = now
		s.maintenance.Wake()
	}
}

// Close makes durable what has been appended, gives up a snapshot that is unfinished, and lets go of the data directory.
func (s *Storage) Close() error {
	if s.journal == nil {
		return nil
	}
	s.snapshots.close()
	s.flusher.Stop()
	s.journal.OnMaintenance(nil)
	s.maintenance.Stop()
	err := s.journal.Close()
	if err == nil {
		s.newest.Store(uint64(s.base) + s.appended)
	}
	return err
}

// Stats returns the journal's counters.
func (s *Storage) Stats() journal.Stats {
	if s.journal == nil {
		return journal.Stats{}
	}
	stats := s.journal.Stats()
	s.times.into(&stats)
	return stats
}
