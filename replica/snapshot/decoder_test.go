package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"paxosbench/replica/machine"
	"paxosbench/wire"
)

func TestDecoderTakesAnyCutting(t *testing.T) {
	want := makeState(300, 2000)
	stored := encode(want, 50_000)
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		most := 1 << rng.IntN(18)
		d := NewDecoder(testID, newRestorer())
		for rest := stored; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(most))
			piece := append([]byte(nil), rest[:n]...)
			if err := d.Write(piece); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			clear(piece) // the decoder keeps nothing of it
			rest = rest[n:]
		}
		got, err := d.Finish()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		requireEqual(t, got, want)
	}
}

func TestDecoderRestoresEveryKindOfPiece(t *testing.T) {
	for _, test := range []struct{ slots, valueBytes, pieceBytes int }{
		{1, 0, 1 << 20},
		{2, 0, 1},
		{500, 8, 64},
		{5, wire.MaxValue, 1 << 20}, // items that exceed a block
		{5, wire.MaxValue, 4 << 20},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			want := makeState(wire.Slot(test.slots), test.valueBytes)
			got, err := decode(encode(want, test.pieceBytes))
			if err != nil {
				t.Fatal(err)
			}
			requireEqual(t, got, want)
		})
	}
}

func TestEncoderCompressesWhatGetsShorter(t *testing.T) {
	var e Encoder
	zeros := make([]byte, 3<<20)
	if n := len(e.Append(nil, zeros)); n > len(zeros)/10 {
		t.Errorf("%d zeros take %d bytes", len(zeros), n)
	}
	noise := make([]byte, 3<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	if n, limit := len(e.Append(nil, noise)), len(noise)+3*chunkHeaderSize; n > limit {
		t.Errorf("%d random bytes take %d, limit %d", len(noise), n, limit)
	}
}

func TestDecoderNoticesEveryFlippedBit(t *testing.T) {
	stored := encode(fillState(machine.NewNoop(), 20, 30), 200)
	for i := range stored {
		for bit := range 8 {
			stored[i] ^= 1 << bit
			if _, err := decodeInto(machine.NewNoop(), stored); err == nil {
				t.Fatalf("bit %d of byte %d flipped without an error", bit, i)
			}
			stored[i] ^= 1 << bit
		}
	}
}

func TestDecoderNoticesEveryCut(t *testing.T) {
	stored := encode(fillState(machine.NewNoop(), 20, 30), 200)
	for n := range stored {
		if _, err := decodeInto(machine.NewNoop(), stored[:n]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d of %d bytes: %v, want ErrCorrupt", n, len(stored), err)
		}
	}
	if _, err := decodeInto(machine.NewNoop(), append(stored, 0)); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("a byte behind the end: %v, want ErrCorrupt", err)
	}
}

func TestDecoderNoticesMissingAndSwappedChunks(t *testing.T) {
	chunks := split(encode(makeState(20, 30), 200))
	for i := 1; i < len(chunks)-1; i++ {
		if _, err := decode(join(chunks[:i], chunks[i+1:])); err == nil {
			t.Errorf("chunk %d missing without an error", i)
		}
		if _, err := decode(join(chunks[:i], chunks[i:i+1], chunks[i:])); err == nil {
			t.Errorf("chunk %d twice without an error", i)
		}
	}
}

// split cuts stored bytes into header and chunks.
func split(stored []byte) (parts [][]byte) {
	parts = append(parts, stored[:headerSize])
	for rest := stored[headerSize:]; len(rest) > 0; {
		n := chunkHeaderSize + int(binary.LittleEndian.Uint32(rest[4:]))
		parts = append(parts, rest[:n])
		rest = rest[n:]
	}
	return parts
}

func join(groups ...[][]byte) (stored []byte) {
	for _, parts := range groups {
		for _, part := range parts {
			stored = append(stored, part...)
		}
	}
	return stored
}

func TestDecoderTellsDamageFromAnotherIdentity(t *testing.T) {
	stored := encode(makeState(5, 8), 1000)
	other := testID
	other.Settings++
	err := NewDecoder(other, newRestorer()).Write(stored)
	var mismatch *IdentityError
	if !errors.As(err, &mismatch) || mismatch.Got != testID || mismatch.Want != other {
		t.Errorf("another configuration: %v, want an IdentityError with both", err)
	}
	binary.LittleEndian.PutUint32(stored[8:], FormatVersion+1)
	binary.LittleEndian.PutUint32(stored[offsetHeaderCRC:], wire.Checksum(stored[offsetHeaderCovered:headerSize]))
	if _, err := decode(stored); err == nil || errors.Is(err, ErrCorrupt) {
		t.Errorf("another version: %v, want an error that is not ErrCorrupt", err)
	}
}

