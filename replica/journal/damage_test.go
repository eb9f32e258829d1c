package journal_test

import (
	"bytes"
	"errors"
	"paxosbench/wire"
	"strings"
	"testing"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
)

var recordMagic = []byte("PXJR")

// recordOffsets finds the records in a segment whose bodies do not contain the magic.
func recordOffsets(data []byte) (offsets []int64) {
	for at := 0; ; {
		i := bytes.Index(data[at:], recordMagic)
		if i < 0 {
			return offsets
		}
		offsets = append(offsets, int64(at+i))
		at += i + len(recordMagic)
	}
}

// threeSegments makes a journal with groups of several sizes in three segments.
func threeSegments(t *testing.T) (*memfs.FS, pair) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	p.group(t, promise(3))
	for slot := p.twin.slot + 1; !begun(t, fs, 3); slot += 3 {
		body := strings.Repeat(string(rune('a'+slot%26)), 100*int(slot))
		p.group(t, accept(slot, body), accept(slot+1, "tiny"), accept(slot+2, ""))
	}
	p.prepared() // the fourth
	return fs, p
}

// wantCorrupt checks that the journal is refused, and that the error names the place.
func wantCorrupt(t *testing.T, fs *memfs.FS, file string, offset int64) {
	t.Helper()
	_, err := journal.Open(options(fs), func(journal.LSN, *wire.Record) error { return nil })
	var corrupt *journal.CorruptError
	if !errors.As(err, &corrupt) {
		t.Fatalf("Open returned %v, want a CorruptError for %s at %d", err, file, offset)
	}
	if corrupt.File != file || corrupt.Offset != offset {
		t.Fatalf("damage at %s offset %d was reported as: %v", file, offset, err)
	}
}

// TestRot flips bits in every part of every record and header of a journal that was closed in order.
func TestRot(t *testing.T) {
	fs, p := threeSegments(t)
	p.close(t)
	for number := uint32(1); number <= 3; number++ {
		file := journal.SegmentPath(dir, number)
		offsets := recordOffsets(fs.Read(file))
		if len(offsets) < 3 {
			t.Fatalf("%d records in segment %d", len(offsets), number)
		}
		for i := range int64(journal.SegmentHeaderSize) {
			damaged := fs.Restart()
			damaged.FlipBit(file, i, uint(i))
			wantCorrupt(t, damaged, file, 0)
		}
		for _, offset := range offsets {
			for _, i := range partsOfRecord(fs.Read(file)[offset:]) {
				damaged := fs.Restart()
				damaged.FlipBit(file, offset+i, uint(i))
				wantCorrupt(t, damaged, file, offset)
			}
		}
	}
}

// partsOfRecord returns every byte of a record's header and some of its body.
func partsOfRecord(record []byte) (parts []int64) {
	for i := range int64(journal.RecordHeaderSize) {
		parts = append(parts, i)
	}
	if n := int64(record[12]) | int64(record[13])<<8; n > 0 {
		parts = append(parts, journal.RecordHeaderSize, journal.RecordHeaderSize+n/2, journal.RecordHeaderSize+n-1)
	}
	return parts
}

// TestRotWithoutClose does the same after the process was killed: all but the last group is still known to have been
// synced. The last group cannot be told from a torn one; this is the documented limit.
func TestRotWithoutClose(t *testing.T) {
	fs, p := threeSegments(t)
	lastGroup := 0
	for number := uint32(1); number <= 3; number++ {
		file := journal.SegmentPath(dir, number)
		for _, offset := range recordOffsets(fs.Read(file)) {
			damaged := fs.Restart()
			damaged.FlipBit(file, offset+40, 3)
			var r replayed
			if _, err := journal.Open(options(damaged), r.collect); err == nil {
				if missing := len(p.twin.facts) - int(r.last()); missing > 3 {
					t.Fatalf("damage at %s offset %d cost %d records", file, offset, missing)
				}
				lastGroup++
				continue
			}
			wantCorrupt(t, damaged, file, offset)
		}
	}
	if lastGroup != 3 {
		t.Errorf("damage to %d records was taken for a torn tail, want the 3 of the last group", lastGroup)
	}
}

