package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"paxosbench/wire"
)

// Names in a data directory, beside the segments.
const (
	identityName  = "identity"
	lockName      = "lock"
	scratchSuffix = ".new" // of a file being made, before it gets its name
)

// Identity file, one block, little-endian; the rest is zero. It is replaced as a whole, by renaming.
//
//	offset size
//	0      4    identityMagic
//	4      4    CRC-32C of bytes 8..4095
//	8      4    FormatVersion
//	12     4    epoch: how often the journal has been opened
//	16     1    replica
//	17     1    flags
//	18     6    zero
//	24     8    cluster
//	32     8    configuration hash
//	40     8    salt of the journal
//	48     8    synced: every record up to this LSN had been synced when the file was written, at the last opening or
//	            orderly closing with DurabilityFsync
const identityMagic = 0x494a5850 // "PXJI" in memory order

// Flags of an identity file.
const (
	flagLogged   = 1 << 0 // segments exist
	flagForgot   = 1 << 1 // the replica may have voted and forgotten it, and has not rejoined since
	flagVolatile = 1 << 2 // opened with DurabilityNone: what was voted since is not in the segments
	flagsKnown   = flagLogged | flagForgot | flagVolatile
)

// identityFile is what the identity file holds.
type identityFile struct {
	identity Identity
	epoch    uint32
	flags    uint8
	salt     uint64
	synced   LSN
}

func (f *identityFile) has(flag uint8) bool { return f.flags&flag != 0 }

// set sets or clears a flag.
func (f *identityFile) set(flag uint8, on bool) {
	f.flags &^= flag
	if on {
		f.flags |= flag
	}
}

func (f *identityFile) encode() []byte {
	le := binary.LittleEndian
	b := alignedBytes(BlockSize)
	le.PutUint32(b, identityMagic)
	le.PutUint32(b[8:], FormatVersion)
	le.PutUint32(b[12:], f.epoch)
	b[16] = byte(f.identity.Replica)
	b[17] = f.flags
	le.PutUint64(b[24:], f.identity.Cluster)
	le.PutUint64(b[32:], f.identity.ConfigHash)
	le.PutUint64(b[40:], f.salt)
	le.PutUint64(b[48:], uint64(f.synced))
	le.PutUint32(b[offsetHeaderCRC:], wire.Checksum(b[offsetCovered:]))
	return b
}

// decodeIdentity decodes an identity file. The version is looked at before the checksum, whose place it decides.
func decodeIdentity(b []byte) (identityFile, error) {
	le := binary.LittleEndian
	if len(b) != BlockSize || le.Uint32(b) != identityMagic {
		return identityFile{}, errors.New("not an identity file")
	}
	if v := le.Uint32(b[8:]); v != FormatVersion {
		return identityFile{}, fmt.Errorf("%w %d, this program reads %d", errVersion, v, FormatVersion)
	}
	if le.Uint32(b[offsetHeaderCRC:]) != wire.Checksum(b[offsetCovered:]) {
		return identityFile{}, errors.New("checksum mismatch")
	}
	if b[17]&^flagsKnown != 0 {
		return identityFile{}, fmt.Errorf("unknown flags %#x", b[17])
	}
	return identityFile{
		identity: Identity{Cluster: le.Uint64(b[24:]), Replica: wire.ReplicaID(b[16]), ConfigHash: le.Uint64(b[32:])},
		epoch:    le.Uint32(b[12:]),
		flags:    b[17],
		salt:     le.Uint64(b[40:]),
		synced:   LSN(le.Uint64(b[48:])),
	}, nil
}

// readIdentity reads the identity file of a directory and reports whether there is one.
func readIdentity(fsys FS, dir string) (id identityFile, found bool, err error) {
	name := filepath.Join(dir, identityName)
	f, err := fsys.Open(name, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return identityFile{}, false, nil
	}
	if err != nil {
		return identityFile{}, false, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return identityFile{}, false, err
	}
	b := make([]byte, BlockSize)
	if size == BlockSize {
		if _, err := f.ReadAt(b, 0); err != nil {
			return identityFile{}, false, err
		}
	}
	if id, err = decodeIdentity(b); errors.Is(err, errVersion) {
		return identityFile{}, false, fmt.Errorf("journal: %s: %w", name, err)
	} else if err != nil {
		return identityFile{}, false, &CorruptError{File: name, Reason: err.Error()}
	}
	return id, true, nil
}

// writeIdentity replaces the identity file, durably and at once.
func writeIdentity(fsys FS, dir string, id *identityFile) error {
	scratch := filepath.Join(dir, identityName+scratchSuffix)
	f, err := fsys.Open(scratch, OpenCreate)
	if err != nil {
		return err
	}
	if err := writeAll(f, id.encode(), 0); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := fsys.Rename(scratch, filepath.Join(dir, identityName)); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}
