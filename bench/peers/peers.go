package peers

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"paxosbench/bench/peers/dragon"
	"paxosbench/bench/peers/etcdraft"
	"paxosbench/bench/peers/front"
	"paxosbench/bench/peers/hashicorp"
	"paxosbench/wire"
)

// Systems are those that can stand behind our client protocol, by name.
var systems = map[string]func(*front.Front, front.Node) (front.Core, error){
	"dragonboat": dragon.Start,
	"hashicorp":  hashicorp.Start,
	"etcdraft":   etcdraft.Start,
}

// Systems returns the names of the systems.
func Systems() []string { return slices.Sorted(maps.Keys(systems)) }

// Config describes one node of one system.
type Config struct {
	System string
	Client string // where its clients connect
	front.Node

	Batching   bool // whether commands that wait at the same time share an entry
	BatchBytes int  // up to where more are added to one; 0: the default
	InFlight   int  // entries proposed and not applied; 0: the default
}

// Validate reports everything that is wrong with the configuration, each with its remedy.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(systems[c.System] != nil, "system %q: one of %s", c.System, strings.Join(Systems(), ", "))
	check(c.Members[c.ID] != "", "id %d is none of the cluster's %v: add it to --cluster", c.ID, slices.Sorted(maps.Keys(c.Members)))
	for id := range c.Members {
		check(id >= 1 && id <= wire.MaxReplicas, "node %d: ids are 1 to %d", id, wire.MaxReplicas)
	}
	check(!c.Durable || c.Dir != "", "durability fsync needs a directory: give --dir")
	check(c.BatchBytes >= 0 && c.BatchBytes <= wire.MaxBatch/2, "batches of %d bytes: 1 to %d", c.BatchBytes, wire.MaxBatch/2)
	check(c.InFlight >= 0 && c.InFlight <= 1<<20, "%d entries in flight: 1 to %d", c.InFlight, 1<<20)
	return errors.Join(errs...)
}

// Entries between two snapshots: some hundred megabytes of log in either case, if they are full.
const (
	batchedSnapshotEntries = 8_000
	singleSnapshotEntries  = 1_000_000
)

func (c *Config) snapshotEntries() uint64 {
	switch {
	case c.SnapshotEntries != 0:
		return c.SnapshotEntries
	case c.Batching:
		return batchedSnapshotEntries
	}
	return singleSnapshotEntries
}

// Node is a running node. Close it.
type Node struct {
	front *front.Front
	core  front.Core
}

// Start starts a node. It takes clients at once, and sends them on until it leads.
func Start(c Config) (*Node, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	f, err := front.New(front.Config{
		ID: c.ID, ClientAddr: c.Client, Batching: c.Batching, BatchBytes: c.BatchBytes, InFlight: c.InFlight, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	c.SnapshotEntries = c.snapshotEntries()
	core, err := systems[c.System](f, c.Node)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", c.System, err)
	}
	f.Serve(core)
	return &Node{front: f, core: core}, nil
}

// Addr returns the address for clients.
func (n *Node) Addr() string { return n.front.Addr() }

// Digest returns a digest of everything that the node has applied, and how many entries those were.
func (n *Node) Digest() (digest uint64, applied wire.Slot) { return n.front.Digest() }

// Close ends the node.
func (n *Node) Close() error {
	n.front.Close()
	return n.core.Close()
}