// TestOldCopyOfASegment puts an earlier copy of one segment in the place of the newest one, for instance from a backup. Every copy is refused, but
// for the segment that is being written to if the process was killed: its end is taken for a torn tail. This is the documented limit.
func TestOldCopyOfASegment(t *testing.T) {
	const newest = 5
	for _, killed := range []bool{false, true} {
		fs := memfs.New()
		p := mustOpen(t, options(fs), &history{})
		copies := map[string][][]byte{}
		p.group(t, promise(3))
		for slot := p.twin.slot + 1; !begun(t, fs, newest); slot++ {
			p.group(t, accept(slot, strings.Repeat("x", 100*int(slot))))
			for number := uint32(1); number <= newest; number++ {
				if int(number) <= len(segmentsOf(t, fs)) {
					name := journal.SegmentPath(dir, number)
					copies[name] = append(copies[name], bytes.Clone(fs.Read(name)))
				}
			}
		}
		if !killed {
			p.close(t)
		}
		tried := 0
		for number := uint32(1); number <= newest; number++ {
			name := journal.SegmentPath(dir, number)
			for _, old := range copies[name] {
				if bytes.Equal(old, fs.Read(name)) {
					continue
				}
				tried++
				damaged := fs.Restart()
				damaged.Damage(name, func([]byte) []byte { return bytes.Clone(old) })
				_, err := journal.Open(options(damaged), func(journal.LSN, *wire.Record) error { return nil })
				var corrupt *journal.CorruptError
				if refused := errors.As(err, &corrupt); !refused && (err != nil || !killed || number < newest) {
					t.Errorf("killed: %v, segment %d of %d is an old copy: error %v", killed, number, newest, err)
				}
			}
		}
		if tried < 10 {
			t.Errorf("only %d old copies", tried)
		}
	}
}

// TestEvidence damages one record and leaves exactly one thing that proves that it had been synced.
func TestEvidence(t *testing.T) {
	one := journal.SegmentPath(dir, 1)
	first := int64(journal.BlockSize)
	t.Run("a later group", func(t *testing.T) {
		fs := memfs.New()
		p := mustOpen(t, options(fs), &history{})
		p.group(t, accept(1, "one"))
		fs.FlipBit(one, first+40, 0)
		mustOpen(t, options(fs.Restart()), &history{}) // cut: nothing proves it yet
		p.group(t, accept(2, "two"))
		wantCorrupt(t, fs.Restart(), one, first)
	})
	t.Run("a torn later group", func(t *testing.T) {
		fs := memfs.New()
		p := mustOpen(t, options(fs), &history{})
		p.group(t, accept(1, "one"))
		p.group(t, accept(2, "two"), accept(3, "three"))
		fs.FlipBit(one, first+40, 0)
		fs.FlipBit(one, first+journal.BlockSize, 0)
		wantCorrupt(t, fs.Restart(), one, first)
	})
	t.Run("the next segment's header", func(t *testing.T) {
		fs := memfs.New()
		p := mustOpen(t, options(fs), &history{})
		body := strings.Repeat("x", 2*journal.BlockSize)
		p.group(t, accept(1, body), accept(2, body)) // one group in two segments
		fs.FlipBit(one, first+40, 0)
		wantCorrupt(t, fs.Restart(), one, first)
	})
	t.Run("a header across two pieces of the scan", func(t *testing.T) {
		opts := options(memfs.New())
		opts.SegmentBytes = 4 << 20
		fs := opts.FS.(*memfs.FS)
		p := mustOpen(t, opts, &history{})
		p.group(t, accept(1, "one"))
		second := first + journal.BlockSize
		seam := first + journal.ScanBytes
		long := strings.Repeat("x", int(seam-40-second)-journal.RecordHeaderSize)
		p.group(t, accept(2, long), accept(3, "three"))
		fs.FlipBit(one, first+40, 0)
		fs.FlipBit(one, second+40, 0)
		wantCorrupt(t, fs.Restart(), one, first)
	})
	t.Run("an opening", func(t *testing.T) {
		fs := memfs.New()
		p := mustOpen(t, options(fs), &history{})
		p.group(t, accept(1, "one"))
		fs = fs.Restart()
		mustOpen(t, options(fs), p.twin)
		fs.FlipBit(one, first+40, 0)
		wantCorrupt(t, fs.Restart(), one, first)
	})
}

// TestRotOfPadding checks that zeros between records carry no meaning.
func TestRotOfPadding(t *testing.T) {
	fs, p := threeSegments(t)
	p.close(t)
	fs.FlipBit(journal.SegmentPath(dir, 1), journal.BlockSize-1, 0)
	fs.FlipBit(journal.SegmentPath(dir, 1), 2*journal.BlockSize-1, 0)
	mustOpen(t, options(fs), p.twin)
}

