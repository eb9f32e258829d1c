package loop

import (
	"encoding/binary"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/wire"
)

// nullHandler answers nothing and puts eight bytes under eight bytes.
type nullHandler struct {
	answered int
	payload  [8]byte
}

func (h *nullHandler) AppendCommands(dst []byte, _ *Stream, _ Number, count, limit int) ([]byte, int) {
	for i := range count {
		if i > 0 && len(dst) >= limit {
			return dst, i
		}
		dst = wire.AppendCommand(dst, wire.OpPut, 0, h.payload[:], h.payload[:])
	}
	return dst, count
}
func (h *nullHandler) Sent(*Stream, Number, int, time.Duration) {}
func (h *nullHandler) Answered(_ *Stream, _ Number, count int, _ wire.Status, _ time.Duration) {
	h.answered += count
}
func (h *nullHandler) Result(*Stream, Number, wire.Status, []byte, time.Duration) {
	h.answered++
}
func (h *nullHandler) Lost(*Stream, Number, int, time.Duration) {}
func (h *nullHandler) Ready(*Stream)                            {}

// pipe is a loop with one open connection to a socket that the test itself reads and writes: a peer without a
// goroutine, so that allocations can be counted.
type pipe struct {
	loop    *Loop
	handler *nullHandler
	conn    *conn
	session *Session
	peer    int
	buf     []byte
}

func newPipe(t testing.TB) *pipe {
	t.Helper()
	handler := &nullHandler{}
	loop, err := New(Config{Addrs: []string{"127.0.0.1:1"}, Conns: 1, Sessions: 1}, handler)
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		loop.Close()
		unix.Close(fds[1])
	})
	c := loop.conns[0]
	c.fd, c.state, c.writable = fds[0], stateGreeting, true
	if err := loop.watch(c, unix.EPOLL_CTL_ADD, unix.EPOLLIN); err != nil {
		t.Fatal(err)
	}
	c.welcomed(wire.Welcome{Window: wire.MaxSessionWindow, Replica: 1, Leader: 1, Alike: true})
	p := &pipe{loop: loop, handler: handler, conn: c, session: loop.sessions[0], peer: fds[1], buf: make([]byte, 1<<20)}
	p.register(t)
	return p
}

func (p *pipe) register(t testing.TB) {
	t.Helper()
	p.loop.Flush()
	p.drain()
	reply := wire.BeginFrame(p.buf[:0])
	body := len(reply)
	reply = wire.BeginReplyRun(reply)
	reply = wire.AppendResult(reply, wire.StatusOK, binary.LittleEndian.AppendUint64(nil, uint64(wire.MakeSessionID(1, 0))))
	wire.EndReplyRun(reply, body, 0, p.session.nonce, 1)
	wire.EndFrame(reply, 0, wire.TypeReply)
	p.reply(t, reply)
	if p.session.id == 0 {
		t.Fatal("the session is not registered")
	}
}

// drain reads what the loop has sent.
func (p *pipe) drain() {
	for {
		if n, err := unix.Read(p.peer, p.buf); n <= 0 || err != nil {
			return
		}
	}
}

func (p *pipe) reply(t testing.TB, frame []byte) {
	if _, err := unix.Write(p.peer, frame); err != nil {
		t.Fatal(err)
	}
	if err := p.loop.Poll(0); err != nil {
		t.Fatal(err)
	}
}

// TestOlderReplicasGetEveryHeader: commands that are alike are sent without headers to who has said that it takes them.
func TestOlderReplicasGetEveryHeader(t *testing.T) {
	for _, alike := range []bool{true, false} {
		p := newPipe(t)
		p.conn.welcomed(wire.Welcome{Window: wire.MaxSessionWindow, Replica: 1, Leader: 1, Alike: alike})
		p.loop.Assign(&p.session.Stream, 3)
		p.loop.Flush()
		n, err := unix.Read(p.peer, p.buf)
		if err != nil {
			t.Fatal(err)
		}
		run, _, err := wire.DecodeRun(p.buf[wire.PrefixSize:n])
		if err != nil || run.Count != 3 || (run.Common != 0) != alike {
			t.Errorf("a replica that takes them %v gets %+v, %v", alike, run, err)
		}
	}
}

// exchange sends count operations and answers them, uniformly or one by one.
func (p *pipe) exchange(t testing.TB, count int, uniform bool) {
	first := p.session.seq(p.session.Assigned + 1)
	p.loop.Assign(&p.session.Stream, count)
	p.loop.Flush()
	p.drain()
	frame := wire.BeginFrame(p.buf[:0])
	if uniform {
		frame = wire.AppendUniformReply(frame, p.session.id, first, count, wire.StatusOK)
	} else {
		start := len(frame)
		frame = wire.BeginReplyRun(frame)
		for range count {
			frame = wire.AppendResult(frame, wire.StatusOK, p.handler.payload[:])
		}
		wire.EndReplyRun(frame, start, p.session.id, first, count)
	}
	wire.EndFrame(frame, 0, wire.TypeReply)
	p.reply(t, frame)
}

