package loop

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/wire"
)

const (
	// readBufferBytes is the loop's one read buffer: the largest frame and a good read behind a partial one.
	readBufferBytes = wire.MaxBody + 2<<20

	// ciphertextBytes is how much is read at a time of a connection that is not plain.
	ciphertextBytes = 1 << 20

	// eventBatch bounds the sockets served in one round.
	eventBatch = 512

	// scanPeriod is how often connections are looked at for what only time brings: deadlines, back-offs, stalls. While there is none
	// of these to come it is quietPeriod.
	scanPeriod  = 5 * time.Millisecond
	quietPeriod = time.Second

	// maxReports bounds the texts kept of violations.
	maxReports = 8
)

// Loop drives the connections of one thread. It is not safe for concurrent use: one goroutine, preferably locked to
// its thread, alternates Poll and Flush.
type Loop struct {
	cfg   Config
	sink  Sink
	addrs []netip.AddrPort

	epfd       int
	keeps      bool // the runtime's processor while it waits
	wake       int  // an eventfd, whose every write is an event
	events     [eventBatch]unix.EpollEvent
	buffer     []byte // bytes just read, behind the connection's carry
	ciphertext []byte // bytes just read of a connection that is not plain
	conns      []*conn
	sessions   []*Session
	readers    []*Session
	dirty      []*conn // connections with sessions to transmit
	nextScan   time.Duration

	leader     netip.AddrPort // where the leader was last seen; invalid: unknown
	suspected  netip.AddrPort // where nobody has answered lately
	trusted    time.Duration  // until when what others say of that place is not believed
	heardFrom  netip.AddrPort // who has last sent anything
	heardAt    time.Duration  // and when
	fastest    time.Duration  // that a connection was established; 0: none was
	leaderID   wire.ReplicaID
	reads      wire.Reads // as the leader has said
	registered int
	open       int
	counters   Counters
	lastError  error
	reports    []string

	shaking    int // handshakes that have been begun and not collected
	handshakes handshakes

	cluster atomic.Uint64 // as a leader has said
}

