package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"paxosbench/wire"
)

// portTries is how often a cluster is started whose ports somebody else takes meanwhile.
const portTries = 3

// Start starts a cluster and waits until all replicas follow one leader. If it fails, nothing runs, the directory is as it
// was, and the logs are in its directory "failed".
func Start(ctx context.Context, config Config) (*Cluster, error) {
	if config.Timeout == 0 {
		config.Timeout = DefaultTimeout
	}
	if err := config.validate(); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		c, err := start(ctx, config)
		if err == nil || !config.Search || try == portTries || !portsTaken(err) {
			return c, err
		}
	}
}

func start(ctx context.Context, config Config) (*Cluster, error) {
	c, err := newCluster(config.Dir)
	if err != nil {
		return nil, err
	}
	if config.Dir = c.dir; config.Progress != nil {
		c.progress = config.Progress
	}
	c.config, c.timeout = config, config.Timeout
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, fmt.Errorf("the directory of the cluster cannot be made: %w: name another one in %s", err, EnvState)
	}
	unlock, err := lock(ctx, c.dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	s, err := c.plan()
	if err != nil {
		return nil, err
	}
	if err := c.setAside(); err != nil {
		return nil, errors.Join(err, c.release())
	}
	if err := c.startAll(ctx, s); err != nil {
		return nil, errors.Join(fmt.Errorf("%w; logs: %s", err, c.path(failedDir)), c.giveUp(context.WithoutCancel(ctx), s))
	}
	s.Started = true
	return c, errors.Join(s.write(c.dir), os.RemoveAll(c.path(asideDir)))
}

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

// plan refuses what cannot be started as things stand, and returns the state of what can.
func (c *Cluster) plan() (*State, error) {
	before, err := c.before()
	if err != nil {
		return nil, err
	}
	s := &State{Format: stateFormat, Program: c.config.Program, Cluster: newID(), TLS: c.config.TLS}
	if c.config.System != nil {
		s.Program = c.config.System.Name
	}
	if c.config.Keep {
		if err := checkKept(before, c.config.Replicas, c.dir); err != nil {
			return nil, err
		}
		s.Cluster = before.Cluster
	}
	if s.Members, c.ports, err = c.config.places(); err != nil {
		return nil, err
	}
	if c.ports == nil {
		err = checkFree(s.Members, c.config.PortBase)
	}
	return s, err
}

// newID draws a cluster's id. Clusters that are started at the same moment have different ones.
func newID() string {
	var random [8]byte
	rand.Read(random[:])
	return strconv.FormatUint(binary.LittleEndian.Uint64(random[:])|1, 10) // 0 is no id
}

// before returns the state of the last cluster in the directory, nil if there is none. It refuses one that is up, and a
// directory with data that is not a cluster's.
func (c *Cluster) before() (*State, error) {
	if err := c.recoverAside(); err != nil {
		return nil, err
	}
	s, err := readState(c.dir)
	switch {
	case err == nil && s.up():
		return nil, refused("a cluster is up in %s; take it down first: %s", c.dir, CommandLine(c.dir, "down"))
	case !errors.Is(err, fs.ErrNotExist):
		return s, err
	}
	for _, name := range []string{dataDir, logsDir, tlsDir} {
		if _, err := os.Lstat(c.path(name)); err == nil {
			return nil, refused("%s exists, and no cluster of this program has made it; name another directory in %s", c.path(name), EnvState)
		}
	}
	return nil, nil
}

// checkKept refuses to take up data that is not there, or of a cluster of another size: a replica that lost its data is
// not a new replica.
func checkKept(before *State, replicas int, dir string) error {
	if before == nil {
		return refused("there is no data to keep in %s; leave out --keep", dir)
	}
	if n := len(before.Members); n != replicas {
		return refused("the data kept is that of %d replicas, not %d; say --replicas %d, or leave out --keep", n, replicas, n)
	}
	return nil
}

// startAll starts the network and the replicas, and waits for a leader.
func (c *Cluster) startAll(ctx context.Context, s *State) error {
	for _, m := range s.Members {
		if err := errors.Join(os.MkdirAll(filepath.Dir(m.Data), 0o755), os.MkdirAll(filepath.Dir(m.Log), 0o755)); err != nil {
			return err
		}
	}
	if s.TLS {
		if err := c.issue(s.Members); err != nil {
			return fmt.Errorf("credentials for the cluster: %w", err)
		}
	}
	addr, err := c.startNetwork(ctx, s)
	if err != nil {
		return err
	}
	var bootstrap []string
	if !c.config.Keep && c.config.System == nil {
		bootstrap = []string{"--bootstrap"}
	}
	for i := range s.Members {
		if m := &s.Members[i]; c.config.System == nil {
			m.Args = c.args(s, m, addr)
		} else if err := c.config.System.prepare(&c.config, s, m); err != nil {
			return err
		}
	}
	for i := range s.Members {
		if err := errors.Join(c.launch(s, &s.Members[i], bootstrap...), s.write(c.dir)); err != nil {
			return err
		}
	}
	return c.await(ctx, c.Err, c.settled)
}

// args is the command line of a replica. addr returns where it finds another one.
func (c *Cluster) args(s *State, m *Member, addr func(from wire.ReplicaID, to *Member) string) []string {
	args := []string{"--id", fmt.Sprint(m.ID), "--data", m.Data, "--admin", m.Admin, "--cluster-id", s.Cluster}
	for i := range s.Members {
		to := &s.Members[i]
		args = append(args, "--member", fmt.Sprintf("%d=%s,%s", to.ID, addr(m.ID, to), to.Client))
	}
	if s.TLS {
		args = append(args, "--tls", c.replicaCredentials(m))
	}
	return append(args, c.config.Flags...)
}

// launch starts one replica and notes that in the state.
func (c *Cluster) launch(s *State, m *Member, extra ...string) error {
	started, err := startProcess(m.Log, cmp.Or(m.Program, s.Program), append(m.Args, extra...), c.config.Tied)
	if err != nil {
		return err
	}
	m.Process, m.Down = &started.Process, false
	c.mu.Lock()
	defer c.mu.Unlock()
	c.children[m.ID] = started
	delete(c.read, m.ID)
	return nil
}

// release gives back what the program that has started the cluster holds for it.
func (c *Cluster) release() error {
	var errs []error
	if c.control != nil {
		errs = append(errs, c.control.Close(), c.network.Close())
	}
	if c.ports != nil {
		errs = append(errs, c.ports.release())
	}
	c.control, c.network, c.ports = nil, nil, nil
	return errors.Join(errs...)
}
