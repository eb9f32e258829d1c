package freeport

import (
	"net"
	"slices"
	"testing"
)

// Ports differ while they are reserved, a server can listen on them, and what a server holds is not given away.
func TestReserve(t *testing.T) {
	ports := Reserve(t, 50)
	l, err := net.Listen("tcp", addr(ports[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	slices.Sort(ports)
	if len(slices.Compact(slices.Clone(ports))) != len(ports) {
		t.Errorf("a port was given away twice: %v", ports)
	}
	for _, p := range ports {
		if p < first || p >= end {
			t.Errorf("port %d is out of bounds", p)
		}
		if reserve(t, p) {
			t.Errorf("port %d was given away again", p)
		}
	}
}

// A port on which somebody listens is none to give away, and a reservation ends with its test.
func TestReservationEnds(t *testing.T) {
	var port int
	t.Run("owner", func(t *testing.T) { port = Reserve(t, 1)[0] })
	l, err := net.Listen("tcp", addr(port))
	if err != nil {
		t.Fatal(err)
	}
	if reserve(t, port) {
		t.Error("a port on which somebody listens was given away")
	}
	_ = l.Close()
	if !reserve(t, port) {
		t.Error("the reservation outlives its test")
	}
}
