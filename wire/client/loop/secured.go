package loop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/wire/secure"
)

// secured is a connection over which both sides prove who they are, and which is encrypted. Goroutines of its own do that; the loop
// has the other end of a pair of sockets, from which a first byte says that the connection is made.
type secured struct {
	cancel  context.CancelFunc // of connecting
	carrier atomic.Pointer[secure.Carrier]
	err     atomic.Pointer[error] // why it has not come to a carrier
}

// handshakeTakes is how much longer connecting may take for each connection that is being made: a thousand at once have to share
// the processors.
const handshakeTakes = 2 * time.Millisecond

// dialSecured starts to connect and returns the loop's end.
func dialSecured(credentials *secure.Credentials, addr netip.AddrPort) (int, *secured, error) {
	fd, other, err := secure.Pair(0)
	if err != nil {
		return -1, nil, err
	}
	s := &secured{}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.run(ctx, credentials, addr, other)
	return fd, s, nil
}

func (s *secured) run(ctx context.Context, credentials *secure.Credentials, addr netip.AddrPort, other net.Conn) {
	defer other.Close()
	defer s.cancel()
	carrier, err := connectSecured(ctx, credentials, addr)
	if err != nil {
		s.err.Store(&err)
		return
	}
	s.carrier.Store(carrier)
	if _, err := other.Write([]byte{0}); err != nil {
		carrier.Close() // the loop has given it up
		return
	}
	carrier.Run(other)
}

func connectSecured(ctx context.Context, credentials *secure.Credentials, addr netip.AddrPort) (*secure.Carrier, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	carrier, _, err := credentials.Dialled(ctx, nc, func(id secure.Identity) error {
		if id.Role != secure.Replica {
			return fmt.Errorf("%v answers, which is not a replica", id)
		}
		return nil
	})
	return carrier, err
}

// cause says why the connection has ended.
func (s *secured) cause() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	if carrier := s.carrier.Load(); carrier != nil {
		return cmp.Or(carrier.Err(), io.ErrUnexpectedEOF)
	}
	return io.ErrUnexpectedEOF
}

// close says that the loop has closed its end.
func (s *secured) close() {
	s.cancel()
	if carrier := s.carrier.Load(); carrier != nil {
		carrier.Shut()
	}
}

// made takes the byte that says that the connection is made, or returns why it is not.
func (s *secured) made(fd int) error {
	var first [1]byte
	n, err := unix.Read(fd, first[:])
	if n == 1 {
		return nil
	}
	if err == nil || errors.Is(err, unix.ECONNRESET) {
		err = s.cause()
	}
	return err
}
