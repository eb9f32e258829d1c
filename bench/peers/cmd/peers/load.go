//go:build linux

package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"paxosbench/bench/client"
	"paxosbench/bench/cluster"
	"paxosbench/bench/load"
	"paxosbench/bench/load/events"
	"paxosbench/bench/load/units"
	"paxosbench/bench/load/verify"
	"paxosbench/bench/load/workload"
	"paxosbench/bench/peers/driver"
	"paxosbench/bench/peers/systems"
	"paxosbench/bench/record"
	"paxosbench/bench/report"
	"paxosbench/bench/target"
	"paxosbench/cmd/program"
)

// exitInvalid is the exit code of a run whose figures describe the generator, as loadgen has it.
const exitInvalid = 6

// loadCommand is peers load: what loadgen run is, for any system, in as many flags as the suites need.
type loadCommand struct {
	Cluster string `help:"Directory of the cluster, of whatever system (default: that of bench cluster)." placeholder:"DIR"`
	Out     string `help:"Directory for result.json and the series." placeholder:"DIR"`
	Quiet   bool   `help:"Print no summary."`
	Check   bool   `help:"Read the flags and end."`

	InFlight int                 `help:"Operations in flight (${default})." default:"64" placeholder:"N"`
	Conns    int                 `help:"Connections at most (${default})." default:"4" placeholder:"N"`
	Rate     units.Rate          `help:"Open loop: operations per second." placeholder:"RATE"`
	MaxLag   time.Duration       `name:"max-send-lag" help:"Send lag (p99) up to which an open loop is valid." placeholder:"D"`
	Warmup   time.Duration       `help:"Load before the measurement (${default})." default:"1s" placeholder:"D"`
	Duration time.Duration       `help:"Length of the measurement (${default})." default:"3s" placeholder:"D"`
	Interval time.Duration       `help:"Length of an interval of the series (${default})." default:"1s" placeholder:"D"`
	Timeout  time.Duration       `help:"Age at which an operation counts as timed out (${default})." default:"10s" placeholder:"D"`
	Stall    time.Duration       `help:"Silence after which a connection is given up (${default})." default:"2s" placeholder:"D"`
	GiveUp   time.Duration       `help:"How long to go on without a leader (${default})." default:"20s" placeholder:"D"`
	Keys     units.Count         `help:"Number of keys (${default})." default:"10k" placeholder:"N"`
	KeyDist  workload.KeyDist    `help:"Which keys: uniform, of which each session has its own, zipf:THETA, or another of loadgen's (${default})." default:"uniform" placeholder:"DIST"`
	KeySize  units.Size          `help:"Bytes of a key (${default})." default:"8" placeholder:"SIZE"`
	Value    workload.ValueSizes `name:"value-size" help:"Bytes of a value (${default})." default:"8" placeholder:"SIZE"`
	Mix      workload.Mix        `help:"Shares of put, get and delete (${default})." default:"put:1" placeholder:"OP:SHARE,.."`
	Preload  string              `help:"Write every key once before the warm-up (${default})." enum:"yes,no" default:"yes" placeholder:"WHEN"`
	Verify   verify.Mode         `help:"none, replies or history (${default})." default:"replies" placeholder:"WHAT"`
	Errors   float64             `name:"max-errors" help:"Share of operations that may fail or time out (${default})." default:"0.01" placeholder:"X"`
	At       []events.Planned    `help:"Something to do to the cluster meanwhile, as in '2s kill leader'." sep:"none" placeholder:"'D WHAT WHOM'"`
	Seed     uint64              `help:"Determines keys, values and arrivals (${default})." default:"1" placeholder:"N"`
}

// Run carries out peers load.
func (c *loadCommand) Run(s *program.Session) error {
	if c.Check {
		return c.check()
	}
	of, err := cluster.Open(cmp.Or(c.Cluster, cluster.DefaultDir()))
	if err != nil {
		return program.Usage(err)
	}
	cfg, err := c.config(of)
	if err != nil {
		return program.Usage(err)
	}
	output, err := c.output(of, cfg)
	if err != nil {
		return err
	}
	outcome, err := load.Run(s.Ctx, cfg, output, nil)
	if err != nil {
		return errors.Join(err, output.abandon())
	}
	if err := output.finish(outcome); err != nil {
		return err
	}
	if !c.Quiet {
		err = report.Summary(s.Out, outcome.Result)
	}
	return errors.Join(err, judge(outcome.Result, c.Errors))
}

