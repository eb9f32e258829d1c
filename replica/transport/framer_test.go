package transport

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"paxosbench/wire"
)

// collector is a sink that renders the frames it gets. Bodies that are handed over are given back at the end only, so
// that a buffer given out twice would show.
type collector struct {
	buffers  *wire.Buffers
	handOver bool
	frames   []string
	owned    [][]byte
	reject   wire.Type // admit refuses this type
	stopAt   int       // frame fails at that many frames; 0: never
}

var errRejected = errors.New("rejected")

func (c *collector) admit(h wire.Header) error {
	if h.Type == c.reject {
		return errRejected
	}
	return nil
}

func (c *collector) frame(h wire.Header, header, body []byte) error {
	if len(header) != h.Size || len(body) != h.BodyLen {
		return fmt.Errorf("header of %d and body of %d bytes, want %d and %d", len(header), len(body), h.Size, h.BodyLen)
	}
	c.frames = append(c.frames, render(header, body))
	if c.handOver && body != nil {
		c.owned = append(c.owned, body)
		c.frames[len(c.frames)-1] = string(header)
	}
	if len(c.frames) == c.stopAt {
		return errRejected
	}
	return nil
}

// result renders everything received; owned bodies are looked at only now.
func (c *collector) result() []string {
	frames := append([]string(nil), c.frames...)
	owned := c.owned
	for i, f := range frames {
		h, err := wire.DecodeHeader([]byte(f))
		if c.handOver && err == nil && h.BodyLen > 0 && len(f) == h.Size {
			frames[i] = render([]byte(f), owned[0])
			owned = owned[1:]
		}
	}
	return frames
}

func render(header, body []byte) string { return string(header) + string(body) }

// naiveFrames is the dumb twin: it looks at the whole stream at once.
func naiveFrames(stream []byte, reject wire.Type) (frames []string, rest int, err error) {
	for len(stream) > 0 {
		h, err := wire.DecodeHeader(stream)
		if err == wire.ErrShort {
			return frames, len(stream), nil
		}
		if err != nil {
			return frames, 0, err
		}
		if h.Type == reject {
			return frames, 0, errRejected
		}
		if len(stream) < h.FrameLen() {
			return frames, len(stream), nil
		}
		if err := h.CheckBody(stream[h.Size:h.FrameLen()]); err != nil {
			return frames, 0, err
		}
		frames = append(frames, string(stream[:h.FrameLen()]))
		stream = stream[h.FrameLen():]
	}
	return frames, 0, nil
}

// compare feeds the stream in pieces, each in memory of its own that is overwritten afterwards, and compares with the
// twin; and once more with what belongs to a body put where that wants it.
func compare(t *testing.T, stream []byte, pieces []int, handOver bool, reject wire.Type) {
	t.Helper()
	for _, inPlace := range []bool{false, true} {
		compareOnce(t, stream, pieces, handOver, inPlace, reject)
	}
}

func compareOnce(t *testing.T, stream []byte, pieces []int, handOver, inPlace bool, reject wire.Type) {
	t.Helper()
	buffers := new(wire.Buffers)
	f := newFramer(buffers, handOver)
	sink := &collector{buffers: buffers, handOver: handOver, reject: reject}
	var err error
	for rest, i := stream, 0; len(rest) > 0 && err == nil; i++ {
		n := len(rest)
		if i < len(pieces) {
			n = min(n, pieces[i])
		}
		piece := bytes.Clone(rest[:n])
		placed := 0
		if inPlace {
			placed = copy(f.rest(), piece)
			f.placed(placed)
		}
		err = f.feed(piece[placed:], sink)
		poison(piece)
		rest = rest[n:]
	}
	want, left, wantErr := naiveFrames(stream, reject)
	got := sink.result()
	if len(got) != len(want) {
		t.Fatalf("%d frames, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("frame %d differs", i)
		}
	}
	if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
		t.Fatalf("error %v, want %v", err, wantErr)
	}
	if err == nil && f.partial() != (left > 0) {
		t.Fatalf("partial is %v with %d bytes left", f.partial(), left)
	}
	if err == nil && f.frames != uint64(len(want)) {
		t.Fatalf("%d frames counted, want %d", f.frames, len(want))
	}
	f.release()
}

func randomFrame(rng *rand.Rand) []byte {
	size := rng.IntN(200)
	if rng.IntN(40) == 0 {
		size = rng.IntN(600 << 10)
	}
	body := pattern(size, byte(rng.Uint32()))
	switch rng.IntN(4) {
	case 0:
		return wire.AppendPeerHello(nil, &wire.PeerHello{Cluster: rng.Uint64(), From: 1})
	case 1:
		return wire.AppendFault(nil, string(body[:min(size, 100)]))
	case 2:
		return requestFrame(body)
	default:
		m := wire.Message{Type: wire.TypeAccept, Slot: wire.Slot(rng.Uint64()), Payload: wire.Payload{Body: body, BodyCRC: wire.Checksum(body)}}
		return append(wire.AppendMessageHeader(nil, &m), body...)
	}
}

func TestFramerTwin(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var stream []byte
		for range 1 + rng.IntN(20) {
			stream = append(stream, randomFrame(rng)...)
		}
		if rng.IntN(3) == 0 {
			stream = stream[:rng.IntN(len(stream))]
		}
		if rng.IntN(3) == 0 && len(stream) > 0 {
			stream[rng.IntN(len(stream))] ^= byte(1 + rng.IntN(255))
		}
		var reject wire.Type
		if rng.IntN(5) == 0 {
			reject = wire.TypeFault
		}
		var pieces []int
		for range rng.IntN(1000) {
			pieces = append(pieces, 1+rng.IntN(1+rng.IntN(1+rng.IntN(1<<17))))
		}
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			compare(t, stream, pieces, false, reject)
			compare(t, stream, pieces, true, reject)
		})
	}
}

