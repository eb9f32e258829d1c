package loop

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/wire"
	"paxosbench/wire/secure"
)

// connState is where a connection is on its way to the leader.
type connState uint8

const (
	stateIdle       connState = iota // waits for retryAt
	stateConnecting                  // TCP handshake under way
	stateGreeting                    // ClientHello sent
	stateOpen                        // welcomed by the leader
)

const (
	// retryFirst is how long a connection waits after its third attempt in a row; it doubles up to retryMax, or more with so
	// many connections that each would try more often than every retryEach otherwise.
	retryFirst = time.Millisecond
	retryMax   = 50 * time.Millisecond
	retryEach  = 500 * time.Microsecond

	// connectMost and stallMost are how far timeouts grow.
	connectMost = 2 * time.Second
	stallMost   = 3 * time.Second

	// refusedFirst is how long a session waits after a first refusal; it doubles up to refusedMax.
	refusedFirst = time.Millisecond
	refusedMax   = 50 * time.Millisecond
)

// conn is one connection to whichever replica leads. It outlives its sockets.
type conn struct {
	loop       *Loop
	index      int
	fd         int
	handshake  *handshake      // by which both sides prove who they are; nil: none is under way
	records    *secure.Records // nil: the connection is plain
	generation int32           // of the socket, so that events of a closed one are told apart
	state      connState
	writable   bool // false: the socket's buffer is full, epoll will tell
	dirty      bool // on the loop's list

	target   int            // index into the loop's addresses: where to try next if the leader is unknown
	addr     netip.AddrPort // of the present socket
	attempts int            // in a row without a good reply
	late     int            // of the attempts since the last welcome, how many took too long
	retryAt  time.Duration
	dialedAt time.Duration
	stall    time.Duration // how long it may be silent with commands in flight
	ledBy    wire.ReplicaID
	deadline time.Duration // for the TCP and protocol handshake
	heardAt  time.Duration // last sign of life, or when the connection last became busy

	alike       bool // the replica takes runs of commands that are alike
	window      int  // commands it may have in flight
	share       int  // of it, for each session
	outstanding int  // commands, registrations included, that no reply has mentioned yet

	sessions    []*Session
	readers     []*Session // one for each session
	byID        map[wire.SessionID]*Session
	commands    lane       // sessions that have commands to transmit
	queries     lane       // readers that have gets to transmit
	parked      []*Session // wait for their resumeAt
	registering []*Session // still to register on this socket

	out    []byte // encoded, not yet taken by the socket
	sealed []byte // what was out, encrypted, where the connection is not plain
	taken  int    // bytes of out, or of sealed, that the socket has taken
	carry  []byte // the incomplete frame at the end of the last read
}

// serve handles a readiness event.
func (c *conn) serve(events uint32) {
	if c.fd < 0 {
		return // closed by an earlier event of the same round
	}
	if c.state == stateConnecting {
		c.connected()
		return
	}
	if events&unix.EPOLLOUT != 0 {
		c.flush()
	}
	if c.fd >= 0 && events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP|unix.EPOLLRDHUP) != 0 {
		c.receive()
	}
}

// tick starts, gives up or resumes what is due.
func (c *conn) tick(now time.Duration) {
	switch c.state {
	case stateIdle:
		if now >= c.retryAt {
			c.connect(now)
		}
	case stateConnecting, stateGreeting:
		if now >= c.deadline && !c.onlySlow(now, now-c.dialedAt, connectMost) {
			c.late++
			c.drop(fmt.Errorf("no answer within %v", now-c.dialedAt))
		}
	case stateOpen:
		c.resume(now)
		if c.stalled(now) {
			c.loop.counters.Stalls++
			c.drop(fmt.Errorf("silent for %v with commands in flight", now-c.heardAt))
		}
	}
}

// quiet reports whether time brings nothing to the connection.
func (c *conn) quiet() bool {
	return c.state == stateOpen && c.outstanding == 0 && len(c.parked) == 0 && !c.dirty
}

// stalled reports whether the connection has been silent for so long, with commands in flight, that it is given up.
func (c *conn) stalled(now time.Duration) bool {
	silent := now - c.heardAt
	return c.outstanding > 0 && silent > c.stall && !c.onlySlow(now, silent, stallMost)
}

