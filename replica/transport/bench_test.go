package transport

import (
	"fmt"
	"io"
	"testing"

	"paxosbench/wire"
)

// benchConfig has no deadlines to sweep and few ticks.
func benchConfig() Config {
	cfg := testConfig()
	cfg.ReadBuffer = 0
	cfg.SocketBuffer = 0
	return cfg
}

// BenchmarkEcho sends windows of requests over one connection and waits for their replies. Time and memory include the
// sending side, which allocates nothing; the allocations of a round, in gnet, are shared by the frames of a window.
func BenchmarkEcho(b *testing.B) {
	for _, size := range []int{64, 1024, 64 << 10} {
		for _, window := range []int{1, 64} {
			b.Run(fmt.Sprintf("body=%d/window=%d", size, window), func(b *testing.B) {
				tr, _ := start(b, benchConfig(), newTestHandler())
				r := join(b, tr)
				var stream []byte
				for range window {
					stream = append(stream, requestFrame(pattern(size, 0))...)
				}
				echoed := make([]byte, len(stream))
				b.SetBytes(int64(len(stream)))
				b.ReportAllocs()
				for b.Loop() {
					echoOnce(b, r, stream, echoed)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*window), "ns/frame")
			})
		}
	}
}

// echoOnce sends in pieces that the sockets hold, so that one goroutine can do both ends' work.
func echoOnce(b *testing.B, r *remote, stream, echoed []byte) {
	const piece = 1 << 20
	for len(stream) > 0 {
		n := min(piece, len(stream))
		if _, err := r.Write(stream[:n]); err != nil {
			b.Fatal(err)
		}
		stream = stream[n:]
	}
	if _, err := io.ReadFull(r, echoed); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSend sends messages from one replica to another, a window at a time.
func BenchmarkSend(b *testing.B) {
	const window = 16
	for _, size := range []int{0, 1024, 64 << 10} {
		b.Run(fmt.Sprintf("body=%d", size), func(b *testing.B) {
			one := newTestHandler()
			a, _ := start(b, benchPeer(1, 2, "unused:1"), one)
			_, addr := a.Addrs()
			two := &countingHandler{testHandler: newTestHandler(), window: make(chan struct{}, 1), size: window}
			t, _ := start(b, benchPeer(2, 1, addr.String()), two)
			two.t = t
			awaitPeer(b, a, 2, 1)
			awaitPeer(b, t, 1, 1)
			m := messageOf(pattern(size, 0))
			send := func() {
				for range window {
					a.Send(2, m)
				}
			}
			b.SetBytes(int64(size * window))
			b.ReportAllocs()
			for b.Loop() {
				a.Post(send)
				<-two.window
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*window), "ns/message")
		})
	}
}

func benchPeer(self, other wire.ReplicaID, addr string) Config {
	cfg := peered(self, other, addr)
	cfg.ReadBuffer = 0
	return cfg
}

// countingHandler says when a window of messages has arrived.
type countingHandler struct {
	*testHandler
	window chan struct{}
	size   int
	got    int
}

func (h *countingHandler) Gone(wire.ReplicaID) {}

func (h *countingHandler) Arriving(wire.ReplicaID, wire.Type) {}

func (h *countingHandler) Message(m *wire.Message) error {
	if m.Body != nil {
		h.t.cfg.Buffers.Put(m.Body)
	}
	if h.got++; h.got%h.size == 0 {
		h.window <- struct{}{}
	}
	return nil
}

// BenchmarkPost measures a function posted and run, one at a time: a wake-up each.
func BenchmarkPost(b *testing.B) {
	t, _ := start(b, benchConfig(), newTestHandler())
	done := make(chan struct{}, 1)
	f := func() { done <- struct{}{} }
	b.ReportAllocs()
	for b.Loop() {
		t.Post(f)
		<-done
	}
}
