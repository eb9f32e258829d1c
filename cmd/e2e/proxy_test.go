package e2e

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// proxy is the network between two replicas, for the connections that one of them dials. Each direction can be held up:
// nothing is lost then, but nothing arrives until it is let go, like behind a switch that has died and comes back.
type proxy struct {
	listener net.Listener
	target   string
	ahead    gate // from the dialing replica
	back     gate // to it

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	done  sync.WaitGroup
}

// gate is one direction.
type gate struct {
	mu   sync.Mutex
	open *sync.Cond
	held bool
	flip bool // change a bit of the next bytes
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, conns: make(map[net.Conn]struct{})}
	p.ahead.open, p.back.open = sync.NewCond(&p.ahead.mu), sync.NewCond(&p.back.mu)
	p.done.Go(p.serve)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) serve() {
	for {
		from, err := p.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = from.Close() // the target is down: so is the connection
			continue
		}
		p.add(from, to)
		p.done.Go(func() { pump(to, from, &p.ahead) })
		p.done.Go(func() { pump(from, to, &p.back) })
	}
}

func (p *proxy) add(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
}

// pump carries one direction of one connection until either end is closed.
func pump(dst, src net.Conn, g *gate) {
	defer func() { _ = errors.Join(dst.Close(), src.Close()) }() // the other pump may have been first
	buffer := make([]byte, 64<<10)
	for {
		n, err := src.Read(buffer)
		g.pass(buffer[:n])
		if _, werr := dst.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

// pass waits while the gate is held, and damages the bytes if that is asked for.
func (g *gate) pass(b []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.held {
		g.open.Wait()
	}
	if g.flip && len(b) > 0 {
		b[len(b)/2] ^= 0x10
		g.flip = false
	}
}

func (g *gate) set(held bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = held
	g.open.Broadcast()
}

// damage flips a bit of the next bytes that pass.
func (g *gate) damage() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flip = true
}

func (p *proxy) close() {
	_ = p.listener.Close() // ends serve
	p.ahead.set(false)
	p.back.set(false)
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close() // ends the pumps
	}
	p.mu.Unlock()
	p.done.Wait()
}

// A held direction delays, the other one goes on; a damaged byte is damaged once.
func TestProxy(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	p := newProxy(t, target.Addr().String())
	near, err := net.Dial("tcp", p.addr())
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
		got := make([]byte, len(text))
		if _, err := io.ReadFull(to, got); err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	p.ahead.set(true)
	if _, err := near.Write([]byte("held")); err != nil {
		t.Fatal(err)
	}
	if got := carry(far, near, "back"); got != "back" {
		t.Fatalf("%q came through the open direction", got)
	}
	p.ahead.set(false)
	if got := carry(near, far, "more"); got != "held" {
		t.Fatalf("%q came first once the direction was open again", got)
	}
	p.back.damage()
	if got := carry(far, near, "abcd"); got == "abcd" {
		t.Fatal("no damage")
	}
	if got := carry(far, near, "abcd"); got != "abcd" {
		t.Fatalf("%q: damaged twice", got)
	}
}
