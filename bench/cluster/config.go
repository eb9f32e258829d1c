// Package cluster knows the clusters of replicas on this host: which there are, where their members listen, which
// processes they are. What it knows of a cluster is a file in the cluster's directory, so that any program can act on a
// cluster that another one has started. A process is signalled only if it is the one that was started, and not another one
// that the system has given the same id since.
package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"paxosbench/bench/netem"
	"paxosbench/wire"
)

// Config describes a cluster to start.
type Config struct {
	// Program is the path of the replica's binary.
	Program string
	// System is what the processes are instead, nil: replicas of this project. They need no Program, but may need what else is
	// in its directory, Bin. Durability is what is asked of them.
	System     *System
	Bin        string
	Durability string
	// Replicas is their number, 1 to MaxReplicas.
	Replicas int
	// Flags are passed unchanged to every replica.
	Flags []string
	// Dir receives state, data and logs. Nothing in it is removed that is not a cluster's.
	Dir string
	// PortBase is where the ports are. See Search.
	PortBase int
	// Search makes PortBase the beginning of a search for free ports. Without it clients find the replicas at PortBase+1..,
	// peers at PortBase+101.., and their admin addresses are PortBase+201..
	Search bool
	// Keep takes up the data that the last cluster in Dir has left.
	Keep bool
	// TLS has replicas and clients prove who they are to each other, by credentials that are made for this cluster.
	TLS bool
	// Tied replicas end with this process. Others outlive it.
	Tied bool
	// Netem puts an emulated network between the replicas, so that they can be cut off from each other. A Link other than
	// the zero value does too.
	Netem bool
	// Link describes every link of the emulated network.
	Link netem.Config
	// NetworkProgram is the command line of a program that calls ServeNetwork. Empty: this process emulates the network.
	NetworkProgram []string
	// Timeout is how long a leader, or an orderly end, may take; 0: DefaultTimeout.
	Timeout time.Duration
	// Progress hears what takes long. It may be nil.
	Progress func(text string)
}

// Limits and defaults.
const (
	MaxReplicas     = wire.MaxReplicas
	DefaultTimeout  = 10 * time.Second
	DefaultPortBase = 7000  // of clusters that people start
	SearchPortBase  = 17000 // of clusters that live for one measurement
	// portRange is how many ports from PortBase on are tried. It ends below those that Linux gives to outgoing
	// connections, which may take one at any moment.
	portRange = 4000
	// portBlock is how many ports a cluster takes of those: one to claim the block by, and three for each replica.
	portBlock = 32
	// adminOffset is from a replica's port for clients to that of its admin address, where ports are not searched for.
	adminOffset = 200
	peerOffset  = 100 // likewise to that for peers
)

// Environment variables that programs and scripts share.
const (
	EnvState    = "PAXOSBENCH_STATE"
	EnvPortBase = "PAXOSBENCH_PORT_BASE"
	// EnvCluster is the id of the cluster that a command must be about.
	EnvCluster = "PAXOSBENCH_CLUSTER"
)

// stateName is the directory of the cluster that people start, in the project.
const stateName = ".cluster"

// DefaultDir returns the directory of the cluster that is meant if none is named: that of the environment, or .cluster in
// the project that this program was built in, or .cluster here.
func DefaultDir() string {
	if dir := os.Getenv(EnvState); dir != "" {
		return dir
	}
	if self, err := os.Executable(); err == nil && filepath.Base(filepath.Dir(self)) == "bin" {
		return filepath.Join(filepath.Dir(filepath.Dir(self)), stateName)
	}
	return stateName
}

func (c *Config) validate() error {
	err := errors.Join(CheckReplicas(c.Replicas), CheckPortBase(c.PortBase), c.Link.Validate())
	if c.System == nil {
		return err
	}
	err = errors.Join(err, c.System.CheckDurability(c.Durability))
	if c.TLS || c.emulates() {
		err = errors.Join(err, fmt.Errorf("%s: neither TLS nor an emulated network is for other systems than this project's", c.System.Name))
	}
	if n := c.System.Replicas; n != 0 && n != c.Replicas {
		err = errors.Join(err, fmt.Errorf("%s: %d replicas, and a cluster has %d", c.System.Name, c.Replicas, n))
	}
	return err
}

// CheckReplicas refuses a number of replicas that no cluster can have.
func CheckReplicas(n int) error {
	if n < 1 || n > MaxReplicas {
		return fmt.Errorf("%d replicas: want 1 to %d", n, MaxReplicas)
	}
	return nil
}

// CheckPortBase refuses a beginning from which the ports would leave their range.
func CheckPortBase(base int) error {
	if base < 1024 || base > 65535-portRange {
		return fmt.Errorf("port base %d: want 1024 to %d", base, 65535-portRange)
	}
	return nil
}

// emulates tells whether there is an emulated network between the replicas.
func (c *Config) emulates() bool { return c.Netem || c.Link != (netem.Config{}) }

// places gives each replica addresses and files. Ports that were searched for are claimed as long as the block is.
func (c *Config) places() ([]Member, *block, error) {
	ports := func(id int) (client, peer, admin string) {
		return loopback(c.PortBase + id), loopback(c.PortBase + peerOffset + id), loopback(c.PortBase + adminOffset + id)
	}
	var claimed *block
	if c.Search {
		b, err := claimBlock(c.PortBase, 3*c.Replicas)
		if err != nil {
			return nil, nil, err
		}
		claimed = b
		ports = func(id int) (client, peer, admin string) { return b.addr(3*id - 1), b.addr(3*id - 2), b.addr(3 * id) }
	}
	members := make([]Member, c.Replicas)
	for i := range members {
		m := &members[i]
		m.ID = wire.ReplicaID(i + 1)
		m.Client, m.Peer, m.Admin = ports(i + 1)
		m.Data = filepath.Join(c.Dir, dataDir, fmt.Sprint(m.ID))
		m.Log = filepath.Join(c.Dir, logsDir, fmt.Sprintf("replica-%d.log", m.ID))
	}
	return members, claimed, nil
}

// Programs returns the path of this program, and the directory of the others: the given one, or that of this program.
func Programs(given string) (self, bin string, err error) {
	if self, err = os.Executable(); err != nil {
		return "", "", err
	}
	if given == "" {
		given = filepath.Dir(self)
	}
	bin, err = filepath.Abs(given) // exec looks up names without a slash elsewhere
	return self, bin, err
}
