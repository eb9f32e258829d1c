package secure

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Carrier carries what passes over a TLS connection to and from a plain socket.
type Carrier struct {
	conn  *tls.Conn
	raw   *socket // below conn
	plain *socket // nil before Run

	failed atomic.Pointer[error]
}

// lastWords is how long what is under way may take to reach the other side when one side has closed.
const lastWords = 5 * time.Second

// Pair returns a pair of connected sockets: the descriptor of one, which does not block, and the other for Run. buffer is how
// much each holds, 0: as much as the system likes.
func Pair(buffer int) (fd int, other net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, nil, os.NewSyscallError("socketpair", err)
	}
	if buffer > 0 {
		for _, fd := range fds {
			err = errors.Join(err, os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, buffer)))
		}
	}
	file := os.NewFile(uintptr(fds[1]), "carrier")
	if err == nil {
		other, err = net.FileConn(file)
	}
	_ = file.Close() // other has a descriptor of its own
	if err != nil {
		_ = unix.Close(fds[0])
		return -1, nil, err
	}
	return fds[0], other, nil
}

// Run carries until both sides have closed. When either does, the other hears of it after what was under way.
func (c *Carrier) Run(plain net.Conn) {
	defer c.raw.Close()
	defer plain.Close()
	var err error
	if c.plain, err = newSocket(plain); err != nil {
		c.fail(err)
		return
	}
	var both sync.WaitGroup
	both.Go(c.inward)
	c.outward()
	both.Wait()
}

// Err returns why the secured side has ended, nil if it has ended in good order or not at all. A certificate that the other side
// does not take shows here, and not in the handshake.
func (c *Carrier) Err() error {
	if err := c.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (c *Carrier) fail(err error) {
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		c.failed.CompareAndSwap(nil, &err)
	}
}

// Conn returns the TLS connection, for one that is not to be carried. It must be closed.
func (c *Carrier) Conn() net.Conn { return c.conn }

// Close ends both sides at once, whatever is under way. Any goroutine may call it.
func (c *Carrier) Close() { _ = c.raw.Close() }

// Shut says that whoever has the other end of the plain socket has closed it, which an outward copy that waits for a slow reader
// would not notice. Any goroutine may call it.
func (c *Carrier) Shut() { _ = c.conn.SetWriteDeadline(time.Now().Add(lastWords)) }

// inward carries from the secured side to the plain one.
func (c *Carrier) inward() {
	err := c.decrypt()
	c.fail(err)
	c.plain.closeWrite()
	_ = c.plain.SetReadDeadline(time.Now().Add(lastWords)) // it closes its side, and is not waited for for ever
}

func (c *Carrier) decrypt() error {
	for {
		if err := c.raw.await(); err != nil {
			return err
		}
		if err := c.decryptSome(); err != nil {
			return err
		}
	}
}

// decryptSome decrypts the whole records that have come, as far as a buffer holds them, and writes them at once. Where no whole
// one has come it waits for that, with a small buffer.
func (c *Carrier) decryptSome() error {
	pool := recordBuffers
	if c.raw.hasRecord() {
		pool = readBuffers
	}
	taken := pool.take()
	defer pool.give(taken)
	buffer, filled := *taken, 0
	for {
		n, err := c.conn.Read(buffer[filled:])
		filled += n
		if err == nil && c.raw.hasRecord() && len(buffer)-filled >= recordBytes {
			continue
		}
		if filled > 0 {
			if _, err := c.plain.Write(buffer[:filled]); err != nil {
				return net.ErrClosed // that side has closed, which is no failure of this one
			}
		}
		if err != nil {
			return err
		}
		return nil
	}
}

// outward carries from the plain side to the secured one.
func (c *Carrier) outward() {
	if err := c.encrypt(); !errors.Is(err, io.EOF) {
		_ = c.raw.Close()
		return
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(lastWords))
	_ = c.conn.CloseWrite()
	_ = c.raw.Close()
}

func (c *Carrier) encrypt() error {
	for {
		if err := c.plain.await(); err != nil {
			return err
		}
		if err := c.encryptSome(); err != nil {
			return err
		}
	}
}

// encryptSome encrypts what has come and writes it at once. The plain text is given up before the write, which may wait.
func (c *Carrier) encryptSome() error {
	text := c.plain.take()
	c.raw.hold()
	_, err := c.conn.Write(text)
	c.plain.release()
	if err := errors.Join(err, c.raw.flush()); err != nil {
		c.fail(err)
		return err
	}
	return nil
}
