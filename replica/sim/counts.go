package sim

import (
	"fmt"
	"reflect"
	"strings"
)

// Counts says what happened in a run, or in many.
type Counts struct {
	// Faults. SyncErrors and FullDisks are those that struck.
	Crashes, PowerLosses, Pauses, Partitions, SyncErrors, FullDisks, LostDisks, Stalls, Rots, Misplaced uint64
	Clogs, SlowLinks, Jumps, Freezes, Visitors, Plots, Probes, Diverged, Deposed, Resets, Hints         uint64

	Lost, Duplicated, Delivered, QueueFull uint64 // messages

	// What replicas did about it.
	Elections, Snapshots, Installed, Fetched, Resent, Duplicates, Gaps, NoOps                         uint64
	Rejoined, TornTails, RefusedStarts, Repairs, BrokenRepairs, Busy, Evictions, OSRuns, VolatileRuns uint64
	LongRuns                                                                                          uint64 // of more than 100,000 slots
	HoardRuns                                                                                         uint64 // with evictions of sessions that hoard

	// What operators did, and what came of it.
	FlagsLeftIn, DurabilityChanges, RefusedForgetting uint64

	Answered  uint64 // commands
	Queries   uint64 // answered beside the log
	Undecided uint64 // histories whose check took too many steps
}

// Add adds the counts of another run.
func (c *Counts) Add(other *Counts) {
	sum, one := reflect.ValueOf(c).Elem(), reflect.ValueOf(other).Elem()
	for i := range sum.NumField() {
		sum.Field(i).SetUint(sum.Field(i).Uint() + one.Field(i).Uint())
	}
}

// Missing names what has not happened once. A campaign in which something is missing has not tested it.
func (c *Counts) Missing() (names []string) {
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).Uint() == 0 && name != "Undecided" {
			names = append(names, name)
		}
	}
	return names
}

// String lists all of them.
func (c *Counts) String() string {
	v := reflect.ValueOf(c).Elem()
	var parts []string
	for i := range v.NumField() {
		parts = append(parts, fmt.Sprintf("%s %d", v.Type().Field(i).Name, v.Field(i).Uint()))
	}
	return strings.Join(parts, ", ")
}
