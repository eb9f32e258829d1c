package transport

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"paxosbench/wire"
)

// pair runs replicas 1 and 2, which dials, and waits until they are up.
func pair(t *testing.T) (one, two *testHandler, stopTwo func()) {
	t.Helper()
	one, two = newTestHandler(), newTestHandler()
	a, _ := start(t, peered(1, 2, "unused:1"), one)
	_, addr := a.Addrs()
	_, stopTwo = start(t, peered(2, 1, addr.String()), two)
	expectEvent(t, one, "up 2")
	expectEvent(t, two, "up 1")
	return one, two, stopTwo
}

// peerHello is what replica 2 says to replica 1 in most tests.
func peerHello() *wire.PeerHello {
	return &wire.PeerHello{Cluster: testCluster, Settings: testSettings, Incarnation: 22, From: 2, To: 1}
}

// joinPeer connects by hand as replica 2 and exchanges hellos.
func joinPeer(t *testing.T, tr *Transport, h *wire.PeerHello) *remote {
	t.Helper()
	_, addr := tr.Addrs()
	r := dial(t, addr)
	r.send(wire.AppendPeerHello(nil, h))
	r.expect(wire.TypePeerHello)
	return r
}

func messageOf(body []byte) *wire.Message {
	return &wire.Message{Type: wire.TypeAccept, Ballot: 7, Slot: 8, Commit: 10, Payload: wire.Payload{RawLen: 12, Codec: wire.CodecS2, Body: body, BodyCRC: wire.Checksum(body)}}
}

func TestMessages(t *testing.T) {
	one, two, _ := pair(t)
	for from, to := range map[*testHandler]*testHandler{one: two, two: one} {
		for i, size := range []int{0, 1, 1000, 300 << 10, wire.MaxBody} {
			body := pattern(size, byte(i))
			sent := messageOf(body)
			onLoop(from.t, func() {
				if !from.t.Send(to.t.cfg.Self, sent) {
					t.Error("message not sent")
				}
			})
			got := receive(t, to.messages)
			if !bytes.Equal(got.Body, body) || got.From != from.t.cfg.Self || got.To != to.t.cfg.Self {
				t.Fatalf("message with %d bytes from %d to %d arrived damaged", size, got.From, got.To)
			}
			want := *sent
			want.From, want.To = got.From, got.To
			got.Body, want.Body = nil, nil
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("message %+v arrived as %+v", want, got)
			}
		}
	}
	if s := counters(one.t); s.Peers != 1 || s.DroppedSends != 0 || s.Faults != [FaultCount]uint64{} {
		t.Errorf("stats %+v", s)
	}
}

// Short messages are gathered and long ones are not: neither overtakes the other, and none changes.
func TestSendOrder(t *testing.T) {
	one, two, _ := pair(t)
	rng := rand.New(rand.NewPCG(1, 2))
	const rounds, each = 5, 100
	var sent []*wire.Message
	for range rounds {
		onLoop(one.t, func() {
			for range each {
				size := rng.IntN(1 + rng.IntN(2*gatherBody))
				m := messageOf(pattern(size, byte(len(sent))))
				m.Slot = wire.Slot(len(sent))
				sent = append(sent, m)
				if !one.t.Send(2, m) {
					t.Error("not sent")
				}
				m.Body = nil // the body is ours again
			}
		})
	}
	for i := range rounds * each {
		got := receive(t, two.messages)
		if got.Slot != wire.Slot(i) || !bytes.Equal(got.Body, pattern(len(got.Body), byte(i))) {
			t.Fatalf("message %d arrived as %d, or changed", i, got.Slot)
		}
	}
	if s := counters(one.t); s.Writes > rounds*each*3/4 {
		t.Errorf("%d writes for %d messages: short ones are not gathered", s.Writes, rounds*each)
	}
}