// onlySlow reports whether a replica that has not answered this connection for some time, less than most, has answered another one
// just now: one of many connections waits for its turn where the host is busy, and to make it again would take longer.
func (c *conn) onlySlow(now, waited, most time.Duration) bool {
	l := c.loop
	return waited < most && c.addr == l.heardFrom && now-l.heardAt <= l.cfg.StallTimeout
}

// connect begins an attempt: at the leader if its address is known, else at the next address of the list.
func (c *conn) connect(now time.Duration) {
	c.addr = c.loop.leader
	if !c.addr.IsValid() {
		c.addr = c.loop.addrs[c.target%len(c.loop.addrs)]
		c.target++
	}
	c.dialedAt, c.deadline = now, now+c.loop.connectTimeout(c.attempts)
	c.generation++
	if c.loop.cfg.Credentials != nil {
		c.state = stateConnecting
		c.secure()
		return
	}
	var err error
	if c.fd, err = dial(c.addr); err != nil {
		c.drop(err)
		return
	}
	c.state = stateConnecting
	if err := c.loop.watch(c, unix.EPOLL_CTL_ADD, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP); err != nil {
		c.drop(err)
	}
}

// connected finishes the TCP handshake.
func (c *conn) connected() {
	if err := socketError(c.fd); err != nil {
		c.drop(err)
		return
	}
	c.greet(unix.EPOLL_CTL_MOD)
}

// greet says hello on a connection that has been made.
func (c *conn) greet(watch int) {
	if err := c.loop.watch(c, watch, unix.EPOLLIN|unix.EPOLLRDHUP); err != nil {
		c.drop(err)
		return
	}
	c.loop.connected(c.loop.Now() - c.dialedAt)
	c.state = stateGreeting
	if c.records != nil {
		c.deadline = c.loop.Now() + c.patience()
	}
	c.writable = true
	hello := wire.ClientHello{Cluster: c.loop.cfg.Cluster, Window: uint32(c.loop.cfg.Window)}
	c.out = wire.AppendClientHello(c.out[:0], hello)
	c.flush()
}

// welcomed makes the connection usable, if the replica leads.
func (c *conn) welcomed(w wire.Welcome) {
	if w.Leader != w.Replica || w.Leader == 0 {
		c.redirected(w.LeaderAddr)
		return
	}
	l := c.loop
	if l.leaderID != 0 && w.Reads != l.reads {
		c.drop(fmt.Errorf("gets are served by %v, and were by %v: the client has to begin anew", w.Reads, l.reads))
		return
	}
	if c.stall = min(2*c.stall, max(stallMost, l.cfg.StallTimeout)); c.ledBy != w.Leader || c.stall == 0 {
		c.stall, c.ledBy = l.cfg.StallTimeout, w.Leader
	}
	c.state, c.late, c.alike = stateOpen, 0, w.Alike
	l.open++
	l.counters.Connects++
	l.leader, l.leaderID, l.reads = c.addr, w.Leader, w.Reads
	l.cluster.Store(w.Cluster)
	c.window = max(1, min(int(w.Window), maxWindow))
	if l.cfg.Window > 0 {
		c.window = min(c.window, l.cfg.Window)
	}
	c.share = min(wire.MaxSessionWindow, max(1, c.window/len(c.sessions)))
	if l.cfg.SessionWindow > 0 {
		c.share = min(c.share, l.cfg.SessionWindow)
	}
	now := l.Now()
	l.hurry(now)
	for _, s := range c.sessions {
		c.start(s, now)
		if s.id != 0 {
			s.Limit = c.share
			l.sink.Ready(&s.Stream)
		}
	}
	for _, s := range c.readers {
		s.Limit = c.share
		c.start(s, now)
	}
	c.markDirty()
}

// redirected leaves for the leader, or for the next address if no one knows it.
func (c *conn) redirected(leaderAddr string) {
	c.loop.counters.Redirects++
	c.loop.setLeader(leaderAddr)
	c.drop(fmt.Errorf("redirected to %q", leaderAddr))
}

