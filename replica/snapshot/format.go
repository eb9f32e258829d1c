// Package snapshot keeps snapshots of a replica's state: the form in which they are stored, which is also the form in
// which they travel, and a store of them that survives a crash at any point.
//
// Reading order: format.go (the bytes), encoder.go and decoder.go (pure, in pieces of any size), store.go and writer.go
// (the files), memory.go (files that need not survive).
//
// A snapshot is a header, chunks and an end. What the chunks hold, one behind the other, is the stream of package
// machine, which has a format and a checksum of its own: the layer here finds damage early, names the slot, and
// compresses.
package snapshot

import (
	"errors"
	"fmt"

	"paxosbench/replica/journal"
	"paxosbench/wire"
)

// Header, little-endian.
//
//	offset size
//	0      4    headerMagic
//	4      4    CRC-32C of bytes 8..39
//	8      4    FormatVersion
//	12     4    zero
//	16     8    slot: the snapshot is the state after it
//	24     8    cluster; 0: it was not known
//	32     8    hash of the settings
const (
	headerMagic = 0x53535850 // "PXSS" in memory order
	headerSize  = 40

	offsetHeaderCRC     = 4
	offsetHeaderCovered = 8
)

// FormatVersion is the version of a stored snapshot.
const FormatVersion = 1

// Chunk header, little-endian; the block follows it.
//
//	offset size
//	0      4    bytes of the block before compression, 1 to MaxBlock
//	4      4    bytes of the block as it stands here, never more than before compression
//	8      1    codec
//	9      1    flags
//	10     2    zero
//	12     4    CRC-32C of bytes 0..11 and of the block as it stands here
//
// The block of the end chunk, the last one and not compressed:
//
//	0      8    chunks before it
//	8      8    bytes of their blocks before compression
//	16     8    bytes of the snapshot before it
const (
	chunkHeaderSize = 16
	offsetChunkCRC  = 12

	flagEnd = 1 << 0

	endSize = 24
)

// MaxBlock bounds the block of a chunk, in bytes before compression, and with it what a decoder has to hold.
const MaxBlock = 1 << 20

// Identity says whose state it is. The replicas of a cluster share it, so that a snapshot is good for all of them.
type Identity struct {
	Cluster  uint64 // names the cluster; 0: not known
	Settings uint64 // hash of what stays equal for the life of a data directory
}

// matches reports whether the two may be of one cluster.
func (id Identity) matches(other Identity) bool {
	known := id.Cluster != 0 && other.Cluster != 0
	return id.Settings == other.Settings && (!known || id.Cluster == other.Cluster)
}

// ErrCorrupt is returned, wrapped, for bytes that are not a whole stored snapshot.
var ErrCorrupt = errors.New("snapshot: corrupt")

// IdentityError reports a snapshot of another cluster or configuration.
type IdentityError struct {
	Got, Want Identity // Got is what the snapshot says
}

// Error implements error.
func (e *IdentityError) Error() string {
	return fmt.Sprintf("snapshot: it is of cluster %d with settings of hash %#x; this is cluster %d with settings of hash %#x: "+
		"it was copied from another data directory, remove it", e.Got.Cluster, e.Got.Settings, e.Want.Cluster, e.Want.Settings)
}

// CorruptError reports a damaged snapshot file.
type CorruptError struct {
	File string
	Slot wire.Slot // that the file is named for
	Err  error
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("snapshot: %s is damaged: %v; %s", e.File, e.Err, journal.Remedy)
}

// Unwrap returns what is wrong with the file.
func (e *CorruptError) Unwrap() error { return e.Err }
