package journal_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/wire"
)

// newest returns the newest durable record of the twin for a slot.
func (h *history) newest(slot wire.Slot) (f fact, ok bool) {
	for i := int(h.acked) - 1; i >= 0; i-- {
		if h.facts[i].slot == slot {
			return h.facts[i], true
		}
	}
	return fact{}, false
}

// decodeAll decodes entries and checks that their slots run from from.
func decodeAll(t *testing.T, src []byte, from wire.Slot) (entries []wire.Entry) {
	t.Helper()
	for len(src) > 0 {
		e, n, err := wire.DecodeEntry(src)
		if err != nil {
			t.Fatal(err)
		}
		if want := from + wire.Slot(len(entries)); e.Slot != want {
			t.Fatalf("entry for slot %d, want %d", e.Slot, want)
		}
		entries = append(entries, e)
		src = src[n:]
	}
	return entries
}

// TestReadEntriesTwin compares random reads with the twin, also after restarts.
func TestReadEntriesTwin(t *testing.T) {
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 4))
		fs := memfs.New()
		p := mustOpen(t, options(fs), &history{})
		for range 300 {
			p.randomStep(t, random)
			if random.IntN(10) == 0 {
				fs = fs.Restart()
				p = mustOpen(t, options(fs), p.twin)
			}
			from := p.FirstSlot() + wire.Slot(random.IntN(20))
			if from > p.twin.truncated {
				p.compareRead(t, from, from+wire.Slot(random.IntN(30)), random.IntN(20000))
			}
		}
	}
}

func (p pair) compareRead(t *testing.T, from, through wire.Slot, maxBytes int) {
	t.Helper()
	_, exists := p.twin.newest(from)
	prefix := []byte("prefix")
	out, last, err := p.ReadEntries(from, through, maxBytes, prefix)
	if !exists {
		if !errors.Is(err, journal.ErrTruncated) {
			t.Fatalf("reading slot %d, which does not exist: %v", from, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	entries := decodeAll(t, out[len(prefix):], from)
	if len(entries) == 0 || entries[len(entries)-1].Slot != last || last > through {
		t.Fatalf("%d entries from %d, last %d, through %d", len(entries), from, last, through)
	}
	for _, e := range entries {
		f, _ := p.twin.newest(e.Slot)
		if e.Ballot != f.ballot || e.Codec != f.codec || e.RawLen != f.rawLen || string(e.Body) != f.body {
			t.Fatalf("slot %d reads as %v with %d bytes", e.Slot, e.Ballot, len(e.Body))
		}
	}
	size := len(out) - len(prefix)
	if size > maxBytes && len(entries) > 1 {
		t.Fatalf("%d bytes, limit %d", size, maxBytes)
	}
	if next, ok := p.twin.newest(last + 1); ok && last < through && size+wire.EntryHeaderSize+len(next.body) <= maxBytes {
		t.Fatalf("stopped at slot %d of %d with %d bytes of %d", last, through, size, maxBytes)
	}
}

func TestReadEntriesRot(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	p.group(t, accept(1, "one"), accept(2, "two"))
	offset := recordOffsets(fs.Read(journal.SegmentPath(dir, 1)))[1]
	fs.FlipBit(journal.SegmentPath(dir, 1), offset+journal.RecordHeaderSize+1, 0)
	_, _, err := p.ReadEntries(1, 2, 1000, nil)
	var corrupt *journal.CorruptError
	if !errors.As(err, &corrupt) || corrupt.Offset != offset || corrupt.LSN != 2 {
		t.Errorf("reading a damaged record: %v", err)
	}
	if _, last, err := p.ReadEntries(1, 1, 1000, nil); err != nil || last != 1 {
		t.Errorf("reading the record before it: %d, %v", last, err)
	}
}

// TestReadEntriesDuringTruncation reads while segments are recycled and overwritten: what is returned is right, or
// ErrTruncated.
func TestReadEntriesDuringTruncation(t *testing.T) {
	p := mustOpen(t, options(memfs.New()), &history{})
	body := func(slot wire.Slot) string { return strings.Repeat(string(rune('a'+slot%26)), 1000) }
	stop := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			from := p.FirstSlot()
			out, _, err := p.ReadEntries(from, from+20, 20000, nil)
			if err != nil && !errors.Is(err, journal.ErrTruncated) {
				t.Errorf("reading from slot %d: %v", from, err)
				return
			}
			if err != nil {
				continue
			}
			for _, e := range decodeAll(t, out, from) {
				if string(e.Body) != body(e.Slot) {
					t.Errorf("slot %d has another slot's body", e.Slot)
				}
			}
		}
	})
	for slot := wire.Slot(1); slot < 1500; slot++ {
		p.Append(accept(slot, body(slot)).record())
		if _, err := p.Flush(); err != nil {
			t.Fatal(err)
		}
		if slot > 10 {
			p.Truncate(slot - 10)
		}
	}
	close(stop)
	readers.Wait()
}

// TestReadEntriesRecycled has the segment recycled and written anew between finding a record and reading it.
func TestReadEntriesRecycled(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	body := strings.Repeat("x", 3000)
	next := wire.Slot(1)
	fill := func(groups int) {
		for range groups {
			p.group(t, accept(next, body))
			next++
		}
	}
	fill(20)
	fs.SetHook(func(c memfs.Call) error {
		if c.Op == memfs.OpRead {
			fs.SetHook(nil)
			p.Truncate(next - 1)
			fill(20)
		}
		return nil
	})
	if _, _, err := p.ReadEntries(1, 1, 10000, nil); !errors.Is(err, journal.ErrTruncated) {
		t.Errorf("reading a segment that was recycled meanwhile: %v", err)
	}
	if p.Stats().SegmentsRecycled == 0 {
		t.Error("nothing was recycled")
	}
}
