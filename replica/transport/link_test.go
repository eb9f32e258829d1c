package transport

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"paxosbench/replica/transport/freeport"
	"paxosbench/wire"
)

// pair runs replicas 1 and 2, which dials, and waits until they are up.
func pair(t *testing.T) (one, two *testHandler, stopTwo func()) {
	t.Helper()
	one, two = newTestHandler(), newTestHandler()
	a, _ := start(t, peered(1, 2, "unused:1"), one)
	_, addr := a.Addrs()
	b, stopTwo := start(t, peered(2, 1, addr.String()), two)
	awaitPeer(t, a, 2, 1)
	awaitPeer(t, b, 1, 1)
	return one, two, stopTwo
}

// peerHello is what replica 2 says to replica 1 in most tests.
func peerHello() *wire.PeerHello {
	return &wire.PeerHello{Cluster: testCluster, Settings: testSettings, Incarnation: 22, From: 2, To: 1, Lane: wire.LaneControl}
}

// joinLane connects one lane by hand as replica 2 and exchanges hellos.
func joinLane(t *testing.T, tr *Transport, h *wire.PeerHello, lane wire.Lane) *remote {
	t.Helper()
	_, addr := tr.Addrs()
	r := dial(t, addr)
	hello := *h
	hello.Lane = lane
	r.send(wire.AppendPeerHello(nil, &hello))
	r.expect(wire.TypePeerHello)
	return r
}

// joinPeer connects both lanes.
func joinPeer(t *testing.T, tr *Transport, h *wire.PeerHello) (control, bulk *remote) {
	t.Helper()
	return joinLane(t, tr, h, wire.LaneControl), joinLane(t, tr, h, wire.LaneBulk)
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
	onLoop(one.t, func() {
		want := PeerState{ID: 2, Addr: "unused:1", Up: true, Control: true, Bulk: true, Ups: 1}
		if got := one.t.PeerStates(); len(got) != 1 || got[0] != want {
			t.Errorf("peers %+v, want %+v", got, want)
		}
	})
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

// The messages of a lane keep their order, also those that come in one read with the hello.
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
	}
}

// A message of which a part has come is announced, so that whoever waits for it knows that it is not lost.
func TestMessageIsSeenToArrive(t *testing.T) {
	h := newTestHandler()
	tr, _ := start(t, peered(1, 2, "127.0.0.1:1"), h)
	_, bulk := joinPeer(t, tr, peerHello())
	m := messageOf(pattern(100_000, 1))
	frame := append(wire.AppendMessageHeader(nil, m), m.Body...)
	bulk.send(frame[:50_000])
	if got, want := receive(t, h.arriving), fmt.Sprint(2, m.Type); got != want {
		t.Errorf("%q arrives, want %q", got, want)
	}
	bulk.send(frame[50_000:])
	if got := receive(t, h.messages); len(got.Body) != len(m.Body) {
		t.Errorf("%d bytes of %d", len(got.Body), len(m.Body))
	}
}

// A lane that is lost comes back by itself while the other stays; the peer is up while both are there.
func TestReconnect(t *testing.T) {
	one, two, stopTwo := pair(t)
	ups := uint64(1)
	for lane := wire.LaneControl; lane <= wire.LaneCount; lane++ {
		var kept *link
		onLoop(one.t, func() {
			kept = one.t.peers[2].lane(wire.LaneControl + wire.LaneBulk - lane)
			one.t.peers[2].lane(lane).end(errClosed)
			if one.t.Send(2, messageOf(nil)) {
				t.Errorf("a message is said to be sent without the %v lane", lane)
			}
		})
		ups++
		awaitPeer(t, one.t, 2, ups)
		awaitPeer(t, two.t, 1, ups)
		onLoop(one.t, func() {
			if !kept.live() {
				t.Errorf("the loss of the %v lane has ended the other", lane)
			}
		})
	}
	onLoop(two.t, func() { two.t.Send(1, messageOf(pattern(10, 1))) })
	if m := receive(t, one.messages); len(m.Body) != 10 {
		t.Error("message damaged")
	}
	stopTwo()
	awaitNoPeer(t, one.t, 2)
	onLoop(one.t, func() {
		if one.t.Send(2, messageOf(nil)) {
			t.Error("a message to a peer that is down is said to be sent")
		}
	})
	if n := counters(one.t).DroppedSends; n != 3 {
		t.Errorf("%d dropped sends, want 3", n)
	}
}