func TestLostFiles(t *testing.T) {
	original, p := threeSegments(t)
	p.close(t)
	remove := func(names ...string) *memfs.FS {
		fs := original.Restart()
		for _, name := range names {
			if err := fs.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		return fs
	}
	segment := func(n uint32) string { return journal.SegmentPath(dir, n) }
	wantCorrupt(t, remove(segment(2)), segment(2), 0)
	wantCorrupt(t, remove(segment(3)), segment(3), 0)
	wantCorrupt(t, remove(segment(1), segment(2), segment(3)), segment(4), 0)
	wantCorrupt(t, remove(segment(1), segment(2), segment(3), segment(4)), segment(1), 0)
	opts := options(remove(dir + "/identity"))
	if _, err := journal.Open(opts, (&replayed{}).collect); err == nil {
		t.Error("Bootstrap took over segments without an identity file")
	}
	opts.Bootstrap = false
	var corrupt *journal.CorruptError
	if _, err := journal.Open(opts, (&replayed{}).collect); !errors.As(err, &corrupt) {
		t.Errorf("segments without an identity file: %v", err)
	}
}

// TestMisplaced writes intact blocks to wrong places.
func TestMisplaced(t *testing.T) {
	original, p := threeSegments(t)
	p.close(t)
	one, two := journal.SegmentPath(dir, 1), journal.SegmentPath(dir, 2)
	block := func(data []byte, n int) []byte { return data[n*journal.BlockSize : (n+1)*journal.BlockSize] }

	t.Run("over a synced group of the same segment", func(t *testing.T) {
		fs := original.Restart()
		fs.Damage(one, func(data []byte) []byte { copy(block(data, 1), block(data, 2)); return data })
		wantCorrupt(t, fs, one, journal.BlockSize)
	})
	t.Run("over a synced group of another segment", func(t *testing.T) {
		fs := original.Restart()
		from := original.Read(one)
		fs.Damage(two, func(data []byte) []byte { copy(block(data, 1), block(from, 1)); return data })
		wantCorrupt(t, fs, two, journal.BlockSize)
	})
	t.Run("a whole segment", func(t *testing.T) {
		fs := original.Restart()
		from := original.Read(one)
		fs.Damage(two, func([]byte) []byte { return from })
		wantCorrupt(t, fs, two, 0)
	})
	t.Run("behind the end", func(t *testing.T) {
		fs := original.Restart()
		from := original.Read(one)
		next := journal.SegmentPath(dir, 4)
		fs.Damage(next, func(data []byte) []byte { copy(data, from); return data })
		p := mustOpen(t, options(fs), p.twin.clone())
		if len(p.twin.facts) != int(p.twin.acked) {
			t.Error("a recycled record was replayed")
		}
	})
}

// TestRecordOfAnotherSegment puts a record in the right place with the right LSN that names another segment.
func TestRecordOfAnotherSegment(t *testing.T) {
	long := options(memfs.New())
	long.SegmentBytes *= 2
	one := mustOpen(t, long, &history{})
	short := options(memfs.New())
	two := mustOpen(t, short, &history{})
	body := strings.Repeat("x", 2*journal.BlockSize)
	for _, p := range []pair{one, two} {
		p.group(t, accept(1, body), accept(2, "two")) // the second record ends where the first segment does, or not
		p.group(t, accept(3, body))
	}
	one.group(t, accept(4, "four"))
	stray := long.FS.(*memfs.FS).Read(journal.SegmentPath(dir, 1))
	at := recordOffsets(stray)[3]
	fs := short.FS.(*memfs.FS).Restart()
	file := journal.SegmentPath(dir, 2)
	end := recordOffsets(fs.Read(file))
	if len(end) != 1 {
		t.Fatalf("%d records in the second segment, want 1", len(end))
	}
	fs.Damage(file, func(data []byte) []byte {
		copy(data[end[0]+int64(journal.RecordSize(len(body))):], stray[at:at+200])
		return data
	})
	short.FS = fs
	if p := mustOpen(t, short, two.twin); len(p.twin.facts) != 3 {
		t.Errorf("%d records, want 3", len(p.twin.facts))
	}
}

// TestForeignSegment checks that a segment of another directory is not taken for one's own.
func TestForeignSegment(t *testing.T) {
	one := journal.SegmentPath(dir, 1)
	fs, p := threeSegments(t)
	p.close(t)
	for _, change := range []func(*journal.Options){
		func(o *journal.Options) { o.Salt++ },
		func(o *journal.Options) { o.Identity.Replica++ },
	} {
		opts := options(memfs.New())
		change(&opts)
		other := mustOpen(t, opts, &history{})
		other.group(t, accept(1, "foreign"))
		foreign := opts.FS.(*memfs.FS).Read(one)
		damaged := fs.Restart()
		damaged.Damage(one, func([]byte) []byte { return foreign })
		if _, err := journal.Open(options(damaged), (&replayed{}).collect); err == nil {
			t.Error("a foreign segment was accepted")
		}
	}
}
