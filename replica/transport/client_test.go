package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"paxosbench/wire"
)

func TestEcho(t *testing.T) {
	tr, _ := start(t, testConfig(), newTestHandler())
	r := join(t, tr)
	for i, size := range []int{0, 1, 100, 64 << 10, 200 << 10, wire.MaxBatch} {
		body := pattern(size, byte(i))
		r.send(requestFrame(body))
		if got := r.expect(wire.TypeReply); !bytes.Equal(got, body) {
			t.Fatalf("body of %d bytes came back changed", size)
		}
	}
	if s := counters(tr); s.Clients != 1 || s.FramesIn != 7 {
		t.Errorf("%d clients, %d frames; want 1 and 7", s.Clients, s.FramesIn)
	}
}

func TestByteByByte(t *testing.T) {
	tr, _ := start(t, testConfig(), newTestHandler())
	addr, _ := tr.Addrs()
	r := dial(t, addr)
	body := pattern(50, 1)
	stream := wire.AppendClientHello(nil, wire.ClientHello{})
	stream = append(stream, requestFrame(body)...)
	stream = append(stream, requestFrame(nil)...)
	for i := range stream {
		r.send(stream[i : i+1])
	}
	r.expect(wire.TypeWelcome)
	if got := r.expect(wire.TypeReply); !bytes.Equal(got, body) {
		t.Error("body came back changed")
	}
	r.expect(wire.TypeReply)
}

// Many frames in one write, more than the read buffer holds: replies come in order.
func TestPipelined(t *testing.T) {
	tr, _ := start(t, testConfig(), newTestHandler())
	r := join(t, tr)
	var stream []byte
	const n = 1000
	for i := range n {
		stream = append(stream, requestFrame(pattern(i, byte(i)))...)
	}
	go func() { _, _ = r.Write(stream) }()
	for i := range n {
		if got := r.expect(wire.TypeReply); !bytes.Equal(got, pattern(i, byte(i))) {
			t.Fatalf("reply %d is not the echo of request %d", i, i)
		}
	}
	if s := counters(tr); s.Writes >= n {
		t.Errorf("%d writes for %d replies: they are not gathered", s.Writes, n)
	}
}

// What is allocated is allocated per round, inside gnet, and not per frame.
func TestEchoAllocs(t *testing.T) {
	cfg := testConfig()
	cfg.Tick = time.Hour
	tr, _ := start(t, cfg, newTestHandler())
	r := join(t, tr)
	const window = 100
	stream := bytes.Repeat(requestFrame(pattern(100, 0)), window)
	echoed := make([]byte, len(stream))
	perWindow := testing.AllocsPerRun(100, func() {
		r.send(stream)
		if _, err := io.ReadFull(r, echoed); err != nil {
			t.Fatal(err)
		}
	})
	if perWindow > window/4 {
		t.Errorf("%v allocations for %d frames", perWindow, window)
	}
}

