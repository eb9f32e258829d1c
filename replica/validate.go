package replica

import (
	"encoding"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/wire"
	"paxosbench/wire/compress"
)

// Violation is what is wrong with one setting. Validate joins them.
type Violation struct {
	Setting string // its name, as flags spell it
	Text    string // the value, and what is wanted instead
}

// Error implements error.
func (v *Violation) Error() string { return v.Setting + ": " + v.Text }

// violations gathers them.
type violations []error

// want adds a violation of a setting unless ok.
func (v *violations) want(ok bool, setting, format string, args ...any) {
	if !ok {
		*v = append(*v, &Violation{setting, fmt.Sprintf(format, args...)})
	}
}

// Limits of settings that have no natural one.
const (
	minSegmentBytes = 8 << 20
	minLogBytes     = 1 << 20
	maxWindow       = 1 << 20
	maxMaxClients   = 1 << 20
	maxTime         = time.Hour // of timeouts, far from where sums of them overflow
	maxIdle         = 30 * 24 * time.Hour
)

// Validate reports every violation at once, each with its remedy. The error joins values of type *Violation. What it
// does not object to, Start takes; what depends on the host (files, ports, limits of the system) shows then.
func (c *Config) Validate() error {
	var v violations
	c.validateMembers(&v)
	c.validateTexts(&v)
	c.validateTimes(&v)
	c.validateSizes(&v)
	n := len(c.Members)
	v.want(c.Quorum2 >= 0 && c.Quorum2 <= n, "quorum2", "%d, want 1 to %d, or 0 for a majority", c.Quorum2, n)
	v.want(!c.Bootstrap || !c.Rejoin, "bootstrap", "given with rejoin; give one of them: a replica whose disk is lost must not start as if it had never voted")
	v.want(!c.AcceptLoss || !c.Rejoin && !c.Repair, "accept-loss", "given with rejoin or repair; give it alone, at the start after: a replica that has just lost everything must not vote at once")
	v.want(!c.Unreplicated || n == 1, "unreplicated", "works with one member, not %d", n)
	v.want(!c.Pprof || c.Admin != "", "pprof", "needs an admin address, see --admin")
	return errors.Join(v...)
}

func (c *Config) validateMembers(v *violations) {
	v.want(len(c.Members) >= 1 && len(c.Members) <= wire.MaxReplicas, "member", "%d replicas, want 1 to %d", len(c.Members), wire.MaxReplicas)
	seen, owner := map[wire.ReplicaID]bool{}, map[string]wire.ReplicaID{}
	for _, m := range c.Members {
		v.want(m.ID >= 1 && m.ID <= wire.MaxReplicas, "member", "id %d, want 1 to %d", m.ID, wire.MaxReplicas)
		v.want(!seen[m.ID], "member", "id %d is given twice", m.ID)
		seen[m.ID] = true
		for _, addr := range []string{m.Peer, m.Client} {
			port, err := portOf(addr)
			v.want(err == nil, "member", "%d has the address %q, want HOST:PORT: %v", m.ID, addr, err)
			v.want(port != 0 || err != nil || m.ID == c.ID && (addr == m.Client || len(c.Members) == 1), "member",
				"%d has the address %q; a port of the system's choice is one that the others cannot know", m.ID, addr)
			other, taken := owner[addr]
			v.want(!taken || port == 0, "member", "%d has the address %q, and so has %d; every peer and client address wants a port of its own", m.ID, addr, other)
			owner[addr] = m.ID
		}
	}
	for _, addr := range c.exposedAt() {
		v.want(c.Exposed, "member", "this replica would listen at %s, which is not a loopback address: whoever reaches it without --tls owns the cluster; "+
			"give --tls DIR (docs/security.md says what is in it), listen on 127.0.0.1, or say --insecure-listen", addr)
	}
	v.want(!c.Exposed || c.TLS == "", "insecure-listen", "given with tls; give one of them")
	v.want(seen[c.ID], "id", "%d is not among the members; give --member for every replica, this one included", c.ID)
	if c.Admin == "" {
		return
	}
	port, err := portOf(c.Admin)
	v.want(err == nil, "admin", "%q, want 127.0.0.1:PORT: %v", c.Admin, err)
	v.want(err != nil || isLoopback(c.Admin), "admin", "%q is not a loopback address; it has no authentication, use 127.0.0.1:PORT", c.Admin)
	other, taken := owner[c.Admin]
	v.want(!taken || port == 0, "admin", "%q is the address of member %d; it wants a port of its own", c.Admin, other)
}

