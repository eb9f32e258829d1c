package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
)

// pool keeps the segment files. Their numbers run without a gap from the oldest one in use over the newest one in use
// to the last one prepared. A file is prepared by writing zeros over its whole length once, or by renaming one that is
// no longer needed; either way its later writes change no metadata, and its name is durable before it is used.
type pool struct {
	fs     FS
	dir    string
	direct OpenFlags
	size   int64 // bytes of a segment
	keep   int   // prepared files to keep at most
	log    *slog.Logger

	work  sync.Mutex // held while files are made, renamed or removed; guards names
	names error      // a failed sync of the directory, final: nobody knows which names the disk has

	mu       sync.Mutex // guards what follows, never held during I/O
	taken    uint32     // newest segment in use
	last     uint32     // newest segment file there is
	released []uint32   // no longer needed, oldest first
	stuck    bool       // releasing failed: the rest stays where it is until the next Open
	short    bool       // preparing ahead failed
	retryAt  uint64     // bytes written when it is tried again; 0: not yet said

	created, recycled, removed uint64
}

// segmentScratch begins the name of a segment file that is being made.
const segmentScratch = "segment"

// maxFresh is how many files are made ahead of need at most: one that is taken at once when the segment being written
// is full, and one that gives time to make the next.
const maxFresh = 2

// fresh returns how many files are made ahead of need if none can be recycled. It leaves room for one to recycle:
// otherwise a file would be made at every roll and another removed at every truncation, for ever.
func (p *pool) fresh() int { return max(1, min(maxFresh, p.keep-1)) }

// take opens a segment for writing. It must be the newest in use or the one after it. It waits only if that has not
// been prepared.
func (p *pool) take(number uint32) (File, error) {
	if err := p.prepareThrough(number); err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.taken = number
	p.mu.Unlock()
	return p.fs.Open(segmentPath(p.dir, number), OpenWrite|p.direct)
}

// prepareThrough makes sure that the file of a segment exists.
func (p *pool) prepareThrough(number uint32) error {
	if p.newest() >= number {
		return nil
	}
	p.work.Lock()
	defer p.work.Unlock()
	for p.newest() < number {
		if err := p.prepare(); err != nil {
			return fmt.Errorf("journal: preparing segment %d: %w", p.newest()+1, err)
		}
	}
	return nil
}

func (p *pool) newest() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// release hands over segments that are no longer needed, oldest first.
func (p *pool) release(numbers []uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.released = append(p.released, numbers...)
}

// tend does the housekeeping that is due: released segments are recycled or removed, and prepared ones are made if
// there are too few. Failures are logged and, but for names, not final: nothing that was acknowledged depends on it, and
// what cannot be prepared here is tried again before it is needed, and when it is.
func (p *pool) tend() {
	p.work.Lock()
	defer p.work.Unlock()
	for {
		number, ahead, ok := p.nextReleased()
		if !ok {
			break
		}
		if err := p.reuse(number, ahead < p.keep); err != nil {
			p.log.Warn("journal: segment stays on disk until the next start",
				"file", segmentPath(p.dir, number), "error", err)
			p.giveUp()
		}
	}
	for p.ahead() < p.fresh() {
		if err := p.prepare(); err != nil {
			p.log.Warn("journal: cannot prepare the next segment ahead of need", "error", err)
			p.tryAgain()
			return
		}
	}
}

func (p *pool) ahead() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.last - p.taken)
}

// nextReleased removes and returns the oldest released segment, and how many are prepared.
func (p *pool) nextReleased() (number uint32, ahead int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.released) == 0 || p.stuck {
		return 0, 0, false
	}
	number = p.released[0]
	p.released = append(p.released[:0], p.released[1:]...)
	return number, int(p.last - p.taken), true
}

// tryAgain has another attempt made at preparing once more has been written.
func (p *pool) tryAgain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.short, p.retryAt = true, 0
}

// due reports whether another attempt at preparing is to be made, given how much has been written so far: several in the
// time that the segment being written lasts.
func (p *pool) due(written uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.short {
		return false
	}
	if p.retryAt == 0 {
		p.retryAt = written + uint64(p.size)/8
	}
	if written < p.retryAt {
		return false
	}
	p.short = false
	return true
}

// giveUp stops releasing. Younger segments must not go while an older one stays: a gap would look like loss.
func (p *pool) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stuck = true
}

// reuse turns a released segment into the last prepared one, or removes it. The directory is synced for every single
// segment, so that after a power loss the oldest ones are gone and no others.
func (p *pool) reuse(number uint32, wanted bool) error {
	from := segmentPath(p.dir, number)
	if wanted && p.hasSize(from) {
		if err := p.fs.Rename(from, segmentPath(p.dir, p.newest()+1)); err != nil {
			return err
		}
		if err := p.syncNames(); err != nil {
			return err
		}
		p.added(&p.recycled)
		return nil
	}
	if err := p.fs.Remove(from); err != nil {
		return err
	}
	p.mu.Lock()
	p.removed++
	p.mu.Unlock()
	return p.syncNames()
}

// syncNames makes the names of segment files durable. The caller holds p.work.
func (p *pool) syncNames() error {
	if p.names == nil {
		p.names = p.fs.SyncDir(p.dir)
	}
	return p.names
}

// hasSize reports whether a file has the size of a segment; an oversized record or another configuration makes others.
func (p *pool) hasSize(name string) bool {
	f, err := p.fs.Open(name, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	size, err := f.Size()
	return err == nil && size == p.size
}

// count adds the pool's counters to s.
func (p *pool) count(s *Stats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.SegmentsCreated, s.SegmentsRecycled, s.SegmentsRemoved = p.created, p.recycled, p.removed
}

// added counts one more prepared segment.
func (p *pool) added(counter *uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	*counter++
}

// makeZeros makes a file of a segment's size, durable.
func (p *pool) makeZeros(name string) error {
	f, err := p.fs.Open(name, OpenCreate|p.direct)
	if err != nil {
		return err
	}
	if err := writeZeros(f, p.size); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// prepare makes the next segment file from nothing. It gets its name when it is complete. The caller holds p.work.
func (p *pool) prepare() error {
	scratch := filepath.Join(p.dir, segmentScratch+ScratchSuffix)
	err := p.makeZeros(scratch)
	if err == nil {
		err = p.fs.Rename(scratch, segmentPath(p.dir, p.newest()+1))
	}
	if err != nil {
		_ = p.fs.Remove(scratch) // half a file keeps a full disk full
		return err
	}
	if err := p.syncNames(); err != nil {
		return err
	}
	p.added(&p.created)
	return nil
}
