package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/secure"
	"paxosbench/wire/secure/authority"
)

// trusted makes credentials of one authority for each identity.
func trusted(t *testing.T) func(secure.Identity) *secure.Credentials {
	t.Helper()
	a, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	return func(id secure.Identity) *secure.Credentials {
		t.Helper()
		dir := filepath.Join(root, string(id.Role)+id.Name)
		if err := a.Issue(id, dir); err != nil {
			t.Fatal(err)
		}
		c, err := secure.Load(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

var someClient = secure.Identity{Role: secure.Client, Name: "one"}

// proved connects to a port with credentials.
func proved(t *testing.T, addr net.Addr, c *secure.Credentials) *remote {
	t.Helper()
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := c.Dialled(t.Context(), nc, func(secure.Identity) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = conn.Close() })
	return &remote{TB: t, Conn: conn}
}

// Two replicas and a client that prove themselves work as they do otherwise, large bodies included.
func TestSecured(t *testing.T) {
	issue := trusted(t)
	one, two := newTestHandler(), newTestHandler()
	cfg := peered(1, 2, "unused:1")
	cfg.Credentials = issue(secure.ReplicaIdentity(1))
	a, _ := start(t, cfg, one)
	client, peer := a.Addrs()
	cfg = peered(2, 1, peer.String())
	cfg.Credentials = issue(secure.ReplicaIdentity(2))
	b, stop := start(t, cfg, two)
	awaitPeer(t, a, 2, 1)
	awaitPeer(t, b, 1, 1)
	for from, to := range map[*testHandler]*testHandler{one: two, two: one} {
		for i, size := range []int{0, 1000, wire.MaxBody} {
			body := pattern(size, byte(i))
			onLoop(from.t, func() {
				if !from.t.Send(to.t.cfg.Self, messageOf(body)) {
					t.Error("not sent")
				}
			})
			if got := receive(t, to.messages); string(got.Body) != string(body) {
				t.Errorf("a body of %d bytes has come as one of %d, or differs", size, len(got.Body))
			}
		}
	}
	r := proved(t, client, issue(someClient))
	r.send(wire.AppendClientHello(nil, wire.ClientHello{Cluster: testCluster}))
	r.expect(wire.TypeWelcome)
	body := pattern(1<<20, 3)
	go func() { _, _ = r.Write(requestFrame(body)) }()
	if got := r.expect(wire.TypeReply); string(got) != string(body) {
		t.Error("the echo differs")
	}
	stop()
	awaitNoPeer(t, a, 2)
}

// Roles are separate, ids are those of the certificates, and who proves nothing is told nothing.
func TestWhoMayConnect(t *testing.T) {
	issue := trusted(t)
	var log logBuffer
	cfg := peered(1, 2, "unused:1")
	cfg.Credentials, cfg.Logger, cfg.HandshakeTimeout = issue(secure.ReplicaIdentity(1)), log.logger(), 500*time.Millisecond
	tr, _ := start(t, cfg, newTestHandler())
	clients, peers := tr.Addrs()
	hello := wire.AppendPeerHello(nil, peerHello())
	for name, tt := range map[string]struct {
		addr net.Addr
		as   secure.Identity
		says []byte
	}{
		"a client at the port for peers":    {peers, someClient, hello},
		"a replica at the port for clients": {clients, secure.ReplicaIdentity(2), wire.AppendClientHello(nil, wire.ClientHello{})},
		"a replica that is no peer":         {peers, secure.ReplicaIdentity(3), hello},
	} {
		r := proved(t, tt.addr, issue(tt.as))
		r.send(tt.says)
		if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || !strings.Contains(err.Error(), "bad certificate") {
			t.Errorf("%s hears %d bytes and %v", name, n, err)
		}
	}
	for _, says := range [][]byte{hello, wire.AppendClientHello(nil, wire.ClientHello{})} {
		for _, addr := range []net.Addr{clients, peers} {
			r := dial(t, addr)
			r.send(says)
			r.expectFault(secure.BothOrNone)
		}
	}
	// Who is refused hears of it before it is counted.
	for deadline := patienceEnds(); counters(tr).Faults[FaultIdentity] != 7 || log.count("has not proved who it is") == 0; {
		deadline.check(t, "7 who are refused, and a line that says so")
	}
}

// The id in the hello is that of the certificate.
func TestHelloOfAnother(t *testing.T) {
	issue := trusted(t)
	cfg := peered(1, 2, "unused:1")
	cfg.Peers[3] = "unused:2"
	cfg.Credentials = issue(secure.ReplicaIdentity(1))
	tr, _ := start(t, cfg, newTestHandler())
	_, addr := tr.Addrs()
	r := proved(t, addr, issue(secure.ReplicaIdentity(3)))
	r.send(wire.AppendPeerHello(nil, peerHello()))
	r.expectFault("paxosbench://replica/3 says that it is replica 2")
}

// Who does not prove itself does not keep its place among those that do.
func TestUnprovedMakeRoom(t *testing.T) {
	issue := trusted(t)
	cfg := peered(1, 2, "unused:1")
	cfg.Credentials = issue(secure.ReplicaIdentity(1))
	tr, _ := start(t, cfg, newTestHandler())
	_, addr := tr.Addrs()
	for range 2 * newPeers {
		dial(t, addr)
	}
	r := proved(t, addr, issue(secure.ReplicaIdentity(2)))
	r.send(wire.AppendPeerHello(nil, peerHello()))
	r.expect(wire.TypePeerHello)
}

// A replica at whose address another one answers is not spoken to, and both sides can tell why.
func TestAnotherAnswers(t *testing.T) {
	issue := trusted(t)
	cfg := peered(1, 2, "unused:1")
	cfg.Credentials = issue(secure.ReplicaIdentity(3))
	a, _ := start(t, cfg, newTestHandler())
	_, addr := a.Addrs()
	cfg = peered(2, 1, addr.String())
	cfg.Credentials = issue(secure.ReplicaIdentity(2))
	b, _ := start(t, cfg, newTestHandler())
	for deadline := patienceEnds(); !strings.Contains(b.problem(1), "at the address of replica 1 answers paxosbench://replica/3"); deadline.check(t, "the dialer to say so") {
	}
}

// A connection that is secured ends with the replica, even if nobody reads it.
func TestSecuredEndWithTheReplica(t *testing.T) {
	issue := trusted(t)
	cfg := testConfig()
	cfg.Credentials = issue(secure.ReplicaIdentity(1))
	h := newTestHandler()
	h.request = func(c *Client, body []byte) error {
		c.Touch()
		c.Out = append(c.Out, make([]byte, 8<<20)...)
		return nil
	}
	tr, stop := start(t, cfg, h)
	addr, _ := tr.Addrs()
	r := proved(t, addr, issue(someClient))
	r.send(wire.AppendClientHello(nil, wire.ClientHello{}))
	r.expect(wire.TypeWelcome)
	r.send(requestFrame([]byte("much")))
	if _, err := io.ReadFull(r, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := io.Copy(io.Discard, r); errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
