// Package netem puts a slower network between processes on one host. A Proxy forwards TCP connections and delays what
// they carry, each direction by itself, by the time that a signal would take one way and by the rate of the line. A direction can
// be held up, which is how replicas are cut off from each other. Bytes are never lost or reordered; a line that is full
// makes the sender wait, as TCP does. A Network is the links of a cluster.
package netem

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Config describes both directions of a link.
type Config struct {
	// Delay is one way: half a round trip. At most MaxDelay.
	Delay time.Duration
	// Rate is in bytes per second, for each direction; 0: as fast as the host copies.
	Rate float64
}

// MaxDelay bounds the delay of a link, and with it the memory of a line.
const MaxDelay = 10 * time.Second

// Validate refuses what no link can be.
func (c Config) Validate() error {
	switch {
	case c.Delay < 0 || c.Delay > MaxDelay:
		return fmt.Errorf("link delay %v: want 0 to %v", c.Delay, MaxDelay)
	case c.Rate < 0 || c.Rate > 0 && c.Rate < 1:
		return fmt.Errorf("link rate %v bytes/s: want at least 1, or 0 for no limit", c.Rate)
	}
	return nil
}

// Proxy is a link to one address. Connections share its rate.
type Proxy struct {
	// Ahead carries what those say who dial, Back what they hear.
	Ahead, Back *Direction

	listener net.Listener
	target   string

	done chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// Listen starts a link to target on a port of its own on the loopback interface.
func Listen(target string, config Config) (*Proxy, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("link to %s: %w", target, err)
	}
	start := time.Now()
	p := &Proxy{
		listener: listener, target: target,
		Ahead: newDirection(config, start), Back: newDirection(config, start),
		done: make(chan struct{}), conns: make(map[net.Conn]struct{}),
	}
	p.wg.Go(p.serve)
	return p, nil
}

// Addr is where to dial instead of the target.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close ends all connections and waits until nothing of the proxy runs any more. What is under way is lost.
func (p *Proxy) Close() error {
	close(p.done)
	err := p.listener.Close()
	p.mu.Lock()
	for c := range p.conns {
		err = errors.Join(err, ignoreClosed(c.Close()))
	}
	p.mu.Unlock()
	p.wg.Wait()
	return err
}

func (p *Proxy) serve() {
	for {
		from, err := p.listener.Accept()
		if err != nil {
			return // closed: Close is the only one that does
		}
		p.wg.Go(func() { p.connect(from) })
	}
}

// connect carries one connection until both directions have ended.
func (p *Proxy) connect(from net.Conn) {
	to, err := net.DialTimeout("tcp", p.target, 2*time.Second)
	if err != nil {
		_ = from.Close() // the target is down: so is the connection
		return
	}
	if !p.track(from, to) {
		return
	}
	defer p.forget(from, to)
	var both sync.WaitGroup
	both.Go(func() { newLine(p.Ahead, p.done).carry(to, from) })
	both.Go(func() { newLine(p.Back, p.done).carry(from, to) })
	both.Wait()
}

// track makes Close close the connections; after Close it closes them itself.
func (p *Proxy) track(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
		for _, c := range conns {
			_ = c.Close()
		}
		return false
	default:
	}
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return true
}

func (p *Proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
		_ = c.Close() // for most, carry has done it
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
