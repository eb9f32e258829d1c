package load

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"paxosbench/wire"
)

// Config describes one run completely. It goes into the result as it is.
type Config struct {
	Addrs []string // client addresses of the replicas
	Admin []string // admin addresses of the replicas, in the same order; empty: no figures of the replicas

	Open    bool // an open loop, of the rate, in operations per second; otherwise a closed one
	Rate    Rate
	Stages  []Stage // of the measurement, set by SetStages; none: it has one rate
	Arrival Arrival
	Tick    Tick // of an open loop
	// Window is the number of operations in flight on each connection of a closed loop, and the limit of an open
	// one; 0: as granted by the replicas.
	Window int
	// SessionWindow is the number of operations in flight of one session; 0: its share of its connection's window.
	SessionWindow int

	Conns   int // connections in total
	Clients int // sessions in total, spread over the connections
	Threads int // event loops, each on a thread of its own

	Keys          Count
	KeyDist       KeyDist
	KeySize       Size
	ValueSize     ValueSizes
	CompressRatio float64 // value bytes per byte they compress to
	Mix           Mix
	Preload       bool // write every key once before the warm-up
	Seed          uint64

	Warmup   time.Duration
	Duration time.Duration
	Total    Count         // operations after which the measurement ends, if it has not ended before; 0: no matter how many
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
	StartAt   time.Time
	Generator GeneratorID

	Verify VerifyMode
	// Examine is how long the replicas are exercised after the load, if anything is verified.
	Examine   time.Duration
	MaxErrors float64 // share of operations that may fail or time out before the run counts as failed
	Objective Objective
	// MaxSendLag is the p99 of the send lag up to which an open loop is valid; 0: 1 ms, or a tenth of the median
	// service time if that is more.
	MaxSendLag time.Duration
	Events     []PlannedEvent
	// ClusterDir is the directory of the cluster that events act on, ClusterScript a program that they call instead.
	ClusterDir, ClusterScript string
	// Version says what this generator was built from.
	Version string
	// Name tells this generator from others in a merged result.
	Name string
}

// GeneratorID says which of several generators of one cluster this is; they divide the keys.
type GeneratorID struct{ Index, Of int }

// maxGenerators leaves each generator a good many tags for its runs.
const maxGenerators = 1024

// tag returns a tag for the values of a run: not 0, see idUnknown, and never one of another generator of the cluster.
func (g GeneratorID) tag(random uint16) uint16 {
	each := math.MaxUint16 / g.Of
	return uint16(1 + int(random)%each*g.Of + g.Index)
}

// UnmarshalText parses I/N, with I from 1.
func (g *GeneratorID) UnmarshalText(text []byte) error {
	index, of, ok := strings.Cut(string(text), "/")
	i, err1 := strconv.Atoi(index)
	n, err2 := strconv.Atoi(of)
	if !ok || err1 != nil || err2 != nil || i < 1 || i > n || n > maxGenerators {
		return fmt.Errorf("generator %q: want I/N, as in 2/3 for the second of three, and at most %d", text, maxGenerators)
	}
	*g = GeneratorID{Index: i - 1, Of: n}
	return nil
}

// String renders the id in the form that UnmarshalText reads.
func (g GeneratorID) String() string { return fmt.Sprintf("%d/%d", g.Index+1, g.Of) }

// MarshalText renders the id as String does.
func (g GeneratorID) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// VerifyMode is what is checked about the answers.
type VerifyMode uint8

// Modes. History includes replies.
const (
	VerifyNone VerifyMode = iota
	VerifyReplies
	VerifyHistory
)

var verifyNames = []string{"none", "replies", "history"}

// UnmarshalText parses a mode.
func (m *VerifyMode) UnmarshalText(text []byte) error {
	for i, name := range verifyNames {
		if string(text) == name {
			*m = VerifyMode(i)
			return nil
		}
	}
	return fmt.Errorf("verify %q: want %s", text, strings.Join(verifyNames, ", "))
}

// String returns the mode's name.
func (m VerifyMode) String() string { return verifyNames[m] }

