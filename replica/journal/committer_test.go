package journal_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/wire"
)

// report is one call of the durable function.
type report struct {
	lsn journal.LSN
	err error
}

// gate lets syncs of segments through one at a time.
type gate struct {
	arrived chan struct{} // a sync has begun
	pass    chan error    // and ends with this
}

// startCommitter starts a committer on a journal whose syncs wait at the gate.
func startCommitter(t *testing.T, fs *memfs.FS) (pair, *journal.Committer, gate, chan report) {
	t.Helper()
	opts := options(fs)
	opts.SegmentBytes = 1 << 20 // no roll, so each flush is one sync
	p := mustOpen(t, opts, &history{})
	g := gate{arrived: make(chan struct{}), pass: make(chan error)}
	fs.SetHook(func(c memfs.Call) error {
		if c.Op == memfs.OpSync && strings.HasSuffix(c.Name, ".seg") {
			g.arrived <- struct{}{}
			return <-g.pass
		}
		return nil
	})
	reports := make(chan report, 10)
	c := journal.NewCommitter(p.Journal, func(lsn journal.LSN, err error) { reports <- report{lsn, err} })
	return p, c, g, reports
}

func TestCommitterGroups(t *testing.T) {
	defer goleak.VerifyNone(t)
	fs := memfs.New()
	p, c, g, reports := startCommitter(t, fs)
	c.Append(accept(1, "one").record())
	c.Submit()
	<-g.arrived
	// While the first group is being synced, everything gathers for the second.
	for slot := wire.Slot(2); slot <= 50; slot++ {
		c.Append(accept(slot, "more").record())
		c.Submit()
	}
	if _, ok, _ := c.Sync(); ok {
		t.Error("Sync ran beside another flush")
	}
	g.pass <- nil
	if r := <-reports; r != (report{lsn: 1}) {
		t.Errorf("first report %+v", r)
	}
	<-g.arrived
	g.pass <- nil
	if r := <-reports; r != (report{lsn: 50}) {
		t.Errorf("second report %+v", r)
	}
	if s := c.Stats(); s.Flushes != 2 || s.Records != 50 || s.Syncs != 2 || s.RecordsPerFlush() != 25 ||
		s.FlushTime <= 0 || s.MaxFlushTime > s.FlushTime || s.MeanFlushTime() > s.MaxFlushTime {
		t.Errorf("stats %+v", s)
	}
	fs.SetHook(nil)
	c.Append(accept(51, "left over").record())
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if p.Pending() {
		t.Error("Close left something pending")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCommitterSyncInPlace(t *testing.T) {
	defer goleak.VerifyNone(t)
	fs := memfs.New()
	p, c, _, reports := startCommitter(t, fs)
	fs.SetHook(nil)
	c.Append(accept(1, "one").record())
	if lsn, ok, err := c.Sync(); lsn != 1 || !ok || err != nil {
		t.Errorf("Sync returned %d, %v, %v", lsn, ok, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case r := <-reports:
		t.Errorf("reported %+v for a sync in place", r)
	default:
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCommitterError(t *testing.T) {
	defer goleak.VerifyNone(t)
	fs := memfs.New()
	p, c, g, reports := startCommitter(t, fs)
	c.Append(accept(1, "one").record())
	c.Submit()
	<-g.arrived
	g.pass <- syscall.EIO
	if r := <-reports; r.lsn != 0 || !errors.Is(r.err, syscall.EIO) {
		t.Errorf("report %+v", r)
	}
	fs.SetHook(nil)
	c.Append(accept(2, "two").record())
	c.Submit()
	if lsn, ok, err := c.Sync(); lsn != 0 || !ok || !errors.Is(err, syscall.EIO) {
		t.Errorf("Sync after an error returned %d, %v, %v", lsn, ok, err)
	}
	if err := c.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Close returned %v", err)
	}
	if len(reports) > 0 {
		t.Error("reported again after an error")
	}
	if err := p.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("closing the journal returned %v", err)
	}
}

// TestCommitterHousekeeping runs a real load over many segments: files are prepared and recycled beside it.
func TestCommitterHousekeeping(t *testing.T) {
	defer goleak.VerifyNone(t)
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	acked := make(chan journal.LSN, 10000)
	c := journal.NewCommitter(p.Journal, func(lsn journal.LSN, err error) {
		if err != nil {
			t.Error(err)
		}
		acked <- lsn
	})
	for slot := wire.Slot(1); slot <= 2000; slot++ {
		f := accept(slot, strings.Repeat("h", 1000))
		p.twin.facts = append(p.twin.facts, f)
		p.twin.slot = slot
		c.Append(f.record())
		c.Submit()
		if slot%10 == 0 {
			for lsn := journal.LSN(0); lsn < journal.LSN(slot); lsn = <-acked {
			}
			p.twin.truncated = slot - 5
			p.Truncate(p.twin.truncated)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	p.twin.acked = journal.LSN(len(p.twin.facts))
	if s := c.Stats(); s.SegmentsRecycled == 0 {
		t.Errorf("stats %+v", s)
	}
	mustOpen(t, options(fs.Crash(3)), p.twin.clone())
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, options(fs), p.twin)
}
