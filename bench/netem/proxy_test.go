package netem

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connected returns the two ends of a connection through a link.
func connected(t testing.TB, config Config) (near, far net.Conn) {
	t.Helper()
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Listen(target.Addr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	if near, err = net.Dial("tcp", p.Addr()); err != nil {
		t.Fatal(err)
	}
	if far, err = target.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range []io.Closer{target, p} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		_, _ = near.Close(), far.Close()
	})
	return near, far
}

// exchange sends text and returns how long it took to arrive.
func exchange(t testing.TB, from, to net.Conn, text []byte) time.Duration {
	t.Helper()
	start := time.Now()
	go from.Write(text)
	got := make([]byte, len(text))
	if _, err := io.ReadFull(to, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, text) {
		t.Fatal("other bytes arrived than were sent")
	}
	return time.Since(start)
}

func TestDelayHoldsEachWay(t *testing.T) {
	near, far := connected(t, Config{Delay: 20 * time.Millisecond})
	for range 3 {
		if took := exchange(t, near, far, []byte("ahead")); took < 20*time.Millisecond {
			t.Errorf("ahead in %v", took)
		}
		if took := exchange(t, far, near, []byte("back")); took < 20*time.Millisecond {
			t.Errorf("back in %v", took)
		}
	}
}

// A delay is no rate: pieces sent one after another travel at the same time.
func TestDelayedPiecesTravelTogether(t *testing.T) {
	p := newDirection(Config{Delay: time.Second}, time.Now())
	first := p.due(1 << 20)
	if last := p.due(1 << 20); last-first > 100*time.Millisecond {
		t.Errorf("the second piece is due %v after the first", last-first)
	}
}

func TestRateHolds(t *testing.T) {
	near, far := connected(t, Config{Rate: 10e6})
	if took := exchange(t, near, far, make([]byte, 500_000)); took < 40*time.Millisecond {
		t.Errorf("500 kB at 10 MB/s in %v", took)
	}
}

// Whatever the pieces, the bytes arrive as they were sent, also when they are more than the ring holds.
func TestBytesArriveInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLine(newDirection(Config{Rate: 1e12}, time.Now()), nil)
		l.ring = make([]byte, rapid.IntRange(1, 200).Draw(rt, "ring"))
		sent := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(rt, "bytes")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "pieces"), 0))
		src, source := net.Pipe()
		sink, dst := net.Pipe()
		go func() {
			for rest := sent; len(rest) > 0; {
				n := min(len(rest), 1+random.IntN(300))
				source.Write(rest[:n])
				rest = rest[n:]
			}
			source.Close()
		}()
		go l.carry(dst, src)
		got, err := io.ReadAll(sink)
		if err != nil || !bytes.Equal(got, sent) {
			rt.Fatalf("sent %d bytes, got %d, %v", len(sent), len(got), err)
		}
	})
}

func TestTargetDown(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target.Close()
	p, err := Listen(target.Addr().String(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection stays open though nobody is there")
	}
}

// A peer that ends takes the other side of the link with it.
func TestEndIsPassedOn(t *testing.T) {
	near, far := connected(t, Config{Delay: time.Millisecond})
	if _, err := near.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	near.Close()
	if got, err := io.ReadAll(far); err != nil || string(got) != "last words" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestImpossibleLinks(t *testing.T) {
	for _, c := range []Config{{Delay: -1}, {Delay: MaxDelay + 1}, {Rate: -1}, {Rate: 0.5}} {
		if p, err := Listen("127.0.0.1:1", c); err == nil {
			p.Close()
			t.Errorf("%+v is a link", c)
		}
	}
}

// What one direction forwards: bytes per second in large writes, and messages per second in small ones.
func BenchmarkForward(b *testing.B) {
	for _, bench := range []struct {
		name   string
		size   int
		config Config
	}{
		{"64KiB/delay=0", 64 << 10, Config{}},
		{"64KiB/delay=1ms", 64 << 10, Config{Delay: time.Millisecond}},
		{"64KiB/delay=10ms", 64 << 10, Config{Delay: 10 * time.Millisecond}},
		{"64B/delay=1ms", 64, Config{Delay: time.Millisecond}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			near, far := connected(b, bench.config)
			go io.Copy(io.Discard, far)
			piece := make([]byte, bench.size)
			b.SetBytes(int64(len(piece)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := near.Write(piece); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// How much longer than twice the delay a message and its answer take.
func BenchmarkRoundTrip(b *testing.B) {
	for _, delay := range []time.Duration{0, 250 * time.Microsecond, time.Millisecond, 10 * time.Millisecond} {
		b.Run("delay="+delay.String(), func(b *testing.B) {
			near, far := connected(b, Config{Delay: delay})
			go echo(far)
			message := make([]byte, 64)
			for b.Loop() {
				if _, err := near.Write(message); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(near, message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// echo answers each message. It is no io.Copy: that splices, and the kernel holds short splices back.
func echo(c net.Conn) {
	message := make([]byte, 64)
	for {
		if _, err := io.ReadFull(c, message); err != nil {
			return
		}
		if _, err := c.Write(message); err != nil {
			return
		}
	}
}
