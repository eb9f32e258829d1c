package transport

import (
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// relayBytes is how much is copied at a time from a client to the leader and back.
const relayBytes = 32 << 10

var relayBuffers = sync.Pool{New: func() any { return new([relayBytes]byte) }}

// relay copies bytes until either connection ends. It takes a buffer when there are bytes to copy and not before, so that
// an idle client costs two goroutines and two descriptors. The kernel could copy by itself (splice), but through a pipe for
// each direction: four descriptors more for each client, and some that stay behind when it has gone.
func relay(to net.Conn, from *net.TCPConn) {
	raw, err := from.SyscallConn()
	for err == nil {
		var buffer *[relayBytes]byte
		n := 0
		err = raw.Read(func(fd uintptr) bool {
			buffer = relayBuffers.Get().(*[relayBytes]byte)
			var failed error
			for n, failed = unix.Read(int(fd), buffer[:]); failed == unix.EINTR; {
				n, failed = unix.Read(int(fd), buffer[:])
			}
			if failed == unix.EAGAIN {
				relayBuffers.Put(buffer)
			}
			return failed != unix.EAGAIN
		})
		if err != nil {
			return
		}
		if n <= 0 { // its end, or an error: either is one
			relayBuffers.Put(buffer)
			return
		}
		_, err = to.Write(buffer[:n])
		relayBuffers.Put(buffer)
	}
}
