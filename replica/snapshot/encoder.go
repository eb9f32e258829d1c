package snapshot

import (
	"encoding/binary"
	"hash/crc32"

	"paxosbench/wire"
	"paxosbench/wire/compress"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// totals counts what stands before the end of a snapshot.
type totals struct {
	chunks uint64
	raw    uint64 // bytes of blocks before compression
	stored uint64 // bytes of everything
}

// Encoder puts the stream of a machine.Snapshot into its stored form: Begin, Append for each piece, End. It keeps
// nothing of one piece for the next. The zero value is ready to use, for one snapshot.
type Encoder struct {
	compressor compress.Compressor
	totals     totals
}

// Begin appends the header of a snapshot of the given slot.
func (e *Encoder) Begin(dst []byte, slot wire.Slot, id Identity) []byte {
	e.totals.stored = headerSize
	le := binary.LittleEndian
	start := len(dst)
	dst = le.AppendUint32(dst, headerMagic)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint32(dst, FormatVersion)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint64(dst, uint64(slot))
	dst = le.AppendUint64(dst, id.Cluster)
	dst = le.AppendUint64(dst, id.Settings)
	header := dst[start:]
	le.PutUint32(header[offsetHeaderCRC:], wire.Checksum(header[offsetHeaderCovered:]))
	return dst
}

// Append appends the next bytes of the stream, however many, as chunks. raw stays the caller's.
func (e *Encoder) Append(dst, raw []byte) []byte {
	for len(raw) > 0 {
		n := min(len(raw), MaxBlock)
		dst = e.chunk(dst, raw[:n], wire.CodecS2, 0)
		raw = raw[n:]
	}
	return dst
}

// End appends the end.
func (e *Encoder) End(dst []byte) []byte {
	block := make([]byte, 0, endSize)
	for _, total := range []uint64{e.totals.chunks, e.totals.raw, e.totals.stored} {
		block = binary.LittleEndian.AppendUint64(block, total)
	}
	return e.chunk(dst, block, wire.CodecNone, flagEnd)
}

// chunk appends one chunk.
func (e *Encoder) chunk(dst, block []byte, codec wire.Codec, flags byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, chunkHeaderSize)...)
	dst, codec = e.compressor.AppendCompressed(dst, codec, block)
	chunk := dst[start:]
	le := binary.LittleEndian
	le.PutUint32(chunk, uint32(len(block)))
	le.PutUint32(chunk[4:], uint32(len(chunk)-chunkHeaderSize))
	chunk[8], chunk[9] = byte(codec), flags
	le.PutUint32(chunk[offsetChunkCRC:], chunkChecksum(chunk))
	e.totals.chunks++
	e.totals.raw += uint64(len(block))
	e.totals.stored += uint64(len(chunk))
	return dst
}

// chunkChecksum covers the header of a chunk up to the checksum itself, and the block.
func chunkChecksum(chunk []byte) uint32 {
	return crc32.Update(wire.Checksum(chunk[:offsetChunkCRC]), castagnoli, chunk[chunkHeaderSize:])
}
