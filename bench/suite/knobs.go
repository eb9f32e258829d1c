package suite

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"paxosbench/bench/load/pacing"
	"paxosbench/bench/load/units"
	"paxosbench/bench/load/verify"
	"paxosbench/bench/load/workload"
	"paxosbench/bench/netem"
	"paxosbench/wire"
)

// Owner says whose setting a knob is.
type Owner int

// Owners of knobs.
const (
	// Replica: a flag of cmd/replica, given to every replica.
	Replica Owner = iota + 1
	// Load: a flag of cmd/loadgen run.
	Load
	// Bench: the suite itself acts on it.
	Bench
)

// Knobs that the suite itself acts on.
const (
	// KnobReplicas is the number of replicas.
	KnobReplicas = "replicas"
	// KnobLinkDelay is the one-way delay of every link between two replicas: half a round trip.
	KnobLinkDelay = "link-delay"
	// KnobLinkRate is the rate of every directed link between two replicas, in bytes per second: 100MB, or unlimited.
	KnobLinkRate = "link-rate"
	// KnobLoad offers a share of what the cell reached in a closed loop, as in 70%. See Planned.
	KnobLoad = "load"
	// KnobTLS has replicas and load generator prove who they are, and encrypt what passes.
	KnobTLS = "tls"
	// KnobVariant names a cell whose settings differ in several knobs. It sets nothing.
	KnobVariant = "variant"
)

// DefaultReplicas is the number of replicas of a cell that does not say.
const DefaultReplicas = 3

// KnobWindow is the number of operations in flight per connection. In cells with KnobLoad it applies to the probe: an
// open loop keeps as many in flight as are due.
const KnobWindow = "window"

// KnobConns is the number of connections.
const KnobConns = "conns"

// ScheduleKnobs are those that only an open loop has.
var ScheduleKnobs = []string{"arrival", "tick", "max-send-lag"}

// KnobUnreplicated makes a single replica apply and answer without protocol or journal.
const KnobUnreplicated = "unreplicated"

// knob is something that a suite can set.
type knob struct {
	name  string
	owner Owner
	// check refuses a value that the owner would refuse, and says what is allowed.
	check func(value string) error
}

// knobs lists all knobs, spelled as the flags are. Addresses, data directories, seeds, lengths of time and output are the
// runner's business and no knobs.
var knobs = slices.Concat(benchKnobs, replicaKnobs, loadKnobs)

var benchKnobs = []knob{
	{KnobReplicas, Bench, whole(1, wire.MaxReplicas)},
	{KnobLinkDelay, Bench, length(0, netem.MaxDelay)},
	{KnobLinkRate, Bench, func(value string) error { _, err := LinkRate(value); return err }},
	{KnobLoad, Bench, func(value string) error { _, err := LoadShare(value); return err }},
	{KnobTLS, Bench, oneOf("true", "false")},
	{KnobVariant, Bench, func(string) error { return nil }},
}

// replicaKnobs repeats what cmd/replica allows: the bench takes nothing from the program under test, and a test of
// cmd/bench asks that program whether the two agree.
var replicaKnobs = []knob{
	{"durability", Replica, oneOf("none", "os", "fsync")},
	{"batch", Replica, batchPolicy},
	{"linger", Replica, length(0, forever)},
	{"batch-bytes", Replica, size(1, wire.MaxBatch)},
	{"pipeline", Replica, either("adaptive", whole(1, 4096))},
	{"pipeline-bytes", Replica, size(1, maxSize)},
	{"compress", Replica, oneOf("none", "s2", "zstd")},
	{"quorum2", Replica, whole(0, wire.MaxReplicas)},
	{"machine", Replica, oneOf("kv", "noop")},
	{"reads", Replica, text[wire.Reads]},
	{KnobUnreplicated, Replica, oneOf("true", "false")},
	{"heartbeat", Replica, length(time.Millisecond, forever)},
	{"election-timeout", Replica, length(2*time.Millisecond, forever)},
	{"client-window", Replica, whole(1, 1<<20)},
	{"max-clients", Replica, whole(1, math.MaxInt)},
	{"max-sessions", Replica, whole(1, 1<<20)},
	{"store-limit", Replica, either("0", size(1<<20, maxSize))},
	{"log-bytes", Replica, size(1<<20, maxSize)},
	{"segment-bytes", Replica, size(8<<20, maxSize)},
	{"snapshot-bytes", Replica, either("0", size(1<<20, maxSize))},
}

var loadKnobs = []knob{
	{"rate", Load, text[units.Rate]},
	{KnobWindow, Load, whole(0, 1<<20)},
	{"session-window", Load, whole(0, wire.MaxSessionWindow)},
	{"arrival", Load, text[pacing.Arrival]},
	{"tick", Load, text[pacing.Tick]},
	{"at", Load, plannedEvents},
	{"interval", Load, length(10*time.Millisecond, forever)},
	{"timeout", Load, length(1, forever)},
	{"stall", Load, length(1, forever)},
	{"give-up", Load, length(1, forever)},
	{"workload", Load, text[workload.Preset]},
	{"mix", Load, text[workload.Mix]},
	{"keys", Load, text[units.Count]},
	{"key-dist", Load, text[workload.KeyDist]},
	{"key-size", Load, keySize},
	{"value-size", Load, text[workload.ValueSizes]},
	{"compress-ratio", Load, number(1, math.MaxFloat64)},
	{"preload", Load, oneOf("auto", "yes", "no")},
	{KnobConns, Load, whole(1, 1<<16)},
	{"clients", Load, whole(0, 1<<16)},
	{"threads", Load, whole(1, 1<<16)},
	{"verify", Load, text[verify.Mode]},
	{"max-errors", Load, number(0, 1)},
	{"max-send-lag", Load, length(0, forever)},
}

// OwnerOf returns the owner of a knob, 0 if there is no such knob.
func OwnerOf(name string) Owner {
	k, _ := knobOf(name)
	return k.owner
}

// Knobs returns the names of an owner's knobs.
func Knobs(owner Owner) []string {
	var names []string
	for _, k := range knobs {
		if k.owner == owner {
			names = append(names, k.name)
		}
	}
	return names
}

// CheckValue refuses a value that a knob cannot have; the error names both and what is allowed.
func CheckValue(name, value string) error {
	k, ok := knobOf(name)
	if !ok {
		return fmt.Errorf("unknown knob %s; there are %s", name, knobNames())
	}
	if err := k.check(value); err != nil {
		return fmt.Errorf("%s=%s: %w", name, quoted(value), err)
	}
	return nil
}

func knobOf(name string) (knob, bool) {
	for _, k := range knobs {
		if k.name == name {
			return k, true
		}
	}
	return knob{}, false
}

// knobNames lists all knobs, for messages.
func knobNames() string {
	names := slices.Concat(Knobs(Bench), Knobs(Replica), Knobs(Load))
	slices.Sort(names)
	return strings.Join(names, ", ")
}
