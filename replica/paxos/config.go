package paxos

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"paxosbench/pipeline"
	"paxosbench/wire"
)

// Config is everything a Core depends on besides its inputs.
type Config struct {
	Self     wire.ReplicaID
	Replicas []wire.ReplicaID // all voters, Self among them

	// Quorum1 and Quorum2 are the acceptors that phase 1 and phase 2 need. Any two of different phases must share an
	// acceptor: Quorum1 + Quorum2 > len(Replicas).
	Quorum1, Quorum2 int

	// Heartbeat is the leader's interval. A follower that hears nothing for ElectionTimeout, plus a random part of as
	// much again, asks for votes.
	Heartbeat       time.Duration
	ElectionTimeout time.Duration

	// Depth and WindowBytes bound the slots in flight under this replica's leadership.
	Depth       pipeline.Depth
	WindowBytes int

	// LogBytes is how much of the chosen log is kept in memory for peers that lag; older slots come from the journal
	// or a snapshot.
	LogBytes int

	// PinBytes is how much of it may be kept instead for a peer that would otherwise be left behind (see Core.Pin).
	PinBytes int

	// Leases makes replicas grant the leader leases for reads (see reads.go). Equal on all replicas.
	Leases bool

	// Limits bounds what is held and sent at once.
	Limits Limits

	// Seed feeds the randomised timeouts.
	Seed uint64

	// Buffers is where batch bodies come from and go back to.
	Buffers *wire.Buffers
}

// Limits are the bounds of the protocol that are neither flags nor part of its safety: any value that Validate passes is
// right, and replicas may differ. The simulator draws small ones, so that a short run comes to every bound.
type Limits struct {
	// MaxAhead is how many slots above its own commit index an acceptor takes from a leader. It is at least two of the leader's
	// windows: what an acceptor knows chosen is behind by as much as was in flight when it was told, and it only turns away the
	// future of a follower that has to catch up first. It judges live Accepts and nothing else: what a journal or a promise brings
	// may lie further ahead. 0: 2 * pipeline.MaxDepth.
	MaxAhead wire.Slot

	// FetchBytes bounds one step of catch-up; one batch may exceed it. 0: 1 MiB.
	FetchBytes int

	// PromiseBytes bounds one part of a promise; one batch may exceed it. 0: 1 MiB.
	PromiseBytes int
}

// withDefaults returns the limits with the defaults in the place of zeros.
func (l Limits) withDefaults() Limits {
	l.MaxAhead = orDefault(l.MaxAhead, 2*pipeline.MaxDepth)
	l.FetchBytes = orDefault(l.FetchBytes, 1<<20)
	l.PromiseBytes = orDefault(l.PromiseBytes, 1<<20)
	return l
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// Majority returns the smallest majority of n.
func Majority(n int) int { return n/2 + 1 }

// Validate reports every violation at once.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	n := len(c.Replicas)
	check(n >= 1 && n <= wire.MaxReplicas, "replicas: %d, want 1 to %d", n, wire.MaxReplicas)
	check(slices.Contains(c.Replicas, c.Self), "replica %d is not one of the cluster's %v", c.Self, c.Replicas)
	check(c.Quorum1 >= 1 && c.Quorum1 <= n, "quorum1: %d, want 1 to %d", c.Quorum1, n)
	check(c.Quorum2 >= 1 && c.Quorum2 <= n, "quorum2: %d, want 1 to %d", c.Quorum2, n)
	check(c.Quorum1+c.Quorum2 > n, "quorum1 %d + quorum2 %d must exceed %d replicas, or two quorums may not meet", c.Quorum1, c.Quorum2, n)
	check(c.Heartbeat > 0, "heartbeat: %v, want more than 0", c.Heartbeat)
	check(c.ElectionTimeout >= 2*c.Heartbeat, "election timeout: %v, want at least twice the heartbeat of %v", c.ElectionTimeout, c.Heartbeat)
	check(c.WindowBytes > 0, "window bytes: %d, want more than 0", c.WindowBytes)
	check(c.Buffers != nil, "buffers: none")
	l := c.Limits.withDefaults()
	check(l.MaxAhead >= 2*wire.Slot(c.Depth.N), "limit of slots ahead: %d, want at least twice the window's %d", l.MaxAhead, c.Depth.N)
	check(l.FetchBytes > 0 && l.PromiseBytes > 0,
		"limits of bytes: fetch %d, promise %d, want more than 0", l.FetchBytes, l.PromiseBytes)
	return errors.Join(errs...)
}
