package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paxosbench/wire"
)

// flood reads one key by query, with a window of gets in flight, and as fast as it can.
type flood struct {
	*speaker
	window int

	gets, bytes atomic.Int64 // answered so far
	stopped     atomic.Bool
	frame       []byte
}

// perFrame is how many gets a flood sends in a frame.
const perFrame = 50

// run asks until stop, and then waits for the last answer. Every get must be answered once, in order, with a value of that size.
func (f *flood) run(key string, size int) error {
	if err := f.conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	answered := make(chan int, f.window) // tokens: the receiver never waits
	failed := make(chan error, 1)
	var receiver sync.WaitGroup
	last := make(chan wire.Seq, 1)
	first := f.next
	receiver.Go(func() { failed <- f.receive(first, size, answered, last) })
	defer receiver.Wait()
	free := f.window
	for !f.stopped.Load() {
		for free >= perFrame {
			if err := f.ask(key); err != nil {
				return fmt.Errorf("%w; %v", err, <-failed)
			}
			free -= perFrame
		}
		select {
		case n := <-answered:
			free += n
		case err := <-failed:
			return err
		}
	}
	last <- f.next - 1
	for {
		select {
		case <-answered:
		case err := <-failed:
			return err
		}
	}
}

// ask sends a frame of gets.
func (f *flood) ask(key string) error {
	f.frame = wire.BeginFrame(f.frame[:0])
	size := wire.CommandHeaderSize + len(key)
	f.frame = wire.AppendRunHeader(f.frame, 1, f.next, f.next-1, perFrame, perFrame*size)
	for range perFrame {
		f.frame = wire.AppendCommand(f.frame, wire.OpGet, 0, []byte(key), nil)
	}
	wire.EndFrame(f.frame, 0, wire.TypeQuery)
	f.next += perFrame
	_, err := f.conn.Write(f.frame)
	return err
}

// receive takes answers until the last one is there, once it is known which that is.
func (f *flood) receive(next wire.Seq, size int, answered chan<- int, last <-chan wire.Seq) error {
	in := bufio.NewReaderSize(f.conn, 1<<20)
	body := make([]byte, wire.MaxBody)
	header := make([]byte, wire.PrefixSize)
	end := wire.Seq(0)
	for end == 0 || next <= end {
		if _, err := io.ReadFull(in, header); err != nil {
			return fmt.Errorf("after %d answers: %w", f.gets.Load(), err)
		}
		h, err := wire.DecodeHeader(header)
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(in, body[:h.BodyLen]); err != nil {
			return err
		}
		if h.Type != wire.TypeQueryReply {
			return fmt.Errorf("after %d answers: a %v: %s", f.gets.Load(), h.Type, body[:h.BodyLen])
		}
		for rest := body[:h.BodyLen]; len(rest) > 0; {
			run, n, err := wire.DecodeReplyRun(rest)
			if err != nil || run.First != next || run.Uniform || len(run.Results) != run.Count*(wire.ResultHeaderSize+size) {
				return fmt.Errorf("run from %d on of %d answers with %d bytes (uniform %v, %v), want one from %d on: %v", run.First, run.Count, len(run.Results), run.Uniform, run.Status, next, err)
			}
			rest = rest[n:]
			next += wire.Seq(run.Count)
			f.gets.Add(int64(run.Count))
			f.bytes.Add(int64(run.Count * size))
			answered <- run.Count
		}
		select {
		case end = <-last:
		default:
		}
	}
	return nil
}

