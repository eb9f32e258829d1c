// Package dragon puts dragonboat v4 behind our client protocol.
//
// The settings, and why:
//   - Log storage: tan, which its makers call significantly faster than the default on Pebble and want to make the default.
//   - One shard, as there is one log in what it is compared with; dragonboat's own best figures are those of many.
//   - A concurrent state machine, whose snapshots do not stop it, and which is given committed entries many at a time.
//   - Sessions: the library's no-op session. Ours are in the state machine, as for every system here.
//   - CheckQuorum and PreVote on, as recommended. A tick is 10 ms (RTTMillisecond); heartbeats every 5 and elections after 50 of them.
//   - No compression, no TLS; queues unlimited, as by default. The engine's 16 workers each, as by default: those without a shard
//     sleep.
//   - Snapshots as often as for the others here, with an eighth of the log between two of them kept for nodes that lag.
//   - Not synced (durability none): the same storage on files in memory, since the library has no mode without a log.
//
// A proposal waits while the library's queue of 2048 is full. One that it drops, or of which it says nothing for five seconds, is
// answered busy, and the client sends it again.
package dragon

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/client"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/logger"
	"github.com/lni/dragonboat/v4/plugin/tan"
	"github.com/lni/dragonboat/v4/raftio"
	"github.com/lni/dragonboat/v4/statemachine"
	"github.com/lni/vfs"

	"paxosbench/bench/peers/front"
	"paxosbench/wire"
)

const (
	shard           = 1
	tick            = 10 * time.Millisecond
	proposalTimeout = 5 * time.Second
	busyPause       = 50 * time.Microsecond
	patience        = time.Second // how long a queue may be full before a proposal fails
)

// core is a node host with one shard.
type core struct {
	front    *front.Front
	host     *dragonboat.NodeHost
	session  *client.Session
	proposed chan proposal
	wg       sync.WaitGroup
}

// proposal is one whose outcome is to be seen to.
type proposal struct {
	ticket uint64
	state  *dragonboat.RequestState
}

// Start starts a node.
func Start(f *front.Front, n front.Node) (front.Core, error) {
	quiet()
	host, err := dragonboat.NewNodeHost(hostConfig(f, n))
	if err != nil {
		return nil, err
	}
	members := map[uint64]dragonboat.Target{}
	for id, addr := range n.Members {
		members[uint64(id)] = addr
	}
	create := func(uint64, uint64) statemachine.IConcurrentStateMachine { return &machine{front: f} }
	if err := host.StartConcurrentReplica(members, false, create, shardConfig(n)); err != nil {
		host.Close()
		return nil, err
	}
	c := &core{front: f, host: host, session: host.GetNoOPSession(shard), proposed: make(chan proposal, 1<<17)}
	c.wg.Go(c.observe)
	return c, nil
}

func hostConfig(f *front.Front, n front.Node) config.NodeHostConfig {
	expert := config.GetDefaultExpertConfig()
	expert.LogDBFactory = tan.Factory
	dir := n.Dir
	if !n.Durable {
		expert.FS, dir = vfs.NewMem(), "/memory"
	}
	return config.NodeHostConfig{
		NodeHostDir: dir, RaftAddress: n.Members[n.ID], RTTMillisecond: uint64(tick.Milliseconds()),
		RaftEventListener: listener{f}, Expert: expert,
	}
}

func shardConfig(n front.Node) config.Config {
	return config.Config{
		ReplicaID: uint64(n.ID), ShardID: shard, CheckQuorum: true, PreVote: true,
		ElectionRTT: uint64(front.ElectionTimeout / tick), HeartbeatRTT: uint64(front.Heartbeat / tick),
		SnapshotEntries: n.SnapshotEntries, CompactionOverhead: n.SnapshotEntries / 8,
	}
}

// quiet leaves only what is wrong in the log of the library.
func quiet() {
	for _, name := range []string{"config", "dragonboat", "logdb", "raft", "raftpb", "registry", "rsm", "server", "settings", "tan", "transport"} {
		logger.GetLogger(name).SetLevel(logger.ERROR)
	}
}

// Propose implements front.Core.
func (c *core) Propose(entry []byte) error {
	for until := time.Now().Add(patience); ; {
		state, err := c.host.Propose(c.session, entry, proposalTimeout)
		if err == nil {
			c.proposed <- proposal{front.TicketOf(entry), state}
			return nil
		}
		if !errors.Is(err, dragonboat.ErrSystemBusy) || time.Now().After(until) {
			return err
		}
		time.Sleep(busyPause)
	}
}

// observe sees to the outcomes of proposals, in their order: those that the state machine has not seen are sent again.
func (c *core) observe() {
	for p := range c.proposed {
		result := <-p.state.ResultC()
		if !result.Completed() {
			c.front.Failed(p.ticket)
		}
		p.state.Release()
	}
}

// Close implements front.Core.
func (c *core) Close() error {
	c.host.Close()
	close(c.proposed)
	c.wg.Wait()
	return nil
}

// listener hears who leads.
type listener struct{ front *front.Front }

// LeaderUpdated implements raftio.IRaftEventListener.
func (l listener) LeaderUpdated(info raftio.LeaderInfo) {
	l.front.SetLeader(info.Term, wire.ReplicaID(info.LeaderID))
}

// machine is the state machine that the library sees.
type machine struct{ front *front.Front }

// Update implements statemachine.IConcurrentStateMachine.
func (m *machine) Update(entries []statemachine.Entry) ([]statemachine.Entry, error) {
	for i := range entries {
		if err := m.front.Apply(entries[i].Cmd); err != nil {
			return nil, fmt.Errorf("entry %d: %w", entries[i].Index, err)
		}
	}
	m.front.Flush()
	return entries, nil
}

// Lookup implements statemachine.IConcurrentStateMachine. Reads go through the log.
func (m *machine) Lookup(any) (any, error) { return nil, errors.ErrUnsupported }

// PrepareSnapshot implements statemachine.IConcurrentStateMachine.
func (m *machine) PrepareSnapshot() (any, error) { return m.front.Snapshot() }

// SaveSnapshot implements statemachine.IConcurrentStateMachine.
func (m *machine) SaveSnapshot(snapshot any, w io.Writer, _ statemachine.ISnapshotFileCollection, _ <-chan struct{}) error {
	_, err := snapshot.(*front.Snapshot).WriteTo(w)
	return err
}

// RecoverFromSnapshot implements statemachine.IConcurrentStateMachine.
func (m *machine) RecoverFromSnapshot(r io.Reader, _ []statemachine.SnapshotFile, _ <-chan struct{}) error {
	return m.front.Restore(r)
}

// Close implements statemachine.IConcurrentStateMachine.
func (m *machine) Close() error { return nil }