// New resolves the addresses and makes the loop. Connecting begins with the first Poll.
func New(cfg Config, sink Sink) (*Loop, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	l := &Loop{cfg: cfg, sink: sink, buffer: make([]byte, readBufferBytes), keeps: cfg.OwnProcess && runtime.GOMAXPROCS(0) > 1}
	for _, addr := range cfg.Addrs {
		ap, err := resolve(addr)
		if err != nil {
			return nil, err
		}
		l.addrs = append(l.addrs, ap)
	}
	if cfg.Credentials != nil {
		l.ciphertext = make([]byte, ciphertextBytes)
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	l.epfd = epfd
	if l.wake, err = wakeBy(epfd); err != nil {
		return nil, errors.Join(err, unix.Close(epfd))
	}
	l.makeSessions()
	return l, nil
}

func (l *Loop) makeSessions() {
	l.conns = make([]*conn, l.cfg.Conns)
	for i := range l.conns {
		l.conns[i] = &conn{loop: l, index: i, fd: -1, target: i, byID: make(map[wire.SessionID]*Session)}
		l.conns[i].commands.frame, l.conns[i].queries.frame = wire.TypeRequest, wire.TypeQuery
	}
	l.sessions = make([]*Session, l.cfg.Sessions)
	for i := range l.sessions {
		c := l.conns[i%len(l.conns)]
		// A nonce may not be 0, which is no sequence number, and the run that carries it has to end below the
		// largest one.
		s := &Session{Stream: Stream{Index: i}, conn: c, lane: &c.commands, nonce: wire.Seq(mix(l.cfg.Nonce+uint64(i))>>1) + 1}
		l.sessions[i] = s
		c.sessions = append(c.sessions, s)
	}
	l.makeReaders()
}

// makeReaders gives each session a reader on its connection. The number that a reader puts in the place of a session is
// its own affair, and not 0.
func (l *Loop) makeReaders() {
	l.readers = make([]*Session, len(l.sessions))
	for i, s := range l.sessions {
		r := &Session{Stream: Stream{Index: len(l.sessions) + i}, conn: s.conn, lane: &s.conn.queries, id: wire.SessionID(i + 1)}
		l.readers[i] = r
		s.conn.readers = append(s.conn.readers, r)
	}
}

// reader returns the reader that goes by that number, nil if there is none.
func (l *Loop) reader(id wire.SessionID) *Session {
	if id-1 >= wire.SessionID(len(l.readers)) {
		return nil
	}
	return l.readers[id-1]
}

// mix is the finaliser of splitmix64, a bijection that spreads neighbouring values.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Close closes every connection. The loop is of no use afterwards.
func (l *Loop) Close() error {
	for _, c := range l.conns {
		c.close()
	}
	l.handshakes.end()
	return errors.Join(unix.Close(l.wake), unix.Close(l.epfd))
}

// Wake has a Poll that waits return, or the next one if none does. It may be called from any goroutine, until Close is.
func (l *Loop) Wake() { unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// Restart closes every connection to the leader. Each is made again, with at least the given window unless that is 0 and
// with no limit for sessions in that case; what was under way is sent again.
func (l *Loop) Restart(window int) {
	if window > 0 {
		l.cfg.SessionWindow = 0
		if l.cfg.Window > 0 {
			l.cfg.Window = max(l.cfg.Window, window)
		}
	}
	for _, c := range l.conns {
		if c.state == stateOpen {
			l.leader = c.addr
			c.drop(errRestarted)
			l.leader = c.addr // it is there, for all that is known
		}
	}
}

// Now returns the time since Config.Start on the monotonic clock.
func (l *Loop) Now() time.Duration { return time.Since(l.cfg.Start) }

// Streams returns the sessions, and a reader for each on the same connection.
func (l *Loop) Streams() (sessions, readers []*Stream) {
	for i := range l.sessions {
		sessions, readers = append(sessions, &l.sessions[i].Stream), append(readers, &l.readers[i].Stream)
	}
	return sessions, readers
}

// Assign gives a stream its next count operations, which the next Flush sends as far as there is room. Not to exceed the stream's
// Room is what bounds memory.
func (l *Loop) Assign(s *Stream, count int) {
	s.Assigned += Number(count)
	of := l.sessions
	i := s.Index
	if i >= len(of) {
		of, i = l.readers, i-len(of)
	}
	of[i].conn.queue(of[i])
}

// Queries reports whether the cluster serves gets without its log, as it said when a connection was last welcomed by the
// leader.
func (l *Loop) Queries() bool { return l.reads != wire.ReadsLog }

// Registered returns how many sessions are registered.
func (l *Loop) Registered() int { return l.registered }

// Open returns how many connections are established to the leader.
func (l *Loop) Open() int { return l.open }

// Cluster returns the id of the cluster that a leader has welcomed this loop to; empty if none has yet. It may be called from
// any goroutine.
func (l *Loop) Cluster() string {
	if id := l.cluster.Load(); id != 0 {
		return strconv.FormatUint(id, 10)
	}
	return ""
}

// Report returns what has been noticed so far. The leader is the replica that last welcomed a connection as such, and the window the smallest that
// an open connection has been granted, in commands.
func (l *Loop) Report() Report {
	r := Report{Counters: l.counters, Leader: l.leaderID, Violations: l.reports}
	for _, c := range l.conns {
		if c.state == stateOpen && (r.Granted == 0 || c.window < r.Granted) {
			r.Granted = c.window
		}
	}
	return r
}

// LastError returns why a connection last failed, nil if none has.
func (l *Loop) LastError() error { return l.lastError }

// Poll waits until a socket is ready or the clock reaches until, whichever is first, and serves what is ready. It may
// return early. An error means that the loop itself cannot go on; the world's errors are counted and dealt with.
func (l *Loop) Poll(until time.Duration) error {
	now := l.Now()
	if now >= l.nextScan {
		l.scan(now)
	}
	n, err := epollWait(l.epfd, l.events[:], l.wait(now, until), l.keeps)
	if err != nil {
		return err
	}
	for i := range l.events[:n] {
		event := &l.events[i]
		if event.Fd == wakeEvent {
			if l.shaking > 0 {
				l.collect()
			}
			continue // to return is all that it asks for otherwise
		}
		// Pad carries the connection's generation: an event of this batch may be for a socket that an earlier one
		// has closed.
		if c := l.conns[event.Fd]; c.generation == event.Pad {
			c.serve(event.Events)
		}
	}
	return nil
}

// wait returns how long there is nothing to do but to wait: no time at all if a look at the connections has found what is to be sent.
func (l *Loop) wait(now, until time.Duration) time.Duration {
	if len(l.dirty) > 0 {
		return 0
	}
	return min(until, l.nextScan) - now
}

// Flush transmits what has been assigned, one frame per connection where it fits.
func (l *Loop) Flush() {
	for i, c := range l.dirty {
		l.dirty[i] = nil
		c.dirty = false
		c.transmit()
	}
	l.dirty = l.dirty[:0]
}

// scan does what only time brings.
func (l *Loop) scan(now time.Duration) {
	l.nextScan = now + scanPeriod
	quiet := true
	for _, c := range l.conns {
		c.tick(now)
		quiet = quiet && c.quiet()
	}
	if quiet {
		l.nextScan = now + quietPeriod
	}
}

// scanSoon ends a quiet time.
func (l *Loop) scanSoon(now time.Duration) { l.nextScan = min(l.nextScan, now+scanPeriod) }

// watch registers a connection's descriptor, or changes what it is watched for.
func (l *Loop) watch(c *conn, op int, events uint32) error {
	err := unix.EpollCtl(l.epfd, op, c.fd, &unix.EpollEvent{Events: events, Fd: int32(c.index), Pad: c.generation})
	if err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// setLeader notes where the leader is; an empty or unusable address means unknown.
func (l *Loop) setLeader(addr string) {
	l.leader = netip.AddrPort{}
	if addr == "" {
		return
	}
	ap, err := resolve(addr)
	if err != nil {
		l.lastError = fmt.Errorf("leader's address: %w", err)
		return
	}
	if ap != l.suspected || l.Now() >= l.trusted {
		l.leader = ap
	}
}

// suspect notes that there was no answer where a connection is dropped. Replicas name a leader that is gone until they have
// elected another one; whoever goes there once more waits for nothing.
func (l *Loop) suspect(c *conn) {
	now := l.Now()
	silent := c.state == stateOpen && c.stalled(now)
	if silent || c.state == stateConnecting || c.state == stateGreeting && now >= c.deadline {
		l.suspected, l.trusted = c.addr, now+l.cfg.StallTimeout
	}
}

// connectTimeout returns how long an attempt to connect may take that follows so many in vain.
func (l *Loop) connectTimeout(attempts int) time.Duration {
	if l.fastest == 0 {
		return max(l.cfg.ConnectTimeout, min(connectMost, l.cfg.ConnectTimeout<<min(attempts, 10)))
	}
	return max(l.cfg.ConnectTimeout, 4*l.fastest)
}

// connected notes how long it took to establish a connection.
func (l *Loop) connected(took time.Duration) {
	if l.fastest == 0 || took < l.fastest {
		l.fastest = max(took, 1)
	}
}

// hurry has the connections that wait for another attempt make it now: the leader is known.
func (l *Loop) hurry(now time.Duration) {
	for _, c := range l.conns {
		if c.state == stateIdle {
			c.retryAt = now
		}
	}
	l.nextScan = now
}

// violation counts an answer that the protocol forbids and keeps the first few descriptions.
func (l *Loop) violation(format string, args ...any) {
	l.counters.Violations++
	if len(l.reports) < maxReports {
		l.reports = append(l.reports, fmt.Sprintf(format, args...))
	}
}

var errRestarted = errors.New("closed to begin anew")
