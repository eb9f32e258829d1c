package transport

import (
	"bytes"
	"os"
	"testing"

	"paxosbench/wire"
)

// forwardedAre waits until so many connections are handed on.
func forwardedAre(tb testing.TB, t *Transport, n int) {
	tb.Helper()
	for deadline := patienceEnds(); t.Stats().Forwarded != n; deadline.check(tb, "forwarded connections") {
	}
}

// A client of a follower talks to the leader as if it were connected to it.
func TestForward(t *testing.T) {
	leaderConfig := testConfig()
	leaderConfig.Self = 2
	leader, stopLeader := start(t, leaderConfig, newTestHandler())
	leaderAddr, _ := leader.Addrs()
	follower, _ := start(t, testConfig(), newTestHandler())
	follower.ForwardTo(leaderAddr.String())

	client := join(t, follower)
	body := pattern(300_000, 1)
	client.send(requestFrame(body))
	if got := client.expect(wire.TypeReply); !bytes.Equal(got, body) {
		t.Fatal("the answer is another one")
	}
	forwardedAre(t, follower, 1)
	if own, others := counters(follower).Clients, counters(leader).Clients; own != 0 || others != 1 {
		t.Errorf("the follower has %d clients and the leader %d", own, others)
	}

	follower.ForwardTo("") // it leads itself: who comes now is its own, who is connected stays where it is
	join(t, follower)
	if n := counters(follower).Clients; n != 1 {
		t.Errorf("the follower has %d clients of its own", n)
	}
	client.send(requestFrame(body[:10]))
	client.expect(wire.TypeReply)

	stopLeader()
	client.expectEnd()
	forwardedAre(t, follower, 0)
}

// A forwarded client that leaves leaves the leader, too, and its place is free again.
func TestForwardEndsWithTheClient(t *testing.T) {
	leader, _ := start(t, testConfig(), newTestHandler())
	leaderAddr, _ := leader.Addrs()
	cfg := testConfig()
	cfg.MaxClients = 1
	follower, _ := start(t, cfg, newTestHandler())
	follower.ForwardTo(leaderAddr.String())
	for range 3 {
		client := join(t, follower)
		forwardedAre(t, follower, 1)
		_ = client.Close()
		forwardedAre(t, follower, 0)
		for deadline := patienceEnds(); counters(leader).Clients != 0; deadline.check(t, "the leader to notice") {
		}
		for deadline := patienceEnds(); len(follower.clientPlaces) != 0; deadline.check(t, "the place") {
		}
	}
}

// If the leader cannot be reached the replica serves the client itself, which tells it where to go.
func TestForwardToNobody(t *testing.T) {
	follower, _ := start(t, testConfig(), newTestHandler())
	follower.ForwardTo("127.0.0.1:1") // nobody listens there
	join(t, follower)
	if n := counters(follower).Clients; n != 1 {
		t.Errorf("the follower has %d clients of its own", n)
	}
}

// Connections that are handed on do not keep a replica from ending.
func TestForwardEndsWithTheReplica(t *testing.T) {
	leader, _ := start(t, testConfig(), newTestHandler())
	leaderAddr, _ := leader.Addrs()
	follower, stop := start(t, testConfig(), newTestHandler())
	follower.ForwardTo(leaderAddr.String())
	client := join(t, follower)
	stop()
	client.expectEnd()
}

// openFiles counts the descriptors of this process.
func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// A client that is handed on takes two descriptors, and no more once bytes have gone both ways. In this process there are two
// more of each: the client's own and the leader's.
func TestForwardedClientsTakeTwoDescriptors(t *testing.T) {
	leader, _ := start(t, testConfig(), newTestHandler())
	leaderAddr, _ := leader.Addrs()
	follower, _ := start(t, testConfig(), newTestHandler())
	follower.ForwardTo(leaderAddr.String())
	before := openFiles(t)
	const n, slack = 30, 10 // of what the runtime opens meanwhile
	for range n {
		client := join(t, follower)
		client.send(requestFrame(pattern(1000, 1)))
		client.expect(wire.TypeReply)
	}
	forwardedAre(t, follower, n)
	if grown := openFiles(t) - before; grown > 4*n+slack {
		t.Errorf("%d descriptors for %d clients, want %d", grown, n, 4*n)
	}
}

// Those who find no place to be handed on are served here, which tells them who leads; the places come free again.
func TestForwardPlaces(t *testing.T) {
	leader, _ := start(t, testConfig(), newTestHandler())
	leaderAddr, _ := leader.Addrs()
	var log logBuffer
	cfg := testConfig()
	cfg.MaxForwarded, cfg.Logger = 1, log.logger()
	follower, _ := start(t, cfg, newTestHandler())
	follower.ForwardTo(leaderAddr.String())
	first := join(t, follower)
	forwardedAre(t, follower, 1)
	join(t, follower)
	join(t, follower)
	if own := counters(follower).Clients; own != 2 || log.count("no place to hand clients on") != 1 {
		t.Errorf("the follower has %d clients of its own, want 2; said %d times, want once", own, log.count("no place to hand clients on"))
	}
	_ = first.Close()
	forwardedAre(t, follower, 0)
	for deadline := patienceEnds(); len(follower.forwards.places) != 0; deadline.check(t, "the place") {
	}
	join(t, follower)
	forwardedAre(t, follower, 1)
}
