package etcdraft

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/server/v3/etcdserver/api/snap"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"paxosbench/bench/peers/front"
)

// storage is the log: in memory, as the library wants to see it, and in files if it is durable.
type storage struct {
	memory    *raft.MemoryStorage
	members   *raftpb.ConfState
	wal       *wal.WAL // nil: nothing is durable
	snapshots *snap.Snapshotter
	stopPurge chan struct{}
	kept      uint64 // entries kept behind a snapshot

	queue   *mailbox[*raftpb.Message]
	deliver func([]*raftpb.Message)
	install func(*raftpb.Snapshot)
}

const (
	purgeEvery    = time.Second
	keptSegments  = 1
	keptSnapshots = 2 // one may be about to be noted in the log
)

// openStorage opens what a node has kept, or begins anew, and restores the Front.
func openStorage(n front.Node, f *front.Front) (*storage, error) {
	s := &storage{
		memory: raft.NewMemoryStorage(), members: &raftpb.ConfState{}, kept: n.SnapshotEntries / 8,
		queue: newMailbox[*raftpb.Message](make(chan struct{}, 1)), stopPurge: make(chan struct{}),
	}
	for _, id := range slices.Sorted(maps.Keys(n.Members)) {
		s.members.Voters = append(s.members.Voters, uint64(id))
	}
	if err := s.begin(); err != nil || !n.Durable {
		return s, err
	}
	return s, s.openFiles(n.Dir, f)
}

// begin makes the memory one of a log that has just begun.
func (s *storage) begin() error {
	base := &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{ConfState: s.members, Index: new(uint64(baseIndex)), Term: new(uint64(baseTerm))}}
	if err := s.memory.ApplySnapshot(base); err != nil {
		return err
	}
	return s.memory.SetHardState(&raftpb.HardState{Term: new(uint64(baseTerm)), Vote: new(uint64(0)), Commit: new(uint64(baseIndex))})
}

func (s *storage) openFiles(dir string, f *front.Front) error {
	logDir, snapDir := filepath.Join(dir, "wal"), filepath.Join(dir, "snap")
	if err := os.MkdirAll(snapDir, 0o755); err != nil {
		return err
	}
	log := zap.NewNop()
	s.snapshots = snap.New(log, snapDir)
	var err error
	if wal.Exist(logDir) {
		err = s.reopen(log, logDir, f)
	} else if s.wal, err = wal.Create(log, logDir, nil); err == nil {
		err = s.wal.SaveSnapshot(s.mark(baseIndex, baseTerm))
	}
	if err != nil {
		return err
	}
	fileutil.PurgeFileWithDoneNotify(log, logDir, "wal", keptSegments, purgeEvery, s.stopPurge)
	fileutil.PurgeFileWithDoneNotify(log, snapDir, "snap", keptSnapshots, purgeEvery, s.stopPurge)
	return nil
}

// mark is what the write-ahead log says of a snapshot.
func (s *storage) mark(index, term uint64) *walpb.Snapshot {
	return &walpb.Snapshot{Index: new(index), Term: new(term), ConfState: s.members}
}

// reopen reads what there is: the newest snapshot, and the log behind it.
func (s *storage) reopen(log *zap.Logger, dir string, f *front.Front) error {
	marks, err := wal.ValidSnapshotEntries(log, dir)
	if err != nil {
		return err
	}
	start := s.mark(baseIndex, baseTerm)
	newest, err := s.snapshots.LoadNewestAvailable(marks)
	switch {
	case err == nil:
		if err := f.Restore(bytes.NewReader(newest.GetData())); err != nil {
			return err
		}
		if err := s.memory.ApplySnapshot(newest); err != nil {
			return err
		}
		start = s.mark(newest.GetMetadata().GetIndex(), newest.GetMetadata().GetTerm())
	case err != snap.ErrNoSnapshot:
		return err
	}
	if s.wal, err = wal.Open(log, dir, start); err != nil {
		return err
	}
	_, state, entries, err := s.wal.ReadAll()
	if err != nil {
		return fmt.Errorf("reading %s: %w", dir, err)
	}
	if !raft.IsEmptyHardState(state) {
		if err := s.memory.SetHardState(state); err != nil {
			return err
		}
	}
	return s.memory.Append(entries)
}

// run writes what the protocol wants kept, and answers when it is. What has gathered meanwhile is written together.
func (s *storage) run() {
	for {
		messages := s.queue.wait()
		if messages == nil {
			return
		}
		if err := s.write(messages); err != nil {
			panic(fmt.Sprintf("the log cannot be written: %v", err)) // nothing can be promised any more
		}
		for _, m := range messages {
			s.deliver(m.GetResponses())
		}
	}
}

func (s *storage) write(messages []*raftpb.Message) error {
	state := &raftpb.HardState{}
	var entries []*raftpb.Entry
	for _, m := range messages {
		if m.GetTerm() != 0 {
			state = &raftpb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}
		}
		if !raft.IsEmptySnap(m.Snapshot) {
			if err := s.save(state, entries); err != nil {
				return err
			}
			entries = nil
			if err := s.receive(m.GetSnapshot()); err != nil {
				return err
			}
		}
		if err := s.memory.Append(m.GetEntries()); err != nil {
			return err
		}
		entries = append(entries, m.GetEntries()...)
	}
	return s.save(state, entries)
}

// save puts states and entries into the files, and syncs them where that matters.
func (s *storage) save(state *raftpb.HardState, entries []*raftpb.Entry) error {
	if !raft.IsEmptyHardState(state) {
		if err := s.memory.SetHardState(state); err != nil {
			return err
		}
	}
	if s.wal == nil {
		return nil
	}
	return s.wal.Save(state, entries)
}

// receive installs a snapshot of the leader's.
func (s *storage) receive(snapshot *raftpb.Snapshot) error {
	if err := s.keep(snapshot); err != nil {
		return err
	}
	s.install(snapshot)
	return s.memory.ApplySnapshot(snapshot)
}

// keep puts a snapshot into files.
func (s *storage) keep(snapshot *raftpb.Snapshot) error {
	if s.wal == nil {
		return nil
	}
	if err := s.snapshots.SaveSnap(snapshot); err != nil {
		return err
	}
	index := snapshot.GetMetadata().GetIndex()
	if err := s.wal.SaveSnapshot(s.mark(index, snapshot.GetMetadata().GetTerm())); err != nil {
		return err
	}
	return s.wal.ReleaseLockTo(index)
}

// cut keeps a snapshot of this node's own and lets go of the log behind it, but for what followers may still need.
func (s *storage) cut(index uint64, data []byte) error {
	snapshot, err := s.memory.CreateSnapshot(index, s.members, data)
	if err == raft.ErrSnapOutOfDate { // the leader's has overtaken it
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.keep(snapshot); err != nil {
		return err
	}
	first, err := s.memory.FirstIndex()
	if err != nil || index < first+s.kept {
		return err
	}
	return s.memory.Compact(index - s.kept)
}

func (s *storage) close() error {
	close(s.stopPurge)
	if s.wal == nil {
		return nil
	}
	return s.wal.Close()
}
