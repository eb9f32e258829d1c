//go:build linux

package main

import (
	"cmp"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"paxosbench/bench/cluster"
	"paxosbench/bench/load"
	"paxosbench/bench/load/units"
	"paxosbench/bench/load/verdict"
	"paxosbench/bench/load/verify"
	"paxosbench/bench/load/workload"
	"paxosbench/cmd/loadgen/conffile"
	"paxosbench/cmd/program"
)

// flagGroups order the flags in help.
var flagGroups = []kong.Group{
	{Key: "loop", Title: "Load:"},
	{Key: "cluster", Title: "Cluster:"},
	{Key: "workload", Title: "Workload:"},
	{Key: "time", Title: "Time:"},
	{Key: "check", Title: "Checks:"},
	{Key: "output", Title: "Output:"},
}

// clusterFlags say what to load, and from how many connections.
type clusterFlags struct {
	Cluster string    `help:"Directory of a cluster on this host, which says what the addresses are and what --at acts on. Default: $PAXOSBENCH_STATE, or .cluster in the project, if a cluster is up there." placeholder:"DIR"`
	Addrs   addresses `help:"Client addresses of the replicas. Default: those of the cluster, or 127.0.0.1:7001.. (or from $PAXOSBENCH_PORT_BASE on)." placeholder:"ADDR"`
	Admin   addresses `help:"Admin addresses of the replicas; none: no figures of the replicas. Default: the ports of --addrs plus 200." placeholder:"ADDR"`
	TLS     string    `name:"tls" help:"Directory with ca.crt, tls.crt and tls.key, for replicas that run with --tls. Default: that of the cluster; with --addrs none." placeholder:"DIR"`
	Conns   int       `help:"Connections, all to the leader (${default})." default:"${conns}" placeholder:"N"`
	Clients int       `help:"Sessions in total, spread over the connections. Default: one each." placeholder:"N"`
	Threads int       `help:"Event loops, each on a thread of its own (${default})." default:"${threads}" placeholder:"N"`
}

// workloadFlags say what the operations are.
type workloadFlags struct {
	Workload      workload.Preset      `help:"ycsb-a, -b, -c, -d or -f: sets --mix, --key-dist and the default of --value-size. docs/loadgen.md has the differences from YCSB; -e scans, which the replicas cannot." placeholder:"NAME" xor:"mix,dist"`
	Mix           *workload.Mix        `help:"Shares of put, get, delete and cas, as in put:0.5,get:0.5, or get:0.5,rmw:0.5 (${mix})." placeholder:"OP:SHARE,.." xor:"mix"`
	Keys          units.Count          `help:"Number of keys (${default})." default:"${keys}" placeholder:"N"`
	KeyDist       *workload.KeyDist    `help:"uniform, seq, latest, zipf:THETA, scattered:THETA, hot:KEYS,OPS or conflict:PCT (${key_dist})." placeholder:"DIST" xor:"dist"`
	KeySize       units.Size           `help:"Bytes of a key (${default})." default:"${key_size}" placeholder:"SIZE"`
	ValueSize     *workload.ValueSizes `help:"Bytes of a value: 8, uniform:16,1KiB or weighted:16@0.9,1KiB@0.1 (${value_size}; 1000 of ycsb-*)." placeholder:"SIZE"`
	CompressRatio float64              `help:"How many times smaller a compressor can make values (${default}: not at all)." default:"${compress_ratio}" placeholder:"X"`
	Preload       string               `help:"Write every key once before the warm-up: yes, no, or auto: if the mix does not only put (${default})." enum:"auto,yes,no" default:"auto" placeholder:"WHEN"`
	Seed          uint64               `help:"Determines keys, values, mix and arrivals (${default})." default:"${seed}" placeholder:"N"`
}

// apply sets mix, distribution of keys and size of values: those of the named workload, or those given.
func (f *workloadFlags) apply(cfg *load.Config) error {
	if f.Mix != nil {
		cfg.Mix = *f.Mix
	}
	if f.KeyDist != nil {
		cfg.KeyDist = *f.KeyDist
	}
	if err := f.Workload.Apply(&cfg.Config); err != nil {
		return err
	}
	if f.ValueSize != nil {
		cfg.ValueSize = *f.ValueSize
	}
	return nil
}

// timeFlags say how long things take.
type timeFlags struct {
	Warmup   time.Duration  `help:"Load before the measurement (${default})." default:"${warmup}" placeholder:"D"`
	Duration time.Duration  `help:"Length of the measurement (${default})." default:"${duration}" placeholder:"D"`
	Interval *time.Duration `help:"Length of an interval of the series. Default: ${interval}, with --at ${event_interval}." placeholder:"D"`
	Timeout  time.Duration  `help:"Age at which an operation counts as timed out; answers are awaited that long at the end (${default})." default:"${timeout}" placeholder:"D"`
	Stall    time.Duration  `help:"Silence after which a connection with operations in flight is given up for another replica; doubled for one that comes back to the same leader, up to 3s (${default})." default:"${stall}" placeholder:"D"`
	Connect  time.Duration  `name:"connect-timeout" help:"Time for an attempt to connect; doubled as long as nothing has connected, up to 2s, and then at least four times what it has taken (${default}). With TLS it is for the connection alone; handshake and welcome may take as long as --stall each." default:"${connect_timeout}" placeholder:"D"`
	GiveUp   time.Duration  `help:"How long to go on without a leader (${default})." default:"${give_up}" placeholder:"D"`
}

