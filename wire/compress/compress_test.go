package compress

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"paxosbench/wire"
)

var codecs = []wire.Codec{wire.CodecNone, wire.CodecS2, wire.CodecZstd}

// repetitive returns n bytes that any codec can shorten, noise n bytes that none can.
func repetitive(n int) []byte { return bytes.Repeat([]byte("key00017value"), n/13+1)[:n] }

func noise(n int) []byte {
	b := make([]byte, n+8)
	source := rand.New(rand.NewPCG(1, uint64(n)))
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], source.Uint64())
	}
	return b[:n]
}

func TestRoundTrip(t *testing.T) {
	var c Compressor
	for _, codec := range codecs {
		for _, n := range []int{0, 1, 5, 100, 4096, 300 << 10, wire.MaxBatch} {
			for _, src := range [][]byte{repetitive(n), noise(n)} {
				packed, used := c.AppendCompressed([]byte("head"), codec, src)
				if !bytes.HasPrefix(packed, []byte("head")) || len(packed) > 4+n {
					t.Fatalf("%s: %d bytes became %d", CodecName(codec), n, len(packed)-4)
				}
				got, err := c.AppendDecompressed([]byte("tail"), used, packed[4:], n)
				if err != nil || !bytes.HasPrefix(got, []byte("tail")) || !bytes.Equal(got[4:], src) {
					t.Fatalf("%s: %d bytes came back as %d: %v", CodecName(codec), n, len(got)-4, err)
				}
			}
		}
	}
}

func TestCompressionIsUsedOnlyWhereItHelps(t *testing.T) {
	var c Compressor
	for _, codec := range codecs[1:] {
		if packed, used := c.AppendCompressed(nil, codec, repetitive(4096)); used != codec || len(packed) > 512 {
			t.Errorf("%s: repetitive bytes became %d bytes of %s", CodecName(codec), len(packed), CodecName(used))
		}
		src := noise(4096)
		if packed, used := c.AppendCompressed(nil, codec, src); used != wire.CodecNone || !bytes.Equal(packed, src) {
			t.Errorf("%s: noise became %d bytes of %s", CodecName(codec), len(packed), CodecName(used))
		}
	}
}

// bombs returns, by codec, blocks that claim or really hold more than announced.
func bombs(t testing.TB) map[string]struct {
	codec wire.Codec
	src   []byte
} {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	huge := make([]byte, 2*wire.MaxBatch)
	frame := encoder.EncodeAll(huge, nil)
	var stream bytes.Buffer // of unknown length
	encoder.Reset(&stream)
	if _, err := encoder.Write(huge); err != nil {
		t.Fatal(err)
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	small := encoder.EncodeAll(make([]byte, 1000), nil)
	return map[string]struct {
		codec wire.Codec
		src   []byte
	}{
		"s2 claim":    {wire.CodecS2, binary.AppendUvarint(nil, 1<<32-1)},
		"s2":          {wire.CodecS2, s2.Encode(nil, huge)},
		"zstd":        {wire.CodecZstd, frame},
		"zstd stream": {wire.CodecZstd, stream.Bytes()},
		"zstd frames": {wire.CodecZstd, bytes.Repeat(small, 10000)},
	}
}

func TestBombsDoNotGoOff(t *testing.T) {
	var c Compressor
	for name, bomb := range bombs(t) {
		dst := make([]byte, 0, 1<<10)
		for _, rawLen := range []int{0, 1, 1000} {
			got, err := c.AppendDecompressed(dst, bomb.codec, bomb.src, rawLen)
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrLength) || len(got) != 0 || cap(got) != cap(dst) {
				t.Errorf("%s, %d bytes announced: %d bytes, %v", name, rawLen, len(got), err)
			}
		}
		const runs = 10
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			_, _ = c.AppendDecompressed(dst, bomb.codec, bomb.src, 1000)
		}
		runtime.ReadMemStats(&after)
		perRun := (after.TotalAlloc - before.TotalAlloc) / runs
		if perRun > 512<<10 {
			t.Errorf("%s took %d bytes of memory", name, perRun)
		}
	}
}

