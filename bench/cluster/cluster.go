package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"paxosbench/wire"
)

// Cluster is a running cluster. Its methods may be called from several goroutines.
type Cluster struct {
	config    Config
	clusterID string
	ports     *block // nil once stopped
	members   []member
	links     links

	mu       sync.Mutex
	replicas map[wire.ReplicaID]*process // all that were started, the last start of each
	killed   map[wire.ReplicaID]bool     // on purpose, and not started again
	read     map[wire.ReplicaID]int64    // bytes that the replicas have recovered, as far as was seen
}

// ErrNoLeader is the error of a cluster that has not agreed on a leader in time.
var ErrNoLeader = errors.New("no leader")

// pollEvery is the time between two looks at the replicas.
const pollEvery = 10 * time.Millisecond

// Start starts a cluster on fresh data and waits until all replicas follow one leader. If it fails, nothing runs, and
// the logs are in config.Dir.
func Start(ctx context.Context, config Config) (*Cluster, error) {
	if config.Patience == 0 {
		config.Patience = DefaultPatience
	}
	if err := config.validate(); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		c, err := start(ctx, config)
		if err == nil {
			return c, nil
		}
		if try == portTries || !portsTaken(err) {
			return nil, err
		}
		if err := os.RemoveAll(config.Dir); err != nil {
			return nil, err
		}
	}
}

// portTries is how often a cluster is started whose ports somebody else takes meanwhile.
const portTries = 3

// start starts a cluster on the first ports that are free.
func start(ctx context.Context, config Config) (*Cluster, error) {
	if err := os.Mkdir(config.Dir, 0o755); err != nil {
		return nil, err
	}
	ports, err := claimBlock(config.PortBase, 3*config.Replicas)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		config: config, ports: ports, members: config.members(ports), clusterID: strconv.FormatInt(time.Now().UnixNano()>>20, 10),
		replicas: make(map[wire.ReplicaID]*process), killed: make(map[wire.ReplicaID]bool),
		read: make(map[wire.ReplicaID]int64),
	}
	if err := c.startAll(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Cluster) startAll(ctx context.Context) (err error) {
	if c.links, err = newLinks(c.members, c.config.Link); err != nil {
		return err
	}
	for _, m := range c.members {
		if err := c.launch(m, "--bootstrap"); err != nil {
			return err
		}
	}
	return c.await(ctx, c.settled)
}

// launch starts one replica.
func (c *Cluster) launch(m member, extra ...string) error {
	p, err := startProcess(m.log, c.config.Program, append(c.args(m), extra...))
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replicas[m.id] = p
	delete(c.killed, m.id)
	return nil
}

// args is the command line of a replica.
func (c *Cluster) args(m member) []string {
	args := []string{"--id", fmt.Sprint(m.id), "--data", m.data, "--admin", m.admin, "--cluster-id", c.clusterID}
	for _, other := range c.members {
		args = append(args, "--member", fmt.Sprintf("%d=%s,%s", other.id, c.links.addr(m.id, other), other.client))
	}
	return append(args, c.config.Flags...)
}