func TestDecoderNoticesAnotherSlotInTheHeader(t *testing.T) {
	var e Encoder
	stored := e.Begin(nil, 6, testID)
	for _, piece := range stream(makeState(5, 8), 1000) {
		stored = e.Append(stored, piece)
	}
	if _, err := decode(e.End(stored)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v, want ErrCorrupt", err)
	}
}

// TestDecoderHoldsWhatItIsGiven: lengths that are claimed cost nothing until the bytes are there.
func TestDecoderHoldsWhatItIsGiven(t *testing.T) {
	stored := encode(makeState(2, 100), 1000)
	d := NewDecoder(testID, newRestorer())
	if err := d.Write(stored[:headerSize]); err != nil {
		t.Fatal(err)
	}
	claim := make([]byte, chunkHeaderSize)
	binary.LittleEndian.PutUint32(claim, MaxBlock)
	binary.LittleEndian.PutUint32(claim[4:], MaxBlock)
	if err := d.Write(claim); err != nil {
		t.Fatal(err)
	}
	if cap(d.pending)+cap(d.block) > 1<<10 {
		t.Errorf("%d bytes held for %d given", cap(d.pending)+cap(d.block), len(claim))
	}
}

func TestEncoderDoesNotAllocate(t *testing.T) {
	var e Encoder
	piece := make([]byte, 256<<10)
	dst := e.Append(nil, piece)
	if n := testing.AllocsPerRun(20, func() { dst = e.Append(dst[:0], piece) }); n != 0 {
		t.Errorf("%v allocations per piece", n)
	}
}

// FuzzDecoder gives the decoder anything, in two cuts, with the checksums put right so that damage gets further than
// the first of them.
func FuzzDecoder(f *testing.F) {
	stored := encode(fillState(machine.NewNoop(), 20, 30), 300)
	f.Add(stored, uint16(100), false)
	f.Add(stored[:len(stored)-1], uint16(3), true)
	f.Add(encode(fillState(machine.NewNoop(), 1, 0), 100), uint16(60), true)
	f.Add([]byte{}, uint16(0), false)
	f.Fuzz(func(t *testing.T, stored []byte, cut uint16, repair bool) {
		if repair {
			repairChecksums(stored)
		}
		at := min(int(cut), len(stored))
		d := NewDecoder(testID, machine.NewRestorer(machine.NewNoop(), machine.DefaultConfig()))
		errs := errors.Join(d.Write(stored[:at]), d.Write(stored[at:]))
		state, err := d.Finish()
		if (errs != nil) != (err != nil) && err == nil {
			t.Fatalf("finished after %v", errs)
		}
		if err == nil && state.Applied() != wire.Slot(binary.LittleEndian.Uint64(stored[16:])) {
			t.Fatalf("state after slot %d", state.Applied())
		}
	})
}

// repairChecksums makes the checksums of header and chunks right, as far as their lengths make sense.
func repairChecksums(stored []byte) {
	le := binary.LittleEndian
	if len(stored) < headerSize {
		return
	}
	le.PutUint32(stored[offsetHeaderCRC:], wire.Checksum(stored[offsetHeaderCovered:headerSize]))
	for rest := stored[headerSize:]; len(rest) >= chunkHeaderSize; {
		n := chunkHeaderSize + uint64(le.Uint32(rest[4:]))
		if n > uint64(len(rest)) {
			return
		}
		le.PutUint32(rest[offsetChunkCRC:], chunkChecksum(rest[:n]))
		rest = rest[n:]
	}
}

func BenchmarkEncode(b *testing.B) {
	piece := stream(makeState(40_000, 8), 256<<10)[2]
	var e Encoder
	var dst []byte
	b.SetBytes(int64(len(piece)))
	b.ReportAllocs()
	for b.Loop() {
		dst = e.Append(dst[:0], piece)
	}
}

func BenchmarkDecode(b *testing.B) {
	stored := encode(makeState(200_000, 8), 256<<10)
	b.SetBytes(int64(len(stored)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(stored); err != nil {
			b.Fatal(err)
		}
	}
}
