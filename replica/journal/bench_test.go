package journal_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"unsafe"

	"paxosbench/replica/journal"
	"paxosbench/wire"
)

// BenchmarkFlush measures one group of one record, appended and made durable on the disk that holds the temporary
// directory (set TMPDIR to choose it), beside what the disk can do at all:
//
//	bare       direct writes over a file written before, each with fdatasync: the floor
//	growing    buffered writes that make a file longer, each with fdatasync: what the journal avoids
//	recycled   the journal in its steady state
//	os         the journal without syncing
func BenchmarkFlush(b *testing.B) {
	for _, size := range []int{4 << 10, 128 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("bare/%dKiB", size>>10), func(b *testing.B) { benchmarkFile(b, size, true) })
		b.Run(fmt.Sprintf("growing/%dKiB", size>>10), func(b *testing.B) { benchmarkFile(b, size, false) })
		// A record that just fills so many blocks.
		body := size - journal.RecordHeaderSize
		b.Run(fmt.Sprintf("recycled/%dKiB", size>>10), func(b *testing.B) { benchmarkFlush(b, body, journal.DurabilityFsync) })
		b.Run(fmt.Sprintf("os/%dKiB", size>>10), func(b *testing.B) { benchmarkFlush(b, body, journal.DurabilityOS) })
	}
}

func benchmarkFlush(b *testing.B, bodyBytes int, d journal.Durability) {
	opts := options(journal.OSFS{})
	opts.Dir, opts.Durability = b.TempDir(), d
	opts.SegmentBytes, opts.RecycleSegments = 0, 0
	j, err := openOnly(opts)
	if err != nil {
		b.Fatal(err)
	}
	r := wire.Record{Kind: wire.RecordAccept, Ballot: 257, Payload: wire.Payload{Body: make([]byte, bodyBytes)}}
	r.BodyCRC = wire.Checksum(r.Body)
	recycleAll(b, j, r.Body)
	b.SetBytes(int64(bodyBytes))
	b.ReportAllocs()
	for b.Loop() {
		r.Slot++
		j.Append(&r)
		if _, err := j.Flush(); err != nil {
			b.Fatal(err)
		}
		if r.Slot%1024 == 0 {
			j.Truncate(r.Slot)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}

// recycleAll brings the journal into its steady state, in which no segment is made from nothing any more.
func recycleAll(b *testing.B, j *journal.Journal, body []byte) {
	r := wire.Record{Kind: wire.RecordChosen, Slot: 1, Payload: wire.Payload{Body: body, BodyCRC: wire.Checksum(body)}}
	for j.Stats().SegmentsRecycled < 2 {
		for range max(1, 4<<20/len(body)) {
			j.Append(&r)
		}
		if _, err := j.Flush(); err != nil {
			b.Fatal(err)
		}
		j.Truncate(1)
	}
}

func benchmarkFile(b *testing.B, size int, bare bool) {
	name := filepath.Join(b.TempDir(), "file")
	flags := journal.OpenCreate
	if bare {
		flags |= journal.OpenDirect
	}
	f, err := journal.OSFS{}.Open(name, flags)
	if err != nil {
		b.Fatal(err)
	}
	block := aligned(size)
	limit := int64(journal.DefaultSegmentBytes)
	for off := int64(0); bare && off < limit; off += int64(size) {
		if _, err := f.WriteAt(block, off); err != nil {
			b.Fatal(err)
		}
	}
	off := int64(0)
	b.SetBytes(int64(size))
	for b.Loop() {
		if _, err := f.WriteAt(block, off); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		if off += int64(size); bare && off == limit {
			off = 0
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

func aligned(n int) []byte {
	b := make([]byte, n+journal.BlockSize)
	skip := int(-uintptr(unsafe.Pointer(&b[0])) % journal.BlockSize)
	return b[skip : skip+n]
}

// BenchmarkAppend measures staging alone.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1 << 10, 128 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			opts := options(journal.OSFS{})
			opts.Dir, opts.Durability, opts.SegmentBytes = b.TempDir(), journal.DurabilityOS, 0
			j, err := openOnly(opts)
			if err != nil {
				b.Fatal(err)
			}
			r := wire.Record{Kind: wire.RecordAccept, Slot: 1, Payload: wire.Payload{Body: make([]byte, size)}}
			r.BodyCRC = wire.Checksum(r.Body)
			staged := 0
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				j.Append(&r)
				if staged += size; staged < 4<<20 {
					continue
				}
				staged = 0
				b.StopTimer()
				if _, err := j.Flush(); err != nil {
					b.Fatal(err)
				}
				j.Truncate(1)
				b.StartTimer()
			}
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
