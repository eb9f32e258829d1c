// Package freeport gives tests ports to start servers on. Between the moment when a port is found free and the moment when a
// server listens there nobody else may get it, so a port lies below those that the system gives to whoever asks for none in
// particular, and it is reserved among all the tests that run on a machine.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// first and end bound the ports: below 32768 the system gives away none of its own accord, and below 28000 are those that
// scripts and suites use.
const first, end = 28000, 32768

// Reserve returns n ports of the loopback interface that nobody listens on and that no other test gets before t ends. A UDP
// socket with the port's number stands for the reservation: the TCP port stays free for the server.
func Reserve(t testing.TB, n int) []int {
	t.Helper()
	ports := make([]int, 0, n)
	for tries := 0; len(ports) < n; tries++ {
		if tries == 10*(end-first) {
			t.Fatal("no free ports left")
		}
		if port := first + rand.IntN(end-first); reserve(t, port) {
			ports = append(ports, port)
		}
	}
	return ports
}

// Addr returns the address of one reserved port.
func Addr(t testing.TB) string {
	t.Helper()
	return addr(Reserve(t, 1)[0])
}

func addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func reserve(t testing.TB, port int) bool {
	sign, err := net.ListenPacket("udp", addr(port))
	if err != nil {
		return false
	}
	l, err := net.Listen("tcp", addr(port))
	if err != nil {
		_ = sign.Close()
		return false
	}
	_ = l.Close()
	t.Cleanup(func() { _ = sign.Close() })
	return true
}
