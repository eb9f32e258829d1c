package wire

import (
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestMessagesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Message{
			Type:   Type(rapid.IntRange(int(TypePreVote), int(TypeDiverged)).Draw(t, "type")),
			flags:  rapid.Uint8().Draw(t, "flags"),
			Ballot: Ballot(rapid.Uint64().Draw(t, "ballot")),
			Slot:   Slot(rapid.Uint64().Draw(t, "slot")),
			last:   Slot(rapid.Uint64().Draw(t, "last")),
			Commit: Slot(rapid.Uint64().Draw(t, "commit")),
			nonce:  rapid.Uint64().Draw(t, "nonce"), Payload: Payload{Codec: Codec(rapid.IntRange(0, codecCount-1).Draw(t, "codec")), RawLen: rapid.Uint32().Draw(t, "raw length"), Body: drawBytes(200).Draw(t, "body")},
		}
		want.BodyCRC = Checksum(want.Body)
		frame := appendMessage(nil, &want)
		h, err := DecodeHeader(frame)
		if err != nil || h.Size != MessageHeaderSize || h.CheckBody(frame[h.Size:]) != nil {
			t.Fatalf("%+v, %v", h, err)
		}
		got := Message{From: 3, Payload: Payload{Body: []byte("of the last message")}}
		if err := DecodeMessageHeader(&got, h, frame); err != nil || got.Body != nil || got.From != 0 {
			t.Fatalf("%+v, %v", got, err)
		}
		got.Body = slices.Clone(frame[h.Size:])
		if len(got.Body) == 0 && len(want.Body) == 0 {
			got.Body, want.Body = nil, nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

func TestDecodeMessageHeaderRefuses(t *testing.T) {
	var m Message
	if err := DecodeMessageHeader(&m, Header{Type: TypePeerHello}, make([]byte, MessageHeaderSize)); !errors.Is(err, ErrType) {
		t.Errorf("a handshake passed for a message: %v", err)
	}
	frame := AppendMessageHeader(nil, &Message{Type: TypeAccept, Payload: Payload{Codec: codecCount}})
	h, err := DecodeHeader(frame)
	if err != nil {
		t.Fatal(err)
	}
	if err := DecodeMessageHeader(&m, h, frame); !errors.Is(err, ErrField) {
		t.Errorf("unknown codec: %v", err)
	}
}

func TestMessageHeaderAllocatesNothing(t *testing.T) {
	in := goldenMessages()[4]
	buf := make([]byte, 0, MessageHeaderSize)
	var out Message
	if allocs := testing.AllocsPerRun(100, func() {
		frame := AppendMessageHeader(buf, &in)
		h, err := DecodeHeader(frame)
		if err != nil {
			t.Fatal(err)
		}
		if err := DecodeMessageHeader(&out, h, frame); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Fatalf("%v allocations a message", allocs)
	}
}

// walkEntries takes the body of a Promise or an Entries message apart.
func walkEntries(src []byte) error {
	for len(src) > 0 {
		_, n, err := DecodeEntry(src)
		if err != nil {
			return err
		}
		src = src[n:]
	}
	return nil
}

func TestEntriesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.Custom(func(t *rapid.T) Entry {
			e := Entry{
				Slot:   Slot(rapid.Uint64Min(1).Draw(t, "slot")),
				Ballot: Ballot(rapid.Uint64().Draw(t, "ballot")), Payload: Payload{Codec: Codec(rapid.IntRange(0, codecCount-1).Draw(t, "codec")), RawLen: rapid.Uint32().Draw(t, "raw length"), Body: drawBytes(100).Draw(t, "body")},
			}
			e.BodyCRC = Checksum(e.Body)
			return e
		})).Draw(t, "entries")
		var body []byte
		for i := range want {
			body = AppendEntry(body, &want[i])
		}
		for i := range want {
			got, n, err := DecodeEntry(body)
			if err != nil || !slices.Equal(got.Body, want[i].Body) || cap(got.Body) != len(got.Body) {
				t.Fatalf("%+v, %v; want %+v", got, err, want[i])
			}
			got.Body = want[i].Body
			if !reflect.DeepEqual(got, want[i]) {
				t.Fatalf("%+v, want %+v", got, want[i])
			}
			body = body[n:]
		}
		if len(body) != 0 {
			t.Fatalf("%d bytes behind the last entry", len(body))
		}
	})
}

func TestDecodeEntryRefuses(t *testing.T) {
	entry := goldenEntries(101)
	changed := func(change func(b []byte)) []byte {
		b := slices.Clone(entry)
		change(b)
		return b
	}
	large := AppendEntry(nil, &Entry{Slot: 1, Payload: Payload{Body: make([]byte, MaxBatch+1)}})
	for name, test := range map[string]struct {
		src  []byte
		want error
	}{
		"as encoded":        {entry, nil},
		"cut header":        {entry[:EntryHeaderSize-1], ErrLength},
		"cut batch":         {entry[:len(entry)-1], ErrLength},
		"batch of 2^31":     {changed(func(b []byte) { binary.LittleEndian.PutUint32(b[16:], 1<<31) }), ErrLength},
		"batch of 2^32-1":   {changed(func(b []byte) { binary.LittleEndian.PutUint32(b[16:], 1<<32-1) }), ErrLength},
		"batch too long":    {large, ErrField},
		"slot 0":            {changed(func(b []byte) { clear(b[:8]) }), ErrField},
		"unknown codec":     {changed(func(b []byte) { b[28] = codecCount }), ErrField},
		"rot in the batch":  {changed(func(b []byte) { b[EntryHeaderSize] ^= 1 }), ErrChecksum},
		"batch cut shorter": {changed(func(b []byte) { b[16]-- }), ErrChecksum},
	} {
		if err := walkEntries(test.src); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func FuzzDecodeEntries(f *testing.F) {
	f.Add(goldenEntries(101, 103))
	f.Add(AppendEntry(nil, &Entry{Slot: 1, Payload: Payload{Codec: CodecZstd}}))
	f.Fuzz(func(t *testing.T, src []byte) {
		_ = walkEntries(src)
		if len(src) <= EntryHeaderSize {
			return
		}
		// Once more with length and checksum made good, which chance will not do.
		src = slices.Clone(src)
		binary.LittleEndian.PutUint32(src[20:], Checksum(src[EntryHeaderSize:]))
		binary.LittleEndian.PutUint32(src[16:], uint32(len(src)-EntryHeaderSize))
		if e, n, err := DecodeEntry(src); err == nil && (n != len(src) || len(e.Body) != len(src)-EntryHeaderSize) {
			t.Fatalf("%d bytes of %d: %+v", n, len(src), e)
		}
	})
}
