package loop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/wire/loopback"
	"paxosbench/wire/secure"
)

// handshake is the making of a connection over which both sides prove who they are. A goroutine of its own does that, and the loop
// collects what has come of it; what passes then the loop encrypts and decrypts itself.
type handshake struct {
	conn   *conn // that wants it, nil: nobody does any more. The loop's
	cancel context.CancelFunc

	// What has come of it.
	socket  *net.TCPConn
	records *secure.Records
	err     error
}

// handshakes are those that have come to an end, until the loop collects them.
type handshakes struct {
	mu    sync.Mutex
	list  []*handshake
	ended bool // nobody will collect them
}

// handshakeTakes is how much longer connecting may take for each connection that is being made: a thousand at once have to share
// the processors.
const handshakeTakes = 2 * time.Millisecond

// patience is how long a replica may take for the handshake, once there is a connection, and for the welcome behind it: as long as one
// may be silent that has something to answer, and twice as long with every attempt that took too long. It is there, and whoever
// begins anew waits behind all who have come meanwhile.
func (c *conn) patience() time.Duration {
	least := c.loop.cfg.StallTimeout
	return min(least<<min(c.late, 10), max(stallMost, least))
}

// secure begins to connect.
func (c *conn) secure() {
	l := c.loop
	l.shaking++
	dial := c.deadline - c.dialedAt
	c.deadline += c.patience() + time.Duration(l.shaking)*handshakeTakes
	h := &handshake{conn: c}
	ctx, cancel := context.WithCancel(context.Background())
	c.handshake, h.cancel = h, cancel
	addr := c.addr
	go func() {
		defer cancel()
		h.socket, h.records, h.err = shake(ctx, l.cfg.Credentials, addr, dial)
		l.handshakes.add(h, l)
	}()
}

// shake connects to a replica, which is given up if there is no connection in time.
func shake(ctx context.Context, credentials *secure.Credentials, addr netip.AddrPort, dial time.Duration) (*net.TCPConn, *secure.Records, error) {
	nc, err := (&net.Dialer{Timeout: dial, Control: loopback.Control}).DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, nil, err
	}
	conn, _, err := credentials.Dialled(ctx, nc, func(id secure.Identity) error {
		if id.Role != secure.Replica {
			return fmt.Errorf("%v answers, which is not a replica", id)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	socket, records := conn.Part()
	return socket, records, nil
}

// add has the loop collect h.
func (hs *handshakes) add(h *handshake, l *Loop) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.ended {
		h.close()
		return
	}
	hs.list = append(hs.list, h)
	l.Wake() // before end, behind which the loop has nothing to be woken by
}

// take returns those that are to be collected.
func (hs *handshakes) take() []*handshake {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	list := hs.list
	hs.list = nil
	return list
}

// end closes what nobody will collect.
func (hs *handshakes) end() {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.ended = true
	for _, h := range hs.list {
		h.close()
	}
}

func (h *handshake) close() {
	if h.socket != nil {
		_ = h.socket.Close()
	}
}

// collect takes what has come of handshakes.
func (l *Loop) collect() {
	for _, h := range l.handshakes.take() {
		l.shaking--
		if h.conn == nil {
			h.close()
		} else {
			h.conn.secured(h)
		}
	}
}

// secured goes on with a connection when its handshake has ended.
func (c *conn) secured(h *handshake) {
	c.handshake = nil
	err := h.err
	if err == nil {
		c.fd, err = take(h.socket)
	}
	if err != nil {
		c.drop(err)
		return
	}
	c.records = h.records
	c.greet(unix.EPOLL_CTL_ADD)
}

// take returns a descriptor of a socket in the place of those that the runtime knows.
func take(socket *net.TCPConn) (fd int, err error) {
	defer socket.Close()
	raw, err := socket.SyscallConn()
	if err != nil {
		return -1, err
	}
	failed := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(failed, err); err != nil {
		return -1, err
	}
	return fd, nil
}

// abandonHandshake gives up the one that is under way, if any.
func (c *conn) abandonHandshake() {
	if c.handshake != nil {
		c.handshake.cancel()
		c.handshake.conn, c.handshake = nil, nil
	}
}

// unseal decrypts what has come behind dst, and says why that is all, if it is.
func (c *conn) unseal(dst, ciphertext []byte) ([]byte, error) {
	plain, err := c.records.Open(dst, ciphertext)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // it should have said why
	}
	return plain, err
}

// seal encrypts what is out.
func (c *conn) seal() (err error) {
	c.sealed, err = c.records.Seal(c.sealed, c.out)
	c.out = c.out[:0]
	return err
}

// takeLeave says that nothing more will be sent, unless a record is under way.
func (c *conn) takeLeave() {
	if c.records != nil && len(c.sealed) == 0 {
		unix.Write(c.fd, c.records.Close(nil))
	}
	c.records = nil
}
