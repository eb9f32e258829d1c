package replica

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"paxosbench/replica/transport/freeport"
	"paxosbench/wire"
)

// trial is three replicas in one process.
type trial struct {
	*testing.T
	configs  [3]Config
	replicas [3]*Replica
}

// newTrial prepares three replicas whose flags are the defaults but for sizes.
func newTrial(t *testing.T, change func(*Config)) *trial {
	tr := &trial{T: t}
	dir := t.TempDir()
	var members []Member
	for id := wire.ReplicaID(1); id <= 3; id++ {
		members = append(members, Member{id, freeport.Addr(t), freeport.Addr(t)})
	}
	for i := range tr.configs {
		c := Default()
		c.ID, c.Members, c.Data, c.Bootstrap = wire.ReplicaID(i+1), members, filepath.Join(dir, fmt.Sprint(i+1)), true
		c.SegmentBytes, c.MaxClients, c.Heartbeat, c.ElectionTimeout = minSegmentBytes, 10, 20*time.Millisecond, 200*time.Millisecond
		change(&c)
		tr.configs[i] = c
	}
	t.Cleanup(func() {
		for i := range tr.replicas {
			tr.stop(i)
		}
	})
	return tr
}

func (tr *trial) start(i int, said chan<- struct{}, text string) {
	tr.Helper()
	var err error
	log := slog.New(slog.NewTextHandler(&watcher{text: text, found: said, done: said == nil}, nil))
	if tr.replicas[i], err = Start(context.Background(), tr.configs[i], log); err != nil {
		tr.Fatal(err)
	}
}

func (tr *trial) stop(i int) {
	tr.Helper()
	if r := tr.replicas[i]; r != nil {
		tr.replicas[i] = nil
		if err := r.Close(); err != nil {
			tr.Error(err)
		}
	}
}

// ready waits until a replica votes and knows a leader, and returns its cluster.
func (tr *trial) ready(i int) string {
	tr.Helper()
	ctx, cancel := context.WithTimeout(tr.Context(), 20*time.Second)
	defer cancel()
	if err := tr.replicas[i].Ready(ctx); err != nil {
		tr.Fatal(err)
	}
	s, err := tr.replicas[i].Status(ctx)
	if err != nil {
		tr.Fatal(err)
	}
	return s.Cluster
}

// startAll starts all three and returns their cluster.
func (tr *trial) startAll() string {
	tr.Helper()
	for i := range tr.configs {
		tr.start(i, nil, "")
	}
	clusters := []string{tr.ready(0), tr.ready(1), tr.ready(2)}
	if slices.Contains(clusters, "0") || clusters[0] != clusters[1] || clusters[0] != clusters[2] {
		tr.Fatalf("the replicas are of clusters %v", clusters)
	}
	return clusters[0]
}

// A cluster draws an id that lasts. A replica whose disk was wiped, and which starts as a new one because the flag was left in,
// is refused with the remedy, and the remedy works; whichever replica it is, also the one that draws ids.
func TestWipedReplicaIsNotANewOne(t *testing.T) {
	for _, id := range []uint64{0, 77} {
		for lost := range 2 {
			t.Run(fmt.Sprintf("cluster-id %d, replica %d", id, lost+1), func(t *testing.T) {
				tr := newTrial(t, func(c *Config) { c.ClusterID = id })
				cluster := tr.startAll()
				if id != 0 && cluster != fmt.Sprint(id) {
					t.Errorf("cluster %s, want %d", cluster, id)
				}
				for i := range tr.replicas { // all flags are left in, and matter no more
					tr.stop(i)
				}
				if again := tr.startAll(); again != cluster {
					t.Errorf("cluster %s after a restart, %s before", again, cluster)
				}
				tr.stop(lost)
				tr.wipe(lost)
				said := make(chan struct{}, 1)
				tr.start(lost, said, "--rejoin instead of --bootstrap")
				select {
				case <-said:
				case <-time.After(20 * time.Second):
					t.Fatal("the replica is not refused")
				}
				tr.stop(lost)
				if id != 0 {
					tr.wipe(lost) // it has an identity in the directory, as it was told
				}
				tr.configs[lost].Bootstrap, tr.configs[lost].Rejoin = false, true
				tr.start(lost, nil, "")
				if again := tr.ready(lost); again != cluster {
					t.Errorf("cluster %s after rejoining, %s before", again, cluster)
				}
			})
		}
	}
}

func (tr *trial) wipe(i int) {
	tr.Helper()
	if err := os.RemoveAll(tr.configs[i].Data); err != nil {
		tr.Fatal(err)
	}
}

// A replica that finds one of another cluster at a peer's address is refused, though nobody gave a cluster's id.
func TestOtherClusterOnAPeersPort(t *testing.T) {
	one, other := newTrial(t, func(*Config) {}), newTrial(t, func(*Config) {})
	one.startAll()
	other.startAll()
	other.stop(2)
	members := slices.Clone(other.configs[2].Members)
	members[0].Peer = one.configs[0].Members[0].Peer
	other.configs[2].Members = members
	said := make(chan struct{}, 1)
	other.start(2, said, "cluster-id: replica 3 has ")
	select {
	case <-said:
	case <-time.After(20 * time.Second):
		t.Fatal("the replica is not refused")
	}
}
