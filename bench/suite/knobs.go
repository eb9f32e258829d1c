package suite

import (
	"fmt"
	"slices"
	"strconv"
	"time"

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
	// KnobSystem is what is measured, if not the replicas of this project. docs/peers.md has those that there are.
	KnobSystem = "system"
	// KnobInFlight is the number of operations in flight over all connections and sessions, for systems that divide them in
	// different ways.
	KnobInFlight = "in-flight"
	// KnobVariant names a cell whose settings differ in several knobs. It sets nothing.
	KnobVariant = "variant"
)

// OwnSystem is the value of KnobSystem for this project's replicas.
const OwnSystem = "paxosbench"

// DefaultReplicas is the number of replicas of a cell that does not say.
const DefaultReplicas = 3

// Unlimited is the value of KnobLinkRate for links that are as fast as they can be.
const Unlimited = "unlimited"

// KnobWindow is the number of operations in flight per connection. In cells with KnobLoad it applies to the probe: an
// open loop keeps as many in flight as are due.
const KnobWindow = "window"

// KnobConns is the number of connections.
const KnobConns = "conns"

// ScheduleKnobs are those that only an open loop has.
var ScheduleKnobs = []string{"arrival", "tick", "max-send-lag"}

// KnobUnreplicated makes a single replica apply and answer without protocol or journal.
const KnobUnreplicated = "unreplicated"

// knob is something that the suite itself acts on.
type knob struct {
	name  string
	usual string // what holds in a cell that does not say; empty: nothing
	// check refuses a value that makes no sense, and says what is allowed.
	check func(value string) error
}

var benchKnobs = []knob{
	{KnobReplicas, strconv.Itoa(DefaultReplicas), whole(1, wire.MaxReplicas)},
	{KnobLinkDelay, "0s", length(0, netem.MaxDelay)},
	{KnobLinkRate, Unlimited, func(value string) error { _, err := LinkRate(value); return err }},
	{KnobLoad, "", func(value string) error { _, err := LoadShare(value); return err }},
	{KnobTLS, "false", truth},
	{KnobSystem, OwnSystem, systemName},
	{KnobInFlight, "", whole(1, 1<<20)},
	{KnobVariant, "", func(string) error { return nil }},
}

func whole(low, high int) func(string) error {
	return func(value string) error {
		if n, err := strconv.Atoi(value); err != nil || n < low || n > high {
			return fmt.Errorf("want a whole number from %d to %d", low, high)
		}
		return nil
	}
}

func length(low, high time.Duration) func(string) error {
	return func(value string) error {
		if d, err := time.ParseDuration(value); err != nil || d < low || d > high {
			return fmt.Errorf("want a length of time, as in 50ms, from %v to %v", low, high)
		}
		return nil
	}
}

// systemName checks how a system may be called. Which there are is known where there are drivers for them.
func systemName(value string) error {
	if !plainName(value) {
		return fmt.Errorf("want letters, digits and dashes")
	}
	return nil
}

func truth(value string) error {
	if value != "true" && value != "false" {
		return fmt.Errorf("want true or false")
	}
	return nil
}

// CheckValue refuses a value that a knob which the suite itself acts on cannot have; the error names both and what is allowed.
func CheckValue(name, value string) error {
	i := slices.IndexFunc(benchKnobs, func(k knob) bool { return k.name == name })
	if i < 0 {
		return nil
	}
	if err := benchKnobs[i].check(value); err != nil {
		return fmt.Errorf("%s=%s: %w", name, quoted(value), err)
	}
	return nil
}
