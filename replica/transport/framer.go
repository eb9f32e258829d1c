package transport

import "paxosbench/wire"

// sink takes what a framer cuts out of the stream. An error of either method ends the stream.
type sink interface {
	// admit judges a frame by its checked header, before any of its body is waited for.
	admit(h wire.Header) error

	// frame takes one whole frame whose body's checksum is right. header is a view, valid until return. body is a
	// view too, unless the framer hands bodies over: then it is the sink's, taken from the framer's Buffers, and nil
	// if the frame has none.
	frame(h wire.Header, header, body []byte) error
}

// framer cuts a byte stream into frames. Whole frames are passed on where they lie; only a frame that the stream's
// present end cuts in two is gathered, in memory that grows with what has arrived and not with what was announced.
type framer struct {
	buffers  *wire.Buffers
	handOver bool // bodies become the sink's: each is copied, once, into a buffer of its own

	header  []byte // what has arrived of the header of a cut frame; its whole header while the body is gathered
	body    []byte // what has arrived of the body, in a buffer from buffers; nil until something has
	pending wire.Header
	inBody  bool   // header is whole and decoded in pending
	frames  uint64 // whole frames so far
	last    int    // bytes of the last one's body
}

const (
	// maxHeader is room for the longest header.
	maxHeader = wire.MessageHeaderSize

	// bodyFloor is the first buffer of a body that is handed over, if it is longer than that. Batches are no longer
	// unless --batch-bytes says so, and so are copied once however the stream is cut.
	bodyFloor = 1 << 20

	// longBody is a body of which it pays not to be copied: the most of it is read to where it stays.
	longBody = 64 << 10
)

func newFramer(buffers *wire.Buffers, handOver bool) framer {
	return framer{buffers: buffers, handOver: handOver, header: make([]byte, 0, maxHeader)}
}

// rest returns where the next bytes of the stream belong, as far as they are of a body that is gathered and that there is room for.
func (f *framer) rest() []byte {
	if !f.inBody || f.body == nil {
		return nil
	}
	return f.body[len(f.body):min(cap(f.body), f.pending.BodyLen)]
}

// placed notes that so many bytes have been read to where rest says; feed has to follow.
func (f *framer) placed(n int) { f.body = f.body[:len(f.body)+n] }

// whole reports whether the body that is gathered is there.
func (f *framer) whole() bool { return f.inBody && len(f.body) == f.pending.BodyLen }

// expectsLong reports whether a body that is handed over and long is likely to come next.
func (f *framer) expectsLong() bool { return f.handOver && f.last >= longBody }

// feed takes the next bytes of the stream, all of them. It keeps no reference to src.
func (f *framer) feed(src []byte, s sink) error {
	for len(src) > 0 || f.whole() {
		n, err := f.step(src, s)
		if err != nil {
			return err
		}
		src = src[n:]
	}
	return nil
}

// partial reports whether the stream has ended inside a frame.
func (f *framer) partial() bool { return f.inBody || len(f.header) > 0 }

// release gives back what a cut frame holds; the framer is not used again.
func (f *framer) release() {
	if f.body != nil {
		f.buffers.Put(f.body)
		f.body = nil
	}
}

// step takes one frame, or what src holds of it, and returns the bytes taken: all of src unless a frame ended.
func (f *framer) step(src []byte, s sink) (int, error) {
	switch {
	case f.inBody:
		return f.gather(src, s)
	case len(f.header) > 0:
		return f.resumeHeader(src, s)
	}
	h, err := wire.DecodeHeader(src)
	if err == wire.ErrShort {
		f.header = append(f.header, src...)
		return len(src), nil
	}
	if err != nil {
		return 0, err
	}
	if err := s.admit(h); err != nil {
		return 0, err
	}
	if n := h.FrameLen(); !f.handOver && n <= len(src) {
		return n, f.pass(h, src[:h.Size], src[h.Size:n:n], s)
	}
	return f.beginBody(h, src[:h.Size], src[h.Size:], s)
}

// resumeHeader adds to a cut header. A candidate longer than the header may hold body bytes: only those of the header
// are taken.
func (f *framer) resumeHeader(src []byte, s sink) (int, error) {
	have := len(f.header)
	candidate := append(f.header, src[:min(len(src), maxHeader-have)]...)
	h, err := wire.DecodeHeader(candidate)
	if err == wire.ErrShort {
		f.header = candidate
		return len(src), nil
	}
	if err != nil {
		return 0, err
	}
	if err := s.admit(h); err != nil {
		return 0, err
	}
	n, err := f.beginBody(h, candidate[:h.Size], src[h.Size-have:], s)
	return n - have, err
}

// beginBody starts a body that is gathered and returns the bytes of header and rest taken.
func (f *framer) beginBody(h wire.Header, header, rest []byte, s sink) (int, error) {
	f.header = append(f.header[:0], header...)
	f.pending, f.inBody = h, true
	n, err := f.gather(rest, s)
	return h.Size + n, err
}

// gather adds to the pending body and passes the frame on once it is whole.
func (f *framer) gather(src []byte, s sink) (int, error) {
	n := min(len(src), f.pending.BodyLen-len(f.body))
	if n > 0 {
		f.reserve(n)
		f.body = append(f.body, src[:n]...)
	}
	if len(f.body) < f.pending.BodyLen {
		return n, nil
	}
	header, body := f.header, f.body
	f.header, f.body, f.inBody = f.header[:0], nil, false
	err := f.pass(f.pending, header, body, s)
	if body != nil && !f.handOver {
		f.buffers.Put(body)
	}
	return n, err
}

// reserve makes room for n more bytes of body.
func (f *framer) reserve(n int) {
	if len(f.body)+n <= cap(f.body) {
		return
	}
	size := max(len(f.body)+n, 2*len(f.body))
	if f.handOver {
		size = max(size, bodyFloor)
	}
	size = min(size, f.pending.BodyLen)
	if f.body == nil {
		f.body = f.buffers.Get(size)
		return
	}
	f.body = f.buffers.Grow(f.body, size)
}

// pass checks a whole frame's body and gives the frame to the sink.
func (f *framer) pass(h wire.Header, header, body []byte, s sink) error {
	if err := h.CheckBody(body); err != nil {
		if f.handOver && body != nil {
			f.buffers.Put(body)
		}
		return err
	}
	f.frames++
	f.last = len(body)
	err := s.frame(h, header, body)
	if poisonViews && !f.handOver {
		poison(body)
	}
	return err
}

// poisonByte is what a dead view is filled with: no operation, status or frame type has this value.
const poisonByte = 0xdb

func poison(view []byte) {
	for i := range view {
		view[i] = poisonByte
	}
}
