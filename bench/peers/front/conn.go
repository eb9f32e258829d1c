package front

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"paxosbench/wire"
)

// window is how many commands a connection may have without an answer.
const window = wire.MaxSessionWindow

// conn is a client's connection: one goroutine reads, one writes, and whoever applies adds answers.
type conn struct {
	front  *Front
	socket net.Conn
	wake   chan struct{}

	mu       sync.Mutex
	frame    []byte   // the Reply that is being filled; empty: none
	ready    [][]byte // frames to be written
	inFlight int      // commands without an answer
	touched  bool     // Flush will look here
	closed   bool
}

func newConn(f *Front, socket net.Conn) *conn {
	return &conn{front: f, socket: socket, wake: make(chan struct{}, 1)}
}

func (c *conn) close() {
	c.socket.Close()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.signal()
}

// signal wakes the goroutine that writes.
func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// write writes frames until the connection ends.
func (c *conn) write() {
	for range c.wake {
		c.mu.Lock()
		frames := net.Buffers(c.ready)
		c.ready = nil
		closed := c.closed
		c.mu.Unlock()
		if closed {
			return
		}
		if _, err := frames.WriteTo(c.socket); err != nil {
			c.socket.Close() // who reads notices
		}
	}
}

// reply returns the Reply that is being filled, with room for another run. c.mu is held.
func (c *conn) reply() []byte {
	if len(c.frame) > wire.MaxBatch/2 {
		c.seal()
	}
	if len(c.frame) == 0 {
		c.frame = wire.BeginFrame(make([]byte, 0, firstReply))
	}
	return c.frame
}

// firstReply is the room for a Reply at first.
const firstReply = 4096

// seal ends the Reply that is being filled. c.mu is held.
func (c *conn) seal() {
	if len(c.frame) == 0 {
		return
	}
	wire.EndFrame(c.frame, 0, wire.TypeReply)
	c.ready = append(c.ready, c.frame)
	c.frame = nil
}

// flush has what is there written.
func (c *conn) flush() {
	c.mu.Lock()
	c.touched = false
	c.seal()
	c.mu.Unlock()
	c.signal()
}

// send has a frame written, behind the answers so far.
func (c *conn) send(frame []byte) {
	c.mu.Lock()
	c.seal()
	c.ready = append(c.ready, frame)
	c.mu.Unlock()
	c.signal()
}

// answered notes that commands have got an answer. c.mu is held. After a Redirect there may be answers that nobody waits for.
func (c *conn) answered(count int) { c.inFlight = max(0, c.inFlight-count) }

// redirect sends the client to the leader: what has no answer will get none here.
func (c *conn) redirect() {
	frame := wire.AppendRedirect(nil, c.front.redirection())
	c.mu.Lock()
	c.inFlight = 0
	c.mu.Unlock()
	c.send(frame)
}

// refuse answers runs of this connection that they are to be sent again.
func (c *conn) refuse(fragment []byte) {
	c.mu.Lock()
	eachRun(fragment, func(run *wire.Run) {
		c.answered(run.Count)
		c.frame = wire.AppendUniformReply(c.reply(), run.Session, run.First, run.Count, wire.StatusBusy)
	})
	c.mu.Unlock()
	c.flush()
}

var errHello = errors.New("a hello comes first, and once")

// read reads frames until the connection ends, and returns why.
func (c *conn) read() error {
	in := bufio.NewReaderSize(c.socket, 1<<18)
	welcomed := false
	for {
		header, frame, err := readFrame(in)
		if err == nil {
			switch {
			case header.Type == wire.TypeClientHello && !welcomed:
				welcomed = true
				c.welcome()
			case header.Type == wire.TypeRequest && welcomed:
				err = c.request(frame[header.Size:])
			case header.Type == wire.TypeFault:
				return errors.New("the client says that something is wrong")
			case !welcomed || header.Type == wire.TypeClientHello:
				err = errHello
			default:
				err = fmt.Errorf("%v is not for this server: gets come in requests", header.Type)
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				// The last word, if the client is still there to hear it.
				_, _ = c.socket.Write(wire.AppendFault(nil, err.Error()))
			}
			return err
		}
	}
}

// readFrame returns the next frame, in bytes of its own.
func readFrame(in *bufio.Reader) (wire.Header, []byte, error) {
	for size := wire.PrefixSize; ; size++ {
		prefix, err := in.Peek(size)
		if err != nil {
			return wire.Header{}, nil, err
		}
		header, err := wire.DecodeHeader(prefix)
		if errors.Is(err, wire.ErrShort) {
			continue
		}
		if err != nil {
			return wire.Header{}, nil, err
		}
		frame := make([]byte, header.FrameLen())
		if _, err := io.ReadFull(in, frame); err != nil {
			return wire.Header{}, nil, err
		}
		return header, frame, header.CheckBody(frame[header.Size:])
	}
}

func (c *conn) welcome() {
	r := c.front.redirection()
	c.send(wire.AppendWelcome(nil, wire.Welcome{
		Ballot: r.Ballot, Window: window, Replica: c.front.cfg.ID, Leader: r.Leader, LeaderAddr: r.LeaderAddr, Reads: wire.ReadsLog, Alike: true,
	}))
}

// request takes a fragment on the way to the log.
func (c *conn) request(fragment []byte) error {
	info, err := wire.DecodeFragment(fragment)
	if err != nil {
		return err
	}
	if info.Registrations > 0 {
		eachRun(fragment, func(run *wire.Run) {
			if run.Session == 0 && len(run.Commands) != wire.CommandHeaderSize {
				err = fmt.Errorf("%w: registration with a value", wire.ErrField)
			}
		})
	}
	if _, leads := c.front.leads(); err != nil || !leads {
		if err == nil {
			c.redirect()
		}
		return err
	}
	c.mu.Lock()
	fits := c.inFlight+info.Commands <= window
	c.inFlight += info.Commands
	c.mu.Unlock()
	if !fits {
		c.refuse(fragment)
		return nil
	}
	c.front.requests.push(request{conn: c, fragment: fragment, info: info})
	return nil
}
