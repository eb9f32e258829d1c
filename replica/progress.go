package replica

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"paxosbench/replica/journal"
)

// progress says how far the recovery of a replica has come. It sees that from below, in the bytes that are read from the
// files of the data directory, and so counts snapshots and journal alike. Its methods may be called from any goroutine.
type progress struct {
	ctx      context.Context // once it is done, reading fails: nobody waits for the end of a recovery to stop a replica
	start    time.Time
	total    int64 // bytes of the files that may have to be read, at most
	read     atomic.Int64
	reading  atomic.Int64 // for how long; while one piece is read the one before is applied
	finished atomic.Int64 // how long it took, 0 as long as it goes on
	cpu      atomic.Int64 // CPU time of the process when it had finished
}

// Recovery says how far the recovery of a replica from its data directory has come, or how it went.
type Recovery struct {
	Done       bool  `json:"done"`
	Bytes      int64 `json:"bytes"`       // read so far
	TotalBytes int64 `json:"total_bytes"` // to be read at most; files that were made ahead of need are among them
	BytesPerS  int64 `json:"bytes_per_s"`
	ElapsedNs  int64 `json:"elapsed_ns"`
	ReadingNs  int64 `json:"reading_ns"` // spent in reading, beside the rest
	CPUNs      int64 `json:"cpu_ns"`     // of the process, up to its end
}

func newProgress(ctx context.Context, dir string) *progress {
	return &progress{ctx: ctx, start: time.Now(), total: recoverable(dir)}
}

// recoverable returns the size of segments and snapshots.
func recoverable(dir string) (bytes int64) {
	for _, pattern := range []string{"*.seg", "snapshot-*"} {
		names, _ := filepath.Glob(filepath.Join(dir, pattern)) // fails for bad patterns only
		for _, name := range names {
			if info, err := os.Stat(name); err == nil && !strings.HasSuffix(name, journal.ScratchSuffix) {
				bytes += info.Size()
			}
		}
	}
	return bytes
}

// report returns how far it has come.
func (p *progress) report() Recovery {
	finished := time.Duration(p.finished.Load())
	r := Recovery{
		Done: finished > 0, Bytes: min(p.read.Load(), p.total), TotalBytes: p.total, ReadingNs: p.reading.Load(), CPUNs: p.cpu.Load(),
	}
	elapsed := finished
	if elapsed == 0 {
		elapsed = max(time.Since(p.start), 1)
	}
	r.BytesPerS, r.ElapsedNs = int64(float64(r.Bytes)/elapsed.Seconds()), elapsed.Nanoseconds()
	return r
}

// finish ends it.
func (p *progress) finish() {
	p.cpu.Store(cpuNs())
	p.finished.Store(int64(max(time.Since(p.start), 1)))
}

// log logs how far it has come, every second until stop is closed.
func (p *progress) log(log *slog.Logger, stop <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r := p.report()
			log.Info("recovering", "bytes", r.Bytes, "of", r.TotalBytes, "bytes_per_s", r.BytesPerS)
		case <-stop:
			return
		}
	}
}

// files returns a file system that counts what is read as long as the recovery goes on.
func (p *progress) files(fs journal.FS) journal.FS { return &countedFS{fs, p} }

type countedFS struct {
	journal.FS
	p *progress
}

// Open implements journal.FS.
func (c *countedFS) Open(name string, flags journal.OpenFlags) (journal.File, error) {
	file, err := c.FS.Open(name, flags)
	if err != nil || c.p.finished.Load() > 0 {
		return file, err
	}
	return &countedFile{file, c.p}, nil
}

type countedFile struct {
	journal.File
	p *progress
}

// ReadAt implements journal.File.
func (c *countedFile) ReadAt(b []byte, off int64) (int, error) {
	if c.p.finished.Load() > 0 {
		return c.File.ReadAt(b, off)
	}
	if err := context.Cause(c.p.ctx); err != nil {
		return 0, err
	}
	began := time.Now()
	n, err := c.File.ReadAt(b, off)
	c.p.read.Add(int64(n))
	c.p.reading.Add(int64(time.Since(began)))
	return n, err
}
