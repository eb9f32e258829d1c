package snapshot

import (
	"encoding/binary"
	"fmt"

	"paxosbench/replica/machine"
	"paxosbench/wire"
	"paxosbench/wire/compress"
)

// Decoder rebuilds a state from the bytes of a stored snapshot, in pieces of any size. It trusts none of them: beside
// the state it holds at most one chunk, and of that no more than it has been given and its block before compression.
// After an error it is of no further use.
type Decoder struct {
	id         Identity
	restorer   *machine.Restorer
	compressor compress.Compressor

	slot    wire.Slot // 0 until the header has been decoded
	ended   bool
	totals  totals
	pending []byte // the beginning of a header or chunk whose end has not been written yet
	block   []byte // of the chunk being decoded, if it had to be decompressed
	err     error
}

// NewDecoder returns a Decoder for a snapshot of the given identity. The restorer must be fresh.
func NewDecoder(id Identity, restorer *machine.Restorer) *Decoder {
	return &Decoder{id: id, restorer: restorer}
}

// Write takes the next bytes of the snapshot; they are not kept. Errors are final. They wrap ErrCorrupt or
// machine.ErrSnapshot if the bytes are damaged; a snapshot of somebody else is an *IdentityError.
func (d *Decoder) Write(piece []byte) error {
	if d.err != nil {
		return d.err
	}
	src := piece
	if len(d.pending) > 0 {
		d.pending = append(d.pending, piece...)
		src = d.pending
	}
	used := 0
	for used < len(src) {
		n, err := d.next(src[used:])
		if err != nil {
			d.err = err
			return err
		}
		if n == 0 {
			break
		}
		used += n
	}
	if used > 0 || len(d.pending) == 0 { // else the rest is what is pending already
		d.pending = append(d.pending[:0], src[used:]...)
	}
	return nil
}

// Finish returns the restored state. It fails unless the whole snapshot has been written.
func (d *Decoder) Finish() (*machine.State, error) {
	if d.err == nil && !d.ended {
		d.err = fmt.Errorf("%w: it ends early", ErrCorrupt)
	}
	if d.err != nil {
		return nil, d.err
	}
	state, err := d.restorer.Finish()
	if err == nil && state.Applied() != d.slot {
		err = fmt.Errorf("%w: the header says slot %d, the state slot %d", ErrCorrupt, d.slot, state.Applied())
	}
	if err != nil {
		d.err = err
		return nil, err
	}
	return state, nil
}

// next decodes the header or chunk at the start of src and returns its length, or 0 if src holds only a part of it.
func (d *Decoder) next(src []byte) (int, error) {
	if d.slot == 0 {
		return d.header(src)
	}
	if d.ended {
		return 0, fmt.Errorf("%w: %d bytes behind the end", ErrCorrupt, len(src))
	}
	return d.chunk(src)
}

func (d *Decoder) header(src []byte) (int, error) {
	if len(src) < headerSize {
		return 0, nil
	}
	le := binary.LittleEndian
	header := src[:headerSize]
	if le.Uint32(header) != headerMagic {
		return 0, fmt.Errorf("%w: not a snapshot", ErrCorrupt)
	}
	if version := le.Uint32(header[8:]); version != FormatVersion {
		return 0, d.refuseVersion(header, version)
	}
	if !headerIntact(header) {
		return 0, fmt.Errorf("%w: checksum of the header", ErrCorrupt)
	}
	got := Identity{Cluster: le.Uint64(header[24:]), Settings: le.Uint64(header[32:])}
	if !got.matches(d.id) {
		return 0, &IdentityError{Got: got, Want: d.id}
	}
	if d.slot = wire.Slot(le.Uint64(header[16:])); d.slot == 0 {
		return 0, fmt.Errorf("%w: slot 0", ErrCorrupt)
	}
	d.totals.stored = headerSize
	return headerSize, nil
}

// refuseVersion tells a snapshot of another version from a damaged one.
func (d *Decoder) refuseVersion(header []byte, version uint32) error {
	if !headerIntact(header) {
		return fmt.Errorf("%w: checksum of the header", ErrCorrupt)
	}
	return fmt.Errorf("snapshot: format version %d, this program reads %d", version, FormatVersion)
}

func headerIntact(header []byte) bool {
	return binary.LittleEndian.Uint32(header[offsetHeaderCRC:]) == wire.Checksum(header[offsetHeaderCovered:])
}

func (d *Decoder) chunk(src []byte) (int, error) {
	if len(src) < chunkHeaderSize {
		return 0, nil
	}
	le := binary.LittleEndian
	raw, stored := le.Uint32(src), le.Uint32(src[4:])
	if raw == 0 || raw > MaxBlock || stored > raw {
		return 0, fmt.Errorf("%w: chunk of %d bytes for %d, limit %d", ErrCorrupt, stored, raw, MaxBlock)
	}
	n := chunkHeaderSize + int(stored)
	if len(src) < n {
		return 0, nil
	}
	chunk := src[:n]
	if le.Uint32(chunk[offsetChunkCRC:]) != chunkChecksum(chunk) {
		return 0, fmt.Errorf("%w: checksum of chunk %d", ErrCorrupt, d.totals.chunks+1)
	}
	if err := d.take(chunk, int(raw)); err != nil {
		return 0, err
	}
	d.totals.chunks++
	d.totals.raw += uint64(raw)
	d.totals.stored += uint64(n)
	return n, nil
}

// take takes a chunk whose checksum is right.
func (d *Decoder) take(chunk []byte, raw int) error {
	block, codec := chunk[chunkHeaderSize:], wire.Codec(chunk[8])
	switch flags := chunk[9]; {
	case flags == flagEnd && codec == wire.CodecNone:
		d.ended = true
		return d.checkTotals(block)
	case flags != 0 || codec == wire.CodecZstd: // a reader need not keep zstd's memory for what no writer writes
		return fmt.Errorf("%w: chunk with flags %#x and codec %d", ErrCorrupt, flags, codec)
	}
	if codec == wire.CodecNone && len(block) == raw {
		return d.restorer.Write(block)
	}
	block, err := d.compressor.AppendDecompressed(d.block[:0], codec, block, raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	d.block = block
	return d.restorer.Write(block)
}

func (d *Decoder) checkTotals(block []byte) error {
	if len(block) != endSize {
		return fmt.Errorf("%w: end of %d bytes", ErrCorrupt, len(block))
	}
	le := binary.LittleEndian
	want := totals{chunks: le.Uint64(block), raw: le.Uint64(block[8:]), stored: le.Uint64(block[16:])}
	if d.totals != want {
		return fmt.Errorf("%w: %+v before the end, want %+v", ErrCorrupt, d.totals, want)
	}
	return nil
}