// MarshalText renders the mode as String does.
func (m VerifyMode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// tick returns the least time between two sends of each thread of an open loop.
func (c *Config) tick() time.Duration { return c.Tick.Of(c.peak() / Rate(c.Threads)) }

func (c *Config) keySpace() keySpace {
	return newKeySpace(uint64(c.Keys), c.Generator, uint64(c.Clients))
}

// random returns the random word of the configuration's seed that belongs to a purpose. Each generator has its own: two that
// are started with one seed draw other operations and other arrivals.
func (c *Config) random(purpose uint64) uint64 {
	return hash(hash(c.Seed+purpose) + uint64(c.Generator.Index))
}

// Purposes of random words.
const (
	randomWorkload = iota
	randomWarmup
	randomMeasurement
	randomSizes
)

// Rates are bounded to what can be scheduled in nanoseconds and counted at all.
const (
	minRate = Rate(1e-3)
	maxRate = Rate(1e9)
)

// Validate reports everything that is wrong with the configuration, each with its remedy.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(len(c.Addrs) > 0, "no addresses: give --addrs")
	check(!c.Open || c.Rate >= minRate && c.Rate <= maxRate, "rate %v: from %v to %v", c.Rate, minRate, maxRate)
	check(c.Conns >= 1, "%d connections: at least 1", c.Conns)
	check(c.Threads >= 1 && c.Threads <= c.Conns, "%d threads for %d connections: each thread needs a connection", c.Threads, c.Conns)
	check(c.Clients >= c.Conns, "%d clients on %d connections: raise --clients or lower --conns", c.Clients, c.Conns)
	check(c.Clients*c.Generator.Of <= maxSessions, "%d clients: at most %d over all generators", c.Clients, maxSessions)
	check(c.Window >= 0 && c.Window <= 1<<20, "window %d: 0 to %d", c.Window, 1<<20)
	check(c.SessionWindow >= 0 && c.SessionWindow <= wire.MaxSessionWindow, "session window %d: 0 to %d", c.SessionWindow, wire.MaxSessionWindow)
	check(c.Duration > 0, "duration %v: must be positive", c.Duration)
	check(c.Total == 0 || c.Total >= Count(c.Threads), "total of %v operations: at least one for each of %d threads", c.Total, c.Threads)
	check(c.Warmup >= 0, "warm-up %v: must not be negative", c.Warmup)
	check(c.Interval >= 10*time.Millisecond, "interval %v: at least 10ms", c.Interval)
	check(c.Timeout > 0, "timeout %v: must be positive", c.Timeout)
	check(c.StallTimeout > 0, "stall timeout %v: must be positive", c.StallTimeout)
	check(c.ConnectTimeout > 0, "connect timeout %v: must be positive", c.ConnectTimeout)
	check(c.GiveUp > 0, "give up after %v: must be positive", c.GiveUp)
	check(c.MaxErrors >= 0 && c.MaxErrors <= 1, "max errors %v: a fraction from 0 to 1", c.MaxErrors)
	check(c.Examine >= 0, "examine %v: must not be negative", c.Examine)
	check(c.MaxSendLag >= 0, "max send lag %v: must not be negative", c.MaxSendLag)
	errs = append(errs, c.validateWorkload()...)
	errs = append(errs, c.validateStages()...)
	errs = append(errs, c.validateEvents()...)
	return errors.Join(errs...)
}

func (c *Config) validateWorkload() []error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	sessions := Count(c.Clients * c.Generator.Of)
	check(c.Keys > sessions, "%v keys for %v clients: each client needs keys of its own, raise --keys", c.Keys, sessions)
	check(c.KeySize >= 1 && c.KeySize <= wire.MaxKey, "key size %v: 1 to %d", c.KeySize, wire.MaxKey)
	check(c.KeySize >= 8 || c.Keys <= 1<<(8*c.KeySize), "%v keys do not fit in %v bytes: raise --key-size", c.Keys, c.KeySize)
	zipf := c.KeyDist.kind == distZipf || c.KeyDist.kind == distScattered
	check(!zipf || c.Keys <= maxZipf, "zipf over %v keys: at most %d", c.Keys, maxZipf)
	check(c.CompressRatio >= 1, "compression ratio %v: 1 (none) or more", c.CompressRatio)
	if c.Verify != VerifyNone && c.Mix.Reads() && c.ValueSize.min() < valueIDBytes {
		errs = append(errs, fmt.Errorf("values of %d bytes cannot be verified: use at least %d bytes or --verify none",
			c.ValueSize.min(), valueIDBytes))
	}
	return errs
}
