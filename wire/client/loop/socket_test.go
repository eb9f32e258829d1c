package loop

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// A connection within the host is not paced.
func TestDialWithinTheHostIsUnpaced(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fd, err := dial(netip.MustParseAddrPort(l.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	got, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	if err != nil || unix.ByteSliceToString([]byte(got)) != "reno" {
		t.Errorf("the socket has %q, %v", got, err)
	}
}
