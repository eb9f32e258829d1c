package load

import (
	"errors"
	"fmt"
	"time"

	"paxosbench/bench/client"
	"paxosbench/bench/load/events"
	"paxosbench/bench/load/observe"
	"paxosbench/bench/load/pacing"
	"paxosbench/bench/load/units"
	"paxosbench/bench/load/verdict"
	"paxosbench/bench/load/verify"
	"paxosbench/bench/load/workload"
	"paxosbench/bench/target"
	"paxosbench/wire"
	"paxosbench/wire/client/loop"
)

// Config describes one run completely. It goes into the result as it is.
type Config struct {
	// System is what is measured; nil: the replicas of this project, at Addrs.
	System target.System

	Addrs []string // client addresses of the replicas
	Admin []string // admin addresses of the replicas, in the same order; empty: no figures of the replicas, unless System tells them

	// TLS is the directory of the credentials by which this client proves itself; empty: nobody proves anything.
	TLS string

	workload.Config // what the operations are
	pacing.Schedule // when they are due in an open loop
	events.Plan     // what is done to the replicas meanwhile

	Open bool // an open loop, of the schedule; otherwise a closed one
	// Window is the number of operations in flight on each connection of a closed loop, and the limit of an open
	// one; 0: as granted by the replicas.
	Window int
	// SessionWindow is the number of operations in flight of one session; 0: its share of its connection's window.
	SessionWindow int

	Conns   int // connections in total
	Threads int // event loops, each on a thread of its own

	Warmup   time.Duration
	Duration time.Duration
	Total    units.Count   // operations after which the measurement ends, if it has not ended before; 0: no matter how many
	Interval time.Duration // of the series
	// Timeout is when an operation counts as timed out, and how long answers are awaited at the end.
	Timeout time.Duration
	// StallTimeout is how long a silent connection with operations in flight is kept.
	StallTimeout time.Duration
	// ConnectTimeout bounds attempts to connect.
	ConnectTimeout time.Duration
	// GiveUp is how long the run goes on without any connection to a leader.
	GiveUp time.Duration
	// StartAt is when the warm-up begins, so that several generators start together; zero: at once.
	StartAt time.Time

	Verify verify.Mode
	// Examine is how long the replicas are exercised after the load, if anything is verified.
	Examine   time.Duration
	MaxErrors float64 // share of operations that may fail or time out before the run counts as failed
	Objective verdict.Objective
	// MaxSendLag is the p99 of the send lag up to which an open loop is valid; 0: 1 ms, or a tenth of the median
	// service time if that is more.
	MaxSendLag time.Duration
	// OwnProcess says that the process is there for this run: a loop that loads replicas of this project keeps one of the Go runtime's
	// processors also while it waits.
	OwnProcess bool
	// Version says what this generator was built from.
	Version string
	// Name tells this generator from others in a merged result.
	Name string
}

// system returns what is measured.
func (c *Config) system() target.System {
	if c.System != nil {
		return c.System
	}
	return client.System{Addrs: c.Addrs, TLS: c.TLS, OwnProcess: c.OwnProcess}
}

// can returns what that can do.
func (c *Config) can() target.Capabilities { return c.system().Capabilities() }

// nodes returns how the nodes of what is measured are looked at.
func (c *Config) nodes() observe.Nodes {
	if o, ok := c.system().(target.Observer); ok {
		return &observe.Observed{Of: o}
	}
	return observe.Pages(c.Admin)
}

// validateSystem reports what is asked of the system that it cannot do.
func (c *Config) validateSystem() error {
	var errs []error
	can := c.can()
	for _, needed := range []struct {
		op wire.Op
		ok bool
	}{{wire.OpGet, can.Get}, {wire.OpDelete, can.Delete}, {wire.OpCompareAndSet, can.CompareAndSet}} {
		if c.Mix.Share(needed.op) > 0 && !needed.ok {
			errs = append(errs, fmt.Errorf("mix %v: %s has no %v: leave it out", c.Mix, c.system().Name(), needed.op))
		}
	}
	if _, tells := c.system().(target.Observer); len(c.Admin) > 0 && (tells || !can.Status) {
		errs = append(errs, fmt.Errorf("admin addresses: the nodes of %s have no pages of status: give none", c.system().Name()))
	}
	return errors.Join(errs...)
}

