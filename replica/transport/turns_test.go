package transport

import (
	"testing"
	"time"

	"paxosbench/wire"
)

// Rounds that take longer than a tick do not keep the loop from its sockets.
func TestLongRoundsLeaveTimeForSockets(t *testing.T) {
	cfg := testConfig()
	cfg.Tick = time.Millisecond
	h := newTestHandler()
	tr, _ := start(t, cfg, h)
	r := join(t, tr)
	rounds, since := 0, 0
	served := make(chan int, 1)
	h.request = func(*Client, []byte) error {
		served <- rounds - since
		return nil
	}
	onLoop(tr, func() { h.round = func() { rounds++; time.Sleep(5 * cfg.Tick) } })
	for deadline, busy := patienceEnds(), false; !busy; deadline.check(t, "rounds") {
		onLoop(tr, func() { busy = rounds > 10 })
	}
	onLoop(tr, func() {
		since = rounds
		r.send(requestFrame(pattern(10, 1)))
	})
	select {
	case n := <-served:
		if n > 3 {
			t.Errorf("a request is read after %d rounds", n)
		}
	case <-time.After(patience):
		t.Error("a request is never read")
	}
	onLoop(tr, func() { h.round = nil })
}

// What happens in a long round is seen to in the next one, which waits for no tick.
func TestALongRoundIsFollowedByAnother(t *testing.T) {
	cfg := testConfig()
	cfg.Tick = time.Hour
	h := newTestHandler()
	tr, _ := start(t, cfg, h)
	rounds := make(chan bool, 2)
	tr.Post(func() {
		h.round = func() {
			h.round = func() { rounds <- true }
			time.Sleep(2 * time.Millisecond)
			tr.arrived() // as when a connection breaks
		}
	})
	select {
	case <-rounds:
	case <-time.After(patience):
		t.Error("nobody sees to it")
	}
}

// However much has come while the loop was busy, a round comes after every few megabytes of it, and sooner where it has to be decrypted.
func TestRoundsComeInBetween(t *testing.T) {
	h := newTestHandler()
	tr, _ := start(t, crowdedConfig(), h)
	mostInARound(t, tr, h, func() *remote { return join(t, tr) }, roundBytes)
	h = newTestHandler()
	tr, joinSecured := securedBy(t, crowdedConfig(), h)
	mostInARound(t, tr, h, joinSecured, roundBytes/sealedWeight)
}

// mostInARound wants no more than so many bytes of a crowd to be read in one round.
func mostInARound(t *testing.T, tr *Transport, h *testHandler, join func() *remote, bytes uint64) {
	t.Helper()
	var most, before uint64
	onLoop(tr, func() { before = tr.stats.BytesIn })
	crowded(t, tr, h, join, func() {}, func(int) {
		most, before = max(most, tr.stats.BytesIn-before), tr.stats.BytesIn
	})
	if limit := bytes + uint64(crowdedConfig().ReadBuffer); most > limit {
		t.Errorf("%d bytes read in one round, want at most %d", most, limit)
	}
}

// Nor does a peer wait for its turn behind them all: it is heard in the first round that comes in between.
func TestPeersAreHeardInBetween(t *testing.T) {
	cfg := crowdedConfig()
	cfg.PeerAddr, cfg.Peers = "127.0.0.1:0", map[wire.ReplicaID]string{2: "127.0.0.1:1"}
	h := newTestHandler()
	tr, _ := start(t, cfg, h)
	control, _ := joinPeer(t, tr, peerHello())
	first, heard := 0, false
	crowded(t, tr, h, func() *remote { return join(t, tr) },
		func() {
			control.send(wire.AppendMessageHeader(nil, &wire.Message{Type: wire.TypeHeartbeat, Ballot: 7}))
		},
		func(served int) {
			if first == 0 {
				first, heard = served, len(h.messages) > 0
			}
		})
	if !heard {
		t.Errorf("a peer is not heard in the first round, which comes after %d requests", first)
	}
}

// Where much has been read of many, they have turns, and whoever has little to say has none to wait for.
func TestTurns(t *testing.T) {
	tr, _ := start(t, testConfig(), newTestHandler())
	var clients []*remote
	for range 40 {
		clients = append(clients, join(t, tr))
	}
	waiting := func() (n int) {
		for i := range tr.clients.places {
			if c := tr.clients.places[i].client; c != nil && c.paused&forTurn != 0 {
				n++
			}
		}
		return n
	}
	onLoop(tr, func() {
		read := func(bytes int) {
			for i := range tr.clients.places {
				tr.clients.places[i].client.endTurn(bytes)
			}
		}
		if read(roundBytes); waiting() > 0 {
			t.Error("clients wait for turns although no iteration was long")
		}
		tr.turns.read = roundBytes
		tr.giveTurns()
		if read(muchRead - 1); waiting() > 0 {
			t.Error("clients wait for turns that have sent little")
		}
		for range 2 { // once more: they are read again whenever gnet has written all there was for them
			read(roundBytes / 8)
		}
		for want := 40; want >= 0; want -= 8 {
			if got := waiting(); got != want || tr.turns.waiting.Len() != want {
				t.Errorf("%d clients wait for their turns, %d of them in line, want %d", got, tr.turns.waiting.Len(), want)
			}
			tr.giveTurns()
		}
		if tr.turns.crowded {
			t.Error("all have had their turns, and that has no end")
		}
		tr.turns.crowded = true
		read(roundBytes)
	})
	for _, r := range clients {
		r.send(requestFrame(pattern(10, 1)))
	}
	for _, r := range clients {
		r.expect(wire.TypeReply)
	}
}

// crowdedRequest is the length of a request of crowded.
const crowdedRequest = 900 << 10

func crowdedConfig() Config {
	cfg := testConfig()
	cfg.ReadBuffer = 1 << 20
	return cfg
}

// crowded has a crowd of clients send a long request each while the loop is busy. It calls meanwhile before the loop goes on, and round in every
// round, with how many requests have been served.
func crowded(t *testing.T, tr *Transport, h *testHandler, join func() *remote, meanwhile func(), round func(served int)) {
	t.Helper()
	const crowd = 40
	served := 0
	h.request = func(*Client, []byte) error {
		served++
		return nil
	}
	var clients []*remote
	for range crowd {
		clients = append(clients, join())
	}
	busy, release := make(chan bool), make(chan bool)
	tr.Post(func() {
		h.round = func() { round(served) }
		busy <- true
		<-release
	})
	<-busy
	request := requestFrame(pattern(crowdedRequest, 1))
	for _, r := range clients {
		r.send(request)
	}
	meanwhile()
	close(release)
	for deadline, all := patienceEnds(), 0; all < crowd; deadline.check(t, "all requests") {
		onLoop(tr, func() { all = served })
	}
	onLoop(tr, func() { h.round = nil })
}
