package wire

import "fmt"

// Reads is how a cluster serves gets. All three are linearizable; they differ in what a get costs.
type Reads uint8

// Ways to serve gets. With ReadsIndex and ReadsLease clients send gets as Query frames: these stand outside of the
// session's order, and see at least every write that was answered before they were sent.
const (
	ReadsLog   Reads = 0 // as commands, through the log
	ReadsIndex Reads = 1 // by the leader, after a round of heartbeats that all waiting gets share
	ReadsLease Reads = 2 // by the leader at once while it holds a lease, which bounds the drift of clocks
	readsCount       = 3
)

var readsNames = [readsCount]string{"log", "index", "lease"}

// String returns the way as flags and results spell it.
func (r Reads) String() string {
	if r < readsCount {
		return readsNames[r]
	}
	return fmt.Sprintf("Reads(%d)", uint8(r))
}

// MarshalText renders the way as String does.
func (r Reads) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText parses log, index or lease.
func (r *Reads) UnmarshalText(text []byte) error {
	for i, name := range readsNames {
		if name == string(text) {
			*r = Reads(i)
			return nil
		}
	}
	return fmt.Errorf("reads %q: want log, index or lease", text)
}
