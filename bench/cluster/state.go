package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/wire"
)

// What is in the directory of a cluster, and nothing else.
const (
	stateFile = "cluster.json"
	dataDir   = "data"
	logsDir   = "logs"
	tlsDir    = "tls"    // credentials, each in a directory of its own
	failedDir = "failed" // logs and state of a start that failed
	asideDir  = "aside"  // data, logs and state of the cluster before, until the new one has started
)

// stateFormat is the version of the state file.
const stateFormat = 1

// State is what is known about a cluster.
type State struct {
	Format  int      `json:"format"`
	Cluster string   `json:"cluster"` // its id; a number of 64 bits, which many readers of JSON would round
	Program string   `json:"program"` // of the replicas, or the name of another system
	Members []Member `json:"members"`
	Network *Network `json:"network,omitempty"` // nil: the replicas reach each other directly
	TLS     bool     `json:"tls,omitempty"`     // clients and replicas prove who they are
	Started bool     `json:"started"`           // all replicas have followed one leader
}

// Member is one replica.
type Member struct {
	ID     wire.ReplicaID `json:"id"`
	Client string         `json:"client"` // addresses
	Peer   string         `json:"peer"`
	Admin  string         `json:"admin"`
	Data   string         `json:"data"` // directory
	Log    string         `json:"log"`
	Args   []string       `json:"args"` // of every start but the first, which adds what makes a new cluster

	// Program and Probe are those of a process of another system.
	Program string `json:"program,omitempty"`
	Probe   *Probe `json:"probe,omitempty"`

	Process *Process `json:"process,omitempty"` // of the last start
	Down    bool     `json:"down"`              // on purpose
}

// Network is the emulated network between the replicas.
type Network struct {
	Control string   `json:"control"`           // address that package netem asks
	Process *Process `json:"process,omitempty"` // nil: it is part of the process that started the cluster
}

// alive tells whether the replica's process runs.
func (m *Member) Alive() bool { return m.Process != nil && m.Process.Alive() }

// up tells whether any replica runs, or the network between them.
func (s *State) up() bool {
	if s.Network != nil && s.Network.Process != nil && s.Network.Process.Alive() {
		return true
	}
	for i := range s.Members {
		if s.Members[i].Alive() {
			return true
		}
	}
	return false
}

// member returns a replica.
func (s *State) member(id wire.ReplicaID) (*Member, error) {
	for i := range s.Members {
		if s.Members[i].ID == id {
			return &s.Members[i], nil
		}
	}
	return nil, fmt.Errorf("%w %d: want 1 to %d", ErrNoReplica, id, len(s.Members))
}

// readState reads the state file of a directory. The error is fs.ErrNotExist if there is none.
func readState(dir string) (*State, error) {
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, err
	}
	var s State
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s %w: %w", filepath.Join(dir, stateFile), errForeign, err)
	}
	if s.Format == 0 || s.Cluster == "" {
		return nil, fmt.Errorf("%s %w", filepath.Join(dir, stateFile), errForeign)
	}
	if s.Format != stateFormat {
		return nil, fmt.Errorf("%s: format %d, and this program knows %d: use the program that wrote it", filepath.Join(dir, stateFile),
			s.Format, stateFormat)
	}
	return &s, nil
}

// errForeign is the error of a file that only has the name of a state file.
var errForeign = errors.New("does not describe a cluster")

// write replaces the state file in one step.
func (s *State) write(dir string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, stateFile+".*")
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), filepath.Join(dir, stateFile))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// lockTimeout is how long another program may be at work on a cluster.
const lockTimeout = 60 * time.Second

// lock makes this the only program that changes a cluster, until unlock. What is locked is the directory itself.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout, refused("another program has been at work on %s for %v", dir, lockTimeout))
	defer cancel()
	for {
		file, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && sameDir(file, dir) {
			return func() { _ = file.Close() }, nil
		}
		_ = file.Close()
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
}

// sameDir tells whether an open directory is still the one of that name: the one before may have been removed.
func sameDir(file *os.File, dir string) bool {
	opened, err1 := file.Stat()
	named, err2 := os.Stat(dir)
	return err1 == nil && err2 == nil && os.SameFile(opened, named)
}

// update changes the state of a cluster.
func (c *Cluster) update(ctx context.Context, change func(*State) error) error {
	unlock, err := lock(ctx, c.dir)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := c.State()
	if err != nil {
		return err
	}
	return errors.Join(change(s), s.write(c.dir))
}

// State reads what is known about the cluster.
func (c *Cluster) State() (*State, error) {
	s, err := readState(c.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w in %s; start one: %s", ErrNoCluster, c.dir, CommandLine(c.dir, "up"))
	case err == nil && c.expected != "" && s.Cluster != c.expected:
		return nil, fmt.Errorf("%w: %s holds %s, not %s", ErrOtherCluster, c.dir, s.Cluster, c.expected)
	}
	return s, err
}

// CommandLine is how to give a cluster a command.
func CommandLine(dir, command string) string {
	line := "scripts/cluster.sh " + command
	if os.Getenv(EnvState) != "" || filepath.Base(dir) != stateName {
		line = EnvState + "=" + dir + " " + line
	}
	return line
}

// ReplicaID reads the id of a replica.
func ReplicaID(text string) (wire.ReplicaID, error) {
	id, err := strconv.ParseUint(text, 10, 8)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("%w '%s': want its id, 1 or more", ErrNoReplica, text)
	}
	return wire.ReplicaID(id), nil
}

// Errors that callers tell apart.
var (
	// ErrNoLeader is the error of a cluster that has not agreed on a leader in time.
	ErrNoLeader = errors.New("no leader")
	// ErrRefused is the error of what cannot be done as things stand.
	ErrRefused = errors.New("refused")
	// ErrNoReplica is the error of what names a replica that there is not.
	ErrNoReplica = errors.New("there is no replica")
	// ErrNoCluster is the error of a directory without a cluster.
	ErrNoCluster = refused("there is no cluster")
	// ErrOtherCluster is the error of what is about another cluster than this.
	ErrOtherCluster = refused("another cluster is meant")
)

// refusal is an ErrRefused that says what stands against it and what to do.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return ErrRefused }

func refused(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }
