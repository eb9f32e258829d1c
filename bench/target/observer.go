package target

import (
	"context"
	"time"
)

// Observer is what a Driver is as well, or a System, that can tell how the nodes are: results then carry their figures, configuration and
// versions, leader changes are noticed, states compared, and events find the leader. Of makes a System with the capability Status of it.
// Observe is called from any goroutine, before and after a measurement and around events, never within the path of operations.
type Observer interface {
	// Observe looks at every node, at all of them at once, and returns what it has learnt when ctx ends at the latest: a second or less. A
	// node that has not answered by then is one with an Err. An error means that no node could be asked.
	Observe(ctx context.Context) ([]Observation, error)
}

// What a node does, as far as it matters to whoever looks; any other word is shown as it is.
const (
	RoleLeader       = "leader"
	RoleFollower     = "follower"
	RoleUnreplicated = "unreplicated" // it works alone
)

// Observation is one look at one node. What stays zero is not known, and shown as not observed.
type Observation struct {
	// Node is its name or address, which no other node has. Where it stands in the first look, from 1, is the number by which results and
	// events call it.
	Node string
	Err  error // the node has not told; the rest is of no account then
	// Role is one of the words above, or another. Of several that say that they lead, the one with the highest Term is believed.
	Role string
	Term uint64
	// PID is what changes when the node is started again: the number of its process, or when it began. Without it a node that was started
	// again and has since counted further than before looks like one that never ended.
	PID int
	CPU time.Duration // used by its process since that began

	// Commit and Applied are places in the log: up to where commands are known to be chosen, and executed. Digest is of the state at
	// Applied: nodes whose Applied are equal have equal digests, or they have diverged.
	Commit, Applied uint64
	Digest          string

	// Commands executed, in so many Batches; Syncs are writes made durable, and SyncedBytes what they wrote. All since the process began,
	// as are the Counters, which go into results by what they have risen.
	Commands, Batches, Syncs, SyncedBytes int64
	Counters                              map[string]float64

	// Config is how the node says that it runs. A key "durability", with the value none, os or fsync, is shown where our own is.
	Config  map[string]string
	Version string
}

// observed is a driven system that tells how its nodes are.
type observed struct {
	driven
	Observer
}

// Capabilities implements System.
func (o observed) Capabilities() Capabilities {
	c := o.driven.Capabilities()
	c.Status = true
	return c
}
