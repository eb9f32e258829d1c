package journal_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
)

// TestTornTail cuts the last, unsynced group at every byte, over a new and over a recycled segment.
func TestTornTail(t *testing.T) {
	for _, stale := range []byte{0, 0xee} {
		fs := memfs.New()
		p := mustOpen(t, options(fs), &history{})
		p.group(t, promise(3), accept(1, "one"))
		p.append(t, accept(2, strings.Repeat("two", 100)), accept(3, ""), accept(4, strings.Repeat("four", 100)))
		if _, err := p.Flush(); err != nil {
			t.Fatal(err)
		}
		for cut := range 3*journal.RecordHeaderSize + 300 + 400 + 8 {
			torn := fs.Restart()
			torn.Damage(journal.SegmentPath(dir, 1), func(data []byte) []byte {
				for i := 2*journal.BlockSize + cut; i < len(data); i++ {
					data[i] = stale
				}
				return data
			})
			continueOn(t, torn, p.twin.clone(), fmt.Sprintf("cut at %d", cut))
		}
	}
}

// continueOn opens, appends, and opens again.
func continueOn(t *testing.T, fs *memfs.FS, twin *history, what string) {
	t.Helper()
	p, err := open(options(fs), twin)
	if err == nil {
		p.group(t, accept(9, "more"))
		p, err = open(options(fs.Crash(1)), p.twin)
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if n := len(p.twin.facts); p.twin.facts[n-1].body != "more" {
		t.Fatalf("%s: the record appended after the cut is not the last", what)
	}
}

// TestShortFile cuts the file itself.
func TestShortFile(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	p.append(t, promise(3), accept(1, strings.Repeat("one", 3000)))
	if _, err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	for size := 0; size < journal.MinSegmentBytes; size += 511 {
		short := fs.Restart()
		short.Damage(journal.SegmentPath(dir, 1), func(data []byte) []byte { return data[:size] })
		continueOn(t, short, p.twin.clone(), fmt.Sprintf("file of %d bytes", size))
	}
}

// TestTornTailIsLogged checks that a cut is announced once, not again at every later start.
func TestTornTailIsLogged(t *testing.T) {
	fs := memfs.New()
	p := mustOpen(t, options(fs), &history{})
	p.group(t, accept(1, "one"))
	p.append(t, accept(2, "two"), accept(3, "three"))
	if _, err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	fs.FlipBit(journal.SegmentPath(dir, 1), 2*journal.BlockSize, 0)
	fs = fs.Restart()
	var out bytes.Buffer
	opts := options(fs)
	opts.Logger = slog.New(slog.NewTextHandler(&out, nil))
	p = mustOpen(t, opts, p.twin)
	if !strings.Contains(out.String(), "cut an unsynced tail") || !strings.Contains(out.String(), "lsn=2 records=1") {
		t.Errorf("logged: %s", out.String())
	}
	p.group(t, accept(2, "again"))
	out.Reset()
	opts.FS = fs.Restart()
	mustOpen(t, opts, p.twin)
	if out.Len() > 0 {
		t.Errorf("logged again: %s", out.String())
	}
}
