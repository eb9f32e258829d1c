package transport

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/secure"
)

// securedBy starts a transport whose clients prove who they are.
func securedBy(t *testing.T, cfg Config, h Handler) (tr *Transport, join func() *remote) {
	t.Helper()
	issue := trusted(t)
	cfg.Credentials = issue(secure.ReplicaIdentity(1))
	tr, _ = start(t, cfg, h)
	client := issue(someClient)
	addr, _ := tr.Addrs()
	return tr, func() *remote {
		r := proved(t, addr, client)
		r.send(wire.AppendClientHello(nil, wire.ClientHello{}))
		r.expect(wire.TypeWelcome)
		return r
	}
}

// A client that does not read its answers is not read any more where what passes is encrypted, either.
func TestSlowReaderSecured(t *testing.T) {
	tr, join := securedBy(t, narrowConfig(), newTestHandler())
	slow, bystander := join(), join()
	body := pattern(32<<10, 1)
	requests := clog(t, tr, slow, body)
	bystander.send(requestFrame(body))
	bystander.expect(wire.TypeReply)
	if _, held := paused(tr); held > minUnread+minUnread/8 {
		t.Errorf("%d bytes are held for a client that reads nothing, limit %d", held, minUnread)
	}
	for range requests {
		if !bytes.Equal(slow.expect(wire.TypeReply), body) {
			t.Fatal("reply damaged")
		}
	}
	for deadline := patienceEnds(); ; deadline.check(t, "the account to be closed") {
		if clients, held := paused(tr); clients == 0 && held == 0 {
			break
		}
	}
	if s := counters(tr); s.Faults != [FaultCount]uint64{} {
		t.Errorf("faults: %v", s.Faults)
	}
}

// Who takes nothing at all is closed.
func TestStuckReaderSecured(t *testing.T) {
	tr, join := securedBy(t, narrowConfig(), newTestHandler())
	clog(t, tr, join(), pattern(32<<10, 1))
	pass(tr, stuckAfter+stuckEvery)
	if s := counters(tr); s.Faults[FaultSlowReader] != 1 || s.Clients != 0 {
		t.Errorf("%d slow readers closed and %d clients left, want 1 and 0", s.Faults[FaultSlowReader], s.Clients)
	}
}

// parted connects as a client that says hello, and does records itself.
func parted(t *testing.T, addr net.Addr, c *secure.Credentials) (*net.TCPConn, *secure.Records) {
	t.Helper()
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := c.Dialled(t.Context(), nc, func(secure.Identity) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	tcp, records := conn.Part()
	t.Cleanup(func() { _ = tcp.Close() })
	_ = tcp.SetDeadline(time.Now().Add(patience))
	send(t, tcp, records, wire.AppendClientHello(nil, wire.ClientHello{}), 0)
	return tcp, records
}

// send sends plain text but for the last bytes of what that becomes.
func send(t *testing.T, tcp *net.TCPConn, records *secure.Records, plain []byte, missing int) {
	t.Helper()
	out, err := records.Seal(nil, plain)
	if err == nil {
		_, err = tcp.Write(out[:len(out)-missing])
	}
	if err != nil {
		t.Fatal(err)
	}
}

// hear returns what comes until the other side says that it has ended.
func hear(t *testing.T, tcp *net.TCPConn, records *secure.Records) []byte {
	t.Helper()
	var plain []byte
	for buffer := make([]byte, 1<<10); ; {
		n, err := tcp.Read(buffer)
		if err != nil {
			t.Fatalf("%v, and the other side has not said that it ends", err)
		}
		if plain, err = records.Open(plain, buffer[:n]); err == io.EOF {
			return plain
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// A record that has not come whole counts as a frame does that has not: in memory, and in the time that it may take.
func TestPartialRecords(t *testing.T) {
	issue := trusted(t)
	cfg := testConfig()
	cfg.Credentials, cfg.FrameTimeout = issue(secure.ReplicaIdentity(1)), 200*time.Millisecond
	tr, _ := start(t, cfg, newTestHandler())
	addr, _ := tr.Addrs()
	tcp, records := parted(t, addr, issue(someClient))
	send(t, tcp, records, requestFrame(pattern(10_000, 1)), 1000)
	held := func() (n int) {
		onLoop(tr, func() { n = tr.partials.held })
		return n
	}
	most := 0
	for deadline := patienceEnds(); counters(tr).Faults[FaultFrameTimeout] == 0; deadline.check(t, "the end of a record that does not come") {
		most = max(most, held())
	}
	if most < 9000 || most > 20_000 {
		t.Errorf("%d bytes are held of a record of which 9000 have come", most)
	}
	if plain := hear(t, tcp, records); !bytes.Contains(plain, []byte("frame incomplete")) {
		t.Errorf("the client hears %q", plain)
	}
	if n := held(); n != 0 {
		t.Errorf("%d bytes are held of nothing", n)
	}
}

// Who ends its side hears that this one ends, who sends what is not TLS hears why, and all others hear that the replica ends, with
// what it has said before.
func TestEndsOfSecured(t *testing.T) {
	issue := trusted(t)
	cfg := testConfig()
	cfg.Credentials = issue(secure.ReplicaIdentity(1))
	tr, stop := start(t, cfg, newTestHandler())
	addr, _ := tr.Addrs()
	client := issue(someClient)
	polite, said := parted(t, addr, client)
	if _, err := polite.Write(said.Close(nil)); err != nil {
		t.Fatal(err)
	}
	hear(t, polite, said)
	rude := proved(t, addr, client)
	if _, err := rude.Conn.(*secure.Conn).NetConn().Write([]byte("PX is not a record of TLS")); err != nil {
		t.Fatal(err)
	}
	if _, err := rude.Read(make([]byte, 1)); err == nil || err.Error() != "remote error: tls: protocol version not supported" {
		t.Errorf("it hears %v", err)
	}
	patient, heard := parted(t, addr, client)
	body := pattern(100_000, 1)
	send(t, patient, heard, requestFrame(body), 0)
	for deadline := patienceEnds(); counters(tr).FramesIn < 3; deadline.check(t, "the request") {
	}
	stop()
	if plain := hear(t, patient, heard); !bytes.Contains(plain, body) {
		t.Errorf("of what was said before the replica ended %d bytes come", len(plain))
	}
}
