package transport

import (
	"bytes"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/wire"
)

// Urgent data is no data: it is skipped, and not looked at again and again.
func TestUrgentData(t *testing.T) {
	cfg := testConfig()
	cfg.Tick = time.Hour
	tr, _ := start(t, cfg, newTestHandler())
	r := join(t, tr)
	before := counters(tr).Rounds
	raw, err := r.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var sent error
	if err := raw.Control(func(fd uintptr) { sent = unix.Sendto(int(fd), []byte{1}, unix.MSG_OOB, nil) }); err != nil || sent != nil {
		t.Fatal(err, sent)
	}
	r.send(requestFrame(nil))
	r.expect(wire.TypeReply)
	if rounds := counters(tr).Rounds - before; rounds > 100 {
		t.Errorf("%d rounds", rounds)
	}
}

// Long bodies that follow each other, and short ones, arrive as they were, wherever the stream is cut: most of a long one is read to where it
// stays.
func TestLongBodiesInARow(t *testing.T) {
	one, two, _ := pair(t)
	sizes := []int{longBody, 3 * longBody, 1, longBody - 1, bodyFloor + 1, shortRead, 2*bodyFloor + 7, 0, longBody + 1}
	bodies := make([][]byte, 5*len(sizes))
	for i := range bodies {
		bodies[i] = pattern(sizes[i%len(sizes)], byte(i))
	}
	onLoop(one.t, func() {
		for _, body := range bodies {
			if !one.t.Send(two.t.cfg.Self, messageOf(body)) {
				t.Error("message not sent")
			}
		}
	})
	for i, body := range bodies {
		if got := receive(t, two.messages); !bytes.Equal(got.Body, body) {
			t.Fatalf("message %d with %d bytes arrived damaged", i, len(body))
		}
	}
	total := 0
	for _, body := range bodies {
		total += len(body)
	}
	if s := counters(two.t); s.BytesIn < uint64(total) || s.BytesIn > uint64(total+len(bodies)*2*maxHeader) {
		t.Errorf("%d bytes are counted of messages with %d", s.BytesIn, total)
	}
}

// A loop that keeps its processor while it waits hears of what is posted and of what comes, and lets the collector stop the world.
func TestOwnProcess(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	cfg := testConfig()
	cfg.Tick, cfg.OwnProcess = time.Hour, true
	tr, _ := start(t, cfg, newTestHandler())
	r := join(t, tr)
	keeps := false
	onLoop(tr, func() { keeps = tr.keeps })
	if !keeps {
		t.Fatal("the loop does not keep its processor")
	}
	for range 10 {
		runtime.GC()
		r.send(requestFrame(pattern(100, 1)))
		r.expect(wire.TypeReply)
	}
}