func TestExchangeDoesNotAllocate(t *testing.T) {
	for _, uniform := range []bool{true, false} {
		p := newPipe(t)
		p.exchange(t, 1000, uniform) // buffers grow to size
		if allocs := testing.AllocsPerRun(50, func() { p.exchange(t, 1000, uniform) }); allocs != 0 {
			t.Errorf("uniform %v: %v allocations per exchange of 1000 operations, want 0", uniform, allocs)
		}
		if p.handler.answered != 52*1000 {
			t.Errorf("uniform %v: %d operations answered, want %d", uniform, p.handler.answered, 52*1000)
		}
	}
}

// TestFramesInPieces delivers replies in every possible pair of pieces.
func TestFramesInPieces(t *testing.T) {
	p := newPipe(t)
	p.loop.Assign(&p.session.Stream, 3)
	p.loop.Flush()
	p.drain()
	frame := wire.BeginFrame(nil)
	frame = wire.AppendUniformReply(frame, p.session.id, 1, 2, wire.StatusOK)
	wire.EndFrame(frame, 0, wire.TypeReply)
	for cut := range len(frame) {
		p.session.Answered, p.session.outstanding, p.conn.outstanding = 0, 3, 3
		before := p.handler.answered
		p.reply(t, frame[:cut])
		if cut > 0 && p.handler.answered != before {
			t.Fatalf("cut at %d: answered before the frame is whole", cut)
		}
		p.reply(t, frame[cut:])
		if p.handler.answered != before+2 {
			t.Fatalf("cut at %d: %d operations answered, want 2", cut, p.handler.answered-before)
		}
	}
}

// FuzzFrames feeds arbitrary bytes to an open connection: nothing may panic.
func FuzzFrames(f *testing.F) {
	frame := wire.BeginFrame(nil)
	frame = wire.AppendUniformReply(frame, wire.MakeSessionID(1, 0), 1, 2, wire.StatusOK)
	wire.EndFrame(frame, 0, wire.TypeReply)
	f.Add(frame, false)
	f.Add(frame[wire.PrefixSize:], true)
	f.Add(wire.AppendRedirect(nil, wire.Redirect{Leader: 2, LeaderAddr: "127.0.0.1:9"}), false)
	f.Add(wire.AppendFault(nil, "go away"), false)
	f.Add(wire.AppendWelcome(nil, wire.Welcome{Window: 1, Replica: 1, Leader: 1}), false)
	run := wire.BeginReplyRun(nil)
	run = wire.AppendResult(run, wire.StatusNotFound, nil)
	run = wire.AppendResult(run, wire.StatusBusy, []byte("x"))
	wire.EndReplyRun(run, 0, wire.MakeSessionID(1, 0), 1, 2)
	f.Add(run, true)
	f.Fuzz(func(t *testing.T, data []byte, wrap bool) {
		p := newPipe(t)
		p.loop.Assign(&p.session.Stream, 5)
		p.loop.Flush()
		if wrap { // a well-formed frame around an arbitrary body gets past the checksums
			if len(data) > wire.MaxBody {
				return
			}
			framed := append(wire.BeginFrame(nil), data...)
			wire.EndFrame(framed, 0, wire.TypeReply)
			data = framed
		}
		_, _ = p.conn.frames(data, p.loop.Now()) // any error is fine
		if p.session.Answered > p.session.transmitted {
			t.Errorf("answered %d of %d transmitted operations", p.session.Answered, p.session.transmitted)
		}
	})
}

func BenchmarkExchange(b *testing.B) {
	p := newPipe(b)
	b.ReportAllocs()
	for b.Loop() {
		p.exchange(b, 1000, true)
	}
}

// A replica refuses at once and executes later: the answers to what it had taken before come behind the refusal.
func TestRefusalOvertakesAnswers(t *testing.T) {
	p := newPipe(t)
	for range 2 {
		p.loop.Assign(&p.session.Stream, 100)
		p.loop.Flush()
		p.drain()
	}
	for _, answer := range []struct {
		first  wire.Seq
		status wire.Status
	}{{101, wire.StatusBusy}, {1, wire.StatusOK}} {
		frame := wire.BeginFrame(nil)
		frame = wire.AppendUniformReply(frame, p.session.id, answer.first, 100, answer.status)
		wire.EndFrame(frame, 0, wire.TypeReply)
		p.reply(t, frame)
	}
	for tries := 0; p.loop.Report().Counters.Resent == 0; tries++ {
		if tries == 100 {
			t.Fatalf("what was refused is not sent again: %d answered", p.session.Answered)
		}
		if err := p.loop.Poll(p.loop.Now() + scanPeriod); err != nil {
			t.Fatal(err)
		}
		p.loop.Flush()
	}
	if c := p.loop.Report().Counters; c.Resent != 100 || c.Violations != 0 {
		t.Errorf("%+v, want 100 commands sent again", c)
	}
}
