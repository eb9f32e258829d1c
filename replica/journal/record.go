package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"paxosbench/wire"
)

// LSN is the ordinal of a record since the journal was created, from 1, without gaps, over restarts.
// 0 means "before the first record".
type LSN uint64

// BlockSize is the unit of writing: a flush begins and ends at a multiple of it, so that nothing that was synced is
// ever written again, and a transfer can bypass the page cache.
const BlockSize = 4096

// Record on disk, little-endian. It begins at a multiple of 8 bytes; zeros fill it up to the next one.
//
//	offset size
//	0      4    recordMagic
//	4      4    CRC-32C of the journal's salt and bytes 8..71
//	8      1    kind
//	9      1    codec
//	10     2    zero
//	12     4    body length
//	16     4    CRC-32C of the body
//	20     4    batch length before compression
//	24     4    number of the segment
//	28     4    epoch: the opening of the journal that wrote it
//	32     8    LSN
//	40     8    slot
//	48     8    ballot
//	56     8    commit frontier
//	64     8    synced: every record up to this LSN had been synced when this one was written
//	72          body
const (
	recordMagic      = 0x524a5850 // "PXJR" in memory order
	recordHeaderSize = 72
	recordAlign      = 8
	maxRecordSize    = recordHeaderSize + wire.MaxBatch + recordAlign

	offsetHeaderCRC = 4
	offsetCovered   = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// stamp is what the journal adds to a record: where it belongs, and what its presence proves.
type stamp struct {
	segment uint32
	epoch   uint32
	lsn     LSN
	synced  LSN
}

// recordSize returns the encoded length of a record, a multiple of recordAlign.
func recordSize(bodyLen int) int {
	return (recordHeaderSize + bodyLen + recordAlign - 1) &^ (recordAlign - 1)
}

// putRecord encodes a record into dst, whose length is its recordSize. seed is the checksum of the journal's salt.
func putRecord(dst []byte, r *wire.Record, s stamp, seed uint32) {
	le := binary.LittleEndian
	le.PutUint32(dst, recordMagic)
	le.PutUint32(dst[8:], uint32(r.Kind)|uint32(r.Codec)<<8)
	le.PutUint32(dst[12:], uint32(len(r.Body)))
	le.PutUint32(dst[16:], r.BodyCRC)
	le.PutUint32(dst[20:], r.RawLen)
	le.PutUint32(dst[24:], s.segment)
	le.PutUint32(dst[28:], s.epoch)
	le.PutUint64(dst[32:], uint64(s.lsn))
	le.PutUint64(dst[40:], uint64(r.Slot))
	le.PutUint64(dst[48:], uint64(r.Ballot))
	le.PutUint64(dst[56:], uint64(r.Commit))
	le.PutUint64(dst[64:], uint64(s.synced))
	le.PutUint32(dst[offsetHeaderCRC:], headerChecksum(dst, seed))
	n := copy(dst[recordHeaderSize:], r.Body)
	clear(dst[recordHeaderSize+n:])
}

// decodeRecordHeader decodes the header at the start of src, which holds at least recordHeaderSize bytes, into r and s
// (but for r.Body) and returns the body's length. It reports false for anything that is not a header of this journal.
func decodeRecordHeader(src []byte, r *wire.Record, s *stamp, seed uint32) (bodyLen int, ok bool) {
	le := binary.LittleEndian
	if le.Uint32(src) != recordMagic || le.Uint32(src[offsetHeaderCRC:]) != headerChecksum(src, seed) {
		return 0, false
	}
	*r = wire.Record{
		Kind:    wire.RecordKind(src[8]),
		Slot:    wire.Slot(le.Uint64(src[40:])),
		Ballot:  wire.Ballot(le.Uint64(src[48:])),
		Commit:  wire.Slot(le.Uint64(src[56:])),
		Payload: wire.Payload{Codec: wire.Codec(src[9]), BodyCRC: le.Uint32(src[16:]), RawLen: le.Uint32(src[20:])},
	}
	*s = stamp{
		segment: le.Uint32(src[24:]),
		epoch:   le.Uint32(src[28:]),
		lsn:     LSN(le.Uint64(src[32:])),
		synced:  LSN(le.Uint64(src[64:])),
	}
	n := le.Uint32(src[12:])
	return int(n), r.Kind.Valid() && n <= wire.MaxBatch
}

func headerChecksum(header []byte, seed uint32) uint32 {
	return crc32.Update(seed, castagnoli, header[offsetCovered:recordHeaderSize])
}

// check panics unless the record is one that decodeRecordHeader takes back.
func check(r *wire.Record) {
	if !r.Kind.Valid() || len(r.Body) > wire.MaxBatch || r.Kind.NamesSlot() != (r.Slot != 0) {
		panic(fmt.Sprintf("BUG: journal record %v for slot %d with %d bytes, limit %d",
			r.Kind, r.Slot, len(r.Body), wire.MaxBatch))
	}
}
