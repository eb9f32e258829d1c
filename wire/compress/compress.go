// Package compress packs and unpacks batch bodies.
package compress

import (
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"paxosbench/wire"
)

// Errors of AppendDecompressed. Either condemns the bytes: no other call will succeed on them.
var (
	ErrCorrupt = errors.New("compress: corrupt batch")
	ErrLength  = errors.New("compress: length out of bounds")
)

// Compressor compresses and decompresses batch bodies, and keeps the codecs' working memory from one to the next.
// What it needs for zstd, some megabytes, it takes when it first meets zstd. It belongs to one goroutine, on which it
// does all its work. The zero value is ready to use.
type Compressor struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// AppendCompressed appends src, compressed by codec, to dst and returns the codec that was really used: where the
// compressed form would not be shorter src is appended as it is and the answer is CodecNone. It therefore never
// appends more than len(src) bytes. src must not be longer than wire.MaxBatch and stays the caller's.
func (c *Compressor) AppendCompressed(dst []byte, codec wire.Codec, src []byte) ([]byte, wire.Codec) {
	if len(src) > wire.MaxBatch {
		panic(fmt.Sprintf("BUG: compressing %d bytes, limit %d", len(src), wire.MaxBatch))
	}
	start := len(dst)
	switch codec {
	case wire.CodecNone:
	case wire.CodecS2:
		dst = appendS2(dst, src)
	case wire.CodecZstd:
		dst = c.zstdEncoder().EncodeAll(src, dst)
	default:
		panic(fmt.Sprintf("BUG: codec %d", codec))
	}
	if n := len(dst) - start; codec == wire.CodecNone || n >= len(src) {
		return append(dst[:start], src...), wire.CodecNone
	}
	return dst, codec
}

func appendS2(dst, src []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, s2.MaxEncodedLen(len(src)))
	n := len(s2.Encode(dst[start:cap(dst)], src))
	return dst[:start+n]
}

// AppendDecompressed appends to dst the rawLen bytes that src stands for under codec. It returns dst unchanged and an
// error if rawLen is beyond wire.MaxBatch or src does not stand for exactly that many bytes. The memory it takes
// follows rawLen, give or take a block of the codec, whatever src claims. src stays the caller's.
func (c *Compressor) AppendDecompressed(dst []byte, codec wire.Codec, src []byte, rawLen int) ([]byte, error) {
	if rawLen < 0 || rawLen > wire.MaxBatch {
		return dst, fmt.Errorf("%w: %d bytes before compression, limit %d", ErrLength, rawLen, wire.MaxBatch)
	}
	switch codec {
	case wire.CodecNone:
		if len(src) != rawLen {
			return dst, fmt.Errorf("%w: %d bytes, %d announced", ErrLength, len(src), rawLen)
		}
		return append(dst, src...), nil
	case wire.CodecS2:
		return decompressS2(dst, src, rawLen)
	case wire.CodecZstd:
		return c.decompressZstd(dst, src, rawLen)
	}
	return dst, fmt.Errorf("%w: unknown codec %d", ErrCorrupt, codec)
}

func decompressS2(dst, src []byte, rawLen int) ([]byte, error) {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return dst, fmt.Errorf("%w: s2: %v", ErrCorrupt, err)
	}
	if n != rawLen {
		return dst, fmt.Errorf("%w: s2 block of %d bytes, %d announced", ErrLength, n, rawLen)
	}
	start := len(dst)
	grown := slices.Grow(dst, rawLen)
	if _, err := s2.Decode(grown[start:start+rawLen], src); err != nil {
		return dst, fmt.Errorf("%w: s2: %v", ErrCorrupt, err)
	}
	return grown[:start+rawLen], nil
}

// decompressZstd hands the decoder a slice with room for rawLen bytes, past which zstdDecoder has forbidden it to go.
func (c *Compressor) decompressZstd(dst, src []byte, rawLen int) ([]byte, error) {
	start := len(dst)
	grown := slices.Grow(dst, rawLen)
	out, err := c.zstdDecoder().DecodeAll(src, grown[start:start:start+rawLen])
	if err != nil {
		return dst, fmt.Errorf("%w: zstd: %v", ErrCorrupt, err)
	}
	if len(out) != rawLen {
		return dst, fmt.Errorf("%w: zstd frame of %d bytes, %d announced", ErrLength, len(out), rawLen)
	}
	return append(grown[:start], out...), nil // in place, unless the decoder has moved
}

// zstdEncoder leaves zstd's own checksum out: the frame around a batch has one.
func (c *Compressor) zstdEncoder() *zstd.Encoder {
	if c.encoder == nil {
		encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
		if err != nil {
			panic(fmt.Sprintf("BUG: zstd encoder options: %v", err))
		}
		c.encoder = encoder
	}
	return c.encoder
}

func (c *Compressor) zstdDecoder() *zstd.Decoder {
	if c.decoder == nil {
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(wire.MaxBatch), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			panic(fmt.Sprintf("BUG: zstd decoder options: %v", err))
		}
		c.decoder = decoder
	}
	return c.decoder
}
