package transport

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"paxosbench/wire"
	"paxosbench/wire/secure"
)

// endpoint is what gnet's connection carries as its context: a Client, a link, or the anchor.
type endpoint interface {
	opened(raw gnet.Conn)
	received(data []byte)
	closed()

	// base returns the part that all endpoints share.
	base() *conn
}

// conn is what client and peer connections have in common. It belongs to the loop.
type conn struct {
	t      *Transport
	raw    gnet.Conn // nil before the connection is open and from the moment it is closed
	origin origin
	framer framer

	newcomer *newcomer       // until it has shown who it is; nil: it need not
	records  *secure.Records // nil: the connection is plain

	attached bool   // the loop has opened the connection; never reset
	reason   error  // why the connection was closed, set before it is
	sent     uint64 // bytes handed to gnet
	waited   int    // sweeps since the connection opened, a frame last ended, or enough of one was seen to arrive
	arrived  int    // bytes since then
	inPlace  int    // bytes of what is being taken that have been read to where they belong
}

// origin is where a connection comes from, or goes to.
type origin struct {
	remote   string          // the other end's address
	host     string          // what has a share of the places: an address, see hostOf, or an identity
	identity secure.Identity // that it has proved; zero: none
}

func newConn(t *Transport, o *origin, handOver bool) conn {
	return conn{t: t, origin: *o, framer: newFramer(t.cfg.Buffers, handOver)}
}

// errStopped ends feeding a connection that has been closed meanwhile.
var errStopped = errors.New("transport: connection closed")

// errClosed is the reason when this side closes the connection without one, above all when Run ends.
var errClosed = errors.New("closed by this replica")

func (c *conn) base() *conn { return c }

// explain notes why the connection has closed, unless this side has closed it.
func (c *conn) explain(err error) {
	if c.records != nil && c.records.Partial() && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if c.reason == nil {
		c.reason = cmp.Or(err, errClosed)
	}
}

func (c *conn) live() bool { return c.raw != nil }

func (c *conn) open(raw gnet.Conn) {
	c.raw = raw
	c.attached = true
}

// detach marks the connection closed. gnet calls back about that from inside a failing Write too, so a caller of write
// looks at live before it goes on.
func (c *conn) detach() {
	c.raw = nil
	c.framer.release()
	c.newcomer.leave()
}

// feed hands the bytes just read to the framer. Whatever the other end may send, the worst is a Fault.
func (c *conn) feed(data []byte, s sink) {
	frames := c.framer.frames
	err := c.framer.feed(data, s)
	ended := c.framer.frames - frames
	c.t.stats.FramesIn += ended
	if ended > 0 {
		c.waited, c.arrived = 0, 0
	}
	if err != nil && err != errStopped {
		text := err.Error()
		if secure.IsTLS(data) {
			text += "; " + secure.BothOrNone
		}
		c.fault(faultOf(err), text)
	}
}

// minRate is how fast a frame that has begun must arrive, in bytes a second on the average over Config.FrameTimeout. What is
// faster may take as long as it takes: a MiB over a link of 250 KB/s is no fault of anybody's.
const minRate = 1 << 10

// overdue closes the connection if it has waited too long for its hello, or if the rest of a frame does not come or hardly
// does. Time is counted in sweeps: while the loop is held up no sweep passes, and nobody is blamed for what lies unread
// meanwhile.
func (c *conn) overdue(greeted bool) {
	limit := c.t.cfg.FrameTimeout
	if !greeted {
		limit = c.t.cfg.HandshakeTimeout
	} else if !c.partial() {
		return
	}
	c.waited++
	if time.Duration(c.waited)*c.t.sweepEvery <= limit {
		return
	}
	switch {
	case !greeted:
		c.fault(FaultHandshakeTimeout, fmt.Sprintf("no hello within %v", limit))
	case float64(c.arrived) < minRate*limit.Seconds():
		c.fault(FaultFrameTimeout, fmt.Sprintf("frame incomplete: %d bytes of it in %v, want at least %d a second", c.arrived, limit, minRate))
	default:
		c.waited, c.arrived = 0, 0
	}
}

// writePiece is how much gnet is given at a time of what the socket does not take. It copies that into buffers which are as long as what
// it is given, or twice, and which a connection holds on to for as long as a byte is left in them.
const writePiece = 16 << 10

// partial reports whether a frame has begun to come, or what may be one, and has not come whole.
func (c *conn) partial() bool {
	return c.framer.partial() || c.records != nil && c.records.Partial()
}

// write sends b, of which a copy is kept if the socket does not take all of it. The connection may be closed afterwards.
func (c *conn) write(b []byte) {
	if c.records != nil {
		c.seal(b)
		return
	}
	c.put(b)
}

// put writes what passes over the socket.
func (c *conn) put(b []byte) {
	c.t.stats.Writes++
	c.t.stats.BytesOut += uint64(len(b))
	c.sent += uint64(len(b))
	if len(b) > writePiece && c.raw.OutboundBuffered() == 0 {
		if n, err := unix.Write(c.raw.Fd(), b); err == nil {
			b = b[n:]
		}
	}
	for len(b) > 0 && c.live() {
		n := min(len(b), writePiece)
		_, _ = c.raw.Write(b[:n]) // an error has closed the connection, and closed has seen it
		b = b[n:]
	}
}

// fault tells the other end why and closes the connection.
func (c *conn) fault(kind Fault, text string) {
	if !c.live() {
		return
	}
	c.t.stats.Faults[kind]++
	c.reason = errors.New(text)
	c.write(wire.AppendFault(c.t.scratch[:0], text))
	c.close()
}

// close closes the connection now: the endpoint's closed runs before it returns. What gnet holds for a slow reader is
// sent as far as the socket takes it.
func (c *conn) close() {
	if c.live() {
		_ = c.t.loop.Close(c.raw)
	}
}
