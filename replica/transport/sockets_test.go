package transport

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What a replica listens at and dials within the host is not paced, for clients as for peers.
func TestSocketsWithinTheHostAreUnpaced(t *testing.T) {
	for name, control := range map[string]func(string, string, syscall.RawConn) error{"clients": sockets{}.control, "peers": sockets{}.peerControl} {
		t.Run(name, func(t *testing.T) {
			l, err := listen(t.Context(), net.ListenConfig{Control: control}, name, "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			dialer := net.Dialer{Control: control}
			conn, err := dialer.DialContext(t.Context(), "tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for what, socket := range map[string]any{"listens": l, "dials": conn} {
				raw, err := socket.(syscall.Conn).SyscallConn()
				if err != nil {
					t.Fatal(err)
				}
				var got string
				if err := raw.Control(func(fd uintptr) { got, _ = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION) }); err != nil {
					t.Fatal(err)
				}
				if unix.ByteSliceToString([]byte(got)) != "reno" {
					t.Errorf("what %s has %q", what, got)
				}
			}
		})
	}
}
