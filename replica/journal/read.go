package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"paxosbench/wire"
)

// ReadEntries appends to dst, in wire form (wire.AppendEntry), the entries for the slots from..through: for each the
// newest durable record, accepted or decided. It stops before the first slot that has none and before the entries take
// more than maxBytes, but returns at least one. last is the last slot returned. What was accepted is chosen only up to
// the commit frontier; a caller that wants chosen entries passes the frontier as through.
//
// If there is no entry for slot from, the error is ErrTruncated. Damage found on the way is a *CorruptError. The caller
// owns dst; on an error its contents behind the original length are undefined. Safe to call from any goroutine.
func (j *Journal) ReadEntries(from, through wire.Slot, maxBytes int, dst []byte) (out []byte, last wire.Slot, err error) {
	refs := j.index.collect(from, through, maxBytes, nil)
	if len(refs) == 0 {
		return dst, 0, ErrTruncated
	}
	r := entryReader{journal: j}
	defer func() { err = errors.Join(err, r.close()) }()
	for i := range refs {
		if dst, err = r.append(dst, &refs[i]); err != nil {
			return dst, last, err
		}
		last = refs[i].slot
	}
	return dst, last, nil
}

// entryReader reads records back through a file handle of its own. A segment may be recycled under it at any time, so
// it believes a record only if it says that it is the one wanted.
type entryReader struct {
	journal *Journal
	file    File // nil or of segment
	segment uint32
	record  []byte // the record read last, with header
}

// append appends the entry that r refers to.
func (e *entryReader) append(dst []byte, r *ref) ([]byte, error) {
	if err := e.open(r.segment); err != nil {
		return dst, err
	}
	n := recordHeaderSize + int(r.bodyLen)
	if cap(e.record) < n {
		e.record = make([]byte, n)
	}
	e.record = e.record[:n]
	if _, err := e.file.ReadAt(e.record, int64(r.offset)); err != nil && !errors.Is(err, io.EOF) {
		return dst, err
	}
	rec, err := e.check(r)
	if err != nil {
		return dst, err
	}
	return wire.AppendEntry(dst, &wire.Entry{
		Slot: rec.Slot, Ballot: rec.Ballot, Payload: rec.Payload,
	}), nil
}

// open makes sure that file is that of segment.
func (e *entryReader) open(segment uint32) error {
	if e.file != nil && e.segment == segment {
		return nil
	}
	if err := e.close(); err != nil {
		return err
	}
	f, err := e.journal.opts.FS.Open(segmentPath(e.journal.opts.Dir, segment), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrTruncated
	}
	if err != nil {
		return err
	}
	e.file, e.segment = f, segment
	return nil
}

func (e *entryReader) close() error {
	if e.file == nil {
		return nil
	}
	f := e.file
	e.file = nil
	return f.Close()
}

// check decodes the record just read. If it is not the one wanted, either the segment has been recycled meanwhile, or
// the disk has rotted.
func (e *entryReader) check(r *ref) (wire.Record, error) {
	var rec wire.Record
	var s stamp
	body := e.record[recordHeaderSize:]
	n, ok := decodeRecordHeader(e.record, &rec, &s, e.journal.seed)
	if ok && n == len(body) && s.segment == r.segment && s.lsn == r.lsn && wire.Checksum(body) == rec.BodyCRC {
		rec.Body = body
		return rec, nil
	}
	if !e.journal.index.holds(r.segment) {
		return wire.Record{}, ErrTruncated
	}
	return wire.Record{}, &CorruptError{
		File: segmentPath(e.journal.opts.Dir, r.segment), Offset: int64(r.offset), LSN: r.lsn,
		Reason: fmt.Sprintf("the record for slot %d does not read back as it was written", r.slot),
	}
}
