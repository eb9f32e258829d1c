package wire

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

// resealed returns a copy of a frame's header with change applied and its checksum made good again.
func resealed(frame []byte, change func(frame []byte)) []byte {
	frame = slices.Clone(frame)
	change(frame)
	size := PrefixSize
	if t := frame[3]; int(t) < len(fieldSizes) && fieldSizes[t] > 0 {
		size += fieldSizes[t]
	}
	binary.LittleEndian.PutUint32(frame[offsetHeaderCRC:], headerChecksum(frame[:min(size, len(frame))]))
	return frame
}

func TestDecodeHeaderRefuses(t *testing.T) {
	m := goldenMessages()[4]
	frame := appendMessage(nil, &m)
	for name, test := range map[string]struct {
		frame []byte
		want  error
	}{
		"bad magic":           {resealed(frame, func(f []byte) { f[0] = 'Q' }), ErrMagic},
		"older version":       {resealed(frame, func(f []byte) { f[2] = Version - 1 }), ErrVersion},
		"newer version":       {resealed(frame, func(f []byte) { f[2] = Version + 1 }), ErrVersion},
		"type 0":              {resealed(frame, func(f []byte) { f[3] = 0 }), ErrType},
		"type in the gap":     {resealed(frame, func(f []byte) { f[3] = 10 }), ErrType},
		"first unknown type":  {resealed(frame, func(f []byte) { f[3] = typeCount }), ErrType},
		"type 255":            {resealed(frame, func(f []byte) { f[3] = 255 }), ErrType},
		"one byte too long":   {resealed(frame, func(f []byte) { binary.LittleEndian.PutUint32(f[4:], MaxBody+1) }), ErrLength},
		"length 2^31":         {resealed(frame, func(f []byte) { binary.LittleEndian.PutUint32(f[4:], 1<<31) }), ErrLength},
		"length 2^32-1":       {resealed(frame, func(f []byte) { binary.LittleEndian.PutUint32(f[4:], 1<<32-1) }), ErrLength},
		"longest body":        {resealed(frame, func(f []byte) { binary.LittleEndian.PutUint32(f[4:], MaxBody) }), nil},
		"as encoded":          {frame, nil},
		"other type, old sum": {func() []byte { f := slices.Clone(frame); f[3] = byte(TypePromise); return f }(), ErrChecksum},
	} {
		if _, err := DecodeHeader(test.frame); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// Whatever single bit of a header flips, the header is refused.
func TestHeaderChecksumCoversEveryBit(t *testing.T) {
	golden, _ := readGolden(t)
	for name, frame := range golden {
		h, err := DecodeHeader(frame)
		if err != nil {
			t.Fatal(err)
		}
		for bit := range 8 * h.Size {
			flipped := slices.Clone(frame)
			flipped[bit/8] ^= 1 << (bit % 8)
			if _, err := DecodeHeader(flipped); err == nil {
				t.Errorf("%s: bit %d of byte %d flipped unnoticed", name, bit%8, bit/8)
			}
		}
	}
}

// A receiver that has only part of a header is asked to wait, and never for a header that is bad already.
func TestShortHeaders(t *testing.T) {
	golden, _ := readGolden(t)
	for name, frame := range golden {
		whole, err := DecodeHeader(frame)
		if err != nil {
			t.Fatal(err)
		}
		for n := range whole.Size {
			if _, err := DecodeHeader(frame[:n]); !errors.Is(err, ErrShort) {
				t.Errorf("%s: %d bytes of header: %v", name, n, err)
			}
		}
		if h, err := DecodeHeader(frame[:whole.Size]); err != nil || h != whole {
			t.Errorf("%s: header without body: %+v, %v", name, h, err)
		}
	}
	if _, err := DecodeHeader([]byte("GET / HTTP/1.1\r\n")); !errors.Is(err, ErrMagic) {
		t.Errorf("a web browser: %v", err)
	}
}

func TestCheckBody(t *testing.T) {
	frame := goldenRequest()
	h, err := DecodeHeader(frame)
	if err != nil {
		t.Fatal(err)
	}
	body := frame[h.Size:]
	if err := h.CheckBody(body); err != nil {
		t.Error(err)
	}
	if err := h.CheckBody(body[1:]); !errors.Is(err, ErrLength) {
		t.Errorf("short body: %v", err)
	}
	body[7] ^= 1
	if err := h.CheckBody(body); !errors.Is(err, ErrChecksum) {
		t.Errorf("changed body: %v", err)
	}
}

func TestChecksumIsCastagnoli(t *testing.T) {
	if got := Checksum([]byte("123456789")); got != 0xe3069283 {
		t.Fatalf("check value %#x", got)
	}
	if got := Checksum(nil); got != 0 {
		t.Fatalf("checksum of nothing %#x", got)
	}
}

func TestFramesAreAppended(t *testing.T) {
	for name, frame := range map[string][]byte{
		"ClientHello": AppendClientHello([]byte("before"), ClientHello{}),
		"Welcome":     AppendWelcome([]byte("before"), Welcome{LeaderAddr: "a"}),
		"Redirect":    AppendRedirect([]byte("before"), Redirect{LeaderAddr: "a"}),
		"Fault":       AppendFault([]byte("before"), "a"),
		"PeerHello":   AppendPeerHello([]byte("before"), &PeerHello{}),
		"Fetch":       AppendMessageHeader([]byte("before"), &Message{Type: TypeFetch}),
		"Request": func() []byte {
			frame := append(BeginFrame([]byte("before")), "body"...)
			EndFrame(frame, 6, TypeRequest)
			return frame
		}(),
	} {
		h, err := DecodeHeader(frame[6:])
		if string(frame[:6]) != "before" || err != nil || h.Type.String() != name || h.FrameLen() != len(frame)-6 {
			t.Errorf("%s: %q, %+v, %v", name, frame, h, err)
			continue
		}
		if err := h.CheckBody(frame[6+h.Size:]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLongTextIsCut(t *testing.T) {
	text := strings.Repeat("a", MaxText+10)
	for _, frame := range [][]byte{
		AppendFault(nil, text), AppendWelcome(nil, Welcome{LeaderAddr: text}), AppendRedirect(nil, Redirect{LeaderAddr: text}),
	} {
		h, err := DecodeHeader(frame)
		if err != nil || h.BodyLen != MaxText || h.CheckBody(frame[h.Size:]) != nil {
			t.Errorf("%v: %+v, %v", h.Type, h, err)
		}
		long := frameWith(h.Type, make([]byte, fieldSizes[h.Type]), []byte(text))
		if _, err := decodeAny(Header{Type: h.Type, Size: h.Size, BodyLen: len(text)}, long); !errors.Is(err, ErrLength) {
			t.Errorf("%v with %d bytes of text: %v", h.Type, len(text), err)
		}
	}
}

func TestTypeNames(t *testing.T) {
	if got := Type(11).String(); got != "Type(11)" {
		t.Errorf("a type in the gap is called %q", got)
	}
	if got := Type(200).String(); got != "Type(200)" {
		t.Errorf("type 200 is called %q", got)
	}
	for typ := range Type(typeCount) {
		if named := typeNames[typ] != ""; named != (fieldSizes[typ] >= 0) {
			t.Errorf("%v has a name: %v; has a layout: %v", typ, named, fieldSizes[typ] >= 0)
		}
	}
}

// frameWith builds a frame out of any parts, valid as far as a header goes.
func frameWith(t Type, fields, body []byte) []byte {
	frame := append(appendPrefix(nil), fields...)
	sealHeader(frame, t, len(body), Checksum(body))
	return append(frame, body...)
}

// FuzzDecodeHeader feeds raw bytes: no panic, and a header that passes is one that an encoder could have written.
func FuzzDecodeHeader(f *testing.F) {
	for _, m := range goldenMessages() {
		f.Add(appendMessage(nil, &m))
	}
	f.Add(goldenRequest())
	f.Add([]byte("GET / HTTP/1.1\r\nHost: example\r\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		h, err := DecodeHeader(src)
		if err != nil {
			return
		}
		if h.Size > len(src) || h.BodyLen < 0 || h.BodyLen > MaxBody {
			t.Fatalf("%+v out of %d bytes", h, len(src))
		}
		again := slices.Clone(src[:h.Size])
		sealHeader(again, h.Type, h.BodyLen, h.BodyCRC)
		if !slices.Equal(again, src[:h.Size]) {
			t.Fatalf("% x sealed again is % x", src[:h.Size], again)
		}
	})
}

// FuzzDecodeFrame feeds frames whose checksums are good and whose contents are not, through every decoder.
func FuzzDecodeFrame(f *testing.F) {
	for _, m := range goldenMessages() {
		frame := appendMessage(nil, &m)
		f.Add(uint8(m.Type), frame[PrefixSize:])
	}
	f.Add(uint8(TypeRequest), goldenRequest()[PrefixSize:])
	f.Add(uint8(TypeReply), goldenReply()[PrefixSize:])
	f.Add(uint8(TypePeerHello), AppendPeerHello(nil, goldenPeerHello())[PrefixSize:])
	f.Add(uint8(TypeWelcome), AppendWelcome(nil, Welcome{LeaderAddr: "127.0.0.1:7002"})[PrefixSize:])
	f.Fuzz(func(t *testing.T, typ uint8, contents []byte) {
		if int(typ) >= len(fieldSizes) || fieldSizes[typ] < 0 {
			return
		}
		fields := make([]byte, fieldSizes[typ])
		body := contents[copy(fields, contents):]
		frame := frameWith(Type(typ), fields, body)
		h, err := DecodeHeader(frame)
		if err != nil || h.CheckBody(frame[h.Size:]) != nil {
			t.Fatalf("sealed frame refused: %+v, %v", h, err)
		}
		decoded, err := decodeAny(h, frame)
		if m, ok := decoded.(Message); ok && err == nil {
			reencodes(t, &m, fields)
		}
		if hello, ok := decoded.(PeerHello); ok && err == nil && !slices.Equal(AppendPeerHello(nil, &hello)[h.Size:], body) {
			t.Fatalf("the settings % x, encoded again % x", body, AppendPeerHello(nil, &hello)[h.Size:])
		}
	})
}

// reencodes checks that m's encoding is the fields it was decoded from, but for the two bytes that mean nothing.
func reencodes(t *testing.T, m *Message, fields []byte) {
	again := AppendMessageHeader(nil, m)[PrefixSize:]
	if want := append(slices.Clone(fields[:46]), 0, 0); !slices.Equal(again, want) {
		t.Fatalf("fields % x, encoded again % x", fields, again)
	}
}