// SetStages makes the configuration one of stages: an open loop that lasts as long as they do. Its rate is their mean.
func (c *Config) SetStages(stages []pacing.Stage) {
	c.Open, c.Duration = true, c.Schedule.SetStages(stages)
}

// Validate reports everything that is wrong with the configuration, each with its remedy.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.System != nil || len(c.Addrs) > 0, "no addresses: give --addrs")
	check(c.Conns >= 1, "%d connections: at least 1", c.Conns)
	check(c.Threads >= 1 && c.Threads <= c.Conns, "%d threads for %d connections: each thread needs a connection", c.Threads, c.Conns)
	check(c.Clients >= c.Conns, "%d clients on %d connections: raise --clients or lower --conns", c.Clients, c.Conns)
	check(c.Window >= 0 && c.Window <= 1<<20, "window %d: 0 to %d", c.Window, 1<<20)
	check(c.SessionWindow >= 0 && c.SessionWindow <= wire.MaxSessionWindow, "session window %d: 0 to %d", c.SessionWindow, wire.MaxSessionWindow)
	check(c.Duration > 0 && c.Duration <= longest, "duration %v: must be positive, and at most %v", c.Duration, longest)
	check(c.Total == 0 || c.Total >= units.Count(c.Threads), "total of %v operations: at least one for each of %d threads", c.Total, c.Threads)
	check(c.Warmup >= 0 && c.Warmup <= longest, "warm-up %v: must not be negative, and at most %v", c.Warmup, longest)
	check(c.Interval >= 10*time.Millisecond, "interval %v: at least 10ms", c.Interval)
	check(c.Timeout > 0, "timeout %v: must be positive", c.Timeout)
	check(c.StallTimeout > 0, "stall timeout %v: must be positive", c.StallTimeout)
	check(c.ConnectTimeout > 0, "connect timeout %v: must be positive", c.ConnectTimeout)
	check(c.GiveUp > 0, "give up after %v: must be positive", c.GiveUp)
	check(c.MaxErrors >= 0 && c.MaxErrors <= 1, "max errors %v: a fraction from 0 to 1", c.MaxErrors)
	check(c.Examine >= 0, "examine %v: must not be negative", c.Examine)
	check(c.MaxSendLag >= 0, "max send lag %v: must not be negative", c.MaxSendLag)
	errs = append(errs, c.Config.Validate(), c.Plan.Validate(c.Duration), c.validateSystem())
	if c.Verify != verify.None {
		errs = append(errs, c.Verifiable())
	}
	if c.Open {
		errs = append(errs, c.Schedule.Validate(c.Interval))
	}
	return errors.Join(errs...)
}

// longest is how long a measurement, or a warm-up, may be: sums of times stay far from what a Duration can hold.
const longest = 10_000 * time.Hour

// Default returns a closed loop of puts that is valid but for what to load: set System, or Addrs. It is what to start a
// configuration from.
func Default() Config {
	return Config{
		Config: workload.Config{
			Clients: 64, Keys: 100_000, KeySize: 8, ValueSize: workload.SmallValues, CompressRatio: 1, Mix: workload.PutOnly, Seed: 1,
			Generator: units.GeneratorID{Of: 1},
		},
		Conns: 4, Threads: 1,
		Warmup: 2 * time.Second, Duration: 10 * time.Second, Interval: time.Second, Timeout: 10 * time.Second,
		StallTimeout: loop.DefaultStallTimeout, ConnectTimeout: loop.DefaultConnectTimeout, GiveUp: 10 * time.Second,
		Verify: verify.Replies, Examine: 5 * time.Second, MaxErrors: 0.01,
	}
}
