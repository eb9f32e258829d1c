package replica

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/machine"
	"paxosbench/replica/transport/freeport"
	"paxosbench/wire"
)

// agreed lists the flags that replicas must agree on, each with a change of it that the others must notice.
var agreed = []struct {
	flag    string
	lasting bool // for the life of the data directories
	lease   bool // matters with leases only
	change  func(*Config)
	setting string // its name in the agreement, if that is not the flag's
	values  [2]string
}{
	{flag: "member", setting: "replicas", lasting: true, values: [2]string{"1,2", "1,2,3"},
		change: func(c *Config) { c.Members = append(c.Members, Member{3, "127.0.0.1:1", "127.0.0.1:2"}) }},
	{flag: "quorum2", lasting: true, values: [2]string{"2", "1"}, change: func(c *Config) { c.Quorum2 = 1 }},
	{flag: "machine", lasting: true, values: [2]string{"kv", "noop"}, change: func(c *Config) { c.Machine = machine.KindNoop }},
	{flag: "max-sessions", lasting: true, values: [2]string{"65536", "65537"}, change: func(c *Config) { c.MaxSessions++ }},
	{flag: "store-limit", lasting: true, values: [2]string{"4294967296", "4294967297"}, change: func(c *Config) { c.StoreLimit++ }},
	{flag: "durability", values: [2]string{"none", "os"}, change: func(c *Config) { c.Durability = journal.DurabilityOS }},
	{flag: "reads", values: [2]string{"log", "index"}, change: func(c *Config) { c.Reads = wire.ReadsIndex }},
	{flag: "election-timeout", lease: true, values: [2]string{"500ms", "1s"}, change: func(c *Config) { c.ElectionTimeout = time.Second }},
}

// local lists the flags that may differ between replicas.
var local = []string{
	"id", "data", "bootstrap", "rejoin", "repair", "accept-loss", "tls", "insecure-listen", "admin", "pprof", "batch", "linger", "batch-bytes", "pipeline", "pipeline-bytes",
	"compress", "unreplicated", "heartbeat", "forward", "client-window", "max-clients", "client-idle", "memory", "log-bytes", "segment-bytes",
	"snapshot-bytes",
}

// Every flag either is compared or may differ: who adds one has to decide. (The cluster's id has a field of its own.)
func TestEveryFlagIsAgreedOnOrLocal(t *testing.T) {
	known := append(slices.Clone(local), "cluster-id")
	for _, a := range agreed {
		known = append(known, a.flag)
	}
	flags := 0
	for s := range settings(new(Config)) {
		flags++
		if !slices.Contains(known, s.name) {
			t.Errorf("must replicas agree on %s? Add it to the one list or the other", s.name)
		}
	}
	if len(known) != flags {
		t.Errorf("%d flags are listed, there are %d", len(known), flags)
	}
}

// twoMembers returns the configuration of one of two replicas.
func twoMembers(t *testing.T, id wire.ReplicaID, members []Member) Config {
	c := Default()
	c.ID, c.Members, c.Data, c.Bootstrap = id, slices.Clone(members), filepath.Join(t.TempDir(), "data"), true
	c.Durability, c.SegmentBytes, c.MaxClients = journal.DurabilityNone, minSegmentBytes, 10
	return c
}

// freeMembers returns two members at addresses that are free.
func freeMembers(t *testing.T) []Member {
	return []Member{{1, freeport.Addr(t), freeport.Addr(t)}, {2, freeport.Addr(t), freeport.Addr(t)}}
}

// Two replicas that differ in one setting refuse each other, and each says the setting's name and both values, whichever of
// them has which. In the same way the changes that last are told from those that a restart of all may bring.
func TestReplicasThatDisagreeRefuseEachOther(t *testing.T) {
	for _, tt := range agreed {
		for changed := range 2 {
			t.Run(fmt.Sprintf("%s of replica %d", tt.flag, changed+1), func(t *testing.T) {
				var configs [2]Config
				members := freeMembers(t)
				for i := range configs {
					configs[i] = twoMembers(t, wire.ReplicaID(i+1), members)
					if tt.lease {
						configs[i].Reads = wire.ReadsLease
					}
				}
				before := configs[changed].Agreement()
				tt.change(&configs[changed])
				if after := configs[changed].Agreement(); (before.Lasting().Diff(after.Lasting()) != nil) != tt.lasting {
					t.Errorf("the settings that last change from %v to %v", before.Lasting(), after.Lasting())
				}
				name := tt.flag
				if tt.setting != "" {
					name = tt.setting
				}
				expectRefusal(t, configs, name, changed, tt.values)
			})
		}
	}
}

// expectRefusal runs both replicas until each has logged why they do not talk.
func expectRefusal(t *testing.T, configs [2]Config, name string, changed int, values [2]string) {
	value := func(i int) string {
		if i == changed {
			return values[1]
		}
		return values[0]
	}
	want := name + ": replica 2 has " + value(1) + ", replica 1 has " + value(0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	said := make(chan struct{}, 2)
	ended := make(chan error, 2)
	for _, cfg := range configs {
		log := slog.New(slog.NewTextHandler(&watcher{text: want + `"`, found: said}, nil))
		go func() { ended <- Run(ctx, cfg, log) }()
	}
	for range configs {
		select {
		case <-said:
		case err := <-ended:
			t.Fatalf("a replica ended: %v", err)
		case <-ctx.Done():
			t.Fatalf("not said by both: %s", want)
		}
	}
	cancel()
	for range configs {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// watcher is a log that waits for a text. It reports it once.
type watcher struct {
	text  string
	found chan<- struct{}
	done  bool
}

// Write implements io.Writer. The handler calls it with one line at a time and holds a lock.
func (w *watcher) Write(line []byte) (int, error) {
	if !w.done && strings.Contains(string(line), w.text) {
		w.done = true
		w.found <- struct{}{}
	}
	return len(line), nil
}

// What may differ by point of view, or comes to the same, is no disagreement.
func TestAgreement(t *testing.T) {
	base := Config{Members: []Member{{ID: 1}, {ID: 2}, {ID: 3}}, Machine: machine.KindKV, MaxSessions: 10, ElectionTimeout: time.Second}
	for _, tt := range []struct {
		name   string
		change func(*Config)
	}{
		{"own id", func(c *Config) { c.ID = 2 }},
		{"addresses", func(c *Config) { c.Members = []Member{{ID: 3, Peer: "x:1"}, {ID: 2}, {ID: 1}} }},
		{"the majority, spelled out", func(c *Config) { c.Quorum2 = 2 }},
		{"election timeout without leases", func(c *Config) { c.ElectionTimeout *= 2 }},
	} {
		other := base
		tt.change(&other)
		if d := base.Agreement().Settings().Diff(other.Agreement().Settings()); d != nil {
			t.Errorf("%s: differs in %v", tt.name, d)
		}
	}
}