// await polls until ok, and gives up on a replica that ended, or when patience does. That begins anew as long as replicas
// get on with the recovery of their data.
func (c *Cluster) await(ctx context.Context, ok func(context.Context) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := time.AfterFunc(c.config.Patience, func() { cancel(fmt.Errorf("%w within %v", ErrNoLeader, c.config.Patience)) })
	defer patience.Stop()
	for read := c.recovered(); !ok(ctx); {
		if err := c.Err(); err != nil {
			return err
		}
		if now := c.recovered(); now != read {
			read = now
			patience.Reset(c.config.Patience)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
	return nil
}

// look fetches a replica's status and notes how far its recovery has come.
func (c *Cluster) look(ctx context.Context, m member) (status, error) {
	s, err := fetchStatus(ctx, m.admin)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.read[m.id] = s.Recovery.Bytes
	}
	return s, err
}

// recovered returns how much the replicas have recovered, as far as was seen.
func (c *Cluster) recovered() (bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.read {
		bytes += n
	}
	return bytes
}

// settled tells whether every replica follows the same leader.
func (c *Cluster) settled(ctx context.Context) bool {
	leader := wire.ReplicaID(0)
	for _, m := range c.members {
		s, err := c.look(ctx, m)
		if err != nil {
			return false
		}
		follows := s.Leader
		if s.leads() {
			follows = m.id
		}
		if follows == 0 || leader != 0 && follows != leader {
			return false
		}
		leader = follows
	}
	return true
}

// Err returns an error if a replica has ended that was not killed on purpose.
func (c *Cluster) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, p := range c.replicas {
		if !p.alive() && !c.killed[id] {
			return fmt.Errorf("replica %d ended: %s; it said: %s", id, p.fate(), lastWords(c.members[id-1].log))
		}
	}
	return nil
}

// lastWords returns the last line of a log.
func lastWords(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// Addrs returns the replicas' addresses for clients.
func (c *Cluster) Addrs() []string {
	return c.addrs(func(m member) string { return m.client })
}

// Admins returns the replicas' admin addresses.
func (c *Cluster) Admins() []string {
	return c.addrs(func(m member) string { return m.admin })
}

func (c *Cluster) addrs(which func(member) string) []string {
	addrs := make([]string, len(c.members))
	for i, m := range c.members {
		addrs[i] = which(m)
	}
	return addrs
}

// Logs returns the files that the replicas write their logs to.
func (c *Cluster) Logs() []string {
	return c.addrs(func(m member) string { return m.log })
}

// Leader waits for a leader and returns its id. Of two replicas that claim to lead, one has not heard yet: the higher
// ballot wins.
func (c *Cluster) Leader(ctx context.Context) (wire.ReplicaID, error) {
	leader := wire.ReplicaID(0)
	err := c.await(ctx, func(ctx context.Context) bool {
		ballot := wire.Ballot(0)
		for _, m := range c.members {
			if s, err := c.look(ctx, m); err == nil && s.leads() && s.Ballot >= ballot {
				leader, ballot = m.id, s.Ballot
			}
		}
		return leader != 0
	})
	return leader, err
}

// Kill ends a replica at once, as a crash would.
func (c *Cluster) Kill(id wire.ReplicaID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.replicas[id]
	if p == nil || !p.alive() {
		return fmt.Errorf("replica %d is not running", id)
	}
	c.killed[id] = true
	return p.kill()
}

// Restart starts a killed replica on the data it left, and waits until it has recovered.
func (c *Cluster) Restart(ctx context.Context, id wire.ReplicaID) error {
	c.mu.Lock()
	killed := c.killed[id]
	c.mu.Unlock()
	if !killed {
		return fmt.Errorf("replica %d has not been killed", id)
	}
	m := c.members[id-1]
	if err := c.launch(m); err != nil {
		return err
	}
	return c.await(ctx, func(ctx context.Context) bool {
		s, err := c.look(ctx, m)
		return err == nil && !s.recovers()
	})
}

// Stop ends all replicas and links, waits for that, and gives the ports back. Data and logs stay. Stopping what is
// stopped does nothing.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ports == nil {
		return nil
	}
	errs := make([]error, len(c.members), len(c.members)+2)
	var all sync.WaitGroup
	for i, m := range c.members {
		if p := c.replicas[m.id]; p != nil {
			c.killed[m.id] = true
			all.Go(func() { errs[i] = p.stop(c.config.Patience) })
		}
	}
	all.Wait()
	errs = append(errs, c.links.close(), c.ports.release())
	c.ports = nil
	return errors.Join(errs...)
}

// Close ends all replicas and removes data and logs.
func (c *Cluster) Close() error {
	return errors.Join(c.Stop(), os.RemoveAll(c.config.Dir))
}