// The messages of one loop keep their order, and PeerUp comes before them even in one read with the hello.
func TestMessageOrder(t *testing.T) {
	h := newTestHandler()
	tr, _ := start(t, peered(1, 2, "unused:1"), h)
	_, addr := tr.Addrs()
	r := dial(t, addr)
	stream := wire.AppendPeerHello(nil, peerHello())
	const n = 100
	for i := range n {
		stream = wire.AppendMessageHeader(stream, &wire.Message{Type: wire.TypeHeartbeat, Slot: wire.Slot(i)})
	}
	r.send(stream)
	for i := range n {
		if m := receive(t, h.messages); m.Slot != wire.Slot(i) || m.Body != nil {
			t.Fatalf("message %d arrived as %d", i, m.Slot)
		}
		if i == 0 && len(h.events) != 1 {
			t.Error("a message came before PeerUp")
		}
	}
}

func TestReconnect(t *testing.T) {
	one, two, stopTwo := pair(t)
	onLoop(one.t, func() { one.t.peers[2].end(errClosed) })
	for _, want := range []string{"down 2", "up 2"} {
		expectEvent(t, one, want)
	}
	for _, want := range []string{"down 1", "up 1"} {
		expectEvent(t, two, want)
	}
	onLoop(two.t, func() { two.t.Send(1, messageOf(pattern(10, 1))) })
	if m := receive(t, one.messages); len(m.Body) != 10 {
		t.Error("message damaged")
	}
	stopTwo()
	expectEvent(t, one, "down 2")
	onLoop(one.t, func() {
		if one.t.Send(2, messageOf(nil)) {
			t.Error("a message to a peer that is down is said to be sent")
		}
	})
	if n := counters(one.t).DroppedSends; n != 1 {
		t.Errorf("%d dropped sends, want 1", n)
	}
}

// What is wrong with a hello is answered with both values, counted, and logged once for all retries.
func TestPeerRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(h *wire.PeerHello)
		texts  []string
	}{
		{"cluster", func(h *wire.PeerHello) { h.Cluster = 0xdead }, []string{"cluster id", "0xdead", "0xc1"}},
		{"setting", func(h *wire.PeerHello) {
			h.Settings = wire.MakeSettings(wire.Setting{Name: "durability", Value: "none"})
		},
			[]string{"durability: replica 2 has none, replica 1 has fsync"}},
		{"settings", func(h *wire.PeerHello) { h.Settings = wire.MakeSettings(wire.Setting{Name: "reads", Value: "log"}) },
			[]string{"durability: replica 2 has no such setting, replica 1 has fsync; reads: replica 2 has log, replica 1 has no such setting"}},
		{"receiver", func(h *wire.PeerHello) { h.To = 3 }, []string{"looks for replica 3", "this is replica 1"}},
		{"stranger", func(h *wire.PeerHello) { h.From = 5 }, []string{"5 is not a peer of replica 1"}},
		{"out of range", func(h *wire.PeerHello) { h.From = 255 }, []string{"255 is not a peer"}},
		{"none", func(h *wire.PeerHello) { h.From = 0 }, []string{"0 is not a peer"}},
		{"itself", func(h *wire.PeerHello) { h.From = 1 }, []string{"1 is not a peer"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log logBuffer
			cfg := peered(1, 2, "unused:1")
			cfg.Logger = log.logger()
			tr, _ := start(t, cfg, newTestHandler())
			_, addr := tr.Addrs()
			h := peerHello()
			test.change(h)
			for range 3 {
				r := dial(t, addr)
				r.send(wire.AppendPeerHello(nil, h))
				r.expectFault(test.texts...)
			}
			if s := counters(tr); s.Faults[FaultIdentity] != 3 || s.Peers != 0 {
				t.Errorf("%d refusals, %d peers; want 3 and 0", s.Faults[FaultIdentity], s.Peers)
			}
			if n := log.count(test.texts[0]); n != 1 {
				t.Errorf("logged %d times, want once", n)
			}
		})
	}
}