// Control messages pass bulk that a peer does not take, and each lane is for its messages only.
func TestControlPassesBulk(t *testing.T) {
	cfg := peered(1, 2, "unused:1")
	cfg.SocketBuffer = 64 << 10
	h := newTestHandler()
	tr, _ := start(t, cfg, h)
	control, bulk := joinPeer(t, tr, peerHello())
	accept := messageOf(pattern(1<<20, 1))
	heartbeat := &wire.Message{Type: wire.TypeHeartbeat}
	onLoop(tr, func() {
		for range 16 {
			tr.Send(2, accept)
		}
		if tr.peers[2].lane(wire.LaneBulk).backlog() == 0 {
			t.Error("nothing waits on the bulk lane")
		}
		if !tr.Send(2, heartbeat) {
			t.Error("the heartbeat is not sent")
		}
	})
	control.expect(wire.TypeHeartbeat) // nothing has been read from the bulk lane yet
	for range 16 {
		bulk.expect(wire.TypeAccept)
	}
	bulk.send(wire.AppendMessageHeader(nil, heartbeat))
	bulk.expectFault("Heartbeat on the bulk lane")
	control.send(wire.AppendMessageHeader(nil, accept)) // it is refused by its header
	control.expectFault("Accept on the control lane")
}

// What waits for a peer on the control lane is bounded, too.
func TestControlBacklog(t *testing.T) {
	cfg := peered(1, 2, "unused:1")
	cfg.SocketBuffer = 4 << 10
	tr, _ := start(t, cfg, newTestHandler())
	joinPeer(t, tr, peerHello())
	onLoop(tr, func() {
		sent := 0
		for tr.Send(2, &wire.Message{Type: wire.TypeAccepted}) {
			if sent++; sent > 1<<20 {
				t.Fatal("no end")
			}
		}
		if queued := tr.peers[2].lane(wire.LaneControl).backlog(); queued > maxControlOutbound {
			t.Errorf("%d bytes queued, limit %d", queued, maxControlOutbound)
		}
	})
}

// What is wrong with a hello is answered with both values, counted, and logged once for all retries.
func TestPeerRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(h *wire.PeerHello)
		texts  []string
	}{
		{"cluster", func(h *wire.PeerHello) { h.Cluster = 0xdead }, []string{"cluster-id: replica 2 has 57005, replica 1 has 193"}},
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
	r.send(wire.AppendPeerHello(nil, &wire.PeerHello{Cluster: testCluster, Settings: testSettings, From: 1, To: 2, Lane: wire.LaneControl}))
	r.expectFault("of a pair the higher id dials")
}

// The dialling side learns why it is refused, says so once, and backs off.
func TestDialRefused(t *testing.T) {
	one := newTestHandler()
	a, _ := start(t, peered(1, 2, "unused:1"), one)
	_, addr := a.Addrs()
	cfg := peered(2, 1, addr.String())
	cfg.Membership = &testMembership{cluster: 0xdead}
	d := newDialer(nil, 1, addr.String())
	b, _ := start(t, cfg, newTestHandler())
	d.t = b
	l, err := d.dial(t.Context(), wire.LaneControl)
	if err != nil {
		t.Fatal(err)
	}
	receive(t, l.done)
	want := "refused by the peer: cluster-id: replica 2 has 57005, replica 1 has 193"
	if got := l.reason.Error(); got != want {
		t.Errorf("link ended with %q, want %q", got, want)
	}
	onLoop(b, func() {
		want := PeerState{ID: 1, Addr: addr.String(), Problem: want}
		if got := b.PeerStates(); len(got) != 1 || got[0] != want {
			t.Errorf("peers %+v, want %+v", got, want)
		}
	})
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
	first, firstBulk := joinPeer(t, tr, peerHello())
	awaitPeer(t, tr, 2, 1)

	second := peerHello()
	second.Incarnation = 23
	_, addr := tr.Addrs()
	for lane := wire.LaneControl; lane <= wire.LaneCount; lane++ {
		second.Lane = lane
		r := dial(t, addr)
		r.send(wire.AppendPeerHello(nil, second))
		r.expectFault("replica id 2 is already connected from 127.0.0.1:", "two processes with the same id?")
	}

	// The first one is still served, however long it says nothing. Once it has gone, the other may come.
	first.send(wire.AppendMessageHeader(nil, &wire.Message{Type: wire.TypeHeartbeat}))
	receive(t, h.messages)
	_ = first.Close()
	_ = firstBulk.Close()
	awaitNoPeer(t, tr, 2)
	control := joinLane(t, tr, second, wire.LaneControl)
	joinLane(t, tr, second, wire.LaneBulk)
	awaitPeer(t, tr, 2, 2)

	// The same process may connect anew at once.
	joinLane(t, tr, second, wire.LaneControl)
	control.expectEnd()
	awaitPeer(t, tr, 2, 3)
}

