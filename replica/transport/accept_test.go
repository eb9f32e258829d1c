package transport

import (
	"context"
	"net"
	"syscall"
	"testing"
)

// failingListener fails like a process without descriptors, and is then closed.
type failingListener struct {
	net.Listener
	failures int
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, syscall.EMFILE
	}
	return nil, net.ErrClosed
}

func (l *failingListener) Addr() net.Addr { return &net.TCPAddr{Port: 7001} }

// Failing to accept is no reason to stop accepting. It is logged once, however often it fails.
func TestAcceptFails(t *testing.T) {
	var log logBuffer
	cfg := testConfig()
	cfg.Logger = log.logger()
	tr, err := New(cfg, newTestHandler())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // so that it does not pause
	listener := &failingListener{failures: 3}
	a := &acceptor{t: tr, listener: listener}
	a.run(ctx)
	if listener.failures >= 0 {
		t.Error("gave up after a failure")
	}
	if n := log.count("cannot accept"); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
}

// What cannot be handed to the loop gives its place back and hears nothing.
func TestEnrollFails(t *testing.T) {
	tr, _ := start(t, testConfig(), newTestHandler())
	one, other := net.Pipe() // not a socket
	defer other.Close()
	a := &acceptor{t: tr, places: make(places, 1), endpoint: func(o *origin) endpoint { return newClient(tr, o) }}
	a.admit(t.Context(), one)
	if !a.places.take() {
		t.Error("the place is not given back")
	}
	if n := counters(tr).Clients; n != 0 {
		t.Errorf("%d clients, want none", n)
	}
}

func TestPlaces(t *testing.T) {
	p := make(places, 1)
	if !p.take() || p.take() {
		t.Error("one place is not taken once")
	}
	p.give()
	defer func() {
		if recover() == nil {
			t.Error("a place given back twice is not noticed")
		}
	}()
	p.give()
}
