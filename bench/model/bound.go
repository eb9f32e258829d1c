package model

import (
	"cmp"
	"slices"

	"paxosbench/bench/suite"
)

// Bound is the best that a configuration could do.
type Bound struct {
	// OpsPerS is the least of the limits.
	OpsPerS float64
	// Resource is the one whose limit that is.
	Resource string
	// Limits are those of all resources, the tightest first.
	Limits []Limit
}

// Limit is the throughput at which a resource is used up.
type Limit struct {
	Resource string
	OpsPerS  float64
}

// Resources.
const (
	// ResourceWindow: as many batches are in flight as the pipeline allows (Little's law).
	ResourceWindow = "window"
	// ResourceClients: every command that clients may have in flight is (Little's law).
	ResourceClients = "clients"
	// ResourceHostCPU: all processors of the host, which replicas and load generator share, are busy.
	ResourceHostCPU = "host CPU"
	// ResourceLeaderCPU: the threads of the leader are busy.
	ResourceLeaderCPU = "leader CPU"
	// ResourceDisk: the disk, which the replicas share, is.
	ResourceDisk = "disk"
	// ResourceLink: the link from the leader to a follower is.
	ResourceLink = "link"
)

// Bound returns the bound for a cell, given with all its settings (suite.Suite.Settings). It is false if the model does
// not cover them or the host was not calibrated for them.
func (c *Calibration) Bound(settings suite.Cell) (Bound, bool) {
	p, ok := newPoint(settings)
	if !ok {
		return Bound{}, false
	}
	key := p.durability
	if p.unreplicated {
		key = Unreplicated
	}
	costs, ok := c.Costs[key]
	if !ok {
		return Bound{}, false
	}
	limits := c.limits(p, costs)
	slices.SortStableFunc(limits, func(a, b Limit) int { return cmp.Compare(a.OpsPerS, b.OpsPerS) })
	return Bound{OpsPerS: limits[0].OpsPerS, Resource: limits[0].Resource, Limits: limits}, true
}

func (c *Calibration) limits(p point, costs Costs) []Limit {
	leader := costs.Leader.perCommand(p.batch, p.dataBytes) / 1e9
	follower := costs.Follower.perCommand(p.batch, p.dataBytes) / 1e9
	loadgen := costs.Loadgen.perCommand(p.batch, p.dataBytes) / 1e9
	if p.unreplicated {
		limits := []Limit{{ResourceHostCPU, float64(c.CPUs) / (leader + loadgen)}, {ResourceLeaderCPU, 1 / leader}}
		return append(limits, clientLimit(p, c.RoundTripNs/1e9)...)
	}
	slot := c.slotSeconds(p, leader+follower)
	limits := []Limit{
		{ResourceWindow, p.depth * p.batch / slot},
		{ResourceHostCPU, float64(c.CPUs) / (leader + (p.replicas-1)*follower + loadgen)},
		{ResourceLeaderCPU, leaderThreads(p) / leader},
	}
	if p.durability == "fsync" {
		limits = append(limits, Limit{ResourceDisk, c.DiskBytesPerS / (p.replicas * p.storedBytes)})
	}
	if p.linkRate > 0 && p.replicas > 1 {
		limits = append(limits, Limit{ResourceLink, p.linkRate / p.storedBytes})
	}
	return append(limits, clientLimit(p, c.RoundTripNs/1e9+c.slotSeconds(p, 0))...)
}

// clientLimit is Little's law for the commands of the clients, each under way for so many seconds at least.
func clientLimit(p point, seconds float64) []Limit {
	if p.inFlight == 0 {
		return nil
	}
	return []Limit{{ResourceClients, p.inFlight / seconds}}
}

// slotSeconds is how long a slot is in flight at least: the work on its batch at the leader and then at a follower,
// the way there and back, and a sync.
func (c *Calibration) slotSeconds(p point, cpuPerCommand float64) float64 {
	t := p.batch * cpuPerCommand
	if p.replicas > 1 {
		t += 2*p.linkDelay + c.RoundTripNs/1e9
		if p.linkRate > 0 && cpuPerCommand > 0 {
			t += p.batch * p.storedBytes / p.linkRate
		}
	}
	if p.durability == "fsync" {
		t += c.SyncNs / 1e9
	}
	return t
}

// leaderThreads counts those that work at once: the event loop, and with a journal the one that syncs it.
func leaderThreads(p point) float64 {
	if p.durability == "none" {
		return 1
	}
	return 2
}
