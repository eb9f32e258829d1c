package front

import (
	"log/slog"
	"time"

	"paxosbench/wire"
)

// Node is what a Core needs to know of the cluster and its place in it.
type Node struct {
	ID      wire.ReplicaID
	Members map[wire.ReplicaID]string // where they reach each other, this one included
	Durable bool                      // whether what is acknowledged is synced to disk on a quorum; otherwise it is in memory
	Dir     string                    // the node's own, if it is durable
	// SnapshotEntries is how many entries are applied between two snapshots, after each of which the log is cut; 0: as many as
	// suit the entries.
	SnapshotEntries uint64
	Log             *slog.Logger
}

// The timing of leadership is that of our own replica's defaults, so that outages compare.
const (
	Heartbeat       = 50 * time.Millisecond
	ElectionTimeout = 500 * time.Millisecond // and up to as much again, at random
)
