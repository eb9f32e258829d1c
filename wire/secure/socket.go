package secure

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// bufferBytes is how much is read from a socket at a time, smallBytes where largeBuffers are taken: what a direction holds that is
	// held up.
	bufferBytes  = 256 << 10
	smallBytes   = 32 << 10
	largeBuffers = 64

	// recordBytes is the most that a record holds, and recordHeader what stands before it.
	recordBytes  = 16 << 10
	recordHeader = 5
)

// buffers of one size are taken when there are bytes and not before, so that an idle connection holds none. Of large ones only so many
// are out at a time, which is what busy connections need; whoever comes when they are takes a smaller one.
type buffers struct {
	pool    sync.Pool
	size    int
	left    atomic.Int64
	smaller *buffers // nil: there is no limit
}

func newBuffers(size int) *buffers {
	return &buffers{size: size, pool: sync.Pool{New: func() any {
		b := make([]byte, size)
		return &b
	}}}
}

func newLimited(size, limit int, smaller *buffers) *buffers {
	b := newBuffers(size)
	b.smaller = smaller
	b.left.Store(int64(limit))
	return b
}

func (b *buffers) take() *[]byte {
	if b.smaller != nil && b.left.Add(-1) < 0 {
		b.left.Add(1)
		return b.smaller.take()
	}
	return b.pool.Get().(*[]byte)
}

func (b *buffers) give(buffer *[]byte) {
	if b.smaller != nil {
		if len(*buffer) != b.size {
			b.smaller.give(buffer)
			return
		}
		b.left.Add(1)
	}
	b.pool.Put(buffer)
}

var (
	readBuffers   = newLimited(bufferBytes, largeBuffers, newBuffers(smallBytes))
	recordBuffers = newBuffers(recordBytes)
	writeBuffers  = newLimited(sealed(bufferBytes), largeBuffers, newBuffers(sealed(smallBytes)))
)

// sealed is how long what has been read is at most when it is encrypted.
func sealed(n int) int { return n + n/16 }

// socket is a socket that is read into a buffer which it holds only while that holds something, and whose writes can be held back
// to be made at once: crypto/tls reads and writes record by record, which would be a system call for each.
type socket struct {
	net.Conn
	raw syscall.RawConn

	// turn is held, during the handshake, while something is computed, and not while something is waited for. nil: no turns are taken.
	turn chan struct{}

	buffer     *[]byte // nil: nothing has been read that is not taken
	start, end int     // of what is not taken

	// Of the record that Read is in.
	header [recordHeader]byte
	known  int // bytes of the header that have been read; 0 in the rest of it
	rest   int // bytes behind the header that have not

	mu   sync.Mutex // of what follows: crypto/tls answers some records by itself
	held *[]byte    // nil: nothing is held back
	out  []byte     // in it, as far as it is filled
}

func newSocket(nc net.Conn) (*socket, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("BUG: a %T is no socket", nc)
	}
	raw, err := sc.SyscallConn()
	return &socket{Conn: nc, raw: raw}, err
}

// await waits until there is something to take, and returns io.EOF at the end.
func (s *socket) await() error {
	if s.buffer != nil {
		return nil
	}
	if s.turn != nil {
		<-s.turn
		defer func() { s.turn <- struct{}{} }()
	}
	n := 0
	var failed error
	err := s.raw.Read(func(fd uintptr) bool {
		s.buffer = readBuffers.take()
		for {
			n, failed = unix.Read(int(fd), *s.buffer)
			if failed != unix.EINTR {
				break
			}
		}
		if n <= 0 {
			s.release()
		}
		return failed != unix.EAGAIN
	})
	switch {
	case err != nil:
		return err
	case failed != nil:
		return failed
	case n <= 0:
		return io.EOF
	}
	s.start, s.end = 0, n
	return nil
}

// Read implements net.Conn, for crypto/tls. It never reads past the end of a record: crypto/tls would keep what follows, and nobody
// could tell that there is something.
func (s *socket) Read(p []byte) (int, error) {
	if err := s.await(); err != nil {
		return 0, err
	}
	n := 0
	if s.rest > 0 {
		n = copy(p[:min(len(p), s.rest)], s.take())
		s.rest -= n
	} else {
		n = copy(s.header[s.known:], s.take())
		n = copy(p, s.header[s.known:s.known+n])
		if s.known += n; s.known == recordHeader {
			s.known, s.rest = 0, int(binary.BigEndian.Uint16(s.header[3:]))
		}
	}
	if s.start += n; s.start == s.end {
		s.release()
	}
	return n, nil
}

// take returns what has been read, until release.
func (s *socket) take() []byte { return (*s.buffer)[s.start:s.end] }

func (s *socket) release() {
	readBuffers.give(s.buffer)
	s.buffer = nil
}

// hasRecord reports whether a whole record is there. It is asked between two records.
func (s *socket) hasRecord() bool {
	if s.buffer == nil || s.end-s.start < recordHeader {
		return false
	}
	length := int(binary.BigEndian.Uint16(s.take()[3:]))
	return s.end-s.start >= recordHeader+length
}

// hold holds back what is written until flush.
func (s *socket) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = writeBuffers.take()
	s.out = (*s.held)[:0]
}

// Write implements net.Conn.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil {
		s.out = append(s.out, p...)
		return len(p), nil
	}
	return s.Conn.Write(p)
}

// flush writes what was held back.
func (s *socket) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.Conn.Write(s.out)
	writeBuffers.give(s.held)
	s.held, s.out = nil, nil
	return err
}

// closeWrite says that nothing more will be written.
func (s *socket) closeWrite() {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
