package transport

import (
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// relayBytes is how much is copied at a time from a client to the leader and back; smallRelay if too many others do so
	// already and do not get it passed on.
	relayBytes = 32 << 10
	smallRelay = 2 << 10
)

// relays copies bytes between clients and the leader. What is under way has been read and not yet written, and takes memory: so
// much altogether, and a little for each connection besides.
type relays struct{ large places }

var largeRelays = sync.Pool{New: func() any { return new([relayBytes]byte) }}
var smallRelays = sync.Pool{New: func() any { return new([smallRelay]byte) }}

// take returns a buffer, and what gives it back.
func (r *relays) take() (buffer []byte, give func()) {
	if r.large.take() {
		b := largeRelays.Get().(*[relayBytes]byte)
		return b[:], func() { largeRelays.Put(b); r.large.give() }
	}
	b := smallRelays.Get().(*[smallRelay]byte)
	return b[:], func() { smallRelays.Put(b) }
}

// relay copies bytes until either connection ends, or the one that they go to takes none for stuckAfter. It takes a buffer when
// there are bytes to copy and not before, so that an idle client costs two goroutines and two descriptors. The kernel could copy
// by itself (splice), but through a pipe for each direction: four descriptors more for each client, and some that stay behind
// when it has gone.
func (r *relays) relay(to, from *net.TCPConn) {
	raw, err := from.SyscallConn()
	for err == nil {
		var buffer []byte
		var give func()
		n := 0
		err = raw.Read(func(fd uintptr) bool {
			buffer, give = r.take()
			var failed error
			for n, failed = unix.Read(int(fd), buffer); failed == unix.EINTR; {
				n, failed = unix.Read(int(fd), buffer)
			}
			if failed == unix.EAGAIN {
				give()
			}
			return failed != unix.EAGAIN
		})
		if err != nil {
			return
		}
		if n > 0 { // not its end, and no error
			err = passOn(to, buffer[:n])
		}
		give()
		if n <= 0 {
			return
		}
	}
}

// passOn writes b, as long as the other end takes some of it.
func passOn(to *net.TCPConn, b []byte) error {
	for {
		if err := to.SetWriteDeadline(time.Now().Add(stuckAfter)); err != nil {
			return err
		}
		n, err := to.Write(b)
		if b = b[n:]; err == nil || n == 0 {
			return err
		}
	}
}
