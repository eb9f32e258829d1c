package journal

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"paxosbench/wire"
)

// recovery reads a data directory back: it replays the records of all segments in order, up to the first that is not
// there, and then decides whether the journal just ends there (see evidence.go).
//
// What makes a record the next one: its header and body pass their checksums, it names this segment, its LSN is the
// next, and its epoch is not below that of the record before. The segment number rejects what a recycled file held in
// its earlier life, the LSN what is misplaced. The epoch rejects leftovers of a cut: say records 10 and 11 are written
// and not synced, a crash destroys 10, the restart cuts there, and a new record 10 of the same size is written over
// the old. The old 11 behind it is intact, has the right LSN, and must not come back. (The old 10 itself can: if the new
// one is torn too, and what survives of it happens to be what the old one lacks. That is harmless. No record from 10 on
// was acknowledged in between, or it would be there; so the replica is where it was before the cut.)
type recovery struct {
	opts   *Options
	id     *identityFile
	seed   uint32
	replay func(LSN, *wire.Record) error
	index  *index

	segments []segmentFile // on disk, by number
	window   window

	next     LSN    // wanted next
	epoch    uint32 // of the last record or header
	promised wire.Ballot
	tail     place  // where the next group goes
	newest   uint32 // newest segment file that may be used
}

// place is a position in the journal.
type place struct {
	segment uint32
	offset  int64
}

// segmentFile is a segment as found on disk. A file without an intact header of its own number has either been
// prepared and not used yet, or is damaged.
type segmentFile struct {
	number uint32
	header segmentHeader
	begun  bool // header is intact and of this number
}

// run replays everything and sets next, promised, tail and newest.
func (r *recovery) run() error {
	if err := r.list(); err != nil || len(r.segments) == 0 {
		return err
	}
	damage, last, err := r.replayAll()
	if err != nil {
		return err
	}
	if err := r.judge(damage, last); err != nil {
		return err
	}
	return r.discardBehindGap()
}

// list finds the segments and reads their headers.
func (r *recovery) list() error {
	names, err := r.opts.FS.List(r.opts.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if number, ok := parseSegmentName(name); ok {
			r.segments = append(r.segments, segmentFile{number: number})
		}
	}
	slices.SortFunc(r.segments, func(a, b segmentFile) int { return int(int64(a.number) - int64(b.number)) })
	for i := range r.segments {
		if err := r.readHeader(&r.segments[i]); err != nil {
			return err
		}
	}
	return r.checkOldest()
}

// readHeader reads the header of a segment, and nothing else of it: there may be many segments, and large ones.
func (r *recovery) readHeader(s *segmentFile) error {
	block, err := r.firstBlock(s.number)
	if err != nil {
		return err
	}
	h, ok, err := decodeSegmentHeader(block)
	if err != nil {
		return &VersionError{File: r.path(s.number), Err: err}
	}
	if ok && h.owner != r.id.owner() {
		return &CorruptError{File: r.path(s.number), LSN: h.first, Reason: "the segment is from another data directory"}
	}
	s.header, s.begun = h, ok && h.number == s.number
	return nil
}

// firstBlock returns the first block of a segment, nil if it is shorter.
func (r *recovery) firstBlock(number uint32) ([]byte, error) {
	file, err := r.openSegment(number)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	block := alignedBytes(BlockSize)
	n, err := file.ReadAt(block, 0)
	if n == BlockSize {
		return block, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, unreadable(r.path(number), 0, err)
	}
	return nil, nil
}

// checkOldest checks what can be said before any record is read: something is there if it should be, and the journal
// begins with a segment that was begun. Truncation never takes the newest such segment, so only the very first one may
// lack its header.
func (r *recovery) checkOldest() error {
	if !r.id.has(flagLogged) {
		if n := len(r.segments); n > 1 || n == 1 && (r.segments[0].begun || r.segments[0].number != 1) {
			return &CorruptError{File: filepath.Join(r.opts.Dir, identityName), Reason: "does not know of the segments"}
		}
		return nil // at most the file that a first Open made before it was interrupted
	}
	if len(r.segments) == 0 {
		return &CorruptError{File: r.path(1), Reason: "all segments are missing"}
	}
	oldest := &r.segments[0]
	if oldest.number > 1 && !oldest.begun {
		return &CorruptError{File: r.path(oldest.number), Reason: "the header of the oldest segment is damaged"}
	}
	return nil
}

// replayAll replays segment after segment, as long as each continues the one before. It returns where the next record
// should be, and the index of the segment that the journal ends in.
func (r *recovery) replayAll() (damage place, last int, err error) {
	damage = place{segment: r.segments[0].number}
	r.tail = damage
	for i := range r.segments {
		s := &r.segments[i]
		if !r.continues(i) {
			return damage, last, nil
		}
		if i == 0 {
			if err := r.replayPromise(&s.header); err != nil {
				return damage, last, err
			}
		}
		r.epoch = s.header.epoch
		r.index.open(s.number)
		last = i
		if damage, err = r.replaySegment(s.number); err != nil {
			return damage, last, err
		}
	}
	return damage, last, nil
}

