package journal

import (
	"fmt"
	"log/slog"
	"sync"
)

// pool keeps the segment files. Their numbers run without a gap from the oldest one in use over the newest one in use
// to the last one prepared. A file is prepared by taking room for the whole of it and writing zeros over it once, or by
// renaming one that is no longer needed; either way its name and its length are durable before it is used.
//
// Zeros are for what comes later: a write to room that has only been taken makes the file system note, with its sync, that
// there is something. They are written bit by bit under a name of their own, so that the log need not share the disk with
// as many zeros, and a log that is faster gets the file as it is.
type pool struct {
	fs     FS
	dir    string
	direct OpenFlags
	size   int64 // bytes of a segment
	least  int   // prepared files to keep, if there are so many
	log    *slog.Logger

	work    sync.Mutex // held while files are made, renamed or removed; guards what follows
	names   error      // a failed sync of the directory, final: nobody knows which names the disk has
	scratch *scratch   // the file that is being prepared; nil: none
	rest    int        // steps of preparing to sit out, as one has failed

	mu       sync.Mutex // guards what follows, never held during I/O
	taken    uint32     // newest segment in use
	last     uint32     // newest segment file there is
	hurry    bool       // the next one is needed soon
	released []uint32   // no longer needed, oldest first
	keep     int        // prepared files to keep: least, or as many as were last released at a time and two
	stuck    bool       // releasing failed: the rest stays where it is until the next Open

	created, recycled, removed uint64
}

// stepsOfSegment is how many steps it takes to fill a segment with zeros.
const stepsOfSegment = 512

// restAfterFailure is how many steps of preparing are left out after one that failed.
const restAfterFailure = 64

// take opens a segment for writing. It must be the newest in use or the one after it. It waits only if that has not
// been prepared.
func (p *pool) take(number uint32) (File, error) {
	if err := p.prepareThrough(number); err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.taken, p.hurry = number, false
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
		if err := p.prepare(0, true); err != nil {
			return fmt.Errorf("journal: preparing segment %d: %w", p.newest()+1, err)
		}
	}
	return nil
}

// first makes the file of the first segment, full of zeros.
func (p *pool) first() error {
	p.work.Lock()
	defer p.work.Unlock()
	if err := p.prepare(p.size, true); err != nil {
		return fmt.Errorf("journal: preparing the first segment: %w", err)
	}
	return nil
}

func (p *pool) newest() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// release hands over segments that are no longer needed, oldest first. As many will be needed until the next are, and two
// more: one is ready when they have been used, and not every time it is as many.
func (p *pool) release(numbers []uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keep = max(p.least, len(numbers)+2)
	p.released = append(p.released, numbers...)
}

// tend does the housekeeping that is due: released segments are recycled or removed, and if none is prepared, the next
// one is brought a step further. Failures are logged and, but for names, not final: nothing that was acknowledged depends
// on it, and what cannot be prepared here is tried again before it is needed, and when it is.
func (p *pool) tend() {
	p.work.Lock()
	defer p.work.Unlock()
	for {
		number, wanted, ok := p.nextReleased()
		if !ok {
			break
		}
		if err := p.reuse(number, wanted); err != nil {
			p.log.Warn("journal: segment stays on disk until the next start",
				"file", segmentPath(p.dir, number), "error", err)
			p.giveUp()
		}
	}
	if !p.preparing() {
		return
	}
	if p.rest > 0 {
		p.rest--
		return
	}
	if err := p.prepare(p.step(), p.hurries()); err != nil {
		p.rest = restAfterFailure
		p.log.Warn("journal: cannot prepare the next segment ahead of need", "error", err)
	}
}

// step is how many zeros are written at a time.
func (p *pool) step() int64 { return alignUp(p.size/stepsOfSegment, BlockSize) }

// preparing reports whether no segment is prepared, so that tend has one to bring a step further.
func (p *pool) preparing() bool { return p.ahead() == 0 }

func (p *pool) hurries() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hurry
}

// wrote tells how far the newest segment has been written, and returns whether tend is to be called: the next one is
// needed soon.
func (p *pool) wrote(end int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hurry = p.last == p.taken && end > p.size/4*3
	return p.hurry
}

func (p *pool) ahead() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.last - p.taken)
}

// nextReleased removes and returns the oldest released segment, and whether it is to be prepared for use again.
func (p *pool) nextReleased() (number uint32, wanted, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.released) == 0 || p.stuck {
		return 0, false, false
	}
	number = p.released[0]
	p.released = append(p.released[:0], p.released[1:]...)
	return number, int(p.last-p.taken) < p.keep, true
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

// prepare brings the next segment file further, by so many zeros at most, and gives it its name when it is full of them
// or needed now. The caller holds p.work.
func (p *pool) prepare(zeros int64, now bool) error {
	if p.scratch == nil {
		s, err := newScratch(p.fs, p.dir, p.size, p.direct)
		if err != nil {
			return err
		}
		p.scratch = s
	}
	err := p.scratch.fill(zeros)
	if err == nil && (now || p.scratch.full()) {
		return p.finish()
	}
	if err != nil {
		p.discard()
	}
	return err
}

// finish makes a segment of the scratch file. The caller holds p.work.
func (p *pool) finish() error {
	err := p.scratch.finish(segmentPath(p.dir, p.newest()+1))
	if err != nil {
		p.discard()
		return err
	}
	p.scratch = nil
	if err := p.syncNames(); err != nil {
		return err
	}
	p.added(&p.created)
	return nil
}

// discard gives up the scratch file, if there is one. The caller holds p.work.
func (p *pool) discard() {
	if p.scratch != nil {
		p.scratch.discard()
		p.scratch = nil
	}
}

// close lets go of what is being prepared.
func (p *pool) close() {
	p.work.Lock()
	defer p.work.Unlock()
	p.discard()
}
