package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/wire/loopback"
)

// sockets holds the options of every TCP socket. They are set before listen and connect: accepted sockets inherit
// them, and the window scale is agreed upon from the receive buffer when the connection is made.
type sockets struct {
	receive, send int // kernel buffers in bytes; 0 leaves their size to the kernel
}

// userTimeout ends a connection with a peer that has not acknowledged, or has not made room for, anything for that
// long, keep-alive probes included. Clients are spared: one that does not read for a while is bounded in bytes.
const userTimeout = 10 * time.Second

// Keep-alive probes find the other end gone while nothing is being sent: a peer whose host has died within userTimeout, or as
// soon as that is up again, because two followers may have nothing to say to each other and one that comes back is let in when
// its old connections have gone; a client within a minute.
var (
	peerKeepAlive   = net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 5}
	clientKeepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}
)

// newSockets asks for buffers of that many bytes where the system allows them. Where it does not, setting what it
// allows would switch off the kernel's own sizing and end up with less than that reaches.
func newSockets(bytes int, log *slog.Logger) sockets {
	s := sockets{receive: bytes, send: bytes}
	for name, field := range map[string]*int{"rmem_max": &s.receive, "wmem_max": &s.send} {
		if limit := sysctl("/proc/sys/net/core/" + name); limit < bytes {
			log.Info("socket buffers are left to the kernel", "net.core."+name, limit, "wanted", bytes)
			*field = 0
		}
	}
	return s
}

// sysctl reads a number from /proc/sys, 0 if it cannot.
func sysctl(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return n
}

// control sets the options of sockets for clients. net.Dialer and net.ListenConfig call it between socket and connect
// or bind.
func (s sockets) control(network, address string, raw syscall.RawConn) error {
	return errors.Join(
		loopback.Control(network, address, raw),
		setOption(raw, unix.SOL_SOCKET, unix.SO_RCVBUF, s.receive),
		setOption(raw, unix.SOL_SOCKET, unix.SO_SNDBUF, s.send))
}

// peerControl sets the options of sockets for peers.
func (s sockets) peerControl(network, address string, raw syscall.RawConn) error {
	return errors.Join(
		s.control(network, address, raw),
		setOption(raw, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds())))
}

// setOption sets a socket option unless its value is 0.
func setOption(raw syscall.RawConn, level, option, value int) error {
	if value == 0 {
		return nil
	}
	var err error
	if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, value) }); e != nil {
		return e
	}
	return os.NewSyscallError("setsockopt", err)
}

// listen binds addr. Package net sets SO_REUSEADDR, so that a replica can restart at once, and never SO_REUSEPORT,
// which would let a second process share the port unnoticed.
func listen(ctx context.Context, config net.ListenConfig, what, addr string) (net.Listener, error) {
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("transport: cannot listen for %s on %q, choose another address: %w", what, addr, err)
	}
	return l, nil
}
