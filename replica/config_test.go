package replica

import (
	"testing"
	"time"

	"paxosbench/wire"
)

// What must be equal among replicas that talk is in PeerHash; what data directories carry must not change with it, or a
// cluster could never change the way it serves gets.
func TestHashes(t *testing.T) {
	base := Config{Members: []Member{{ID: 1}, {ID: 2}, {ID: 3}}, Machine: 1, MaxSessions: 10, ElectionTimeout: time.Second}
	lease := base
	lease.Reads = wire.ReadsLease
	tests := []struct {
		name       string
		from       Config
		change     func(*Config)
		data, peer bool // whether the hash changes
	}{
		{"own id", base, func(c *Config) { c.ID = 2 }, false, false},
		{"addresses", base, func(c *Config) { c.Members = []Member{{ID: 3, Peer: "x:1"}, {ID: 2}, {ID: 1}} }, false, false},
		{"the majority, spelled out", base, func(c *Config) { c.Quorum2 = 2 }, false, false},
		{"quorum", base, func(c *Config) { c.Quorum2 = 3 }, true, true},
		{"sessions", base, func(c *Config) { c.MaxSessions++ }, true, true},
		{"reads", base, func(c *Config) { c.Reads = wire.ReadsIndex }, false, true},
		{"election timeout", base, func(c *Config) { c.ElectionTimeout *= 2 }, false, false},
		{"election timeout with leases", lease, func(c *Config) { c.ElectionTimeout *= 2 }, false, true},
	}
	for _, tt := range tests {
		changed := tt.from
		tt.change(&changed)
		if got := changed.Hash() != tt.from.Hash(); got != tt.data {
			t.Errorf("%s: the hash changes: %v", tt.name, got)
		}
		if got := changed.PeerHash() != tt.from.PeerHash(); got != tt.peer {
			t.Errorf("%s: the hash for peers changes: %v", tt.name, got)
		}
	}
}
