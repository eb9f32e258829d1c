// Package hashicorp puts hashicorp/raft behind our client protocol.
//
// The settings, and why:
//   - Log: raft-wal, whose makers wrote it because the older store on BoltDB syncs twice for every append, behind the cache of 512
//     entries that their products have in front of it.
//   - BatchApplyCh on, which lets the leader append many commands at once, and MaxAppendEntries at 1024 instead of 64, which is how
//     many; a batching state machine, which is given as many.
//   - Requests in flight to a follower: two, the default, which the makers measured to be best unless the network is slow.
//   - HeartbeatTimeout, ElectionTimeout and LeaderLeaseTimeout are 500 ms, so that the heartbeats are 50 ms apart; pre-vote on, as by default.
//   - CommitTimeout is 5 ms instead of 50: what tells followers of the newest commit when nothing follows it.
//   - Snapshots as for the others here, looked for every 5 s, with 10,240 entries kept, as by default.
//   - Not synced (durability none): the library's stores in memory.
package hashicorp

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"

	"paxosbench/bench/peers/front"
	"paxosbench/wire"
)

const (
	maxAppendEntries = 1024
	commitTimeout    = 5 * time.Millisecond
	snapshotInterval = 5 * time.Second
	cachedEntries    = 512

	transportTimeout = 5 * time.Second
	pooledConns      = 3
	keptSnapshots    = 1
)

// core is one node of the library.
type core struct {
	front     *front.Front
	raft      *raft.Raft
	stores    stores
	transport *raft.NetworkTransport
	proposed  chan proposal
	leaders   chan raft.Observation
	wg        sync.WaitGroup
}

// proposal is one whose outcome is to be seen to.
type proposal struct {
	ticket uint64
	future raft.ApplyFuture
}

// stores is where a node keeps things.
type stores struct {
	log       raft.LogStore
	stable    raft.StableStore
	snapshots raft.SnapshotStore
	close     func() error
}

func openStores(n front.Node, log hclog.Logger) (stores, error) {
	if !n.Durable {
		memory := raft.NewInmemStore()
		return stores{memory, memory, raft.NewInmemSnapshotStore(), func() error { return nil }}, nil
	}
	dir := filepath.Join(n.Dir, "wal")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return stores{}, err
	}
	files, err := wal.Open(dir, wal.WithLogger(log))
	if err != nil {
		return stores{}, err
	}
	cache, err := raft.NewLogCache(cachedEntries, files)
	if err != nil {
		return stores{}, err
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(n.Dir, keptSnapshots, log)
	return stores{cache, files, snapshots, files.Close}, err
}

// Start starts a node.
func Start(f *front.Front, n front.Node) (front.Core, error) {
	log := hclog.New(&hclog.LoggerOptions{Name: "raft", Level: hclog.Error, Output: os.Stderr})
	stores, err := openStores(n, log)
	if err != nil {
		return nil, err
	}
	transport, err := raft.NewTCPTransportWithConfig(n.Members[n.ID], nil, &raft.NetworkTransportConfig{
		MaxPool: pooledConns, Timeout: transportTimeout, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	cfg := config(n, log)
	if err := bootstrap(cfg, n, stores, transport); err != nil {
		return nil, err
	}
	node, err := raft.NewRaft(cfg, &machine{front: f}, stores.log, stores.stable, stores.snapshots, transport)
	if err != nil {
		return nil, err
	}
	c := &core{
		front: f, raft: node, stores: stores, transport: transport,
		proposed: make(chan proposal, 1<<17), leaders: make(chan raft.Observation, 16),
	}
	node.RegisterObserver(raft.NewObserver(c.leaders, true, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	}))
	go c.observe()
	c.wg.Go(c.follow)
	_, leader := node.LeaderWithID() // who was heard of before somebody listened
	c.lead(leader)
	return c, nil
}

func config(n front.Node, log hclog.Logger) *raft.Config {
	cfg := raft.DefaultConfig()
	cfg.LocalID = serverID(n.ID)
	cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = front.ElectionTimeout, front.ElectionTimeout, front.ElectionTimeout
	cfg.CommitTimeout = commitTimeout
	cfg.MaxAppendEntries, cfg.BatchApplyCh = maxAppendEntries, true
	cfg.SnapshotInterval, cfg.SnapshotThreshold = snapshotInterval, n.SnapshotEntries
	cfg.NoLegacyTelemetry = true
	cfg.Logger = log
	return cfg
}

func serverID(id wire.ReplicaID) raft.ServerID { return raft.ServerID(strconv.Itoa(int(id))) }

// bootstrap says who the members are, on a node that does not know it yet.
func bootstrap(cfg *raft.Config, n front.Node, s stores, transport raft.Transport) error {
	known, err := raft.HasExistingState(s.log, s.stable, s.snapshots)
	if err != nil || known {
		return err
	}
	var members raft.Configuration
	for id, addr := range n.Members {
		members.Servers = append(members.Servers, raft.Server{ID: serverID(id), Address: raft.ServerAddress(addr)})
	}
	return raft.BootstrapCluster(cfg, s.log, s.stable, s.snapshots, transport, members)
}

// Propose implements front.Core.
func (c *core) Propose(entry []byte) error {
	c.proposed <- proposal{front.TicketOf(entry), c.raft.Apply(entry, 0)} // waits while the library's queue is full
	return nil
}

// observe sees to the outcomes of proposals, in their order. It may outlive the node: what a library that ends has in its queue it
// never answers.
func (c *core) observe() {
	for p := range c.proposed {
		if err := p.future.Error(); err != nil {
			c.front.Failed(p.ticket)
		}
	}
}

// follow hears who leads.
func (c *core) follow() {
	for o := range c.leaders {
		c.lead(o.Data.(raft.LeaderObservation).LeaderID)
	}
}

func (c *core) lead(leader raft.ServerID) {
	id, _ := strconv.Atoi(string(leader)) // empty: nobody leads
	c.front.SetLeader(c.raft.CurrentTerm(), wire.ReplicaID(id))
}

// Close implements front.Core.
func (c *core) Close() error {
	err := c.raft.Shutdown().Error()
	close(c.proposed)
	close(c.leaders)
	c.wg.Wait()
	c.transport.Close()
	if cerr := c.stores.close(); err == nil {
		err = cerr
	}
	return err
}

// machine is the state machine that the library sees.
type machine struct{ front *front.Front }

// Apply implements raft.FSM. The library calls ApplyBatch instead.
func (m *machine) Apply(l *raft.Log) any { return m.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch implements raft.BatchingFSM.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	for _, l := range logs {
		if l.Type != raft.LogCommand {
			continue
		}
		if err := m.front.Apply(l.Data); err != nil {
			panic(fmt.Sprintf("entry %d: %v", l.Index, err))
		}
	}
	m.front.Flush()
	return make([]any, len(logs))
}

// Snapshot implements raft.FSM.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	s, err := m.front.Snapshot()
	return snapshot{s}, err
}

// Restore implements raft.FSM.
func (m *machine) Restore(r io.ReadCloser) error {
	defer r.Close()
	return m.front.Restore(r)
}

// snapshot is the state after one entry.
type snapshot struct{ *front.Snapshot }

// Persist implements raft.FSMSnapshot.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := s.WriteTo(sink); err != nil {
		sink.Cancel()
		return err
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (s snapshot) Release() { s.Cancel() }