// portOf returns the port of an address.
func portOf(addr string) (int, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, err
	}
	if port == "" {
		return 0, errors.New("the port is missing")
	}
	return net.LookupPort("tcp", port)
}

// validateTexts checks the settings that flags give as words: what cannot be written as one and read back is no value.
func (c *Config) validateTexts(v *violations) {
	_, err := compress.ParseCodec(c.Compress)
	v.want(err == nil, "compress", "%v", err)
	v.want(c.Data != "", "data", "no directory is given")
	for setting := range settings(c) {
		value, ok := setting.value.Interface().(encoding.TextMarshaler)
		if !ok {
			continue
		}
		text, err := value.MarshalText()
		if err == nil {
			read := reflect.New(setting.value.Type())
			if err = read.Interface().(encoding.TextUnmarshaler).UnmarshalText(text); err == nil && !read.Elem().Equal(setting.value) {
				err = fmt.Errorf("%+v is no value of it", value)
			}
		}
		v.want(err == nil, setting.name, "%v", err)
	}
}

func (c *Config) validateTimes(v *violations) {
	v.want(c.Linger >= 0 && c.Linger <= maxTime, "linger", "%v, want 0s to %v", c.Linger, maxTime)
	v.want(c.Heartbeat >= time.Millisecond && c.Heartbeat <= maxTime, "heartbeat", "%v, want 1ms to %v", c.Heartbeat, maxTime)
	v.want(c.ClientIdle >= 0 && c.ClientIdle <= maxIdle, "client-idle", "%v, want 0s to %v", c.ClientIdle, maxIdle)
	v.want(c.ElectionTimeout >= 2*c.Heartbeat && c.ElectionTimeout <= maxTime, "election-timeout",
		"%v, want at least twice the heartbeat of %v, and at most %v", c.ElectionTimeout, c.Heartbeat, maxTime)
}

func (c *Config) validateSizes(v *violations) {
	v.want(c.BatchBytes >= 1 && c.BatchBytes <= wire.MaxBatch, "batch-bytes", "%d, want 1 to %d", c.BatchBytes, wire.MaxBatch)
	v.want(c.PipelineBytes >= 1, "pipeline-bytes", "%d, want at least 1", c.PipelineBytes)
	v.want(c.ClientWindow >= 1 && c.ClientWindow <= maxWindow, "client-window", "%d, want 1 to %d", c.ClientWindow, maxWindow)
	v.want(c.MaxClients >= 1 && c.MaxClients <= maxMaxClients, "max-clients", "%d, want 1 to %d", c.MaxClients, maxMaxClients)
	v.want(c.Memory == 0 || c.Memory >= minMemory, "memory", "%d, want at least %d, or 0 for an eighth of what there is", c.Memory, minMemory)
	v.want(c.LogBytes >= minLogBytes, "log-bytes", "%d, want at least %d", c.LogBytes, minLogBytes)
	v.want(c.SegmentBytes >= minSegmentBytes && c.SegmentBytes <= journal.MaxSegmentBytes && c.SegmentBytes%journal.BlockSize == 0,
		"segment-bytes", "%d, want a multiple of %d, %d to %d", c.SegmentBytes, journal.BlockSize, minSegmentBytes, journal.MaxSegmentBytes)
	v.want(c.StoreLimit == 0 || c.StoreLimit >= 1<<20, "store-limit", "%d, want at least %d, or 0 for none", c.StoreLimit, 1<<20)
	v.want(c.SnapshotBytes == 0 || c.SnapshotBytes >= 1<<20, "snapshot-bytes", "%d, want at least %d, or 0 for none", c.SnapshotBytes, 1<<20)
	err := c.state().Validate()
	v.want(err == nil, "max-sessions", "%v", err)
}

// isLoopback tells whether an address, with a port or without, can only be this host's own. A name other than localhost is
// whatever a name server says.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
