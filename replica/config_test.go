package replica

import (
	"strings"
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

// Two replicas, or a replica's two sides, cannot listen at one address: the second would fail to start, or answer for the
// first.
func TestAddressesAreDistinct(t *testing.T) {
	for _, tt := range []struct {
		members []Member
		want    string // of the error, empty if there is none about addresses
	}{
		{[]Member{{1, "a:1", "a:2"}, {2, "a:3", "a:4"}}, ""},
		{[]Member{{1, "a:1", "a:2"}, {2, "b:1", "b:2"}}, ""},
		{[]Member{{1, ":1", ":2"}, {2, ":1", ":3"}}, `2 has the address ":1", and so has 1`},
		{[]Member{{1, ":1", ":2"}, {2, ":3", ":2"}}, `2 has the address ":2", and so has 1`},
		{[]Member{{1, ":1", ":1"}, {2, ":3", ":4"}}, `1 has the address ":1", and so has 1`},
	} {
		err := (&Config{ID: 1, Members: tt.members}).Validate()
		if err == nil || strings.Contains(err.Error(), "has the address") != (tt.want != "") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.members, err, tt.want)
		}
	}
}