// Each malformed frame ends the connection with a Fault that names the problem, is counted, and disturbs nobody else.
func TestMalformed(t *testing.T) {
	hello := wire.AppendClientHello(nil, wire.ClientHello{})
	request := requestFrame(pattern(64, 3))
	with := func(frame []byte, offset int, value byte) []byte {
		b := bytes.Clone(frame)
		b[offset] = value
		return b
	}
	join2 := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	peerHello := wire.AppendPeerHello(nil, &wire.PeerHello{})

	tests := []struct {
		name  string
		bytes []byte
		kind  Fault
		text  string
	}{
		{"magic", with(hello, 0, 'G'), FaultMagic, "magic"},
		{"version", with(hello, 2, 9), FaultVersion, "got 9, want 1"},
		{"type", with(hello, 3, 200), FaultType, "200"},
		{"length 2^31", with(request, 7, 0x80), FaultLength, "limit"},
		{"header checksum", with(hello, 17, 1), FaultChecksum, "header"},
		{"body checksum", join2(hello, with(request, len(request)-1, 0)), FaultChecksum, "checksum"},
		{"request first", request, FaultUnexpected, "Request before the hello"},
		{"query first", withType(request, wire.TypeQuery), FaultUnexpected, "Query before the hello"},
		{"hello twice", join2(hello, hello), FaultUnexpected, "ClientHello after the hello"},
		{"peer hello", peerHello, FaultUnexpected, "check the peer addresses"},
		{"reply", join2(hello, withType(request, wire.TypeReply)), FaultUnexpected, "Reply"},
		{"long fault", withType(requestFrame(pattern(wire.MaxText+1, 0)), wire.TypeFault), FaultLength, "limit 1024"},
		{"long request", join2(hello, requestFrame(make([]byte, wire.MaxBatch+1))[:100]), FaultLength, "limit"},
		{"long query", join2(hello, withType(requestFrame(make([]byte, wire.MaxBatch+1)), wire.TypeQuery)[:100]), FaultLength, "limit"},
	}
	tr, _ := start(t, testConfig(), newTestHandler())
	addr, _ := tr.Addrs()
	bystander := join(t, tr)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := counters(tr).Faults
			r := dial(t, addr)
			r.send(test.bytes)
			if bytes.HasPrefix(test.bytes, hello) {
				r.skipWelcome()
			}
			r.expectFault(test.text)
			before[test.kind]++
			if after := counters(tr).Faults; after != before {
				t.Errorf("faults counted %v, want %v", after, before)
			}
		})
	}
	bystander.send(request)
	bystander.expect(wire.TypeReply)
}

// withType returns the bodied frame with another type and a right checksum.
func withType(frame []byte, typ wire.Type) []byte {
	b := bytes.Clone(frame)
	wire.EndFrame(b, 0, typ)
	return b
}

// skipWelcome skips a Welcome: the Fault may have overtaken it, when both frames came in one read.
func (r *remote) skipWelcome() {
	r.Helper()
	saved := r.have
	if h, frame := r.next(); h.Type != wire.TypeWelcome {
		r.have = append(saved, frame...)
	}
}

func TestRequestError(t *testing.T) {
	h := newTestHandler()
	h.request = func(*Client, []byte) error { return fmt.Errorf("fragment: %w", wire.ErrLength) }
	tr, _ := start(t, testConfig(), h)
	r := join(t, tr)
	r.send(append(requestFrame(nil), requestFrame(nil)...))
	r.expectFault("fragment: wire: length out of bounds")
	if s := counters(tr); s.Faults[FaultRequest] != 1 || s.Clients != 0 {
		t.Errorf("%d request faults, %d clients; want 1 and 0", s.Faults[FaultRequest], s.Clients)
	}
}

// A query reaches the handler as such, and what is wrong with it costs the connection like a bad request.
func TestQuery(t *testing.T) {
	h := newTestHandler()
	h.query = func(c *Client, body []byte) error {
		if len(body) == 0 {
			return fmt.Errorf("query: %w", wire.ErrField)
		}
		echo(c, body, wire.TypeQueryReply)
		return nil
	}
	tr, _ := start(t, testConfig(), h)
	r := join(t, tr)
	r.send(withType(requestFrame(pattern(100, 1)), wire.TypeQuery))
	if body := r.expect(wire.TypeQueryReply); !bytes.HasSuffix(body, pattern(100, 1)) {
		t.Errorf("query answered with %x", body)
	}
	r.send(withType(requestFrame(nil), wire.TypeQuery))
	r.expectFault("query: wire: field out of bounds")
	if s := counters(tr); s.Faults[FaultRequest] != 1 {
		t.Errorf("%d request faults, want 1", s.Faults[FaultRequest])
	}
}

