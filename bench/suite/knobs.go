package suite

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	name string
	// check refuses a value that makes no sense, and says what is allowed.
	check func(value string) error
}

var benchKnobs = []knob{
	{KnobReplicas, whole(1, wire.MaxReplicas)},
	{KnobLinkDelay, length(0, netem.MaxDelay)},
	{KnobLinkRate, func(value string) error { _, err := LinkRate(value); return err }},
	{KnobLoad, func(value string) error { _, err := LoadShare(value); return err }},
	{KnobTLS, truth},
	{KnobSystem, systemName},
	{KnobInFlight, whole(1, 1<<20)},
	{KnobVariant, func(string) error { return nil }},
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

// The flags of the programs, one a line. They are written by tests of the programs, which fail when they differ: the suite knows
// nothing of a program but what that says of itself. Which values a flag takes the program is asked: see bench.Local.Check.
var (
	//go:embed flags/replica.txt
	replicaFlags string
	//go:embed flags/loadgen.txt
	loadFlags string
)

// runners are flags that no suite sets, because whoever makes the runs does: addresses, directories, identities, seeds, lengths of
// time and output.
var runners = strings.Fields(`
	id member cluster-id data bootstrap rejoin repair accept-loss insecure-listen admin pprof log-level log-format
	cluster addrs tls start-at generator cluster-script seed warmup duration closed stage objective out name quiet metrics json
	config check version help`)

var knobsOf = map[Owner][]string{Bench: names(benchKnobs), Replica: without(replicaFlags, runners), Load: without(loadFlags, runners)}

func names(knobs []knob) []string {
	var list []string
	for _, k := range knobs {
		list = append(list, k.name)
	}
	return list
}

// without are the words of a text that are not in a list.
func without(text string, list []string) []string {
	return slices.DeleteFunc(strings.Fields(text), func(name string) bool { return slices.Contains(list, name) })
}

// OwnerOf returns the owner of a knob, 0 if there is no such knob.
func OwnerOf(name string) Owner {
	for owner, names := range knobsOf {
		if slices.Contains(names, name) {
			return owner
		}
	}
	return 0
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

// knobNames lists all knobs, for messages.
func knobNames() string {
	names := slices.Concat(knobsOf[Bench], knobsOf[Replica], knobsOf[Load])
	slices.Sort(names)
	return strings.Join(names, ", ")
}