// checkFlags say what a good run is.
type checkFlags struct {
	Verify    verify.Mode       `help:"none, replies (once, in order, right values) or history (also linearizability of sampled keys) (${default})." default:"${verify}" placeholder:"WHAT"`
	Examine   *time.Duration    `help:"How long at most the replicas are exercised after the load and the reading back. Default: half of --duration, up to ${examine}." placeholder:"D"`
	MaxErrors float64           `help:"Share of operations that may fail or time out (${default})." default:"${max_errors}" placeholder:"X"`
	Objective verdict.Objective `help:"Latency to meet, as in 'p99<5ms'." placeholder:"PN<D"`

	MaxSendLag time.Duration `help:"Send lag (p99) up to which an open loop is valid. Default: 1ms, or 10 % of the median service time if that is more." placeholder:"D"`
}

// examine is how long the replicas are exercised after a measurement.
func (f *checkFlags) examine(measured time.Duration) time.Duration {
	if f.Examine != nil {
		return *f.Examine
	}
	return min(measured/2, load.Default().Examine)
}

// outputFlags say what is written where.
type outputFlags struct {
	Out     string `help:"Directory for result.json, the series and the latency files." placeholder:"DIR"`
	Name    string `help:"Name of this generator in merged results. Default: the host's." placeholder:"NAME"`
	Quiet   bool   `help:"No status line on stderr."`
	Metrics string `help:"Serve what the generator is doing at this address while it does it, at /metrics for Prometheus." placeholder:"HOST:PORT"`
	JSON    bool   `name:"json" help:"Print JSON instead of a summary."`
}

// loadFlags are the flags of every command that runs loads.
type loadFlags struct {
	Config conffile.Flag `help:"File of flags, in YAML: lines of FLAG: VALUE in their spelling. The command line comes before it." placeholder:"FILE"`

	Cluster  clusterFlags  `embed:"" group:"cluster"`
	Workload workloadFlags `embed:"" group:"workload"`
	Time     timeFlags     `embed:"" group:"time"`
	Check    checkFlags    `embed:"" group:"check"`
	Output   outputFlags   `embed:"" group:"output"`
}

// defaultWindow is the number of operations in flight per connection of a closed loop.
const defaultWindow = 1024

// eventInterval is that of the series with --at, if nothing is said: what is done to a cluster takes effect within a second.
const eventInterval = 100 * time.Millisecond

// defaults are those of the flags, by name. They are what a configuration begins with.
func defaults() kong.Vars {
	d := load.Default()
	vars := kong.Vars{"event_interval": eventInterval.String()}
	for name, value := range map[string]any{
		"conns": d.Conns, "threads": d.Threads, "window": defaultWindow, "arrival": d.Arrival, "tick": d.Tick, "mix": d.Mix, "keys": d.Keys,
		"key_dist": d.KeyDist, "key_size": d.KeySize, "value_size": d.ValueSize, "compress_ratio": d.CompressRatio, "seed": d.Seed,
		"warmup": d.Warmup, "duration": d.Duration, "interval": d.Interval, "timeout": d.Timeout, "stall": d.StallTimeout,
		"connect_timeout": d.ConnectTimeout, "give_up": d.GiveUp, "verify": d.Verify, "examine": d.Examine, "max_errors": d.MaxErrors,
	} {
		vars[name] = fmt.Sprint(value)
	}
	return vars
}

// interval returns what was said, or what is usual.
func (f *timeFlags) interval(usual time.Duration) time.Duration {
	if f.Interval != nil {
		return *f.Interval
	}
	return usual
}

// config returns the configuration the flags describe, of a closed loop with the default window.
func (f *loadFlags) config() (*load.Config, error) {
	addrs, err := f.Cluster.find()
	if err != nil {
		return nil, err
	}
	cfg := load.Default()
	cfg.Addrs, cfg.Admin, cfg.TLS = addrs.Client, addrs.Admin, cmp.Or(f.Cluster.TLS, addrs.TLS)
	cfg.Conns, cfg.Threads, cfg.Window = f.Cluster.Conns, f.Cluster.Threads, defaultWindow
	cfg.Clients, cfg.Keys, cfg.KeySize = cmp.Or(f.Cluster.Clients, cfg.Conns), f.Workload.Keys, f.Workload.KeySize
	cfg.CompressRatio, cfg.Seed = f.Workload.CompressRatio, f.Workload.Seed
	cfg.ClusterDir = f.Cluster.dir()
	cfg.Warmup, cfg.Duration, cfg.Interval, cfg.Timeout = f.Time.Warmup, f.Time.Duration, f.Time.interval(cfg.Interval), f.Time.Timeout
	cfg.StallTimeout, cfg.ConnectTimeout, cfg.GiveUp = f.Time.Stall, f.Time.Connect, f.Time.GiveUp
	cfg.Verify, cfg.MaxErrors, cfg.Objective, cfg.MaxSendLag = f.Check.Verify, f.Check.MaxErrors, f.Check.Objective, f.Check.MaxSendLag
	cfg.Name, cfg.Version, cfg.OwnProcess = f.Output.Name, program.ThisVersion().String(), true
	if err := f.Workload.apply(&cfg); err != nil {
		return nil, err
	}
	cfg.Examine = f.Check.examine(cfg.Duration)
	cfg.Preload = f.Workload.Preload == "yes" || f.Workload.Preload == "auto" && cfg.Mix.Reads()
	if cfg.Name == "" {
		cfg.Name, _ = os.Hostname() // a host without a name makes a generator without one
	}
	return &cfg, nil
}

// dir is the directory of the cluster that is meant.
func (f *clusterFlags) dir() string {
	if f.Cluster == "" {
		return cluster.DefaultDir()
	}
	return f.Cluster
}
