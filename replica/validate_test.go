package replica

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"paxosbench/batching"
	"paxosbench/pipeline"
	"paxosbench/wire"
)

// valid returns a configuration that nothing is wrong with.
func valid() Config {
	c := Default()
	c.ID, c.Members = 1, []Member{{1, "127.0.0.1:1", "127.0.0.1:2"}, {2, "a:3", "a:4"}, {3, "a:5", "a:6"}}
	return c
}

func TestDefaultIsValid(t *testing.T) {
	c := valid()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c.Heartbeat != 50*time.Millisecond || c.SegmentBytes != 64<<20 || c.Batch.Kind != batching.Adaptive || c.MaxSessions != 65536 || c.Data != "data" {
		t.Errorf("defaults: %+v", c)
	}
}

// broken says of each setting what makes it wrong, and of what that is a violation.
var broken = map[string]struct {
	change func(*Config)
	want   []string
}{
	"no id":                 {func(c *Config) { c.ID = 0 }, []string{"id"}},
	"id of nobody":          {func(c *Config) { c.ID = 4 }, []string{"id"}},
	"no members":            {func(c *Config) { c.Members = nil }, []string{"id", "member"}},
	"no port":               {func(c *Config) { c.Members[1].Peer = "a" }, []string{"member"}},
	"port out of range":     {func(c *Config) { c.Members[1].Client = "a:65536" }, []string{"member"}},
	"unknowable peer port":  {func(c *Config) { c.Members[0].Peer = "a:0" }, []string{"member"}},
	"unknowable other port": {func(c *Config) { c.Members[1].Client = "a:0" }, []string{"member"}},
	"address twice":         {func(c *Config) { c.Members[1].Client = "127.0.0.1:1" }, []string{"member"}},
	"admin at a client's":   {func(c *Config) { c.Members[0].Client, c.Admin = "127.0.0.1:2", "127.0.0.1:2" }, []string{"admin"}},
	"admin for the world":   {func(c *Config) { c.Admin = ":7201" }, []string{"admin"}},
	"clients of the world":  {func(c *Config) { c.Members[0].Client = "0.0.0.0:2" }, []string{"member"}},
	"peers of the world":    {func(c *Config) { c.Members[0].Peer = ":1" }, []string{"member"}},
	"any host of a name":    {func(c *Config) { c.Members[0].Client = "localhost.example:2" }, []string{"member"}},
	"proved and exposed":    {func(c *Config) { c.TLS, c.Exposed = "tls", true }, []string{"insecure-listen"}},
	"idle for ever":         {func(c *Config) { c.ClientIdle = 1 << 62 }, []string{"client-idle"}},
	"admin port":            {func(c *Config) { c.Admin = "127.0.0.1:70000" }, []string{"admin"}},
	"no data":               {func(c *Config) { c.Data = "" }, []string{"data"}},
	"machine":               {func(c *Config) { c.Machine = 3 }, []string{"machine"}},
	"durability":            {func(c *Config) { c.Durability = 7 }, []string{"durability"}},
	"reads":                 {func(c *Config) { c.Reads = 9 }, []string{"reads"}},
	"batch kind":            {func(c *Config) { c.Batch.Kind = 77 }, []string{"batch"}},
	"batch of nothing":      {func(c *Config) { c.Batch = batching.Policy{Kind: batching.Count} }, []string{"batch"}},
	"no depth":              {func(c *Config) { c.Pipeline = pipeline.Depth{} }, []string{"pipeline"}},
	"adaptive without end":  {func(c *Config) { c.Pipeline = pipeline.Depth{Adaptive: true} }, []string{"pipeline"}},
	"loss and rejoin":       {func(c *Config) { c.AcceptLoss, c.Rejoin = true, true }, []string{"accept-loss"}},
	"loss and repair":       {func(c *Config) { c.AcceptLoss, c.Repair = true, true }, []string{"accept-loss"}},
	"compress":              {func(c *Config) { c.Compress = "" }, []string{"compress"}},
	"quorum":                {func(c *Config) { c.Quorum2 = 4 }, []string{"quorum2"}},
	"sessions":              {func(c *Config) { c.MaxSessions = 0 }, []string{"max-sessions"}},
	"segments too large":    {func(c *Config) { c.SegmentBytes = 2 << 30 }, []string{"segment-bytes"}},
	"segments of odd size":  {func(c *Config) { c.SegmentBytes = 8<<20 + 1 }, []string{"segment-bytes"}},
	"a time without a unit": {func(c *Config) { c.Heartbeat = 50 }, []string{"heartbeat"}},
	"a time past all":       {func(c *Config) { c.ElectionTimeout = 1 << 62 }, []string{"election-timeout"}},
	"contradictions": {func(c *Config) { c.Bootstrap, c.Rejoin, c.Unreplicated, c.Pprof = true, true, true, true },
		[]string{"bootstrap", "pprof", "unreplicated"}},
	"limits": {func(c *Config) {
		c.Linger, c.BatchBytes, c.PipelineBytes, c.ClientWindow, c.MaxClients, c.LogBytes, c.SnapshotBytes = -1, 0, 0, 0, 1<<40, 1, 1
	}, []string{"batch-bytes", "client-window", "linger", "log-bytes", "max-clients", "pipeline-bytes", "snapshot-bytes"}},
}

