package replica

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/machine"
	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
	"paxosbench/replica/transport"
	"paxosbench/wire"
)

// Roles that a replica has beside those of the protocol (see paxos.Role).
const (
	RoleRecovering   = "recovering"   // it reads its data directory, and serves nothing yet
	RoleNonVoting    = "non-voting"   // it has lost what it voted, learns, and does not vote (see paxos, rejoin.go)
	RoleUnreplicated = "unreplicated" // it works alone
)

// Status is what /status answers. Counters count from the start of the process.
type Status struct {
	ID          wire.ReplicaID  `json:"id"`
	PID         int             `json:"pid"`
	Cluster     string          `json:"cluster"` // its id; a number of 64 bits, which many readers of JSON would round
	Role        string          `json:"role"`    // leader, follower, candidate, pre-candidate, recovering, non-voting, unreplicated
	Ballot      wire.Ballot     `json:"ballot"`
	Leader      wire.ReplicaID  `json:"leader"`
	Commit      wire.Slot       `json:"commit"`
	Applied     wire.Slot       `json:"applied"`
	Known       wire.Slot       `json:"known"`        // highest commit frontier heard of
	StateDigest string          `json:"state_digest"` // equal on replicas that have applied the same slot
	Records     int             `json:"records"`      // in the state machine
	StoreWeight uint64          `json:"store_weight"` // of the records, as --store-limit counts
	Sessions    int             `json:"sessions"`
	CPUNs       int64           `json:"cpu_ns"` // of the process
	InFlight    int             `json:"in_flight_slots"`
	Depth       int             `json:"depth"`   // slots that may be in flight now
	Version     any             `json:"version"` // what the program was built from
	Config      *Config         `json:"config"`
	Node        node.Stats      `json:"node"`
	Paxos       paxos.Stats     `json:"paxos"`
	State       machine.Stats   `json:"state"`
	Journal     journal.Stats   `json:"journal"`
	Transport   transport.Stats `json:"transport"`

	SnapshotSlot     wire.Slot      `json:"snapshot_slot"`     // of the newest snapshot kept here, 0: none
	SnapshotBytes    int64          `json:"snapshot_bytes"`    // its size as it is stored
	SnapshotsTaken   uint64         `json:"snapshots_taken"`   // of this replica's state
	SnapshotFetching wire.ReplicaID `json:"snapshot_fetching"` // peer whose snapshot is being fetched, 0: none

	Recovery Recovery `json:"recovery"`
	Quorum1  int      `json:"quorum1"` // replicas that elect a leader
	Quorum2  int      `json:"quorum2"` // replicas that choose a batch
	Voters   int      `json:"voters"`  // replicas that are within reach and vote, as far as this one knows; itself included
	Peers    []Peer   `json:"peers"`

	NotReady       string  `json:"not_ready"`        // why clients are better served elsewhere, empty: no reason
	NoLeaderReason string  `json:"no_leader_reason"` // why no leader is known, empty if one is
	NoLeaderS      float64 `json:"no_leader_s"`      // for how long there has been none
}

// status reads everything at one moment, on the loop.
func (l *loop) status() *Status {
	core, state := l.node.Core(), l.node.State()
	s := &Status{
		ID: l.cfg.ID, PID: os.Getpid(), Role: l.role(), Ballot: core.Ballot(), Leader: l.leader(),
		Commit: core.Commit(), Applied: state.Applied(), Known: core.Known(), StateDigest: fmt.Sprintf("%016x", state.Digest()),
		Records: state.Len(), StoreWeight: state.Weight(), Sessions: state.Sessions(), CPUNs: cpuNs(), Depth: core.Depth(), Version: l.cfg.Version, Config: l.cfg,
		Node: l.node.Stats(), Paxos: core.Stats(), State: state.Stats(), Journal: l.storage.Stats(),
		Quorum1: l.cfg.quorum1(), Quorum2: l.cfg.quorum2(), Voters: l.voters(), Peers: l.peers(),
		NotReady: l.notReady(), NoLeaderReason: l.whyNoLeader(), NoLeaderS: l.leaderless().Seconds(),
	}
	s.Cluster = strconv.FormatUint(l.membership.Cluster(), 10)
	s.InFlight, _ = core.InFlight()
	snapshots := l.node.Snapshots()
	s.SnapshotSlot, s.SnapshotBytes = snapshots.Newest.Slot, snapshots.Newest.Bytes
	s.SnapshotsTaken, s.SnapshotFetching = s.Node.SnapshotsTaken, snapshots.Fetching
	if l.cfg.Unreplicated {
		s.Commit = s.Applied
	}
	return s
}

// role returns what the replica is doing, in one word.
func (l *loop) role() string {
	switch {
	case l.cfg.Unreplicated:
		return RoleUnreplicated
	case !l.node.Core().Voting():
		return RoleNonVoting
	default:
		return l.node.Core().Role().String()
	}
}

// Status returns what the replica says about itself.
func (r *Replica) Status(ctx context.Context) (*Status, error) {
	l := r.loop.Load()
	if l == nil {
		return r.recovering(), nil
	}
	var s *Status
	if err := r.ask(ctx, 5*time.Second, func() { s = l.status() }); err != nil {
		return nil, err
	}
	s.Transport, s.Recovery = l.transport.Stats(), r.progress.report()
	return s, nil
}

// recovering is the status of a replica that has no loop yet.
func (r *Replica) recovering() *Status {
	s := &Status{
		ID: r.cfg.ID, PID: os.Getpid(), Role: RoleRecovering, CPUNs: cpuNs(), Version: r.cfg.Version, Config: r.cfg, Recovery: r.progress.report(),
		Quorum1: r.cfg.quorum1(), Quorum2: r.cfg.quorum2(),
	}
	s.NotReady = fmt.Sprintf("recovering: %d of %d bytes", s.Recovery.Bytes, s.Recovery.TotalBytes)
	s.NoLeaderReason = s.NotReady
	return s
}

// ask has f called on the loop and waits for that.
func (r *Replica) ask(ctx context.Context, timeout time.Duration, f func()) error {
	answered := make(chan struct{})
	r.loop.Load().transport.Post(func() {
		f()
		close(answered)
	})
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-answered:
		return nil
	case <-r.done:
		return errors.New("the replica has ended")
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return fmt.Errorf("the event loop has not answered within %v", timeout)
	}
}

func cpuNs() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}
