package replica

import (
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/replica/node"
	"paxosbench/replica/storage"
	"paxosbench/wire"
)

// hearer is a replica that hears what becomes of its records on a channel.
type hearer struct {
	*node.Node
	durable chan uint64
	failed  chan error
}

func (h *hearer) Persisted(_ time.Duration, n uint64) { h.durable <- n }
func (h *hearer) Fail(err error)                      { h.failed <- err }
func (h *hearer) Restore(*wire.Record) error          { return nil } // what is recorded here are no batches

// openOnThreads opens a storage with threads, for a replica whose goroutine is whichever it is called on.
func openOnThreads(t *testing.T, fs *memfs.FS) (*storage.Storage, *hearer) {
	t.Helper()
	cfg := Default()
	cfg.ID, cfg.Members = 1, []Member{{ID: 1, Peer: "127.0.0.1:1", Client: "127.0.0.1:2"}}
	cfg.Data, cfg.Bootstrap = "data", true
	sc := cfg.storage(slog.New(slog.DiscardHandler))
	sc.Journal.FS, sc.Journal.SegmentBytes = fs, 1<<20 // a flush of a few records is one sync
	s := storage.New(sc, newThreads(func(done func()) { done() }, func() time.Duration { return 0 }))
	h := &hearer{node.New(cfg.node(1, new(wire.Buffers)), nil, s, 0), make(chan uint64, 10_000), make(chan error, 10)}
	if err := s.Open(h); err != nil {
		t.Fatal(err)
	}
	return s, h
}

// gate lets syncs of segments through one at a time.
type gate struct {
	arrived chan struct{} // a sync has begun
	pass    chan error    // and ends with this
}

func newGate(fs *memfs.FS) gate {
	g := gate{arrived: make(chan struct{}), pass: make(chan error)}
	fs.SetHook(func(c memfs.Call) error {
		if c.Op == memfs.OpSync && strings.HasSuffix(c.Name, ".seg") {
			g.arrived <- struct{}{}
			return <-g.pass
		}
		return nil
	})
	return g
}

func record(slot wire.Slot) *wire.Record {
	return &wire.Record{Kind: wire.RecordChosen, Ballot: wire.MakeBallot(1, 1), Slot: slot, Payload: wire.MakeBody(make([]byte, 1000))}
}

func submit(t *testing.T, s *storage.Storage, from, through wire.Slot) {
	t.Helper()
	for slot := from; slot <= through; slot++ {
		s.Append(record(slot))
		if n, err := s.Persist(false); n != 0 || err != nil {
			t.Fatalf("durable %d at once, %v", n, err)
		}
	}
}

// While one group is being synced, everything gathers for the next, which follows without the loop's doing.
func TestThreadsMakeGroups(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	fs := memfs.New()
	s, h := openOnThreads(t, fs)
	g := newGate(fs)
	submit(t, s, 1, 1)
	<-g.arrived
	submit(t, s, 2, 49)
	s.Append(record(50))
	if n, err := s.Persist(true); n != 0 || err != nil {
		t.Errorf("synced in place beside another sync: durable %d, %v", n, err)
	}
	g.pass <- nil
	if n := <-h.durable; n != 1 {
		t.Errorf("first %d records durable", n)
	}
	<-g.arrived
	g.pass <- nil
	if n := <-h.durable; n != 50 {
		t.Errorf("then %d", n)
	}
	if stats := s.Stats(); stats.Flushes != 2 || stats.Records != 50 || stats.Syncs != 2 || stats.RecordsPerFlush() != 25 ||
		stats.MeanFlushTime() > stats.MaxFlushTime {
		t.Errorf("stats %+v", stats)
	}
	fs.SetHook(nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestThreadsTellOfAnError(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	fs := memfs.New()
	s, h := openOnThreads(t, fs)
	g := newGate(fs)
	submit(t, s, 1, 1)
	<-g.arrived
	g.pass <- syscall.EIO
	if err := <-h.failed; !errors.Is(err, syscall.EIO) {
		t.Errorf("told of %v", err)
	}
	fs.SetHook(nil)
	s.Append(record(2))
	if n, err := s.Persist(true); n != 0 || !errors.Is(err, syscall.EIO) {
		t.Errorf("durable %d, %v", n, err)
	}
	if err := s.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("closing returned %v", err)
	}
	if len(h.durable) > 0 {
		t.Errorf("told that %d records are durable", <-h.durable)
	}
}

// Segments are prepared beside the syncs, and an orderly close loses nothing.
func TestThreadsUnderLoad(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	fs := memfs.New()
	s, h := openOnThreads(t, fs)
	for slot := wire.Slot(1); slot <= 5000; slot++ {
		submit(t, s, slot, slot)
		if slot%10 == 0 {
			for n := uint64(0); n < uint64(slot); n = <-h.durable {
			}
		}
	}
	s.Append(record(5001))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if stats := s.Stats(); stats.SegmentsCreated < 4 || stats.Records != 5001 {
		t.Errorf("stats %+v", stats)
	}
	if s, _ = openOnThreads(t, fs.Crash(3)); s.Base() != journal.LSN(5001) {
		t.Errorf("%d records restored", s.Base())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
