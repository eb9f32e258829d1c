package journal_test

import (
	"strings"
	"testing"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
)

// FuzzOpen puts arbitrary bytes in the place of a segment or of the identity file. Open may refuse or not; it does not
// panic, replays nothing that fails its checksum, and what it accepts it can go on with.
func FuzzOpen(f *testing.F) {
	fs := memfs.New()
	p := mustOpen(f, options(fs), &history{})
	p.group(f, promise(3), accept(1, "one"))
	p.group(f, accept(2, strings.Repeat("two", 1000)), accept(3, ""))
	p.append(f, accept(4, strings.Repeat("four", 2000)))
	if _, err := p.Flush(); err != nil {
		f.Fatal(err)
	}
	files := []string{journal.SegmentPath(dir, 1), journal.SegmentPath(dir, 2), dir + "/identity"}
	for i, file := range files {
		data := fs.Read(file)
		f.Add(uint8(i), data)
		f.Add(uint8(i), data[:len(data)/2])
		f.Add(uint8(i), append(data[journal.BlockSize:], data[:journal.BlockSize]...))
		f.Add(uint8(i), []byte(nil))
	}
	two := fs.Read(files[0])
	copy(two[journal.BlockSize:], two[2*journal.BlockSize:])
	f.Add(uint8(0), two)

	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		fs := fs.Restart()
		fs.Damage(files[int(which)%len(files)], func([]byte) []byte { return data })
		var r replayed
		j, err := journal.Open(options(fs), r.collect)
		if err != nil {
			return
		}
		lsn := j.Append(promise(9).record())
		if _, err := j.Flush(); err != nil {
			t.Fatal(err)
		}
		var again replayed
		if _, err := journal.Open(options(fs.Restart()), again.collect); err != nil || again.last() != lsn {
			t.Fatalf("record %d appended, then: %v, last %d", lsn, err, again.last())
		}
	})
}