func TestDecompressRefuses(t *testing.T) {
	var c Compressor
	src := repetitive(1000)
	for _, codec := range codecs {
		packed, _ := c.AppendCompressed(nil, codec, src)
		for name, test := range map[string]struct {
			src    []byte
			rawLen int
		}{
			"one byte less announced": {packed, len(src) - 1},
			"one byte more announced": {packed, len(src) + 1},
			"cut":                     {packed[:len(packed)-1], len(src)},
			"empty":                   {nil, len(src)},
			"behind the limit":        {packed, wire.MaxBatch + 1},
			"negative":                {packed, -1},
		} {
			dst := []byte("kept")
			got, err := c.AppendDecompressed(dst, codec, test.src, test.rawLen)
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrLength) || string(got) != "kept" {
				t.Errorf("%s, %s: %q, %v", CodecName(codec), name, got, err)
			}
		}
		if got, err := c.AppendDecompressed(nil, codec, packed, len(src)); err != nil || !bytes.Equal(got, src) {
			t.Errorf("%s: no longer works after errors: %v", CodecName(codec), err)
		}
	}
	if _, err := c.AppendDecompressed(nil, 9, src, len(src)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("unknown codec: %v", err)
	}
}

func TestBrokenUseIsABug(t *testing.T) {
	for name, use := range map[string]func(c *Compressor){
		"unknown codec": func(c *Compressor) { c.AppendCompressed(nil, 9, nil) },
		"too long":      func(c *Compressor) { c.AppendCompressed(nil, wire.CodecNone, make([]byte, wire.MaxBatch+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "BUG: ") {
					t.Errorf("panicked with %q", text)
				}
			}()
			use(new(Compressor))
		})
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	var c Compressor
	src := repetitive(64 << 10)
	packedBuf, rawBuf := make([]byte, 0, 128<<10), make([]byte, 0, 64<<10)
	for _, codec := range codecs {
		step := func() {
			packed, used := c.AppendCompressed(packedBuf, codec, src)
			if _, err := c.AppendDecompressed(rawBuf, used, packed, len(src)); err != nil {
				t.Fatal(err)
			}
		}
		step()
		if allocs := testing.AllocsPerRun(20, step); allocs != 0 {
			t.Errorf("%s: %v allocations a batch", CodecName(codec), allocs)
		}
	}
}

func TestCodecNames(t *testing.T) {
	for _, codec := range codecs {
		if got, err := ParseCodec(CodecName(codec)); err != nil || got != codec {
			t.Errorf("%s parsed as %d, %v", CodecName(codec), got, err)
		}
	}
	if _, err := ParseCodec("lz4"); err == nil || !strings.Contains(err.Error(), `"lz4"`) || !strings.Contains(err.Error(), "s2") {
		t.Errorf("lz4: %v", err)
	}
	if got := CodecName(9); got != "Codec(9)" {
		t.Errorf("unknown codec is called %q", got)
	}
}

// FuzzDecompress feeds bytes from the network: no panic, nothing beyond what was announced, dst intact on errors.
func FuzzDecompress(f *testing.F) {
	var c Compressor
	for _, codec := range codecs {
		packed, _ := c.AppendCompressed(nil, codec, repetitive(1000))
		f.Add(uint8(codec), packed, 1000)
		f.Add(uint8(codec), packed[:len(packed)/2], 1000)
		f.Add(uint8(codec), packed, wire.MaxBatch+1)
	}
	f.Add(uint8(wire.CodecS2), binary.AppendUvarint(nil, 1<<32-1), 100)
	f.Fuzz(func(t *testing.T, codec uint8, src []byte, rawLen int) {
		got, err := c.AppendDecompressed([]byte("kept"), wire.Codec(codec), src, rawLen)
		switch {
		case string(got[:4]) != "kept":
			t.Fatalf("dst became %q", got[:4])
		case err != nil && len(got) != 4:
			t.Fatalf("%d bytes and %v", len(got), err)
		case err == nil && len(got) != 4+rawLen:
			t.Fatalf("%d bytes, %d announced", len(got)-4, rawLen)
		}
	})
}

// BenchmarkCompress measures a batch of 64 KiB of small commands.
func BenchmarkCompress(b *testing.B) {
	src := repetitive(64 << 10)
	for _, codec := range codecs {
		b.Run(CodecName(codec), func(b *testing.B) {
			var c Compressor
			var packed []byte
			b.ReportAllocs()
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				packed, _ = c.AppendCompressed(packed[:0], codec, src)
			}
		})
	}
}