// The lower id does not dial: a hello from it on the listening side is a mistake.
func TestLowerIDDials(t *testing.T) {
	tr, _ := start(t, peered(2, 1, "127.0.0.1:1"), newTestHandler())
	_, addr := tr.Addrs()
	r := dial(t, addr)
	r.send(wire.AppendPeerHello(nil, &wire.PeerHello{Cluster: testCluster, Settings: testSettings, From: 1, To: 2}))
	r.expectFault("of a pair the higher id dials")
}

// The dialling side learns why it is refused, says so once, and backs off.
func TestDialRefused(t *testing.T) {
	one := newTestHandler()
	a, _ := start(t, peered(1, 2, "unused:1"), one)
	_, addr := a.Addrs()
	cfg := peered(2, 1, addr.String())
	cfg.Cluster = 0xdead
	d := newDialer(nil, 1, addr.String())
	b, _ := start(t, cfg, newTestHandler())
	d.t = b
	l, err := d.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	receive(t, l.done)
	want := "refused by the peer: cluster id: replica 2 has 0xdead, replica 1 has 0xc1"
	if got := l.reason.Error(); got != want {
		t.Errorf("link ended with %q, want %q", got, want)
	}
	if d.ended(l); d.backoff != refusedBackoff {
		t.Errorf("back-off %v after a refusal, want %v", d.backoff, refusedBackoff)
	}
}

// Whoever answers at the peer's address must be that peer.
func TestWrongAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	start(t, peered(2, 1, l.Addr().String()), newTestHandler())
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	r := &remote{TB: t, Conn: nc}
	r.expect(wire.TypePeerHello)
	h := peerHello()
	h.From, h.To = 3, 2
	r.send(wire.AppendPeerHello(nil, h))
	r.expectFault("3 is not a peer of replica 2")
}

func TestDuplicateID(t *testing.T) {
	h := newTestHandler()
	tr, _ := start(t, peered(1, 2, "unused:1"), h)
	first := joinPeer(t, tr, peerHello())
	expectEvent(t, h, "up 2")

	second := peerHello()
	second.Incarnation = 23
	_, addr := tr.Addrs()
	r := dial(t, addr)
	r.send(wire.AppendPeerHello(nil, second))
	r.expectFault("replica id 2 is already connected from "+first.LocalAddr().String(), "two processes with the same id?")

	// The first one is still served. Once it has been silent, the other takes over.
	first.send(wire.AppendMessageHeader(nil, messageOf(nil)))
	receive(t, h.messages)
	onLoop(tr, func() { tr.peers[2].heard -= 2 * silentLink })
	r = joinPeer(t, tr, second)
	first.expectEnd()
	expectEvent(t, h, "down 2")
	expectEvent(t, h, "up 2")

	// The same process may connect anew at once.
	joinPeer(t, tr, second)
	r.expectEnd()
	expectEvent(t, h, "down 2")
	expectEvent(t, h, "up 2")
}

func TestMalformedPeer(t *testing.T) {
	hello := wire.AppendPeerHello(nil, peerHello())
	body := pattern(300, 1)
	message := append(wire.AppendMessageHeader(nil, messageOf(body)), body...)
	badBody := bytes.Clone(message)
	badBody[len(badBody)-1]++
	badCodec := messageOf(nil)
	badCodec.Codec = 9
	tests := []struct {
		name  string
		bytes []byte
		kind  Fault
		text  string
	}{
		{"message first", message, FaultUnexpected, "Accept before the hello"},
		{"client", wire.AppendClientHello(nil, wire.ClientHello{}), FaultUnexpected, "check the client's addresses"},
		{"hello twice", append(bytes.Clone(hello), hello...), FaultUnexpected, "PeerHello after the hello"},
		{"hello without settings", withBody(hello, nil), FaultLength, "older version"},
		{"hello with less than it says", withBody(hello, []byte{1, 0}), FaultLength, "setting 1 of 1 is cut off"},
		{"hello with more than it says", withBody(hello, []byte{0, 0, 0}), FaultLength, "1 bytes behind the settings"},
		{"hello with a bad name", withBody(hello, []byte{1, 0, 1, 1, 0, 'v'}), FaultField, "printable"},
		{"long hello", withBody(hello, make([]byte, wire.MaxSettingsBytes+1)), FaultLength, "limit 2048"},
		{"body checksum", append(bytes.Clone(hello), badBody...), FaultChecksum, "checksum"},
		{"codec", wire.AppendMessageHeader(bytes.Clone(hello), badCodec), FaultField, "codec 9"},
	}
	h := newTestHandler()
	tr, _ := start(t, peered(1, 2, "unused:1"), h)
	_, addr := tr.Addrs()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := counters(tr).Faults
			r := dial(t, addr)
			r.send(test.bytes)
			if bytes.HasPrefix(test.bytes, hello) {
				r.expect(wire.TypePeerHello)
			}
			r.expectFault(test.text)
			before[test.kind]++
			if after := counters(tr).Faults; after != before {
				t.Errorf("faults counted %v, want %v", after, before)
			}
		})
	}
}