// floods has several floods read a key of that size at the leader, and returns them after a time, ended.
func (c *cluster) floods(conns, window, size int, d time.Duration) (bytesPerSecond float64) {
	c.t.Helper()
	leader := c.leader()
	s, err := c.speak(leader)
	if err == nil {
		err = s.register()
	}
	if err == nil {
		err = s.put("large", string(make([]byte, size)))
	}
	if err != nil {
		c.t.Fatal(err)
	}
	var all []*flood
	var group sync.WaitGroup
	errs := make(chan error, conns)
	for range conns {
		s, err := c.speak(leader)
		if err != nil {
			c.t.Fatal(err)
		}
		f := &flood{speaker: s, window: window}
		all = append(all, f)
		group.Go(func() { errs <- f.run("large", size) })
	}
	count := func() (bytes int64) {
		for _, f := range all {
			bytes += f.bytes.Load()
		}
		return bytes
	}
	c.until("answers", func() bool { return count() > 0 })
	begun, before := time.Now(), count()
	time.Sleep(d)
	bytesPerSecond = float64(count()-before) / time.Since(begun).Seconds()
	for _, f := range all {
		f.stopped.Store(true)
	}
	group.Wait()
	for range all {
		if err := <-errs; err != nil {
			c.t.Error(err)
		}
	}
	if now := c.leader(); now != leader {
		c.t.Errorf("replica %d leads, and replica %d did", now, leader)
	}
	return bytesPerSecond
}

// plainPair measures how many bytes a second one pair of sockets moves here, without anything else: written and read a MiB at a
// time.
func plainPair(t testing.TB, d time.Duration) (bytesPerSecond float64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var writer sync.WaitGroup
	writer.Go(func() {
		conn, err := listener.Accept()
		for chunk := make([]byte, 1<<20); err == nil; {
			_, err = conn.Write(chunk)
		}
	})
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	total, begun := 0, time.Now()
	for chunk := make([]byte, 1<<20); time.Since(begun) < d; {
		n, err := conn.Read(chunk)
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	bytesPerSecond = float64(total) / time.Since(begun).Seconds()
	_ = conn.Close()
	writer.Wait()
	return bytesPerSecond
}

// largeReads are the sizes and windows of large answers.
var largeReads = []struct{ conns, window, size int }{
	{4, 4096, 8 << 10}, {4, 4096, 16 << 10}, {4, 4096, 64 << 10}, {4, 4096, 256 << 10}, {4, 4096, 1 << 20},
	{1, 2000, 8 << 10}, {1, 2000, 16 << 10}, {1, 2000, 64 << 10}, {1, 2000, 256 << 10}, {1, 2000, 1 << 20},
}

// leastOfPair is what large answers must reach of what one plain pair of sockets moves.
const leastOfPair = 0.3

// Large answers at a full window, under a lease: no connection is closed, nothing is answered twice or out of order, and nobody
// else comes to lead. Where the host is quiet, how fast they are is checked.
func TestFloods(t *testing.T) {
	c := newCluster(t, 3, "--durability", "none", "--reads", "lease", "--election-timeout", "2s")
	lasts := 300 * time.Millisecond
	if *quietHost {
		lasts = time.Second
	}
	for _, tt := range largeReads {
		pair := plainPair(t, lasts)
		ours := c.floods(tt.conns, tt.window, tt.size, lasts)
		t.Logf("%d x %d of %d bytes: %.0f MB/s, %.2f of a pair", tt.conns, tt.window, tt.size, ours/1e6, ours/pair)
		if *quietHost && ours < leastOfPair*pair {
			t.Errorf("%d x %d of %d bytes: %.0f MB/s, want %.1f of the %.0f of a pair", tt.conns, tt.window, tt.size, ours/1e6, leastOfPair, pair/1e6)
		}
	}
	c.agree()
}

// BenchmarkFloods measures the same, beside what one plain pair of sockets moves on this host at the same time of day: "of-pair" is
// the ratio of both.
func BenchmarkFloods(b *testing.B) {
	for _, bb := range largeReads {
		b.Run(fmt.Sprintf("conns=%d/window=%d/bytes=%d", bb.conns, bb.window, bb.size), func(b *testing.B) {
			c := newCluster(b, 3, "--durability", "none", "--reads", "lease", "--election-timeout", "2s")
			var ours, pair float64
			for b.Loop() {
				pair += plainPair(b, time.Second)
				ours += c.floods(bb.conns, bb.window, bb.size, time.Second)
			}
			b.ReportMetric(ours/1e6/float64(b.N), "MB/s")
			b.ReportMetric(pair/1e6/float64(b.N), "pair-MB/s")
			b.ReportMetric(ours/pair, "of-pair")
		})
	}
}