func TestValidateNamesTheSettings(t *testing.T) {
	for name, tt := range broken {
		c := valid()
		tt.change(&c)
		if got := violated(c.Validate()); !slices.Equal(got, tt.want) {
			t.Errorf("%s: violations of %v, want %v: %v", name, got, tt.want, c.Validate())
		}
	}
}

// violated returns the settings that an error of Validate is about, in order, each once.
func violated(err error) []string {
	settings := map[string]bool{}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			var v *Violation
			if errors.As(e, &v) {
				settings[v.Setting] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(settings))
}

// A replica alone may leave all its ports to the system, one of several those for its clients.
func TestPortsOfTheSystem(t *testing.T) {
	alone := valid()
	alone.Members = []Member{{1, "127.0.0.1:0", "127.0.0.1:0"}}
	several := valid()
	several.Members[0].Client = "127.0.0.1:0"
	several.Admin = "127.0.0.1:0"
	for _, c := range []Config{alone, several} {
		if err := c.Validate(); err != nil {
			t.Errorf("%v: %v", c.Members, err)
		}
	}
}

// At an address that others reach, somebody must prove who they are, or the operator must have said that nobody need.
func TestAddressesOfTheWorld(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.TLS = "tls" },
		func(c *Config) { c.Exposed = true },
		func(c *Config) { c.Members[0] = Member{1, "localhost:1", "[::1]:2"} },
		func(c *Config) { c.Members = []Member{{1, "10.0.0.1:1", "127.0.0.1:2"}} }, // alone it has no peers
	} {
		c := valid()
		c.Members[0] = Member{1, "10.0.0.1:1", "host1:2"}
		change(&c)
		if err := c.Validate(); err != nil {
			t.Errorf("%v: %v", c.Members, err)
		}
	}
}

// Whatever Validate accepts, a node can be made of.
func TestValidConfigurationsMakeNodes(t *testing.T) {
	for _, change := range []func(*Config){
		func(*Config) {},
		func(c *Config) { c.Machine = 2 },
		func(c *Config) { c.Quorum2 = 3 },
		func(c *Config) { c.Quorum2 = 1 },
		func(c *Config) { c.Compress, c.Reads = "zstd", wire.ReadsLease },
		func(c *Config) { c.Members = c.Members[:1]; c.Unreplicated = true },
	} {
		c := valid()
		change(&c)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		nc := c.node(1, new(wire.Buffers))
		if err := nc.Paxos.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