// A refused client gets what stands in Out first; it closes like any other, after the handler has returned.
func TestRefuse(t *testing.T) {
	h := newTestHandler()
	h.hello = func(c *Client, _ wire.ClientHello) {
		c.Touch()
		c.Out = wire.AppendRedirect(c.Out, wire.Redirect{LeaderAddr: "elsewhere:1"})
		c.Refuse("wrong cluster")
		if h.t.Client(c.ID()) != nil {
			t.Error("a closed client is still found")
		}
		c.Touch() // goes nowhere, harms nobody
		c.Out = append(c.Out, 1)
	}
	tr, _ := start(t, testConfig(), h)
	addr, _ := tr.Addrs()
	var ids [2]uint64
	for i := range ids {
		r := dial(t, addr)
		r.send(wire.AppendClientHello(nil, wire.ClientHello{}))
		r.expect(wire.TypeRedirect)
		r.expectFault("wrong cluster")
		if _, err := fmt.Sscanf(receive(t, h.events), "closed %v", &ids[i]); err != nil {
			t.Fatal(err)
		}
	}
	if ids[0] == ids[1] || ids[0] == 0 || uint32(ids[0]) != uint32(ids[1]) {
		t.Errorf("ids %#x and %#x: want one place, two generations, none of them 0", ids[0], ids[1])
	}
	if n := counters(tr).Faults[FaultRefused]; n != 2 {
		t.Errorf("%d refusals counted, want 2", n)
	}
}

func TestClientByID(t *testing.T) {
	h := newTestHandler()
	var client *Client
	hello := h.hello
	h.hello = func(c *Client, m wire.ClientHello) { client = c; hello(c, m) }
	tr, _ := start(t, testConfig(), h)
	r := join(t, tr)
	onLoop(tr, func() {
		if tr.Client(client.ID()) != client {
			t.Error("an open client is not found")
		}
		for _, id := range []uint64{0, client.ID() + 1, client.ID() + 1<<32, ^uint64(0)} {
			if tr.Client(id) != nil {
				t.Errorf("id %#x finds a client", id)
			}
		}
		client.Touch()
		client.Out = wire.AppendRedirect(client.Out, wire.Redirect{})
		client.Close()
	})
	r.expect(wire.TypeRedirect)
	r.expectEnd()
	expectEvent(t, h, fmt.Sprintf("closed %#x", client.ID()))
}

func TestHandshakeTimeout(t *testing.T) {
	cfg := testConfig()
	cfg.HandshakeTimeout = 20 * time.Millisecond
	cfg.PeerAddr = "127.0.0.1:0"
	tr, _ := start(t, cfg, newTestHandler())
	client, peer := tr.Addrs()
	idle := join(t, tr)
	dial(t, client).expectFault("no hello within 20ms")
	dial(t, peer).expectFault("no hello within 20ms")
	if n := counters(tr).Faults[FaultHandshakeTimeout]; n != 2 {
		t.Errorf("%d handshake timeouts counted, want 2", n)
	}
	idle.send(requestFrame(nil)) // who has said hello may be idle
	idle.expect(wire.TypeReply)
}

func TestFrameTimeout(t *testing.T) {
	cfg := testConfig()
	cfg.FrameTimeout = 20 * time.Millisecond
	tr, _ := start(t, cfg, newTestHandler())
	request := requestFrame(pattern(100, 0))
	for _, cut := range []int{1, wire.PrefixSize, wire.PrefixSize + 1, len(request) - 1} {
		r := join(t, tr)
		r.send(append(requestFrame(nil), request[:cut]...))
		r.expect(wire.TypeReply)
		r.expectFault("frame incomplete: 0 bytes of it in 20ms, want at least 1024 a second")
	}
	if n := counters(tr).Faults[FaultFrameTimeout]; n != 4 {
		t.Errorf("%d frame timeouts counted, want 4", n)
	}
}

