package secure

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket is a socket that is never read past the end of a record, so that nothing has been taken from it but the handshake when that
// is over.
type socket struct {
	*net.TCPConn
	raw syscall.RawConn

	// turn is held, during the handshake, while something is computed, and not while something is waited for. nil: no turns are taken.
	turn chan struct{}

	// Of the record that Read is in.
	header [recordHeader]byte
	known  int // bytes of the header that have been read; 0 in the rest of it
	rest   int // bytes behind the header that have not
}

func newSocket(nc net.Conn) (*socket, error) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("BUG: TLS over a %T", nc)
	}
	raw, err := tcp.SyscallConn()
	return &socket{TCPConn: tcp, raw: raw}, err
}

// Read implements net.Conn, for crypto/tls.
func (s *socket) Read(p []byte) (int, error) {
	if s.rest > 0 {
		n, err := s.await(p[:min(len(p), s.rest)])
		s.rest -= n
		return n, err
	}
	n, err := s.await(p[:min(len(p), recordHeader-s.known)])
	s.known += copy(s.header[s.known:], p[:n])
	if s.known == recordHeader {
		s.known, s.rest = 0, int(binary.BigEndian.Uint16(s.header[3:]))
	}
	return n, err
}

// await reads. If there is nothing yet others have their turn meanwhile.
func (s *socket) await(p []byte) (int, error) {
	if s.turn == nil {
		return s.TCPConn.Read(p)
	}
	n, err := s.poll(p)
	if err != unix.EAGAIN {
		return n, err
	}
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	return s.TCPConn.Read(p)
}

// poll reads what is there, and fails with unix.EAGAIN if nothing is.
func (s *socket) poll(p []byte) (n int, err error) {
	failed := s.raw.Read(func(fd uintptr) bool {
		for {
			if n, err = unix.Read(int(fd), p); err != unix.EINTR {
				return true
			}
		}
	})
	switch {
	case failed != nil:
		return 0, failed
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// drain reads what has come of a connection that is going to be closed: what is left unread would have the system throw away on the
// other side what it was sent last, which says why.
func (s *socket) drain() { _, _ = s.poll(make([]byte, 2*recordBytes)) }
