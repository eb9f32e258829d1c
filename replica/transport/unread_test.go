package transport

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"paxosbench/wire"
)

// narrowConfig leaves little room for answers, in the kernel and here.
func narrowConfig() Config {
	cfg := testConfig()
	cfg.MaxUnread = minUnread
	cfg.SocketBuffer = 64 << 10
	return cfg
}

// paused returns how many clients are not read at present, and how much is queued for all.
func paused(t *Transport) (clients, held int) {
	onLoop(t, func() {
		for _, place := range t.clients.places {
			if place.client != nil && place.client.paused&forRoom != 0 {
				clients++
			}
		}
		held = t.unread.held
	})
	return clients, held
}

// clog has a client send requests, in the background, and read nothing, until it is not read any more. It returns the number of
// requests, which will all be sent as soon as the client reads.
func clog(t *testing.T, tr *Transport, r *remote, body []byte) (requests int) {
	t.Helper()
	const bytesSent = 32 << 20 // more than fits anywhere
	requests = bytesSent / len(body)
	before, _ := paused(tr)
	go func() {
		request := requestFrame(body)
		for range requests {
			if _, err := r.Write(request); err != nil {
				return // it has been closed
			}
		}
	}()
	for deadline := patienceEnds(); ; deadline.check(t, "a client that is not read any more") {
		if now, _ := paused(tr); now > before {
			return requests
		}
	}
}

// A client that does not read its answers is not read any more, and keeps nobody else from theirs. When it does read, it gets them
// all.
func TestSlowReader(t *testing.T) {
	tr, _ := start(t, narrowConfig(), newTestHandler())
	slow, bystander := join(t, tr), join(t, tr)
	body := pattern(32<<10, 1)
	requests := clog(t, tr, slow, body)
	bystander.send(requestFrame(body))
	bystander.expect(wire.TypeReply)
	if _, held := paused(tr); held > minUnread {
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

// Many clients that read nothing have less each, and never more together than there is. There is something left for one more.
func TestManySlowReaders(t *testing.T) {
	const crowd = 12
	tr, _ := start(t, narrowConfig(), newTestHandler())
	body := pattern(32<<10, 1)
	for range crowd {
		clog(t, tr, join(t, tr), body)
	}
	clients, held := paused(tr)
	if clients != crowd || held > minUnread || held < crowd*writePiece {
		t.Errorf("%d of %d clients are not read, %d bytes held, limit %d, and %d at least for each", clients, crowd, held, minUnread, writePiece)
	}
	one := join(t, tr)
	one.send(requestFrame(body))
	one.expect(wire.TypeReply)
}

// pass has time pass in which the loop looks whether clients take something.
func pass(t *Transport, d time.Duration) {
	onLoop(t, func() {
		for ; d >= 0; d -= stuckEvery {
			t.unread.lastLook = t.now - stuckEvery
			t.closeStuck()
		}
	})
}

// Who takes nothing at all is closed, who takes a little is not.
func TestStuckReader(t *testing.T) {
	h := newTestHandler()
	tr, _ := start(t, narrowConfig(), h)
	body := pattern(32<<10, 1)
	slow, stuck := join(t, tr), join(t, tr)
	clog(t, tr, slow, body)
	clog(t, tr, stuck, body)
	for range 3 {
		pass(tr, stuckAfter/2)
		for range 40 { // more than the kernel holds back
			slow.expect(wire.TypeReply)
		}
	}
	if got := receive(t, h.events); !strings.HasPrefix(got, "closed") {
		t.Errorf("event %q", got)
	}
	if s := counters(tr); s.Faults[FaultSlowReader] != 1 || s.Clients != 1 {
		t.Errorf("%d slow readers, %d clients; want 1 and 1", s.Faults[FaultSlowReader], s.Clients)
	}
	slow.expect(wire.TypeReply)
}

// Where the memory for answers is short a client has less time.
func TestStuckReaderWhenMemoryIsShort(t *testing.T) {
	tr, _ := start(t, narrowConfig(), newTestHandler())
	clog(t, tr, join(t, tr), pattern(32<<10, 1))
	pass(tr, stuckShort+stuckEvery)
	if s := counters(tr); s.Faults[FaultSlowReader] != 0 {
		t.Fatal("closed although there is memory")
	}
	onLoop(tr, func() { tr.unread.limit = tr.unread.held + tr.unread.held/8 })
	pass(tr, stuckShort+stuckEvery)
	if s := counters(tr); s.Faults[FaultSlowReader] != 1 {
		t.Errorf("%d slow readers closed, want 1", s.Faults[FaultSlowReader])
	}
}

// Who found no room for an answer hears of it when there is some.
func TestRoomComesBack(t *testing.T) {
	h := newTestHandler()
	var waiting, answered int
	rooms := make(chan bool, 1024)
	body := pattern(200<<10, 1)
	h.request = func(c *Client, _ []byte) error {
		out, room, ok := c.Begin()
		if !ok || room < len(body)+wire.PrefixSize {
			waiting++
			return nil
		}
		start := len(out)
		out = append(wire.BeginFrame(out), body...)
		wire.EndFrame(out, start, wire.TypeReply)
		c.End(out)
		answered++
		return nil
	}
	h.room = func(*Client) { rooms <- true }
	tr, _ := start(t, narrowConfig(), h)
	r := join(t, tr)
	const requests = 100
	for range requests {
		r.send(requestFrame(nil))
	}
	var left, held int
	for deadline, all := patienceEnds(), 0; all < requests; deadline.check(t, "all requests") {
		onLoop(tr, func() { left, held, all = waiting, tr.unread.held, waiting+answered })
	}
	if held > minUnread || left == 0 {
		t.Fatalf("%d bytes held, limit %d, and there was no room %d times", held, minUnread, left)
	}
	for range requests - left {
		r.expect(wire.TypeReply)
	}
	receive(t, rooms)
	r.send(requestFrame(nil))
	r.expect(wire.TypeReply)
}

// A round that leaves work is followed by another one, without anything else happening.
func TestAgain(t *testing.T) {
	h := newTestHandler()
	cfg := testConfig()
	cfg.Tick = time.Hour
	tr, _ := start(t, cfg, h)
	rounds := make(chan bool, 16)
	onLoop(tr, func() {
		h.round = func() {
			if rounds <- true; len(rounds) < 10 {
				tr.Again()
				tr.Again()
			}
		}
	})
	for deadline := patienceEnds(); len(rounds) < 10; deadline.check(t, "ten rounds") {
	}
}
