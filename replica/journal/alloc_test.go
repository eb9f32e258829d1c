package journal_test

import (
	"testing"

	"paxosbench/replica/journal"
	"paxosbench/wire"
)

// TestAppendFlushAllocates nothing, once its buffers have grown. The index grows now and then; amortised that is less
// than one allocation per flush, which is what AllocsPerRun rounds down.
func TestAppendFlushAllocations(t *testing.T) {
	opts := options(journal.OSFS{})
	opts.Dir = t.TempDir()
	opts.SegmentBytes = 16 << 20
	opts.Durability = journal.DurabilityOS
	p := mustOpen(t, opts, &history{})
	r := wire.Record{Kind: wire.RecordAccept, Ballot: 257, Payload: wire.Payload{Body: make([]byte, 1000)}}
	r.BodyCRC = wire.Checksum(r.Body)
	flush := func() {
		for range 4 {
			r.Slot++
			p.Append(&r)
		}
		if _, err := p.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	if n := testing.AllocsPerRun(500, flush); n != 0 {
		t.Errorf("%v allocations per flush", n)
	}
	if n := testing.AllocsPerRun(20, func() { r.Slot++; p.Append(&r) }); n != 0 {
		t.Errorf("%v allocations per Append", n)
	}
	p.close(t)
}

// TestAppendRefusesNonsense checks the invariant that everything appended can be replayed.
func TestAppendRefusesNonsense(t *testing.T) {
	opts := options(journal.OSFS{})
	opts.Dir = t.TempDir()
	p := mustOpen(t, opts, &history{})
	for _, r := range []wire.Record{
		{},
		{Kind: 9, Slot: 1},
		{Kind: wire.RecordAccept},
		{Kind: wire.RecordPromise, Slot: 1},
		{Kind: wire.RecordChosen, Slot: 1, Payload: wire.Payload{Body: make([]byte, wire.MaxBatch+1)}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Append took a record of kind %v for slot %d", r.Kind, r.Slot)
				}
			}()
			p.Append(&r)
		}()
	}
	p.group(t, accept(1, "the journal is still usable"))
	p.close(t)
}
