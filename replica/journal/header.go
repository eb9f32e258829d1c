package journal

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"paxosbench/wire"
)

// Segment header, the first block of a segment file, little-endian; the rest of the block is zero. All of it stands
// in the first 512 bytes, which a disk writes whole or not at all.
//
//	offset size
//	0      4    segmentMagic
//	4      4    CRC-32C of bytes 8..63
//	8      4    FormatVersion
//	12     4    number of the segment
//	16     4    epoch
//	20     1    replica
//	21     3    zero
//	24     8    hash of the settings
//	32     8    salt of the journal
//	40     8    LSN of the segment's first record
//	48     8    synced, as in a record
//	56     8    highest ballot promised or accepted before this segment
const (
	segmentMagic      = 0x534a5850 // "PXJS" in memory order
	segmentHeaderSize = 64
)

// FormatVersion is the version of everything in a data directory. Directories of oldestFormat differ in nothing but what batches may
// look like, and are taken up.
const (
	FormatVersion = 4
	oldestFormat  = 3
)

// checkFormat returns errVersion for what this program cannot read.
func checkFormat(version uint32) error {
	if version < oldestFormat || version > FormatVersion {
		return fmt.Errorf("%w %d, this program reads %d and %d", errVersion, version, oldestFormat, FormatVersion)
	}
	return nil
}

// owner says which directory a segment belongs to. The salt alone tells directories apart; the rest is a check.
type owner struct {
	replica  wire.ReplicaID
	settings uint64 // hash
	salt     uint64
}

// segmentHeader opens a segment. It is written together with the segment's first group, after everything in the
// segments before has been synced. Carrying the promise, it lets all of them be recycled.
type segmentHeader struct {
	number   uint32
	epoch    uint32
	owner    owner
	first    LSN
	synced   LSN
	promised wire.Ballot
}

// put encodes the header into dst, a whole block.
func (h *segmentHeader) put(dst []byte) {
	le := binary.LittleEndian
	clear(dst)
	le.PutUint32(dst, segmentMagic)
	le.PutUint32(dst[8:], FormatVersion)
	le.PutUint32(dst[12:], h.number)
	le.PutUint32(dst[16:], h.epoch)
	dst[20] = byte(h.owner.replica)
	le.PutUint64(dst[24:], h.owner.settings)
	le.PutUint64(dst[32:], h.owner.salt)
	le.PutUint64(dst[40:], uint64(h.first))
	le.PutUint64(dst[48:], uint64(h.synced))
	le.PutUint64(dst[56:], uint64(h.promised))
	le.PutUint32(dst[offsetHeaderCRC:], wire.Checksum(dst[offsetCovered:segmentHeaderSize]))
}

// decodeSegmentHeader reports false unless src begins with an intact header. A header of another version is an error:
// its layout is not known.
func decodeSegmentHeader(src []byte) (h segmentHeader, ok bool, err error) {
	le := binary.LittleEndian
	if len(src) < segmentHeaderSize || le.Uint32(src) != segmentMagic ||
		le.Uint32(src[offsetHeaderCRC:]) != wire.Checksum(src[offsetCovered:segmentHeaderSize]) {
		return segmentHeader{}, false, nil
	}
	if err := checkFormat(le.Uint32(src[8:])); err != nil {
		return segmentHeader{}, false, err
	}
	return segmentHeader{
		number:   le.Uint32(src[12:]),
		epoch:    le.Uint32(src[16:]),
		owner:    owner{replica: wire.ReplicaID(src[20]), settings: le.Uint64(src[24:]), salt: le.Uint64(src[32:])},
		first:    LSN(le.Uint64(src[40:])),
		synced:   LSN(le.Uint64(src[48:])),
		promised: wire.Ballot(le.Uint64(src[56:])),
	}, true, nil
}

const segmentSuffix = ".seg"

// segmentPath names the file of a segment.
func segmentPath(dir string, number uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%08d%s", number, segmentSuffix))
}

// parseSegmentName returns the number of the segment whose file has this name.
func parseSegmentName(name string) (number uint32, ok bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) < 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), err == nil && n > 0
}
