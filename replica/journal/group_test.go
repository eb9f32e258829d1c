package journal

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"unsafe"

	"paxosbench/wire"
)

// TestGroupParts checks that parts are whole aligned blocks, padded with zeros whatever the memory held before.
func TestGroupParts(t *testing.T) {
	g := newGroup()
	for round := range 3 {
		g.reset()
		var want [][]byte
		for i := range 4 {
			g.begin(uint32(i), 0)
			data := bytes.Repeat([]byte{byte(round + 1)}, 3000*i+1)
			copy(g.extend(len(data)), data)
			want = append(want, data)
		}
		g.pad()
		for i, data := range want {
			got := g.bytes(i)
			padded := alignUp(int64(len(data)), BlockSize)
			if int64(len(got)) != padded || !bytes.Equal(got[:len(data)], data) || len(bytes.Trim(got[len(data):], "\x00")) > 0 {
				t.Fatalf("round %d: part %d has %d bytes, want %d and then zeros up to %d", round, i, len(got), len(data), padded)
			}
			if uintptr(unsafe.Pointer(&got[0]))%BlockSize != 0 {
				t.Fatalf("part %d is not aligned", i)
			}
		}
	}
}

// TestGroupGivesMemoryBack checks that one backlog does not keep its memory for ever.
func TestGroupGivesMemoryBack(t *testing.T) {
	g := newGroup()
	g.extend(maxGroupToKeep + 1)
	if g.reset(); cap(g.buf) > maxGroupToKeep || len(g.buf) > 0 {
		t.Errorf("%d bytes kept", cap(g.buf))
	}
}

// TestRecordHeader checks that every single bit of a header is covered, and that the salt is.
func TestRecordHeader(t *testing.T) {
	want := wire.Record{Kind: wire.RecordChosen, Ballot: 0x1122, Slot: 1 << 40, Commit: 7, Payload: wire.Payload{Codec: wire.CodecZstd, RawLen: 9, BodyCRC: 0xdeadbeef, Body: []byte("body!")}}
	place := stamp{segment: 4, epoch: 5, lsn: 6, synced: 3}
	b := make([]byte, recordSize(len(want.Body)))
	putRecord(b, &want, place, 99)
	var r wire.Record
	var s stamp
	n, ok := decodeRecordHeader(b, &r, &s, 99)
	r.Body = b[recordHeaderSize : recordHeaderSize+n]
	if !ok || s != place || r.Kind != want.Kind || r.Codec != want.Codec || r.Ballot != want.Ballot ||
		r.Slot != want.Slot || r.Commit != want.Commit || r.RawLen != want.RawLen || r.BodyCRC != want.BodyCRC ||
		!bytes.Equal(r.Body, want.Body) {
		t.Fatalf("decoded %v %+v %+v", ok, r, s)
	}
	if _, ok := decodeRecordHeader(b, &r, &s, 98); ok {
		t.Error("a header with another salt was accepted")
	}
	for bit := range 8 * recordHeaderSize {
		b[bit/8] ^= 1 << (bit % 8)
		if _, ok := decodeRecordHeader(b, &r, &s, 99); ok {
			t.Errorf("bit %d flipped, and the header was accepted", bit)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}

func TestSegmentNames(t *testing.T) {
	for _, number := range []uint32{1, 99999999, 100000000, 1<<32 - 1} {
		name := segmentPath("", number)
		if got, ok := parseSegmentName(name); !ok || got != number {
			t.Errorf("%s parses as %d, %v", name, got, ok)
		}
	}
	for _, name := range []string{"00000000.seg", "1.seg", "0000000x.seg", "00000001", "4294967296.seg", "segment.new"} {
		if got, ok := parseSegmentName(name); ok {
			t.Errorf("%s parses as %d", name, got)
		}
	}
}

// TestIndexTwin compares the index with a map.
func TestIndexTwin(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 5))
	var x index
	twin := map[wire.Slot]ref{}
	segment := uint32(1)
	x.open(segment)
	for lsn := range LSN(5000) {
		if random.IntN(50) == 0 {
			segment++
			x.open(segment)
		}
		r := ref{slot: wire.Slot(1 + max(0, int(lsn)/2+random.IntN(9)-random.IntN(9)*random.IntN(9))), lsn: lsn, segment: segment}
		x.put(&r)
		twin[r.slot] = r
	}
	check := func() {
		for slot := range wire.Slot(2600) {
			got, ok := x.find(slot)
			if want, exists := twin[slot]; got != want || ok != exists {
				t.Fatalf("slot %d found as %+v, %v, want %+v, %v", slot, got, ok, want, exists)
			}
		}
	}
	check()
	if n := len(x.drop(1000)); n == 0 {
		t.Fatal("nothing dropped")
	}
	lowest := x.segments[0].number
	for slot, r := range twin {
		if r.segment < lowest {
			if slot > 1000 {
				t.Fatalf("slot %d was dropped", slot)
			}
			delete(twin, slot)
		}
	}
	check()
}

// shortWriter writes less than it is given and does not say so.
type shortWriter struct{ File }

func (shortWriter) WriteAt(p []byte, _ int64) (int, error) { return len(p) - 1, nil }

func TestWriteAll(t *testing.T) {
	if err := writeAll(shortWriter{}, []byte("abc"), 0); err != io.ErrShortWrite {
		t.Errorf("a short write returned %v", err)
	}
}
