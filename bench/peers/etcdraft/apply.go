package etcdraft

import (
	"bytes"
	"fmt"
	"sync"

	"go.etcd.io/raft/v3/raftpb"

	"paxosbench/bench/peers/front"
)

// applier gives the Front what is committed.
type applier struct {
	front   *front.Front
	storage *storage
	every   uint64 // entries between two snapshots
	deliver func([]*raftpb.Message)
	queue   *mailbox[task]

	applied  uint64
	newest   uint64         // snapshot
	snapshot sync.WaitGroup // one is being written
	busy     chan struct{}  // holds a token while one is
	ended    chan struct{}
}

// task is committed entries, or a snapshot that stands for all up to it.
type task struct {
	entries  *raftpb.Message
	snapshot *raftpb.Snapshot
	done     chan struct{}
}

func newApplier(f *front.Front, s *storage, every uint64, deliver func([]*raftpb.Message)) *applier {
	first, err := s.memory.FirstIndex()
	if err != nil {
		panic("BUG: a storage in memory knows its first index: " + err.Error())
	}
	return &applier{
		front: f, storage: s, every: every, deliver: deliver, queue: newMailbox[task](make(chan struct{}, 1)),
		applied: first - 1, newest: first - 1, busy: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// install replaces the state by a snapshot's, behind all that is being applied. It ends with the node.
func (a *applier) install(s *raftpb.Snapshot) {
	t := task{snapshot: s, done: make(chan struct{})}
	a.queue.push(t)
	select {
	case <-t.done:
	case <-a.ended:
	}
}

func (a *applier) run() {
	defer a.snapshot.Wait()
	defer close(a.ended)
	for {
		tasks := a.queue.wait()
		if tasks == nil {
			return
		}
		for _, t := range tasks {
			a.do(t)
		}
	}
}

func (a *applier) do(t task) {
	if t.snapshot != nil {
		if err := a.front.Restore(bytes.NewReader(t.snapshot.GetData())); err != nil {
			panic(fmt.Sprintf("snapshot of the leader's: %v", err))
		}
		a.applied = t.snapshot.GetMetadata().GetIndex()
		a.newest = a.applied
		close(t.done)
		return
	}
	for _, e := range t.entries.GetEntries() {
		a.applied = e.GetIndex()
		if e.GetType() != raftpb.EntryNormal || len(e.GetData()) == 0 {
			continue // a new leader's first
		}
		if err := a.front.Apply(e.GetData()); err != nil {
			panic(fmt.Sprintf("entry %d: %v", e.GetIndex(), err))
		}
	}
	a.front.Flush()
	a.deliver(t.entries.GetResponses())
	if a.applied-a.newest >= a.every {
		a.begin()
	}
}

// begin begins a snapshot, unless the one before is still being written.
func (a *applier) begin() {
	select {
	case a.busy <- struct{}{}:
	default:
		return
	}
	index := a.applied
	a.newest = index
	s, err := a.front.Snapshot()
	if err != nil {
		panic(fmt.Sprintf("snapshot: %v", err))
	}
	a.snapshot.Go(func() {
		defer func() { <-a.busy }()
		var data bytes.Buffer
		if _, err := s.WriteTo(&data); err != nil {
			panic(fmt.Sprintf("snapshot: %v", err))
		}
		if err := a.storage.cut(index, data.Bytes()); err != nil {
			panic(fmt.Sprintf("snapshot: %v", err))
		}
	})
}