// drop closes the socket and plans the next attempt. What was on the wire will be sent again.
func (c *conn) drop(cause error) {
	l := c.loop
	l.lastError = fmt.Errorf("%v: %w", c.addr, cause)
	l.suspect(c)
	c.close()
	if c.state == stateOpen {
		l.open--
		l.counters.Disconnects++
	} else {
		l.counters.DialFailures++
	}
	// Unless it was a redirect that named another place, the leader is not where it was thought to be.
	if l.leader == c.addr {
		l.leader = netip.AddrPort{}
	}
	c.state = stateIdle
	c.writable = false
	c.outstanding = 0
	c.out, c.sealed, c.taken = c.out[:0], c.sealed[:0], 0
	c.carry = c.carry[:0]
	c.commands.clear()
	c.queries.clear()
	c.parked = c.parked[:0]
	c.registering = c.registering[:0]
	for _, s := range c.sessions {
		s.disconnected()
	}
	for _, s := range c.readers {
		s.disconnected()
	}
	c.retryAt = l.Now() + c.backoff()
	l.nextScan = min(l.nextScan, c.retryAt)
}

// close closes the socket, if there is one.
func (c *conn) close() {
	c.abandonHandshake()
	if c.fd < 0 {
		return
	}
	c.takeLeave()
	unix.Close(c.fd)
	c.fd = -1
}

// backoff returns the wait before the next attempt: none before the first two, so that a redirect costs nothing, then
// doubling.
func (c *conn) backoff() time.Duration {
	c.attempts++
	if c.attempts <= 2 {
		return 0
	}
	return min(max(retryMax, time.Duration(len(c.loop.conns))*retryEach), retryFirst<<min(c.attempts-3, 10))
}

// receive reads once and handles every complete frame.
func (c *conn) receive() {
	l := c.loop
	filled := copy(l.buffer, c.carry)
	into := l.buffer[filled:]
	if c.records != nil {
		into = l.ciphertext
	}
	n, err := unix.Read(c.fd, into)
	if err != nil || n <= 0 {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			c.drop(err)
		}
		return
	}
	at := l.Now()
	c.heardAt = at
	l.heardAt, l.heardFrom = at, c.addr
	l.counters.BytesReceived += int64(n)
	src := l.buffer[:filled+n]
	var ended error
	if c.records != nil {
		src, ended = c.unseal(l.buffer[:filled], into[:n])
	}
	rest, err := c.frames(src, at)
	if err != nil {
		l.counters.CorruptFrames++
		c.drop(err)
	} else if ended != nil && c.fd >= 0 {
		c.drop(ended)
	}
	if c.fd >= 0 {
		c.carry = append(c.carry[:0], rest...)
	}
}

// frames handles the complete frames at the start of src and returns what is left over.
func (c *conn) frames(src []byte, at time.Duration) ([]byte, error) {
	generation := c.generation
	for {
		header, err := wire.DecodeHeader(src)
		if errors.Is(err, wire.ErrShort) || err == nil && len(src) < header.FrameLen() {
			return src, nil
		}
		if err != nil {
			return nil, err
		}
		frame := src[:header.FrameLen()]
		src = src[header.FrameLen():]
		if err := header.CheckBody(frame[header.Size:]); err != nil {
			return nil, fmt.Errorf("%w in the body of a %v frame", err, header.Type)
		}
		c.loop.counters.FramesReceived++
		if err := c.frame(header, frame, at); err != nil {
			return nil, err
		}
		if c.fd < 0 || c.generation != generation {
			return nil, nil
		}
	}
}

// frame handles one checked frame.
func (c *conn) frame(header wire.Header, frame []byte, at time.Duration) error {
	switch {
	case (header.Type == wire.TypeReply || header.Type == wire.TypeQueryReply) && c.state == stateOpen:
		return c.replies(header.Type, frame[header.Size:], at)
	case header.Type == wire.TypeWelcome && c.state == stateGreeting:
		w, err := wire.DecodeWelcome(frame)
		if err != nil {
			return err
		}
		c.welcomed(w)
	case header.Type == wire.TypeRedirect:
		r, err := wire.DecodeRedirect(frame)
		if err != nil {
			return err
		}
		c.redirected(r.LeaderAddr)
	case header.Type == wire.TypeFault:
		text, err := wire.DecodeFault(frame)
		if err != nil {
			return err
		}
		c.drop(fmt.Errorf("replica closes the connection: %s", text))
	default:
		return fmt.Errorf("unexpected %v frame", header.Type)
	}
	return nil
}
