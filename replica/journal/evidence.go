package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"paxosbench/wire"
)

// Where replay stops, a record n is missing. Either it was in a group whose sync had not returned when the machine
// stopped: nobody was told that it is durable, and it is cut. Or it had been synced and the disk has lost it: then the
// replica must not go on as if it had never promised or accepted it.
//
// The rule: n had been synced if anything intact says that the journal was synced up to n or beyond. Three things say
// so, each with a number it calls synced:
//
//   - a record: the first LSN of its group less one. Flush writes a group only after the sync of the one before has
//     returned, so if a single sector of a group is on the disk, every earlier group was durable.
//   - a segment header: its first LSN less one. The writer syncs a segment before it writes to the next.
//   - the identity file: what an Open had replayed or an orderly Close had flushed.
//
// A number is never too high, for the reasons given; with DurabilityOS, where nothing is synced, it is 0. Leftovers of
// an earlier cut cannot raise it above what has been kept: their number was below the cut. So nothing that only looks
// torn is refused. On the other side, damage is recognised as soon as one record of any later group, one later header
// or a later opening or closing can be read. What cannot be told: that the very last group before a crash was synced,
// and rotted before the restart. It is cut like a torn one. Nothing on one disk distinguishes the two (Alagappan et
// al., "Protocol-Aware Recovery for Consensus-Based Storage", FAST 2018, comes to the same end).

// evidence is what the disk says about records behind the end of the journal.
type evidence struct {
	synced LSN // the highest number
	torn   int // records of the last epoch that will be cut
	inTail int // records found in the segment that the journal ends in
	inNext int // and in the one after, or segments begun behind that
}

// judge decides whether the journal may end at damage: an error, or the unsynced rest is given up. last is the index
// of the segment it ends in.
func (r *recovery) judge(damage place, last int) error {
	e := evidence{synced: r.id.synced}
	for i := last + 1; i < len(r.segments); i++ {
		if s := &r.segments[i]; s.begun {
			e.synced = max(e.synced, s.header.synced)
			e.inNext += min(i-last-1, 1)
		}
	}
	if err := r.scan(damage, &e, &e.inTail); err != nil {
		return err
	}
	if last+1 < len(r.segments) {
		if err := r.scan(place{segment: r.segments[last+1].number}, &e, &e.inNext); err != nil {
			return err
		}
	}
	if e.synced >= r.next {
		return r.corrupt(damage, last, &e)
	}
	if e.torn > 0 {
		r.opts.Logger.Warn("journal: cut an unsynced tail; nothing in it was acknowledged",
			"file", r.path(damage.segment), "offset", damage.offset, "lsn", uint64(r.next), "records", e.torn)
	}
	return nil
}

// corrupt names the damage. If the segment shows nothing behind its end and the next one cannot be read but has been
// written to, the missing record was the first of the next.
func (r *recovery) corrupt(damage place, last int, e *evidence) error {
	reason := fmt.Sprintf("the journal was synced up to record %d", e.synced)
	switch {
	case last+1 == len(r.segments) || e.inTail > 0:
	case r.segments[last+1].number != damage.segment+1:
		damage = place{segment: damage.segment + 1}
		reason = "the segment is missing; " + reason
	case e.inNext > 0 && !r.segments[last+1].begun:
		damage = place{segment: damage.segment + 1}
		reason = "the segment's header is damaged; " + reason
	}
	return &CorruptError{File: r.path(damage.segment), Offset: damage.offset, LSN: r.next, Reason: reason}
}

// scan looks for record headers of the segment from a place on, at every position a record can have, and counts them.
func (r *recovery) scan(from place, e *evidence, count *int) error {
	return r.view(from.segment, func() error {
		off := alignUp(from.offset, recordAlign)
		for r.window.size-off >= recordHeaderSize {
			n := min(scanBytes, r.window.size-off)
			src, err := r.window.bytes(off, int(n))
			if err != nil {
				return err
			}
			*count += r.scanPiece(src, from.segment, e)
			off += n - (recordHeaderSize - recordAlign) // a header may lie across the seam
		}
		return nil
	})
}

// scanBytes is how much scan looks at in one go, a multiple of recordAlign.
const scanBytes = 1 << 20

// scanPiece counts the record headers of a segment in src and gathers what they say.
func (r *recovery) scanPiece(src []byte, segment uint32, e *evidence) (found int) {
	for off := 0; ; off += recordAlign {
		i := nextMagic(src[off:])
		if i < 0 || off+i+recordHeaderSize > len(src) {
			return found
		}
		off += i
		var rec wire.Record
		var s stamp
		if _, ok := decodeRecordHeader(src[off:], &rec, &s, r.seed); !ok || s.segment != segment {
			continue
		}
		found++
		e.synced = max(e.synced, s.synced)
		if s.epoch >= r.epoch && s.lsn >= r.next {
			e.torn++
		}
	}
}

var magicBytes = binary.LittleEndian.AppendUint32(nil, recordMagic)

// nextMagic returns the first aligned position of a record's magic in src, -1 if there is none.
func nextMagic(src []byte) int {
	for off := 0; ; {
		i := bytes.Index(src[off:], magicBytes)
		if i < 0 {
			return -1
		}
		if off += i; off%recordAlign == 0 {
			return off
		}
		off++
	}
}

// discardBehindGap sets newest, and removes the segment files that cannot be used because one before is missing.
func (r *recovery) discardBehindGap() error {
	r.newest = r.tail.segment
	var errs []error
	for i := range r.segments {
		switch number := r.segments[i].number; {
		case number <= r.newest:
		case number == r.newest+1:
			r.newest = number
		default:
			errs = append(errs, r.opts.FS.Remove(r.path(number)))
		}
	}
	return errors.Join(errs...)
}
