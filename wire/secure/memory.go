package secure

import (
	"net"
	"time"
)

// memory is what a tls.Conn reads from and writes to in an event loop. Nothing ever waits in it.
type memory struct {
	in  []byte // of a record, what has not been read
	out []byte // what has been written
}

// Read implements net.Conn.
func (m *memory) Read(p []byte) (int, error) {
	if len(m.in) == 0 {
		return 0, errEmpty
	}
	n := copy(p, m.in)
	m.in = m.in[n:]
	return n, nil
}

// Write implements net.Conn.
func (m *memory) Write(p []byte) (int, error) {
	m.out = append(m.out, p...)
	return len(p), nil
}

// empty says that no more is there at present. To crypto/tls a net.Error that is temporary is no reason to give a connection up: it
// keeps what it has, and reads on when it is asked again.
type empty struct{}

var errEmpty net.Error = empty{}

// Error implements error.
func (empty) Error() string { return "the next record has not come yet" }

// Timeout implements net.Error.
func (empty) Timeout() bool { return false }

// Temporary implements net.Error.
func (empty) Temporary() bool { return true }

// Close implements net.Conn. The socket is the loop's.
func (*memory) Close() error { return nil }

// LocalAddr implements net.Conn.
func (*memory) LocalAddr() net.Addr { return nil }

// RemoteAddr implements net.Conn.
func (*memory) RemoteAddr() net.Addr { return nil }

// SetDeadline implements net.Conn.
func (*memory) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (*memory) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (*memory) SetWriteDeadline(time.Time) error { return nil }