// A frame may take many times FrameTimeout as long as it arrives at a fair rate, from a client and from a peer; one that
// trickles is cut. Sweeps are made by hand: bytes count here, no time.
func TestFrameProgress(t *testing.T) {
	const timeout = 4 * time.Minute
	fair := int(minRate * timeout.Seconds())
	cfg := peered(1, 2, "unused:1")
	cfg.HandshakeTimeout, cfg.FrameTimeout = timeout, timeout
	h := newTestHandler()
	tr, _ := start(t, cfg, h)
	send := func(r *remote, piece []byte) { // and let FrameTimeout pass
		before := counters(tr).BytesIn
		r.send(piece)
		for deadline := patienceEnds(); counters(tr).BytesIn < before+uint64(len(piece)); deadline.check(t, "the bytes") {
		}
		onLoop(tr, func() {
			for range 5 { // one more than fit
				tr.lastSweep = tr.now - tr.sweepEvery
				tr.sweep()
			}
		})
	}
	body := pattern(10*fair, 1)
	request := requestFrame(body)
	message := append(wire.AppendMessageHeader(nil, messageOf(body)), body...)
	client := join(t, tr)
	_, bulk := joinPeer(t, tr, peerHello())
	slowly := func(r *remote, frame []byte) (rest []byte) {
		for range 9 {
			send(r, frame[:fair])
			frame = frame[fair:]
		}
		return frame
	}
	send(client, slowly(client, request))
	client.expect(wire.TypeReply)
	send(bulk, slowly(bulk, message))
	receive(t, h.messages)
	want := fmt.Sprintf("frame incomplete: %d bytes of it in 4m0s, want at least 1024 a second", fair-1)
	send(client, slowly(client, request)[:fair-1])
	client.expectFault(want)
	send(bulk, slowly(bulk, message)[:fair-1])
	bulk.expectFault(want)
}

// More clients than places: the rest is told so, the places come free again, and peers keep theirs.
func TestMaxClients(t *testing.T) {
	cfg := peered(1, 2, "unused:1")
	cfg.MaxClients = 2
	h := newTestHandler()
	tr, _ := start(t, cfg, h)
	first, second := join(t, tr), join(t, tr)
	client, _ := tr.Addrs()
	for range 100 {
		dial(t, client).expectFault("all 2 places")
	}
	joinPeer(t, tr, peerHello())
	if s := tr.Stats(); s.Faults[FaultFull] != 100 {
		t.Errorf("%d refused for want of a place, want 100", s.Faults[FaultFull])
	}
	awaitPeer(t, tr, 2, 1)
	_ = first.Close()
	receive(t, h.events)
	join(t, tr).send(requestFrame(nil))
	second.send(requestFrame(nil))
	second.expect(wire.TypeReply)
}

func TestClientFault(t *testing.T) {
	h := newTestHandler()
	tr, _ := start(t, testConfig(), h)
	r := join(t, tr)
	r.send(wire.AppendFault(nil, "enough"))
	r.expectEnd()
	receive(t, h.events)
	if s := counters(tr); s.Faults != [FaultCount]uint64{} {
		t.Errorf("a client's own fault is counted as ours: %v", s.Faults)
	}
}

// Closing many clients from inside Round: each is reported once, and not from inside the handler.
func TestCloseInRound(t *testing.T) {
	h := newTestHandler()
	var clients []*Client
	hello := h.hello
	h.hello = func(c *Client, m wire.ClientHello) { clients = append(clients, c); hello(c, m) }
	tr, _ := start(t, testConfig(), h)
	var remotes []*remote
	for range 8 {
		remotes = append(remotes, join(t, tr))
	}
	onLoop(tr, func() {
		h.round = func() {
			for _, c := range clients {
				c.Touch()
				c.Close()
				c.Close()
			}
		}
	})
	for _, r := range remotes {
		r.expectEnd()
		receive(t, h.events)
	}
	if s := counters(tr); s.Clients != 0 {
		t.Errorf("%d clients are left", s.Clients)
	}
	select {
	case e := <-h.events:
		t.Errorf("extra event %q", e)
	default:
	}
}

func TestFaultNames(t *testing.T) {
	for f := range FaultCount {
		if f.String() == "" {
			t.Errorf("fault %d has no name", f)
		}
	}
	if got := FaultCount.String(); got != fmt.Sprintf("Fault(%d)", FaultCount) {
		t.Errorf("unknown fault is %q", got)
	}
	if faultOf(errors.New("other")) != FaultUnexpected {
		t.Error("an unknown error is not unexpected")
	}
}
