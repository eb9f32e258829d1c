package transport

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"paxosbench/wire"
)

// gnet's worker pool starts goroutines when it is imported, hence IgnoreCurrent.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

const (
	testCluster = 0xc1
	patience    = 20 * time.Second // how long a test waits for what must happen; never for what must not
)

var testSettings = wire.MakeSettings(wire.Setting{Name: "durability", Value: "fsync"})

// testHandler answers clients by echo and reports what happens on channels.
type testHandler struct {
	t        *Transport
	events   chan string       // "closed CLIENT"
	messages chan wire.Message // with bodies of their own
	gone     chan wire.ReplicaID
	arriving chan string // "PEER TYPE" of messages of which more is to come; what nobody reads is lost

	hello   func(c *Client, h wire.ClientHello)
	request func(c *Client, body []byte) error
	query   func(c *Client, body []byte) error
	round   func()
	room    func(c *Client)
	depth   int // calls into the handler under way: more than one is a bug
}

func newTestHandler() *testHandler {
	h := &testHandler{gone: make(chan wire.ReplicaID, 16), events: make(chan string, 1024), messages: make(chan wire.Message, 1024), arriving: make(chan string, 1)}
	h.hello = func(c *Client, _ wire.ClientHello) {
		c.Touch()
		c.Out = wire.AppendWelcome(c.Out, wire.Welcome{Cluster: testCluster, Replica: h.t.cfg.Self})
	}
	h.request = func(c *Client, body []byte) error {
		echo(c, body, wire.TypeReply)
		return nil
	}
	h.query = func(c *Client, body []byte) error {
		echo(c, body, wire.TypeQueryReply)
		return nil
	}
	return h
}

func echo(c *Client, body []byte, t wire.Type) {
	c.Touch()
	start := len(c.Out)
	c.Out = append(wire.BeginFrame(c.Out), body...)
	wire.EndFrame(c.Out, start, t)
}

func (h *testHandler) enter() func() {
	if h.depth++; h.depth > 1 {
		panic("handler entered from inside the handler")
	}
	return func() { h.depth-- }
}

func (h *testHandler) ClientHello(c *Client, hello wire.ClientHello) {
	defer h.enter()()
	h.hello(c, hello)
}

func (h *testHandler) Request(c *Client, body []byte) error {
	defer h.enter()()
	return h.request(c, body)
}

func (h *testHandler) Query(c *Client, body []byte) error {
	defer h.enter()()
	return h.query(c, body)
}

func (h *testHandler) Waits(c *Client) bool { return c.Data != nil }

func (h *testHandler) ClientClosed(c *Client) {
	defer h.enter()()
	h.events <- fmt.Sprintf("closed %#x", c.ID())
}

func (h *testHandler) Room(c *Client) {
	defer h.enter()()
	if h.room != nil {
		h.room(c)
	}
}

func (h *testHandler) Gone(id wire.ReplicaID) {
	defer h.enter()()
	select {
	case h.gone <- id:
	default:
	}
}

func (h *testHandler) Arriving(from wire.ReplicaID, t wire.Type) {
	defer h.enter()()
	select {
	case h.arriving <- fmt.Sprint(from, t):
	default:
	}
}

func (h *testHandler) Message(m *wire.Message) error {
	defer h.enter()()
	copied := *m
	copied.Body = slices.Clone(m.Body)
	if m.Body != nil {
		h.t.cfg.Buffers.Put(m.Body)
	}
	if m.Ballot == refusedBallot {
		return errRefused
	}
	h.messages <- copied
	return nil
}

// A message with this ballot is refused by the handler.
const refusedBallot = 1 << 60

var errRefused = fmt.Errorf("%w: no replica sends that", wire.ErrField)

func (h *testHandler) Tick(time.Duration) { defer h.enter()() }

func (h *testHandler) Round(time.Duration) {
	defer h.enter()()
	if h.round != nil {
		h.round()
	}
}

func testConfig() Config {
	return Config{
		Self:        1,
		Membership:  &testMembership{cluster: testCluster},
		Settings:    testSettings,
		Incarnation: 11,
		ClientAddr:  "127.0.0.1:0",
		MaxClients:  64,

		MaxForwarded: 64,

		ReadBuffer: 64 << 10,
		Buffers:    new(wire.Buffers),
	}
}

// peered returns the configuration of one of two replicas that are each other's peer.
func peered(self, other wire.ReplicaID, otherAddr string) Config {
	cfg := testConfig()
	cfg.Self, cfg.Incarnation = self, uint64(self)*11
	cfg.PeerAddr = "127.0.0.1:0"
	cfg.Peers = map[wire.ReplicaID]string{other: otherAddr}
	return cfg
}

// start runs a transport until the test ends, or until stop is called.
func start(tb testing.TB, cfg Config, h Handler) (t *Transport, stop func()) {
	tb.Helper()
	t, err := New(cfg, h)
	if err != nil {
		tb.Fatal(err)
	}
	if th, ok := h.(*testHandler); ok {
		th.t = t
	}
	ctx, cancel := context.WithCancel(tb.Context())
	ended := make(chan error, 1)
	ready := make(chan struct{})
	t.Post(func() { close(ready) })
	go func() { ended <- t.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("Run: %v", err)
		}
	})
	tb.Cleanup(stop)
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		tb.Fatalf("Run: %v", err)
	}
	return t, stop
}

// onLoop calls f on the loop and waits for it, and for everything that had been posted before.
func onLoop(t *Transport, f func()) {
	done := make(chan struct{})
	t.Post(func() { defer close(done); f() })
	<-done
}