// judge makes an error of a run that is not to be believed.
func judge(r *record.Result, maxErrors float64) error {
	bad := float64(r.Ops.Failed + r.Ops.TimedOut)
	switch {
	case r.Verification.Violations > 0:
		return fmt.Errorf("verification failed: %d wrong answers; %s", r.Verification.Violations, strings.Join(r.Verification.Reports, "; "))
	case bad > maxErrors*float64(r.Ops.Sent):
		return fmt.Errorf("%.0f of %d operations failed or timed out", bad, r.Ops.Sent)
	case r.Verdict == record.Invalid:
		return &program.Error{Code: exitInvalid, Err: fmt.Errorf("the run is invalid: %s", strings.Join(r.Reasons, "; "))}
	}
	return nil
}

// check says what is wrong with the flags, as far as that shows without a cluster.
func (c *loadCommand) check() error {
	cfg := c.flags()
	cfg.Addrs, cfg.Clients, cfg.Events = []string{"127.0.0.1:1"}, cfg.Conns, nil
	if err := cfg.Validate(); err != nil {
		return program.Usage(err)
	}
	return nil
}

// config is the load that the flags describe, on a cluster.
func (c *loadCommand) config(of *cluster.Cluster) (*load.Config, error) {
	state, err := of.State()
	if err != nil {
		return nil, err
	}
	cfg := c.flags()
	cfg.ClusterDir, cfg.ClusterID = of.Dir(), state.Cluster
	if err := c.reach(&cfg, of, state); err != nil {
		return nil, err
	}
	return &cfg, cfg.Validate()
}

// flags is what the flags describe, whatever the cluster.
func (c *loadCommand) flags() load.Config {
	cfg := load.Default()
	cfg.Conns, cfg.Warmup, cfg.Duration, cfg.Interval = min(c.Conns, c.InFlight), c.Warmup, c.Duration, c.Interval
	cfg.Timeout, cfg.StallTimeout, cfg.GiveUp = c.Timeout, c.Stall, c.GiveUp
	cfg.Keys, cfg.KeyDist, cfg.KeySize, cfg.ValueSize, cfg.Mix, cfg.Seed = c.Keys, c.KeyDist, c.KeySize, c.Value, c.Mix, c.Seed
	cfg.Preload, cfg.Verify, cfg.MaxErrors, cfg.Examine = c.Preload == "yes", c.Verify, c.Errors, 0
	cfg.Open, cfg.Rate, cfg.MaxSendLag = c.Rate > 0, c.Rate, c.MaxLag
	cfg.Events = c.At
	cfg.Version, cfg.OwnProcess = program.ThisVersion().String(), true
	if len(c.At) > 0 {
		cfg.Interval = min(c.Interval, 100*time.Millisecond)
	}
	return cfg
}

// reach divides what is in flight as the system has it: over the windows of few sessions if they have some, else over as many
// sessions as there are operations.
func (c *loadCommand) reach(cfg *load.Config, of *cluster.Cluster, state *cluster.State) error {
	addrs, err := of.Addrs()
	if err != nil {
		return err
	}
	known := systems.All()[state.Program]
	if known == nil || known.Driver == driver.Own {
		cfg.Clients, cfg.Window = cfg.Conns, c.InFlight/cfg.Conns
		if c.InFlight%cfg.Conns != 0 {
			return fmt.Errorf("%d operations in flight on %d connections: one is to be a multiple of the other", c.InFlight, cfg.Conns)
		}
		if cfg.Addrs, cfg.TLS = addrs.Client, addrs.TLS; known == nil {
			cfg.Admin = addrs.Admin
		} else {
			cfg.System = named{client.System{Addrs: addrs.Client, OwnProcess: true}, watched{of}, known.Name}
		}
		return nil
	}
	d, err := driver.For(known.Driver, addrs.Client)
	if err != nil {
		return err
	}
	cfg.System = target.Of(known.Name, driven{d, watched{of}})
	cfg.Clients, cfg.ConnectTimeout = c.InFlight, othersConnect
	return nil
}

// othersConnect is how long connecting may take where a client library asks who leads and opens a session.
const othersConnect = 2 * time.Second