// Every cut of a short stream, into two and into single bytes.
func TestFramerCuts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	body := pattern(90, 1)
	message := wire.Message{Type: wire.TypeAccept, Payload: wire.Payload{Body: body, BodyCRC: wire.Checksum(body)}}
	stream := append(requestFrame(body), wire.AppendMessageHeader(nil, &message)...)
	stream = append(stream, body...)
	stream = append(stream, wire.AppendClientHello(nil, wire.ClientHello{Window: rng.Uint32()})...)
	stream = append(stream, requestFrame(nil)...)
	ones := make([]int, len(stream))
	for i := range ones {
		ones[i] = 1
	}
	for _, handOver := range []bool{false, true} {
		compare(t, stream, ones, handOver, 0)
		for cut := range stream {
			compare(t, stream, []int{cut + 1}, handOver, 0)
		}
	}
}

func FuzzFramer(f *testing.F) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 10 {
		f.Add(append(randomFrame(rng), randomFrame(rng)...), []byte{1, 20, 60}, true)
	}
	f.Add([]byte("GET / HTTP/1.1\r\n"), []byte{3}, false)
	f.Add(requestFrame(pattern(40, 0))[:30], []byte{}, false)
	f.Fuzz(func(t *testing.T, stream, cuts []byte, handOver bool) {
		pieces := make([]int, len(cuts))
		for i, c := range cuts {
			pieces[i] = int(c) + 1
		}
		compare(t, stream, pieces, handOver, wire.TypeWelcome)
	})
}

// A sink's error stops the framer at once, between two frames as well as behind a gathered one.
func TestFramerStops(t *testing.T) {
	stream := bytes.Repeat(requestFrame(pattern(10, 0)), 5)
	for _, piece := range []int{1, 7, len(stream)} {
		f := newFramer(new(wire.Buffers), false)
		sink := &collector{stopAt: 2}
		var err error
		for rest := stream; len(rest) > 0 && err == nil; rest = rest[min(piece, len(rest)):] {
			err = f.feed(rest[:min(piece, len(rest))], sink)
		}
		if err != errRejected || len(sink.frames) != 2 {
			t.Errorf("pieces of %d: %v after %d frames, want %v after 2", piece, err, len(sink.frames), errRejected)
		}
	}
}

// What an announced body makes the framer hold is bounded by what has arrived, not by what was announced.
func TestFramerHolds(t *testing.T) {
	body := make([]byte, wire.MaxBody)
	message := wire.Message{Type: wire.TypeAccept, Payload: wire.Payload{Body: body, BodyCRC: wire.Checksum(body)}}
	stream := append(wire.AppendMessageHeader(nil, &message), body...)
	for _, handOver := range []bool{false, true} {
		f := newFramer(new(wire.Buffers), handOver)
		sink := &collector{}
		floor := 512 // the smallest buffer there is
		if handOver {
			floor = bodyFloor
		}
		for at := 0; at < len(stream)-1; {
			n := min(1+at, len(stream)-1-at)
			if err := f.feed(stream[at:at+n], sink); err != nil {
				t.Fatal(err)
			}
			at += n
			if held := cap(f.body); held > max(4*at, floor) {
				t.Fatalf("holds %d bytes when %d have arrived", held, at)
			}
		}
		if !f.partial() || len(sink.frames) != 0 {
			t.Error("the frame is not pending")
		}
		f.release()
	}
}

// Steady state: whole and cut frames cost no memory.
func TestFramerAllocs(t *testing.T) {
	body := pattern(1000, 0)
	message := wire.Message{Type: wire.TypeAccept, Payload: wire.Payload{Body: body, BodyCRC: wire.Checksum(body)}}
	stream := append(requestFrame(body), wire.AppendMessageHeader(nil, &message)...)
	stream = append(stream, body...)
	original := bytes.Clone(stream) // the framer may poison what it was fed
	for _, handOver := range []bool{false, true} {
		buffers := new(wire.Buffers)
		f := newFramer(buffers, handOver)
		sink := &discard{buffers: buffers, handOver: handOver}
		for _, cut := range []int{5, 100, 1020, len(stream)} {
			allocs := testing.AllocsPerRun(100, func() {
				copy(stream, original)
				if f.feed(stream[:cut], sink) != nil || f.feed(stream[cut:], sink) != nil {
					t.Fatal("stream rejected")
				}
			})
			if allocs != 0 {
				t.Errorf("hand over %v, cut at %d: %v allocations", handOver, cut, allocs)
			}
		}
	}
}

type discard struct {
	buffers  *wire.Buffers
	handOver bool
}

func (d *discard) admit(wire.Header) error { return nil }

func (d *discard) frame(_ wire.Header, _, body []byte) error {
	if d.handOver && body != nil {
		d.buffers.Put(body)
	}
	return nil
}

func BenchmarkFramer(b *testing.B) {
	for _, size := range []int{64, 4096, 128 << 10} {
		for _, handOver := range []bool{false, true} {
			b.Run(fmt.Sprintf("body=%d/handOver=%v", size, handOver), func(b *testing.B) {
				frame := requestFrame(pattern(size, 0))
				stream := bytes.Repeat(frame, max(1, 64<<10/len(frame)))
				buffers := new(wire.Buffers)
				f := newFramer(buffers, handOver)
				sink := &discard{buffers: buffers, handOver: handOver}
				b.SetBytes(int64(len(stream)))
				b.ReportAllocs()
				for b.Loop() {
					if err := f.feed(stream, sink); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(f.frames), "ns/frame")
			})
		}
	}
}
