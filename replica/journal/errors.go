package journal

import (
	"errors"
	"fmt"
)

// ErrEmpty is returned by Open for a data directory without a journal. An empty directory is not a new replica: it
// may be one that has voted and lost its disk.
var ErrEmpty = errors.New("data directory is empty: use --bootstrap for a new cluster, " +
	"or --rejoin for a replica that lost its disk")

// ErrClosed is returned by Flush after Close.
var ErrClosed = errors.New("journal: closed")

// ErrTruncated is returned by ReadEntries for a slot that is not, or no longer, in the journal.
var ErrTruncated = errors.New("journal: slot is not in the journal, fetch a snapshot")

// errVersion is returned for a directory of another program version, which is not damage.
var errVersion = errors.New("format version")

// CorruptError reports damage to data that had been synced. It is never repaired by forgetting: the remedy is to
// replace the disk and rejoin, so that the replica does not vote before it has caught up.
type CorruptError struct {
	File   string // path of the damaged file
	Offset int64  // where in it
	LSN    LSN    // ordinal of the record that should be there; 0 if it cannot be told
	Reason string
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("journal: %s at offset %d is damaged (record %d): %s; "+
		"move the data directory away and start with --rejoin", e.File, e.Offset, e.LSN, e.Reason)
}

// IdentityError reports that a data directory belongs to another cluster, replica or configuration.
type IdentityError struct {
	File      string
	Got, Want Identity // Got is what the file says, Want what the replica was started as
}

// Error implements error.
func (e *IdentityError) Error() string {
	return fmt.Sprintf("journal: %s belongs to cluster %#x, replica %d, configuration %#x; "+
		"this is cluster %#x, replica %d, configuration %#x: check the data directory and the configuration", e.File,
		e.Got.Cluster, e.Got.Replica, e.Got.ConfigHash, e.Want.Cluster, e.Want.Replica, e.Want.ConfigHash)
}
