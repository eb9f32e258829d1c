package wire

import (
	"encoding/binary"
	"fmt"
)

// Entry is a log entry inside a Promise or an Entries message.
//
//	offset size
//	0      8    slot
//	8      8    ballot under which the batch was accepted
//	16     4    batch length as it stands here
//	20     4    CRC-32C of the batch as it stands here
//	24     4    batch length before compression
//	28     1    codec
//	29     3    zero
//	32          the batch
type Entry struct {
	Slot    Slot
	Ballot  Ballot
	Payload // Body is a view into the decoded bytes
}

// EntryHeaderSize is the length of an encoded entry without its batch.
const EntryHeaderSize = 32

// AppendEntry appends one entry.
func AppendEntry(dst []byte, e *Entry) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Slot))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Ballot))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.Body)))
	dst = binary.LittleEndian.AppendUint32(dst, e.BodyCRC)
	dst = binary.LittleEndian.AppendUint32(dst, e.RawLen)
	dst = append(dst, byte(e.Codec), 0, 0, 0)
	return append(dst, e.Body...)
}

// DecodeEntry returns the entry at the start of src as a view, and its encoded length. The batch's checksum is
// checked: an entry may have been read from a disk on its way.
func DecodeEntry(src []byte) (Entry, int, error) {
	if len(src) < EntryHeaderSize {
		return Entry{}, 0, fmt.Errorf("%w: entry header in %d bytes", ErrLength, len(src))
	}
	size := binary.LittleEndian.Uint32(src[16:])
	if uint64(size) > uint64(len(src)-EntryHeaderSize) {
		return Entry{}, 0, fmt.Errorf("%w: entry of %d bytes in %d", ErrLength, size, len(src)-EntryHeaderSize)
	}
	n := EntryHeaderSize + int(size)
	e := Entry{
		Slot:   Slot(binary.LittleEndian.Uint64(src)),
		Ballot: Ballot(binary.LittleEndian.Uint64(src[8:])),
		Payload: Payload{
			Codec:   Codec(src[28]),
			RawLen:  binary.LittleEndian.Uint32(src[24:]),
			BodyCRC: binary.LittleEndian.Uint32(src[20:]),
			Body:    src[EntryHeaderSize:n:n],
		},
	}
	if e.Slot == 0 || e.Codec >= codecCount || size > MaxBatch {
		return Entry{}, 0, fmt.Errorf("%w: entry for slot %d with codec %d in %d bytes", ErrField, e.Slot, e.Codec, size)
	}
	if Checksum(e.Body) != e.BodyCRC {
		return Entry{}, 0, fmt.Errorf("%w in the entry for slot %d", ErrChecksum, e.Slot)
	}
	return e, n, nil
}
