package loopback_test

import (
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"paxosbench/wire/loopback"
)

// Both ends of a connection within a host are not paced; what listens everywhere has what the host has.
func TestUnpaced(t *testing.T) {
	host := loopback.HostControl()
	if host == "" {
		t.Skip("the system does not tell how it controls congestion")
	}
	for at, want := range map[string]string{"127.0.0.1:0": "reno", "[::1]:0": "reno", "0.0.0.0:0": host, ":0": host} {
		t.Run(at, func(t *testing.T) {
			config := net.ListenConfig{Control: loopback.Control}
			l, err := config.Listen(t.Context(), "tcp", at)
			if err != nil && strings.HasPrefix(at, "[") {
				t.Skip("no IPv6 here: ", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			_, port, err := net.SplitHostPort(l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			to := net.JoinHostPort("127.0.0.1", port)
			if strings.HasPrefix(at, "[") {
				to = net.JoinHostPort("::1", port)
			}
			dialer := net.Dialer{Control: loopback.Control}
			dialled, err := dialer.DialContext(t.Context(), "tcp", to)
			if err != nil {
				t.Fatal(err)
			}
			defer dialled.Close()
			accepted, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer accepted.Close()
			if got := control(t, accepted); got != want {
				t.Errorf("the accepted socket has %s, want %s", got, want)
			}
			if got := control(t, dialled); got != "reno" {
				t.Errorf("the socket to %v has %s", to, got)
			}
		})
	}
}

// control returns how a connection controls congestion.
func control(t *testing.T, conn net.Conn) (name string) {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var option error
	if err := raw.Control(func(fd uintptr) { name, option = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION) }); err != nil || option != nil {
		t.Fatal(err, option)
	}
	return strings.TrimRight(name, "\x00")
}
