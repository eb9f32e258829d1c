// Package loopback has what the sockets of connections within a host are told.
package loopback

import (
	"net/netip"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// congestionControl is always there and never paces (RFC 5681).
const congestionControl = "reno"

// Unpaced has the kernel send on a TCP socket as fast as the other end reads, if addr, which the socket is about to connect to or to
// listen at, is of this host. Where the host's TCP paces, as with BBR, a timer is set for each packet of up to 64 KiB to spare a network that is
// not there. Beyond the host nothing changes: what suits its networks, the host knows. Accepted sockets inherit it.
//
// A system that refuses this is slower and nothing else, so there is no error.
func Unpaced(fd int, addr netip.Addr) {
	if addr.Unmap().IsLoopback() {
		_ = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestionControl)
	}
}

// HostControl returns the name of what controls congestion beyond the host, empty if the system does not tell.
func HostControl() string {
	name, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control") // none is as good as an error
	return strings.TrimSpace(string(name))
}

// Control is Unpaced in the form that net.Dialer and net.ListenConfig call between socket and connect or bind.
func Control(_, address string, raw syscall.RawConn) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil // not an address of a host, so not of this one
	}
	return raw.Control(func(fd uintptr) { Unpaced(int(fd), addr.Addr()) })
}