// continues reports whether the i-th segment is the continuation of the one before, or the first of all.
func (r *recovery) continues(i int) bool {
	s := &r.segments[i]
	if !s.begun {
		return false
	}
	if i == 0 {
		return true
	}
	return s.number == r.segments[i-1].number+1 && s.header.first == r.next && s.header.epoch >= r.epoch
}

// replayPromise replays the promise that the oldest segment's header carries.
func (r *recovery) replayPromise(h *segmentHeader) error {
	r.next = h.first
	r.promised = h.promised
	if h.promised == 0 {
		return nil
	}
	return r.deliver(h.first-1, &wire.Record{Kind: wire.RecordPromise, Ballot: h.promised})
}

func (r *recovery) deliver(lsn LSN, rec *wire.Record) error {
	if err := r.replay(lsn, rec); err != nil {
		return fmt.Errorf("journal: replaying record %d: %w", lsn, err)
	}
	return nil
}

// replaySegment replays the records of a segment and makes them durable: a process that was killed may have left them
// in the page cache only. It sets tail behind the last record and returns where the next one should be.
func (r *recovery) replaySegment(number uint32) (damage place, err error) {
	err = r.view(number, func() error {
		end, next, err := r.replayRecords(number)
		if err != nil {
			return err
		}
		damage = place{number, next}
		r.tail = place{number, alignUp(end, BlockSize)}
		if r.opts.Durability == DurabilityFsync {
			return r.sync(number)
		}
		return nil
	})
	return damage, err
}

// sync makes what has been replayed of the segment in the window durable.
func (r *recovery) sync(number uint32) error {
	if err := r.window.file.Sync(); err != nil {
		return fmt.Errorf("journal: %s cannot be synced: %w", r.path(number), err)
	}
	return nil
}

// replayRecords returns the end of the last record and the place where the next one should be: there, or at the next
// block if the last record was the end of a group.
func (r *recovery) replayRecords(number uint32) (end, next int64, err error) {
	for end = BlockSize; ; {
		for next = end; ; next = alignUp(end, BlockSize) {
			n, err := r.replayRecord(number, next)
			if err != nil {
				return 0, 0, err
			}
			if n > 0 {
				end = next + n
				break
			}
			if next%BlockSize == 0 {
				return end, next, r.locate(end, &next)
			}
		}
	}
}

// locate moves next, the block behind end, to end itself if there is anything but padding.
func (r *recovery) locate(end int64, next *int64) error {
	rest, err := r.window.bytes(end, int(*next-end))
	for _, b := range rest {
		if b != 0 {
			*next = end
			break
		}
	}
	return err
}

// replayRecord replays the record at off, if it is the next one, and returns its size, else 0.
func (r *recovery) replayRecord(number uint32, off int64) (int64, error) {
	src, err := r.window.bytes(off, recordHeaderSize)
	if src == nil || err != nil {
		return 0, err
	}
	var rec wire.Record
	var s stamp
	bodyLen, ok := decodeRecordHeader(src, &rec, &s, r.seed)
	if !ok || s.segment != number || s.lsn != r.next || s.epoch < r.epoch {
		return 0, nil
	}
	src, err = r.window.bytes(off, recordHeaderSize+bodyLen)
	if src == nil || err != nil {
		return 0, err
	}
	rec.Body = src[recordHeaderSize:]
	if wire.Checksum(rec.Body) != rec.BodyCRC {
		return 0, nil
	}
	r.next++
	r.epoch = s.epoch
	if rec.Kind.IsVote() {
		r.promised = max(r.promised, rec.Ballot)
	}
	if rec.Kind.NamesSlot() {
		r.index.put(&ref{slot: rec.Slot, lsn: s.lsn, segment: number, offset: uint32(off), bodyLen: uint32(bodyLen)})
	}
	return int64(recordSize(bodyLen)), r.deliver(s.lsn, &rec)
}

// view opens a segment, turns the window to it, and calls f.
func (r *recovery) view(number uint32, f func() error) error {
	file, err := r.openSegment(number)
	if err != nil {
		return err
	}
	defer file.Close()
	defer r.window.close()
	if err := r.window.open(file, r.path(number)); err != nil {
		return err
	}
	return f()
}

func (r *recovery) openSegment(number uint32) (File, error) {
	var flags OpenFlags
	if r.opts.Durability == DurabilityFsync {
		flags = OpenDirect // what the disk has, not what a cache has kept of a failed sync
	}
	file, err := r.opts.FS.Open(r.path(number), flags)
	if err != nil {
		return nil, unreadable(r.path(number), 0, err)
	}
	return file, nil
}

func (r *recovery) path(number uint32) string { return segmentPath(r.opts.Dir, number) }
