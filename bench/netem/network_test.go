package netem

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"paxosbench/wire"
)

// A held direction delays, the other one goes on; a damaged byte is damaged once.
func TestHeldAndDamagedDirections(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	p, err := Listen(target.Addr().String(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	near, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := target.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	carry := func(from, to net.Conn, text string) string {
		if _, err := from.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return read(t, to, len(text))
	}
	p.Ahead.Hold(true)
	p.Ahead.Hold(true)
	if _, err := near.Write([]byte("held")); err != nil {
		t.Fatal(err)
	}
	if got := carry(far, near, "back"); got != "back" {
		t.Fatalf("%q came through the open direction", got)
	}
	silent(t, far)
	p.Ahead.Hold(false)
	if got := carry(near, far, "more"); got != "held" {
		t.Fatalf("%q came first once the direction was open again", got)
	}
	read(t, far, 4)
	p.Back.Damage()
	if got := carry(far, near, "abcd"); got == "abcd" {
		t.Fatal("no damage")
	}
	if got := carry(far, near, "abcd"); got != "abcd" {
		t.Fatalf("%q: damaged twice", got)
	}
	p.Ahead.Hold(true) // a proxy that is closed does not wait for what it holds
	if _, err := near.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c net.Conn, n int) string {
	t.Helper()
	got := make([]byte, n)
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// silent fails if anything arrives.
func silent(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Fatal("what is held up arrives")
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// Which directions a fault holds up, on the links that a replica dials and on those that it is dialled by.
func TestFaults(t *testing.T) {
	n, err := NewNetwork(map[wire.ReplicaID]string{1: "127.0.0.1:1", 2: "127.0.0.1:2", 3: "127.0.0.1:3"}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	control, err := n.Serve()
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer control.Close()
	for _, tt := range []struct {
		id    wire.ReplicaID
		fault Fault
		held  string
	}{
		{2, Deaf, "1>2 3>2"},
		{2, Mute, "2>1 2>3"},
		{2, Isolated, "1>2 2>1 2>3 3>2"},
		{1, Deaf, "1>2 2>1 2>3 3>1 3>2"}, // both have a fault now
		{2, None, "2>1 3>1"},
		{1, None, ""},
	} {
		faults, err := SetFault(t.Context(), control.Addr(), tt.id, tt.fault)
		if err != nil || faults[tt.id] != tt.fault {
			t.Errorf("replica %d %s: %v, %v", tt.id, tt.fault, faults, err)
		}
		if got := held(n); got != tt.held {
			t.Errorf("replica %d %s: held is %q, want %q", tt.id, tt.fault, got, tt.held)
		}
	}
	if _, err := SetFault(t.Context(), control.Addr(), 4, Deaf); err == nil || !strings.Contains(err.Error(), "there is no replica 4, but [1 2 3]") {
		t.Errorf("a replica that is not there: %v", err)
	}
	if _, err := SetFault(t.Context(), control.Addr(), 1, "dead"); err == nil || !strings.Contains(err.Error(), `"dead"`) {
		t.Errorf("a fault that is not there: %v", err)
	}
	if faults, err := Faults(t.Context(), control.Addr()); err != nil || len(faults) != 3 || faults[1] != None {
		t.Errorf("%v, %v", faults, err)
	}
}

// held lists the directions that are held up; both links of a pair must agree.
func held(n *Network) string {
	var list []string
	for from := range wire.ReplicaID(4) {
		for to := range wire.ReplicaID(4) {
			if p := n.proxies[pair{from, to}]; p != nil {
				if p.Ahead.held != n.proxies[pair{to, from}].Back.held {
					return "the two links disagree"
				}
				if p.Ahead.held {
					list = append(list, fmt.Sprintf("%d>%d", from, to))
				}
			}
		}
	}
	return strings.Join(list, " ")
}
