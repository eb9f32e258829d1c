package wire

import "fmt"

// Lane names one of the two connections between a pair of replicas.
type Lane uint8

// Lanes.
const (
	LaneControl Lane = 1 // what elections, leases and acknowledgements are made of: short
	LaneBulk    Lane = 2 // what may be megabytes long

	// LaneCount is the number of lanes. They are numbered from 1.
	LaneCount = 2
)

// String returns the lane's name.
func (l Lane) String() string {
	switch l {
	case LaneControl:
		return "control"
	case LaneBulk:
		return "bulk"
	}
	return fmt.Sprintf("Lane(%d)", uint8(l))
}

// Lane returns the lane that messages of the type take.
func (t Type) Lane() Lane {
	if t.Bulk() {
		return LaneBulk
	}
	return LaneControl
}

// Bulk reports whether messages of the type may be long: batches, entries, parts of promises and of snapshots. They travel
// apart from the others, on a connection of their own, so that no heartbeat, vote or acknowledgement waits behind them; it
// may overtake what was sent before it.
func (t Type) Bulk() bool {
	switch t {
	case TypeAccept, TypePromise, TypeEntries, TypeSnapshotChunk:
		return true
	}
	return false
}
