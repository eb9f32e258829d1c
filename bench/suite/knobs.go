package suite

import (
	"slices"
	"strings"
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
	// KnobVariant names a cell whose settings differ in several knobs. It sets nothing.
	KnobVariant = "variant"
)

// KnobWindow is the number of operations in flight per connection. In cells with KnobLoad it applies to the probe: an
// open loop keeps as many in flight as are due.
const KnobWindow = "window"

// KnobUnreplicated makes a single replica apply and answer without protocol or journal.
const KnobUnreplicated = "unreplicated"

// knobs lists all knobs by owner, spelled as the flags are. Addresses, data directories, seeds, lengths of time and
// output are the runner's business and no knobs.
var knobs = map[Owner][]string{
	Bench: {KnobReplicas, KnobLinkDelay, KnobLinkRate, KnobLoad, KnobVariant},
	Replica: {
		"durability", "batch", "linger", "batch-bytes", "pipeline", "pipeline-bytes", "compress", "quorum2", "machine",
		"reads", KnobUnreplicated, "io-loops", "heartbeat", "election-timeout", "client-window", "max-clients",
		"max-sessions", "log-bytes", "segment-bytes", "snapshot-bytes",
	},
	Load: {
		"rate", KnobWindow, "session-window", "arrival", "tick", "at", "interval", "timeout", "stall", "give-up",
		"workload", "mix", "keys", "key-dist", "key-size", "value-size", "compress-ratio", "preload", "conns", "clients",
		"threads", "verify", "max-errors", "max-send-lag",
	},
}

// OwnerOf returns the owner of a knob, 0 if there is no such knob.
func OwnerOf(knob string) Owner {
	for owner, names := range knobs {
		if slices.Contains(names, knob) {
			return owner
		}
	}
	return 0
}

// knobNames lists all knobs, for messages.
func knobNames() string {
	return strings.Join(slices.Sorted(slices.Values(slices.Concat(knobs[Bench], knobs[Replica], knobs[Load]))), ", ")
}
