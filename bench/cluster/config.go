// Package cluster runs the replicas of one measurement as processes on this host: fresh data, free ports, and links
// between them that can be slower than the host's own. It signals only processes that it has started.
package cluster

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"paxosbench/bench/link"
	"paxosbench/wire"
)

// Config describes a cluster.
type Config struct {
	// Program is the path of the replica's binary.
	Program string
	// Replicas is their number, 1 to MaxReplicas.
	Replicas int
	// Flags go to every replica as they stand.
	Flags []string
	// Dir receives data and logs. It must not exist, and its parent must; Close removes it.
	Dir string
	// PortBase is where the search for free ports begins.
	PortBase int
	// Link describes every link between two replicas. The zero value connects them directly.
	Link link.Config
	// Patience is how long a leader, or an orderly end, may take; 0: DefaultPatience.
	Patience time.Duration
}

// Limits and defaults.
const (
	MaxReplicas     = 7
	DefaultPatience = 10 * time.Second
	DefaultPortBase = 17000
	// portRange is how many ports from PortBase on are tried. It ends below those that Linux gives to outgoing
	// connections, which may take one at any moment.
	portRange = 4000
	// portBlock is how many ports a cluster takes: one to claim the block by, and three for each replica.
	portBlock = 32
)

func (c *Config) validate() error {
	var errs []error
	if c.Replicas < 1 || c.Replicas > MaxReplicas {
		errs = append(errs, fmt.Errorf("%d replicas: want 1 to %d", c.Replicas, MaxReplicas))
	}
	return errors.Join(append(errs, CheckPortBase(c.PortBase), c.Link.Validate())...)
}

// CheckPortBase refuses a beginning from which the search would leave the range of ports.
func CheckPortBase(base int) error {
	if base < 1024 || base > 65535-portRange {
		return fmt.Errorf("port base %d: want 1024 to %d", base, 65535-portRange)
	}
	return nil
}

// member is one replica's place: its addresses and files.
type member struct {
	id                  wire.ReplicaID
	peer, client, admin string
	data, log           string
}

// members gives each replica a place at the addresses of a block.
func (c *Config) members(b *block) []member {
	list := make([]member, c.Replicas)
	for i := range list {
		id := i + 1
		list[i] = member{
			id: wire.ReplicaID(id), peer: b.addr(3*i + 1), client: b.addr(3*i + 2), admin: b.addr(3*i + 3),
			data: filepath.Join(c.Dir, fmt.Sprintf("data-%d", id)),
			log:  filepath.Join(c.Dir, fmt.Sprintf("replica-%d.log", id)),
		}
	}
	return list
}
