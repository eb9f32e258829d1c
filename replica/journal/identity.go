package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"paxosbench/wire"
)

// Names in a data directory, beside the segments and the snapshots.
const (
	identityName = "identity"
	lockName     = "lock"

	// ScratchSuffix ends the names of files that are being made, before they get their names. Open removes them.
	ScratchSuffix = ".new"
)

// Identity file, one block, little-endian. It is replaced as a whole, by renaming. It holds the same bytes twice, so that
// damage to one of them can be told from a file of another program, and costs nothing:
//
//	offset size (of a copy; the second begins at copyBytes)
//	0      4    identityMagic
//	4      4    CRC-32C of bytes 8..copyBytes-1
//	8      4    FormatVersion
//	12     4    epoch: how often the directory has been opened
//	16     1    replica
//	17     1    flags
//	18     1    durability of the life that began last
//	19     1    replicas that have been met, bit i-1 for replica i
//	20     1    replicas that have said that they have met this one
//	21     3    zero
//	24     8    cluster; 0: not known yet
//	32     8    salt of the journal
//	40     8    synced: every record up to this LSN had been synced when the file was written, at the last opening or
//	            orderly closing with DurabilityFsync
//	48     8    the longest lease that may have been granted, in nanoseconds
//	56     8    slot behind which the state differs from the other replicas'; 0: it does not
//	64     8    time of the repair that is under way, in seconds since 1970; 0: none is
//	72          settings (see wire.Settings); zeros up to the end of the copy
const (
	identityMagic  = 0x494a5850 // "PXJI" in memory order
	copyBytes      = BlockSize / 2
	offsetSettings = 72

	// MaxSettingsBytes bounds the encoded settings of an identity.
	MaxSettingsBytes = copyBytes - offsetSettings
)

// Flags of an identity file.
const (
	flagLogged       = 1 << 0 // segments exist
	flagAmnesiac     = 1 << 1 // the replica may have voted and forgotten it, and has not rejoined since
	flagLossAccepted = 1 << 2 // the life that began last was told to accept the loss
	flagsKnown       = flagLogged | flagAmnesiac | flagLossAccepted
)

// identityFile is what the identity file holds.
type identityFile struct {
	Identity
	epoch      uint32
	flags      uint8
	durability Durability
	met, metBy wire.Members
	salt       uint64
	synced     LSN
	lease      time.Duration
	diverged   wire.Slot
	repair     uint64
}

func (f *identityFile) has(flag uint8) bool { return f.flags&flag != 0 }

// set sets or clears a flag.
func (f *identityFile) set(flag uint8, on bool) {
	f.flags &^= flag
	if on {
		f.flags |= flag
	}
}

// owner returns what the segments of the directory carry.
func (f *identityFile) owner() owner {
	return owner{replica: f.Replica, settings: f.Settings.Hash(), salt: f.salt}
}

// repairing reports whether a repair was begun and has not ended.
func (f *identityFile) repairing() bool { return f.repair != 0 }

func (f *identityFile) encode() []byte {
	le := binary.LittleEndian
	block := alignedBytes(BlockSize)
	b := block[:copyBytes]
	le.PutUint32(b, identityMagic)
	le.PutUint32(b[8:], FormatVersion)
	le.PutUint32(b[12:], f.epoch)
	b[16], b[17], b[18], b[19], b[20] = byte(f.Replica), f.flags, byte(f.durability), byte(f.met), byte(f.metBy)
	le.PutUint64(b[24:], f.Cluster)
	le.PutUint64(b[32:], f.salt)
	le.PutUint64(b[40:], uint64(f.synced))
	le.PutUint64(b[48:], uint64(f.lease))
	le.PutUint64(b[56:], uint64(f.diverged))
	le.PutUint64(b[64:], f.repair)
	copy(b[offsetSettings:], wire.AppendSettings(nil, f.Settings))
	le.PutUint32(b[offsetHeaderCRC:], wire.Checksum(b[offsetCovered:]))
	copy(block[copyBytes:], b)
	return block
}

// damage says where the bytes of an identity file are not what was written.
type damage struct {
	offset int64
	reason string
	whole  bool // the file still holds one whole copy, which is what decodeIdentity returns
}

// decodeIdentity decodes an identity file. An error means that it is another program's; damage is told apart from that
// by the checksums, whose place is the same in all versions from 2 on.
func decodeIdentity(b []byte) (identityFile, *damage, error) {
	if len(b) != BlockSize {
		return identityFile{}, &damage{int64(min(len(b), BlockSize)), fmt.Sprintf("it has %d bytes, want %d", len(b), BlockSize), false}, nil
	}
	one, two := b[:copyBytes], b[copyBytes:]
	switch {
	case ofFirstVersion(b):
		return identityFile{}, nil, fmt.Errorf("%w 1, which this program does not read: run the release that made it, "+
			"or replace this replica's data with an empty directory and --rejoin, one replica at a time", errVersion)
	case intact(one) && bytes.Equal(one, two):
		id, err := decodeCopy(one)
		return id, nil, err
	case intact(one):
		id, err := decodeCopy(one)
		return id, &damage{copyBytes + firstDifference(one, two), "the second of two copies is damaged", true}, err
	case intact(two):
		id, err := decodeCopy(two)
		return id, &damage{firstDifference(one, two), "the first of two copies is damaged", true}, err
	}
	return identityFile{}, &damage{firstDifference(one, two), "both copies are damaged", false}, nil
}

// intact reports whether a copy is as it was written, by whatever version.
func intact(b []byte) bool {
	le := binary.LittleEndian
	return le.Uint32(b) == identityMagic && le.Uint32(b[offsetHeaderCRC:]) == wire.Checksum(b[offsetCovered:])
}

// ofFirstVersion recognises the format that was the first: one copy, whose checksum covers the block.
func ofFirstVersion(b []byte) bool { return intact(b) && binary.LittleEndian.Uint32(b[8:]) == 1 }

// firstDifference returns where two copies begin to differ, 0 if they do not.
func firstDifference(one, two []byte) int64 {
	for i := range one {
		if one[i] != two[i] {
			return int64(i)
		}
	}
	return 0
}

// decodeCopy decodes an intact copy.
func decodeCopy(b []byte) (identityFile, error) {
	le := binary.LittleEndian
	if err := checkFormat(le.Uint32(b[8:])); err != nil {
		return identityFile{}, err
	}
	settings, _, err := wire.DecodeSettings(b[offsetSettings:])
	if err != nil || b[17]&^flagsKnown != 0 || int(b[18]) >= len(durabilityNames) {
		return identityFile{}, errors.Join(fmt.Errorf("%w %d with flags %#x and durability %d, which this program does not know",
			errVersion, le.Uint32(b[8:]), b[17], b[18]), err)
	}
	return identityFile{
		Identity:   Identity{Cluster: le.Uint64(b[24:]), Replica: wire.ReplicaID(b[16]), Settings: settings},
		epoch:      le.Uint32(b[12:]),
		flags:      b[17],
		durability: Durability(b[18]),
		met:        wire.Members(b[19]),
		metBy:      wire.Members(b[20]),
		salt:       le.Uint64(b[32:]),
		synced:     LSN(le.Uint64(b[40:])),
		lease:      time.Duration(le.Uint64(b[48:])),
		diverged:   wire.Slot(le.Uint64(b[56:])),
		repair:     le.Uint64(b[64:]),
	}, nil
}