// A peer that reads nothing costs at most the limit; what is beyond is dropped and counted, and it stays connected.
func TestPeerBacklog(t *testing.T) {
	cfg := peered(1, 2, "unused:1")
	cfg.MaxPeerOutbound = 2 * maxMessage
	cfg.SocketBuffer = 64 << 10
	h := newTestHandler()
	tr, _ := start(t, cfg, h)
	r := joinPeer(t, tr, peerHello())
	m := messageOf(pattern(1<<20, 1))
	sent := 0
	onLoop(tr, func() {
		for tr.Send(2, m) {
			sent++
		}
		if queued := tr.peers[2].raw.OutboundBuffered(); queued > cfg.MaxPeerOutbound {
			t.Errorf("%d bytes queued, limit %d", queued, cfg.MaxPeerOutbound)
		}
	})
	for range sent {
		if !bytes.Equal(r.expect(wire.TypeAccept), m.Body) {
			t.Fatal("message damaged")
		}
	}
	onLoop(tr, func() {
		if !tr.Send(2, m) {
			t.Error("message dropped although the backlog is gone")
		}
	})
	if n := counters(tr).DroppedSends; n != 1 || sent == 0 {
		t.Errorf("%d sent, %d dropped; want some and 1", sent, n)
	}
}

// Sending into a connection that the peer has reset closes the link inside Send; the handler hears of it later.
func TestSendToReset(t *testing.T) {
	h := newTestHandler()
	tr, _ := start(t, peered(1, 2, "unused:1"), h)
	r := joinPeer(t, tr, peerHello())
	expectEvent(t, h, "up 2")
	onLoop(tr, func() {
		_ = r.Conn.(*net.TCPConn).SetLinger(0)
		_ = r.Close()
		h.depth++ // as if called from inside the handler: a PeerDown now would panic
		for tr.Send(2, messageOf(pattern(1<<20, 0))) {
		}
		h.depth--
		if tr.peers[2] != nil {
			t.Error("the link is still in use")
		}
	})
	expectEvent(t, h, "down 2")
}

// The dialler keeps trying until the peer is there.
func TestPeerComesLate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	var log logBuffer
	two := newTestHandler()
	cfg := peered(2, 1, addr)
	cfg.Logger = log.logger()
	start(t, cfg, two)
	deadline := time.Now().Add(patience)
	for log.count("cannot reach peer") == 0 && time.Now().Before(deadline) {
		onLoop(two.t, func() {})
	}
	one := newTestHandler()
	cfg = peered(1, 2, "unused:1")
	cfg.PeerAddr = addr
	start(t, cfg, one)
	expectEvent(t, two, "up 1")
	expectEvent(t, one, "up 2")
	if n := log.count("cannot reach peer"); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
}

// withBody returns a PeerHello frame with another body and right checksums.
func withBody(hello, body []byte) []byte {
	const size = wire.PrefixSize + 32
	b := append(bytes.Clone(hello[:size]), body...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[8:], wire.Checksum(body))
	covered := append(bytes.Clone(b[:12]), b[wire.PrefixSize:size]...)
	binary.LittleEndian.PutUint32(b[12:], wire.Checksum(covered))
	return b
}