func TestMalformedPeer(t *testing.T) {
	bulk := peerHello()
	bulk.Lane = wire.LaneBulk
	hello := wire.AppendPeerHello(nil, bulk)
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
		{"hello for no lane", withByte(hello, wire.PrefixSize+18, 3), FaultField, "lane 3, want 1 to 2"},
		{"hello with a bad name", withBody(hello, []byte{1, 0, 1, 1, 0, 'v'}), FaultField, "printable"},
		{"long hello", withBody(hello, make([]byte, wire.MaxSettingsBytes+1)), FaultLength, "limit 2048"},
		{"body checksum", append(bytes.Clone(hello), badBody...), FaultChecksum, "checksum"},
		{"codec", wire.AppendMessageHeader(bytes.Clone(hello), badCodec), FaultField, "codec 9"},
		{"what the handler refuses", wire.AppendMessageHeader(bytes.Clone(hello), &wire.Message{Type: wire.TypeAccept, Ballot: refusedBallot}), FaultField, "no replica sends that"},
		{"lane", wire.AppendMessageHeader(bytes.Clone(hello), &wire.Message{Type: wire.TypeHeartbeat}), FaultUnexpected, "Heartbeat on the bulk lane"},
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
	cfg.MaxPeerOutbound = 2 * MaxMessage
	cfg.SocketBuffer = 64 << 10
	h := newTestHandler()
	tr, _ := start(t, cfg, h)
	_, r := joinPeer(t, tr, peerHello())
	m := messageOf(pattern(1<<20, 1))
	sent := 0
	onLoop(tr, func() {
		for tr.Send(2, m) {
			sent++
		}
		if queued := tr.peers[2].lane(wire.LaneBulk).raw.OutboundBuffered(); queued > cfg.MaxPeerOutbound {
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

// Sending into a connection that the peer has reset closes the link inside Send.
func TestSendToReset(t *testing.T) {
	h := newTestHandler()
	tr, _ := start(t, peered(1, 2, "unused:1"), h)
	_, r := joinPeer(t, tr, peerHello())
	onLoop(tr, func() {
		_ = r.Conn.(*net.TCPConn).SetLinger(0)
		_ = r.Close()
		for tr.Send(2, messageOf(pattern(1<<20, 0))) {
		}
		if p := &tr.peers[2]; p.lane(wire.LaneBulk) != nil || p.lane(wire.LaneControl) == nil {
			t.Error("the link is still in use, or the other lane is not")
		}
	})
}

// The dialler keeps trying until the peer is there.
func TestPeerComesLate(t *testing.T) {
	addr := freeport.Addr(t)
	var log logBuffer
	two := newTestHandler()
	cfg := peered(2, 1, addr)
	cfg.Logger = log.logger()
	b, _ := start(t, cfg, two)
	deadline := time.Now().Add(patience)
	for log.count("cannot reach peer") == 0 && time.Now().Before(deadline) {
		onLoop(two.t, func() {})
	}
	one := newTestHandler()
	cfg = peered(1, 2, "unused:1")
	cfg.PeerAddr = addr
	a, _ := start(t, cfg, one)
	awaitPeer(t, b, 1, 1)
	awaitPeer(t, a, 2, 1)
	if n := log.count("cannot reach peer"); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
}

// withByte returns a PeerHello frame with one byte of its fields changed and right checksums.
func withByte(hello []byte, offset int, value byte) []byte {
	b := bytes.Clone(hello)
	b[offset] = value
	return withBody(b, b[wire.PrefixSize+32:])
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
