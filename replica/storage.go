package replica

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"paxosbench/replica/journal"
	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
	"paxosbench/replica/snapshot"
	"paxosbench/wire"
)

// storage is the replica's journal with its sync thread. The node numbers the records of its life from 1; the journal
// goes on where the last life ended.
type storage struct {
	log       *slog.Logger
	volatile  bool // nothing is kept: appended is durable
	journal   *journal.Journal
	committer *journal.Committer
	base      journal.LSN // of the last record of earlier lives
	appended  uint64
	inPlace   uint64 // records known durable from syncing on the loop, of this life
	forgot    bool   // the journal still says that the replica may not vote
	rejoin    node.Rejoin
	snapshots *snapshotWriter

	// The journal is not asked for slots up to covered: a snapshot of a peer stands for them, and what was accepted here
	// may be something else than what was chosen.
	covered wire.Slot

	archive *node.Archive // nil: volatile

	// Written by the sync thread.
	newest atomic.Uint64 // LSN
	failed atomic.Pointer[error]
	notify func()
}

// openStorage recovers the node from the data directory. stored is called, on the snapshot writer's goroutine, for
// every snapshot of this life.
func openStorage(cfg *Config, log *slog.Logger, n *node.Node, stored func(wire.Slot, snapshot.Info, error)) (*storage, error) {
	s := &storage{log: log, volatile: cfg.Durability == journal.DurabilityNone}
	if cfg.Unreplicated {
		s.volatile = true
		return s, nil
	}
	store := newSnapshotStore(cfg, log)
	recovery := node.NewRecovery(n, store)
	var err error
	s.journal, err = journal.Open(journal.Options{
		FS: journal.OSFS{}, Dir: cfg.Data, Durability: cfg.Durability,
		Identity:     journal.Identity{Cluster: cfg.ClusterID, Replica: cfg.ID, Settings: cfg.Agreement().Lasting()},
		SegmentBytes: int64(cfg.SegmentBytes), RecycleSegments: cfg.recycleSegments(),
		Bootstrap: cfg.Bootstrap, Rejoin: cfg.Rejoin, AcceptLoss: cfg.AcceptLoss, Lease: cfg.Agreement().Lease, Logger: log,
	}, replayInto(recovery))
	if err != nil {
		return nil, err
	}
	if err := finish(recovery, s.journal, cfg.Data); err != nil {
		return nil, errors.Join(err, s.journal.Close())
	}
	s.base, s.covered = journal.LSN(recovery.Last()), recovery.Covered()
	s.archive = node.NewArchive(s.journal)
	if s.forgot = s.journal.Amnesiac(); s.forgot {
		n.Forget()
		log.Warn("this replica has forgotten what it voted; it learns, and votes again once the leader has told it from where on")
	}
	s.newest.Store(uint64(s.base))
	s.committer = journal.NewCommitter(s.journal, s.synced)
	s.snapshots = newSnapshotWriter(store, log, stored)
	return s, nil
}

// onDurable sets what is called, on the sync thread, after records have become durable.
func (s *storage) onDurable(notify func()) { s.notify = notify }

// synced runs on the sync thread.
func (s *storage) synced(lsn journal.LSN, err error) {
	if err != nil {
		s.failed.Store(&err)
	} else {
		s.newest.Store(uint64(lsn))
	}
	s.notify()
}

// durable returns how many records of this life are durable. The sync thread's word may arrive after the loop has
// synced more itself.
func (s *storage) durable() (uint64, error) {
	if err := s.failed.Load(); err != nil {
		return 0, fmt.Errorf("journal: %w", *err)
	}
	return max(s.inPlace, s.newest.Load()-uint64(s.base)), nil
}

func (s *storage) append(r *wire.Record) {
	s.appended++
	if s.journal == nil {
		return
	}
	s.committer.Append(r)
}

// persist has everything appended made durable and returns how much is by now. Handing work to the sync thread and back
// costs two wake-ups, which pays only if the loop has something else to do meanwhile.
func (s *storage) persist(alone bool) (uint64, error) {
	if s.journal == nil {
		return s.appended, nil
	}
	if alone || s.volatile {
		lsn, ok, err := s.committer.Sync()
		if err != nil {
			return 0, fmt.Errorf("journal: %w", err)
		}
		if ok {
			s.inPlace = uint64(lsn - s.base)
			return s.inPlace, nil
		}
	}
	s.committer.Submit()
	return 0, nil
}

// markVoter has the journal remember that the replica votes again, once it does (see node.Rejoin).
func (s *storage) markVoter(core *paxos.Core) {
	durable, err := s.durable()
	if !s.forgot || err != nil || !s.rejoin.Done(core.Voting(), s.appended, durable) {
		return
	}
	s.forgot = false
	if err := s.journal.Rejoined(); err != nil {
		s.failed.Store(&err)
	}
	s.log.Info("voting again", "ballot", core.Ballot(), "commit", core.Commit())
}

// release lets go of the part of the journal that is of no more use (see node.Archive.Release).
func (s *storage) release(n *node.Node) {
	durable, err := s.durable()
	if s.volatile || err != nil {
		return
	}
	s.archive.Release(n, s.appended, durable)
}

// oldest returns the first slot that can be read back, given the first one in memory.
func (s *storage) oldest(memory wire.Slot) wire.Slot {
	if s.volatile {
		return memory
	}
	return s.archive.Oldest(s.covered)
}

// read finds chosen entries on disk and passes the answer to send, on a goroutine of its own. oldest is the first slot
// that can be read back.
func (s *storage) read(f paxos.Fetch, oldest wire.Slot, send func(wire.Message)) {
	go func() {
		send(s.entries(f, oldest))
	}()
}

func (s *storage) entries(f paxos.Fetch, oldest wire.Slot) wire.Message {
	if s.volatile {
		return node.Truncated(f, oldest)
	}
	m, err := s.archive.Entries(f, oldest)
	if err != nil {
		s.log.Error("reading entries for a peer", "from", f.From, "err", err)
	}
	return m
}

// close syncs what has been appended and lets go of the data directory.
func (s *storage) close() error {
	if s.journal == nil {
		return nil
	}
	s.snapshots.close()
	return errors.Join(s.committer.Close(), s.journal.Close())
}
