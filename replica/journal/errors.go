package journal

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"paxosbench/wire"
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

// VersionError reports a directory of another version of the format.
type VersionError struct {
	File string
	Err  error
}

// Error implements error.
func (e *VersionError) Error() string { return fmt.Sprintf("journal: %s has %v", e.File, e.Err) }

// Unwrap returns what is known of the version.
func (e *VersionError) Unwrap() error { return e.Err }

// Remedy is what the errors advise that Repair is the answer to.
const Remedy = "start with --repair to set the data aside and take everything anew from the other replicas"

// CorruptError reports damage to data that had been synced. It is never repaired by forgetting: the remedy is to take
// everything anew from the others, as a replica that does not vote before it has caught up (see Repair).
type CorruptError struct {
	File   string // path of the damaged file
	Offset int64  // where in it
	LSN    LSN    // ordinal of the record that should be there; 0 if it cannot be told
	Reason string
	Err    error // of the file system, if it could not be read at all
}

// Error implements error.
func (e *CorruptError) Error() string {
	record := ""
	if e.LSN > 0 {
		record = fmt.Sprintf(" (record %d)", e.LSN)
	}
	return fmt.Sprintf("journal: %s at offset %d is damaged%s: %s; %s", e.File, e.Offset, record, e.Reason, Remedy)
}

// Unwrap returns the error of the file system.
func (e *CorruptError) Unwrap() error { return e.Err }

// OfMedium reports whether an error of the file system means that the medium does not give back what was written. Any
// other may pass.
func OfMedium(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EBADMSG) || errors.Is(err, syscall.EUCLEAN)
}

// unreadable says where an error of the file system came up, which is damage if it is one of the medium.
func unreadable(file string, offset int64, err error) error {
	if OfMedium(err) {
		return &CorruptError{File: file, Offset: offset, Reason: "it cannot be read: " + err.Error(), Err: err}
	}
	return fmt.Errorf("journal: %s at offset %d cannot be read: %w", file, offset, err)
}

// IdentityError reports that a data directory belongs to another cluster, replica or configuration.
type IdentityError struct {
	File      string
	Got, Want Identity // Got is what the file says, Want what the replica was started as
}

// Error implements error. It names the flags, with both values.
func (e *IdentityError) Error() string {
	var differ []string
	for _, d := range e.Differences() {
		differ = append(differ, d.Text("the directory", "this start"))
	}
	return fmt.Sprintf("journal: %s belongs to another replica or configuration: %s; start with the directory's values, "+
		"which never change, or give this replica its own --data directory", e.File, strings.Join(differ, "; "))
}

// Differences returns what differs, by the names of the flags.
func (e *IdentityError) Differences() []wire.Difference {
	return e.Got.all(e.Want).Diff(e.Want.all(e.Got))
}

// DurabilityError reports that a replica whose directory holds what it has voted was started with DurabilityNone, which
// would not look at it.
type DurabilityError struct {
	Dir       string
	Got, Want Durability // Got is what the directory was last run with
}

// Error implements error.
func (e *DurabilityError) Error() string {
	return fmt.Sprintf("journal: durability: the data directory %s was run with %v, this start says %v, which would ignore what "+
		"this replica has voted; start with --durability fsync or os, or with another --data directory", e.Dir, e.Got, e.Want)
}

// DivergedError reports a directory whose state differs from that of the other replicas, as an earlier life has found.
type DivergedError struct {
	File string // that says so
	Slot wire.Slot
}

// Error implements error.
func (e *DivergedError) Error() string {
	return fmt.Sprintf("journal: %s: this replica stopped because its state at slot %d differed from that of the others; "+
		"%s, or, if you know that it is the others who are wrong, once with --accept-loss to keep it", e.File, e.Slot, Remedy)
}
