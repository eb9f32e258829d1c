package replica

import (
	"strconv"
	"strings"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/machine"
	"paxosbench/wire"
)

// Agreement is what all replicas of a cluster must have in common. Each derives it from its Config; they compare it by
// name when they connect, and a data directory keeps the part of it that lasts. Addresses are not in it, they may differ
// by point of view; nor is what concerns one replica alone.
type Agreement struct {
	// For the life of the data directories: with another value, what was voted and executed would mean something else.
	Replicas    []wire.ReplicaID // ascending
	Quorum2     int
	Machine     machine.Kind
	MaxSessions uint32
	StoreLimit  uint64

	// From one start of the whole cluster to the next: a reply promises what the weakest durability of a quorum does,
	// clients take the way of serving gets from the first replica that they meet, and a lease lasts as long as the others
	// think it does.
	Durability journal.Durability
	Reads      wire.Reads
	Lease      time.Duration // the election timeout; 0 without leases
}

// Agreement returns what the other replicas must have in common with this one.
func (c *Config) Agreement() Agreement {
	a := Agreement{
		Replicas: c.ids(), Quorum2: c.quorum2(), Machine: c.Machine, MaxSessions: c.MaxSessions, StoreLimit: uint64(c.StoreLimit),
		Durability: c.Durability, Reads: c.Reads,
	}
	if c.leases() {
		a.Lease = c.ElectionTimeout
	}
	return a
}

// Lasting returns the settings that stay as they are for the life of the data directories.
func (a Agreement) Lasting() wire.Settings { return wire.MakeSettings(a.lasting()...) }

// Settings returns everything, as replicas compare it when they connect.
func (a Agreement) Settings() wire.Settings {
	list := append(a.lasting(),
		wire.Setting{Name: "durability", Value: a.Durability.String()},
		wire.Setting{Name: "protocol", Value: strconv.Itoa(wire.PeerProtocol)},
		wire.Setting{Name: "reads", Value: a.Reads.String()},
	)
	if a.Lease != 0 {
		list = append(list, wire.Setting{Name: "election-timeout", Value: a.Lease.String()})
	}
	return wire.MakeSettings(list...)
}

func (a Agreement) lasting() []wire.Setting {
	ids := make([]string, len(a.Replicas))
	for i, id := range a.Replicas {
		ids[i] = strconv.Itoa(int(id))
	}
	return []wire.Setting{
		{Name: "machine", Value: a.Machine.String()},
		{Name: "max-sessions", Value: strconv.FormatUint(uint64(a.MaxSessions), 10)},
		{Name: "quorum2", Value: strconv.Itoa(a.Quorum2)},
		{Name: "replicas", Value: strings.Join(ids, ",")},
		{Name: "store-limit", Value: strconv.FormatUint(a.StoreLimit, 10)},
	}
}