// awaitPeer waits until a peer has been up that often, and is.
func awaitPeer(tb testing.TB, t *Transport, id wire.ReplicaID, ups uint64) {
	tb.Helper()
	for deadline := patienceEnds(); ; deadline.check(tb, fmt.Sprintf("peer %d to be up, time %d", id, ups)) {
		var p peer
		onLoop(t, func() { p = t.peers[id] })
		if p.up() && p.ups >= ups {
			if p.ups > ups {
				tb.Fatalf("peer %d has been up %d times, want %d", id, p.ups, ups)
			}
			return
		}
	}
}

// awaitNoPeer waits until a peer is not up.
func awaitNoPeer(tb testing.TB, t *Transport, id wire.ReplicaID) {
	tb.Helper()
	for deadline := patienceEnds(); counters(t).Peers != 0; deadline.check(tb, fmt.Sprintf("peer %d to be down", id)) {
	}
}

// counters returns the counters as they are now, not at the end of the last round.
func counters(t *Transport) Stats {
	onLoop(t, t.publish)
	return t.Stats()
}

// remote is the other end of a connection, by hand.
type remote struct {
	testing.TB
	net.Conn
	have []byte
}

func dial(tb testing.TB, addr net.Addr) *remote {
	tb.Helper()
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		tb.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(patience))
	tb.Cleanup(func() { _ = nc.Close() })
	return &remote{TB: tb, Conn: nc}
}

// join connects a client and exchanges hellos.
func join(tb testing.TB, t *Transport) *remote {
	tb.Helper()
	addr, _ := t.Addrs()
	r := dial(tb, addr)
	r.send(wire.AppendClientHello(nil, wire.ClientHello{Cluster: testCluster}))
	r.expect(wire.TypeWelcome)
	return r
}

func (r *remote) send(b []byte) {
	r.Helper()
	if _, err := r.Write(b); err != nil {
		r.Fatal(err)
	}
}

// next reads one frame; nil if the connection ended first.
func (r *remote) next() (wire.Header, []byte) {
	r.Helper()
	buf := make([]byte, 64<<10)
	for {
		h, err := wire.DecodeHeader(r.have)
		if err == nil && len(r.have) >= h.FrameLen() {
			frame := r.have[:h.FrameLen()]
			r.have = r.have[h.FrameLen():]
			if err := h.CheckBody(frame[h.Size:]); err != nil {
				r.Fatal(err)
			}
			return h, frame
		}
		if err != nil && err != wire.ErrShort {
			r.Fatal(err)
		}
		n, err := r.Read(buf)
		if err != nil {
			return wire.Header{}, nil
		}
		r.have = append(r.have, buf[:n]...)
	}
}

// expect reads one frame of that type and returns its body.
func (r *remote) expect(want wire.Type) []byte {
	r.Helper()
	h, frame := r.next()
	if frame == nil {
		r.Fatalf("connection ended, want a %v", want)
	}
	if h.Type != want {
		r.Fatalf("got a %v frame %q, want %v", h.Type, frame[h.Size:], want)
	}
	return frame[h.Size:]
}

// expectFault reads a Fault that contains every text, and the end of the connection behind it.
func (r *remote) expectFault(texts ...string) {
	r.Helper()
	got := string(r.expect(wire.TypeFault))
	for _, text := range texts {
		if !strings.Contains(got, text) {
			r.Errorf("fault %q does not say %q", got, text)
		}
	}
	r.expectEnd()
}

func (r *remote) expectEnd() {
	r.Helper()
	if h, frame := r.next(); frame != nil {
		r.Fatalf("got a %v frame, want the end of the connection", h.Type)
	}
}

func receive[T any](tb testing.TB, c <-chan T) T {
	tb.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		tb.Fatal("nothing came")
		panic("unreachable")
	}
}

func expectEvent(tb testing.TB, h *testHandler, want string) {
	tb.Helper()
	if got := receive(tb, h.events); got != want {
		tb.Fatalf("event %q, want %q", got, want)
	}
}

func requestFrame(body []byte) []byte {
	b := append(wire.BeginFrame(nil), body...)
	wire.EndFrame(b, 0, wire.TypeRequest)
	return b
}

func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7) + byte(i>>8) + seed
	}
	return b
}

// logBuffer collects log lines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.buf.String(), text)
}

func (b *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// deadline ends a wait for what must happen.
type deadline time.Time

func patienceEnds() deadline { return deadline(time.Now().Add(patience)) }

// check pauses, and fails the test when patience is at its end.
func (d deadline) check(tb testing.TB, what string) {
	tb.Helper()
	if time.Now().After(time.Time(d)) {
		tb.Fatalf("waited in vain for %s", what)
	}
	time.Sleep(time.Millisecond)
}

// testMembership is a data directory in memory. It belongs to the loop.
type testMembership struct {
	cluster uint64
	founder bool
	met, by wire.Members
	broken  error
}

func (m *testMembership) Cluster() uint64             { return m.cluster }
func (m *testMembership) Founder() bool               { return m.founder }
func (m *testMembership) Met() (met, by wire.Members) { return m.met, m.by }

func (m *testMembership) SetCluster(cluster uint64) error {
	if m.cluster != 0 {
		panic("the cluster is set twice")
	}
	m.cluster = cluster
	return m.broken
}

func (m *testMembership) Meet(met, by wire.Members) error {
	m.met, m.by = m.met|met, m.by|by
	return m.broken
}
