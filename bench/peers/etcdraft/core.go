// Package etcdraft puts etcd's Raft library, go.etcd.io/raft v3, behind our client protocol, with etcd's write-ahead log and a plain TCP
// transport of our own: the library has neither.
//
// The settings, and why:
//   - Storage is written asynchronously (AsyncStorageWrites), the library's newest way, made for throughput: one goroutine runs the
//     protocol, one syncs the log, one applies. What has gathered while a sync was under way shares the next one.
//   - Proposals that wait together are one step of the protocol, with an entry each.
//   - MaxSizePerMsg 1 MiB and MaxInflightMsgs 512 are those of the etcd server.
//   - CheckQuorum and PreVote on, as in the etcd server. A tick is a heartbeat, 50 ms, and an election ten, as the makers suggest.
//   - Proposals that reach a follower are dropped, not forwarded: clients are sent to the leader instead.
//   - The write-ahead log as it is: segments of 64 MB, allocated beforehand. Snapshots as for the others here, with an eighth of the log between two of
//     them kept; released segments are removed every second.
//   - Not synced (durability none): the library's storage in memory, which is there in any case, and no write-ahead log.
package etcdraft

import (
	"io"
	"log"
	"sync"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"paxosbench/bench/peers/front"
	"paxosbench/wire"
)

const (
	electionTicks   = int(front.ElectionTimeout / front.Heartbeat)
	maxSizePerMsg   = 1 << 20
	maxInflightMsgs = 512

	// A log begins behind an empty snapshot of this index and term, which says who the members are.
	baseIndex, baseTerm = 1, 1
)

// core runs the protocol.
type core struct {
	front     *front.Front
	id        uint64
	node      *raft.RawNode
	storage   *storage
	applier   *applier
	transport *transport
	inbox     *mailbox[*raftpb.Message] // to be stepped
	proposed  *mailbox[[]byte]
	reports   *mailbox[report]
	stop      chan struct{}
	wg        sync.WaitGroup
}

// report is what became of something that was sent to a peer.
type report struct {
	peer     uint64
	snapshot bool // a snapshot was sent
	ok       bool
}

// Start starts a node.
func Start(f *front.Front, n front.Node) (front.Core, error) {
	c := &core{front: f, id: uint64(n.ID), stop: make(chan struct{})}
	wake := make(chan struct{}, 1)
	c.inbox, c.proposed, c.reports = newMailbox[*raftpb.Message](wake), newMailbox[[]byte](wake), newMailbox[report](wake)
	var err error
	if c.storage, err = openStorage(n, f); err != nil {
		return nil, err
	}
	c.applier = newApplier(f, c.storage, n.SnapshotEntries, c.deliver)
	if c.transport, err = newTransport(n, c.inbox.push, c.reports.push); err != nil {
		c.storage.close()
		return nil, err
	}
	c.storage.deliver, c.storage.install = c.deliver, c.applier.install
	if c.node, err = raft.NewRawNode(c.config()); err != nil {
		c.transport.close()
		c.storage.close()
		return nil, err
	}
	c.wg.Go(c.run)
	c.wg.Go(c.storage.run)
	c.wg.Go(c.applier.run)
	return c, nil
}

func (c *core) config() *raft.Config {
	return &raft.Config{
		ID: c.id, ElectionTick: electionTicks, HeartbeatTick: 1, Storage: c.storage.memory, Applied: c.applier.applied,
		AsyncStorageWrites: true, MaxSizePerMsg: maxSizePerMsg, MaxInflightMsgs: maxInflightMsgs,
		CheckQuorum: true, PreVote: true, DisableProposalForwarding: true,
		Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)},
	}
}

// Propose implements front.Core. How much waits is bounded by the Front.
func (c *core) Propose(entry []byte) error {
	c.proposed.push(entry)
	return nil
}

// Close implements front.Core.
func (c *core) Close() error {
	close(c.stop)
	c.transport.close()
	c.storage.queue.close()
	c.applier.queue.close()
	c.wg.Wait()
	return c.storage.close()
}

// deliver takes what storage answers, to this node or to others.
func (c *core) deliver(messages []*raftpb.Message) {
	for _, m := range messages {
		if m.GetTo() == c.id {
			c.inbox.push(m)
		} else {
			c.transport.send(m)
		}
	}
}

// run is the goroutine that the protocol belongs to.
func (c *core) run() {
	ticker := time.NewTicker(front.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-ticker.C:
			c.node.Tick()
		case <-c.inbox.wake:
		}
		for _, r := range c.reports.take() {
			c.report(r)
		}
		for _, m := range c.inbox.take() {
			// What the protocol refuses is out of date.
			_ = c.node.Step(m)
		}
		c.propose(c.proposed.take())
		for c.node.HasReady() {
			c.handle(c.node.Ready())
		}
	}
}

// propose proposes entries in one step.
func (c *core) propose(entries [][]byte) {
	if len(entries) == 0 {
		return
	}
	m := &raftpb.Message{Type: raftpb.MsgProp.Enum(), From: new(c.id), Entries: make([]*raftpb.Entry, len(entries))}
	list := make([]raftpb.Entry, len(entries))
	for i, entry := range entries {
		list[i].Data = entry
		m.Entries[i] = &list[i]
	}
	if err := c.node.Step(m); err == nil {
		return
	}
	for _, entry := range entries {
		c.front.Failed(front.TicketOf(entry))
	}
}

func (c *core) report(r report) {
	switch {
	case !r.snapshot:
		c.node.ReportUnreachable(r.peer)
	case r.ok:
		c.node.ReportSnapshot(r.peer, raft.SnapshotFinish)
	default:
		c.node.ReportSnapshot(r.peer, raft.SnapshotFailure)
	}
}

// handle hands on what the protocol wants done.
func (c *core) handle(ready raft.Ready) {
	if ready.SoftState != nil {
		c.front.SetLeader(c.node.BasicStatus().GetTerm(), wire.ReplicaID(ready.SoftState.Lead))
	}
	for _, m := range ready.Messages {
		switch m.GetTo() {
		case raft.LocalAppendThread:
			c.storage.queue.push(m)
		case raft.LocalApplyThread:
			c.applier.queue.push(task{entries: m})
		default:
			c.transport.send(m)
		}
	}
}
