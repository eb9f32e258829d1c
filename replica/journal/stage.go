package journal

import (
	"paxosbench/wire"
)

// stage gives every appended record its place: an LSN, a segment and an offset. It does no I/O. Its lock is held for
// one record, or to swap groups, never during I/O.
type stage struct {
	group *group // being filled
	last  LSN    // of everything appended

	segment      uint32 // the next record goes here
	offset       int64  // in the segment; 0: the segment has no header yet
	segmentBytes int64  // a record that would end beyond goes to the next segment

	header   segmentHeader // template; promised is kept up to date
	seed     uint32        // of the header checksums
	syncing  bool          // flushes sync, so what a record proves about its predecessors is known
	promised wire.Ballot
}

// add stages a record and returns its LSN.
func (s *stage) add(r *wire.Record) LSN {
	s.last++
	size := recordSize(len(r.Body))
	s.place(int64(size))
	dst := s.group.extend(size)
	putRecord(dst, r, stamp{segment: s.segment, epoch: s.header.epoch, lsn: s.last, synced: s.syncedBefore(s.group.first)}, s.seed)
	if r.Kind.NamesSlot() {
		s.group.refs = append(s.group.refs,
			ref{slot: r.Slot, lsn: s.last, segment: s.segment, offset: uint32(s.offset), bodyLen: uint32(len(r.Body))})
	}
	if r.Kind.IsVote() {
		s.promised = max(s.promised, r.Ballot)
	}
	s.offset += int64(size)
	s.group.last = s.last
	return s.last
}

// place makes room for a record of size bytes: it starts the group if this is its first record, and the next segment
// if this one is full.
func (s *stage) place(size int64) {
	full := s.offset+size > s.segmentBytes && s.offset > BlockSize
	if full {
		s.segment++
		s.offset = 0
	}
	if s.group.empty() {
		s.group.first = s.last
	} else if !full {
		return
	}
	s.group.begin(s.segment, s.offset)
	if s.offset == 0 {
		s.putHeader()
	}
}

// putHeader stages the header of a segment that begins with the record being added. Everything before that record has
// been synced when the header is written, even if it is in the same group: the writer syncs a segment before it goes
// on to the next.
func (s *stage) putHeader() {
	h := s.header
	h.number = s.segment
	h.first = s.last
	h.synced = s.syncedBefore(s.last)
	h.promised = s.promised
	h.put(s.group.extend(BlockSize))
	s.offset = BlockSize
}

// syncedBefore returns what is known to be synced when the record lsn is written, given that everything before it is
// if flushes sync at all.
func (s *stage) syncedBefore(lsn LSN) LSN {
	if !s.syncing {
		return 0
	}
	return lsn - 1
}

// take returns the staged group, complete, and puts an empty one in its place.
func (s *stage) take(empty *group) *group {
	g := s.group
	g.pad()
	s.offset = alignUp(s.offset, BlockSize)
	s.group = empty
	return g
}
