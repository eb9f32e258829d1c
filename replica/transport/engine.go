package transport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// engine adapts the Transport to gnet's callbacks, all of which run on the loop.
type engine struct {
	gnet.BuiltinEventEngine
	t *Transport
}

// OnOpen implements gnet.EventHandler.
func (e *engine) OnOpen(raw gnet.Conn) ([]byte, gnet.Action) {
	end := raw.Context().(endpoint)
	e.t.ends.set(raw.Fd(), end)
	end.opened(raw)
	return nil, gnet.None
}

// OnTraffic implements gnet.EventHandler. It takes everything that was read, so gnet's inbound ring stays empty and
// Peek is a view into the loop's one read buffer, dead when this returns.
func (e *engine) OnTraffic(raw gnet.Conn) gnet.Action {
	data, _ := raw.Peek(-1)
	if len(data) == 0 {
		return gnet.None
	}
	end := raw.Context().(endpoint)
	e.t.arrivedOn(end, data)
	if end.base().live() {
		_, _ = raw.Discard(len(data)) // cannot fail: that much is there
	}
	return gnet.None
}

// firstRead is how much gnet reads of a connection at a time, and what is read of each while there are many who have much to be read. Else it is
// up to Config.ReadBuffer.
const firstRead = 128 << 10

// arrivedOn takes what has been read of a connection. A round comes in between when that is much.
func (t *Transport) arrivedOn(end endpoint, data []byte) {
	if end == endpoint(t.anchor) {
		t.arrived()
		return
	}
	c := end.base()
	weight := c.weight(len(data) + c.inPlace)
	t.take(end, data)
	t.taken += weight
	t.turns.read += weight
	if t.taken >= roundBytes {
		t.turns.crowded = true
		t.turnToPeers()
		t.round()
	}
}

// take passes on what has been read of a connection: what lies where it belongs, and data.
func (t *Transport) take(end endpoint, data []byte) {
	t.arrived()
	c := end.base()
	t.stats.Reads++
	t.stats.BytesIn += uint64(len(data) + c.inPlace)
	c.arrived += len(data) + c.inPlace
	if c.records == nil {
		end.received(data)
	} else {
		c.unseal(data, end)
	}
	c.inPlace = 0
}

// weight is how much of roundBytes so many bytes of the connection are.
func (c *conn) weight(bytes int) int {
	if c.records == nil {
		return bytes
	}
	return sealedWeight * bytes
}

// peerPiece is how much of a peer's connection is read in the midst of an iteration.
const peerPiece = 256 << 10

// turnToPeers reads what peers have sent, and writes what is left for them, in the midst of an iteration: gnet turns to each connection
// once in it, and hundreds of clients with much to read come in between. A vote would take two iterations of theirs, and everything
// that is proposed waits for votes.
func (t *Transport) turnToPeers() {
	if t.fromPeers == nil {
		t.fromPeers = make([]byte, peerPiece)
	}
	for l := range t.links {
		n, err := unix.Read(l.raw.Fd(), t.fromPeers)
		if err == nil && n > 0 { // what else there is to say about it, gnet hears in its turn
			t.take(l, t.fromPeers[:n])
		}
		if l.live() && l.raw.OutboundBuffered() > 0 {
			_ = l.raw.Flush() // an error has closed the link
		}
	}
}

// OnClose implements gnet.EventHandler. It may run inside a Write, a Writev or a Close of ours, and so inside a call of
// the Handler: it only takes note, and the Handler hears of it before its next Round.
func (e *engine) OnClose(raw gnet.Conn, err error) gnet.Action {
	end := raw.Context().(endpoint)
	e.t.ends.set(raw.Fd(), nil)
	end.base().explain(err)
	end.base().takeLeave()
	end.closed()
	return gnet.None
}

// anchor is a connection of the engine with itself. gnet reaches the loop only through a connection's EventLoop, and
// one is needed before any other exists; and when the loop ends, gnet closes it, which is how Run learns of that.
type anchor struct {
	conn
	other  *os.File // the other end
	lost   chan struct{}
	broken error // there is no way to pause a connection
}

func (a *anchor) opened(raw gnet.Conn) {
	a.open(raw)
	a.t.loop = raw.EventLoop()
	a.t.poller, a.broken = pollerOf(a.t.loop)
	a.t.keeps = a.t.cfg.OwnProcess && runtime.GOMAXPROCS(0) > 1
}

// received is never called: what comes here is no data, see Transport.ring.
func (a *anchor) received([]byte) {}

func (a *anchor) closed() {
	a.detach()
	close(a.lost)
}

// startEngine starts the loop and sets t.loop.
func (t *Transport) startEngine() (*anchor, error) {
	client, err := gnet.NewClient(&engine{t: t},
		gnet.WithNumEventLoop(1),
		gnet.WithReadBufferCap(min(t.cfg.ReadBuffer, firstRead)),
		// Go's net has already set TCP_NODELAY; gnet would set it again and on failure leak its descriptor.
		gnet.WithTCPNoDelay(gnet.TCPDelay),
		gnet.WithLogger(gnetLogger{t.log}))
	if err != nil {
		return nil, fmt.Errorf("transport: event loop: %w", err)
	}
	if err := client.Start(); err != nil {
		return nil, fmt.Errorf("transport: event loop: %w", err)
	}
	t.engine = client
	a, err := t.dropAnchor()
	if err != nil {
		return nil, errors.Join(err, client.Stop())
	}
	return a, nil
}

func (t *Transport) dropAnchor() (*anchor, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("transport: socketpair: %w", err)
	}
	other := os.NewFile(uintptr(fds[1]), "anchor")
	nc, err := fileConn(fds[0], "anchor")
	if err == nil {
		a := &anchor{conn: newConn(t, &origin{}, false), other: other, lost: make(chan struct{})}
		t.anchor = a // before the loop hears of it
		if err = t.enroll(nc, a); err == nil && a.broken == nil {
			return a, nil
		}
		err = errors.Join(err, a.broken)
	}
	_ = other.Close()
	return nil, fmt.Errorf("transport: event loop: %w", err)
}

// fileConn makes a connection of a descriptor.
func fileConn(fd int, name string) (net.Conn, error) {
	file := os.NewFile(uintptr(fd), name)
	defer file.Close() // the connection has a descriptor of its own
	return net.FileConn(file)
}

// enroll hands a connection to the loop and waits until it is open there. On failure the connection is closed and the
// endpoint hears nothing.
func (t *Transport) enroll(nc net.Conn, e endpoint) error {
	if _, err := t.engine.EnrollContext(nc, e); err != nil {
		return err
	}
	if !e.base().attached { // gnet reports success even if epoll could not take the connection
		return errors.New("the event loop could not take the connection")
	}
	return nil
}
