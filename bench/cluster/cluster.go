package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"paxosbench/bench/netem"
	"paxosbench/wire"
)

// Cluster is a cluster on this host. Its methods may be called from several goroutines, and on one cluster from several
// programs.
type Cluster struct {
	dir      string
	timeout  time.Duration
	progress func(string)
	expected string // id, if it matters

	// What belongs to the program that has started the cluster.
	config   Config
	ports    *block
	network  *netem.Network
	control  *netem.Control
	children map[wire.ReplicaID]*child

	mu   sync.Mutex // guards what follows, and children
	read map[wire.ReplicaID]recovery
}

// recovery is how far a replica has got with its data, as far as was seen.
type recovery struct{ bytes, total int64 }

// pollEvery is the time between two looks at processes or replicas.
const pollEvery = 10 * time.Millisecond

// Open returns the cluster of a directory. It fails with ErrRefused if there is none.
func Open(dir string) (*Cluster, error) {
	c, err := newCluster(dir)
	if err == nil {
		_, err = c.State()
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

func newCluster(dir string) (*Cluster, error) {
	dir, err := filepath.Abs(dir)
	return &Cluster{
		dir: dir, timeout: DefaultTimeout, progress: func(string) {},
		children: make(map[wire.ReplicaID]*child), read: make(map[wire.ReplicaID]recovery),
	}, err
}

// Dir returns the directory of the cluster.
func (c *Cluster) Dir() string { return c.dir }

// Up tells whether any replica runs.
func (c *Cluster) Up() (bool, error) {
	s, err := c.State()
	return err == nil && s.up(), err
}

// Expect makes everything fail from now on that would be done to a cluster with another id.
func (c *Cluster) Expect(id string) error {
	c.expected = id
	_, err := c.State()
	return err
}

// await polls until ok, and gives up when alive returns an error, or when the time is over. That begins anew as long as
// replicas get on with the recovery of their data.
func (c *Cluster) await(ctx context.Context, alive func() error, ok func(context.Context) bool) error {
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timeout := time.AfterFunc(c.timeout, func() { cancel(ErrNoLeader) })
	defer timeout.Stop()
	said := time.Now()
	for read := c.recovered(); !ok(limited); {
		if err := alive(); err != nil {
			return err
		}
		if now := c.recovered(); now != read {
			read = now
			timeout.Reset(c.timeout)
			said = c.tellRecovery(said)
		}
		select {
		case <-limited.Done():
			return c.explain(ctx, context.Cause(limited))
		case <-time.After(pollEvery):
		}
	}
	return nil
}

// explain adds to the error of a cluster without a leader why it has none.
func (c *Cluster) explain(ctx context.Context, err error) error {
	if !errors.Is(err, ErrNoLeader) {
		return err
	}
	text := strings.Join(c.Reasons(ctx), "; ")
	if text == "" {
		text = "no replica says why"
	}
	return fmt.Errorf("%w within %v: %s", ErrNoLeader, c.timeout, text)
}

// tellRecovery says once a second how far replicas are. It returns when it has last done so.
func (c *Cluster) tellRecovery(said time.Time) time.Time {
	if time.Since(said) < time.Second {
		return said
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, r := range c.read {
		if r.bytes < r.total {
			c.progress(fmt.Sprintf("replica %d recovers: %d of at most %d MiB", id, r.bytes>>20, r.total>>20))
		}
	}
	return time.Now()
}

// look fetches a replica's status and notes how far its recovery has come. One that is stopped is not asked.
func (c *Cluster) look(ctx context.Context, m *Member) (Status, error) {
	if m.Process != nil && m.Process.hung() {
		return Status{}, fmt.Errorf("replica %d is stopped", m.ID)
	}
	if m.Probe != nil {
		return m.Probe.ask(ctx, m.ID)
	}
	s, err := FetchStatus(ctx, m.Admin)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.read[m.ID] = recovery{s.Recovery.Bytes, s.Recovery.TotalBytes}
	}
	return s, err
}

// looks looks at all replicas at once. Those that do not answer have the zero status.
func (c *Cluster) looks(ctx context.Context, members []Member) []Status {
	found := make([]Status, len(members))
	var all sync.WaitGroup
	for i := range members {
		all.Go(func() {
			if s, err := c.look(ctx, &members[i]); err == nil {
				found[i] = s
			}
		})
	}
	all.Wait()
	agree(found, members)
	return found
}

// recovered returns how much the replicas have recovered, as far as was seen.
func (c *Cluster) recovered() (bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.read {
		bytes += r.bytes
	}
	return bytes
}

// settled tells whether every replica follows the same leader, which is when a measurement may begin.
func (c *Cluster) settled(ctx context.Context) bool {
	members, err := c.Members()
	if err != nil {
		return false
	}
	leader := wire.ReplicaID(0)
	for i, s := range c.looks(ctx, members) {
		follows := s.Leader
		if s.leads() {
			follows = members[i].ID
		}
		if follows == 0 || leader != 0 && follows != leader {
			return false
		}
		leader = follows
	}
	return true
}

// Members returns the replicas, running or not.
func (c *Cluster) Members() ([]Member, error) {
	s, err := c.State()
	if err != nil {
		return nil, err
	}
	return s.Members, nil
}

// Member returns a replica.
func (c *Cluster) Member(id wire.ReplicaID) (*Member, error) {
	s, err := c.State()
	if err != nil {
		return nil, err
	}
	return s.member(id)
}

// Leader waits for a leader and returns its id.
func (c *Cluster) Leader(ctx context.Context) (leader wire.ReplicaID, err error) {
	s, err := c.State()
	if err != nil {
		return 0, err
	}
	if !s.up() {
		return 0, fmt.Errorf("%w: no cluster is up in %s; start one: %s", ErrNoLeader, c.dir, CommandLine(c.dir, "up"))
	}
	err = c.await(ctx, func() error { return nil }, func(ctx context.Context) bool {
		leader = newestLeader(c.looks(ctx, s.Members))
		return leader != 0
	})
	return leader, err
}

// newestLeader returns the leader, 0 if there is none. Of two replicas that claim to lead, one has not heard yet: the
// higher ballot wins.
func newestLeader(found []Status) (leader wire.ReplicaID) {
	ballot := wire.Ballot(0)
	for _, s := range found {
		if s.leads() && s.Ballot >= ballot {
			leader, ballot = s.ID, s.Ballot
		}
	}
	return leader
}

// Reasons says why there is no leader, as the replicas see it.
func (c *Cluster) Reasons(ctx context.Context) (reasons []string) {
	members, err := c.Members()
	if err != nil {
		return nil
	}
	for i, s := range c.looks(context.WithoutCancel(ctx), members) {
		if s.NoLeaderReason != "" {
			reasons = append(reasons, fmt.Sprintf("replica %d: %s", members[i].ID, s.NoLeaderReason))
		}
	}
	return reasons
}

// Err returns an error if a replica has ended that was not ended on purpose.
func (c *Cluster) Err() error {
	s, err := c.State()
	if err != nil {
		return err
	}
	for i := range s.Members {
		if err := c.died(&s.Members[i]); err != nil {
			return err
		}
	}
	return nil
}

// died returns an error if a replica has ended that was not ended on purpose. Of a child of this program it is known for certain;
// of others there is what the system shows.
func (c *Cluster) died(m *Member) error {
	if m.Process == nil || m.Down {
		return nil
	}
	fate := "exit status unknown"
	if child := c.child(m); child != nil {
		if !child.over() {
			return nil
		}
		fate = child.fate()
	} else if m.Alive() {
		return nil
	}
	return fmt.Errorf("replica %d ended: %s; it said: %s", m.ID, fate, lastWords(m.Log))
}

// child returns the process of a replica if this program has started it, or nil.
func (c *Cluster) child(m *Member) *child {
	c.mu.Lock()
	defer c.mu.Unlock()
	if child := c.children[m.ID]; child != nil && child.Process == *m.Process {
		return child
	}
	return nil
}

// lastWords returns the last lines of a log.
func lastWords(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n  ")
}
