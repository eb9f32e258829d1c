package journal

import "paxosbench/wire"

// group is what one flush writes and one sync makes durable: records back to back, padded to whole blocks.
type group struct {
	buf   []byte // aligned memory
	parts []part // pieces of buf by segment, never empty once a record is in
	refs  []ref  // where the entries are, in LSN order
	first LSN    // of the group
	last  LSN
}

// part is a piece of a group that goes into one segment: buf from start up to the next part's start.
type part struct {
	segment uint32
	offset  int64 // in the segment, a multiple of BlockSize
	start   int   // in buf, a multiple of BlockSize
}

// ref says where in the journal an entry is.
type ref struct {
	slot    wire.Slot
	lsn     LSN
	segment uint32
	offset  uint32 // of the record, in bytes
	bodyLen uint32
}

const (
	groupBytes = 64 << 10 // memory a group begins with

	// maxGroupToKeep is room for a whole window of batches of the usual 16 MiB, with what doubling adds to it. A group
	// that a backlog has made larger is given back to the collector.
	maxGroupToKeep = 32 << 20
)

func newGroup() *group { return &group{buf: alignedBytes(groupBytes)[:0]} }

// empty reports whether nothing has been staged.
func (g *group) empty() bool { return len(g.parts) == 0 }

// reset makes the group empty, for another round.
func (g *group) reset() {
	if cap(g.buf) > maxGroupToKeep {
		*g = *newGroup()
		return
	}
	g.buf, g.parts, g.refs = g.buf[:0], g.parts[:0], g.refs[:0]
}

// extend adds n bytes with undefined contents and returns them.
func (g *group) extend(n int) []byte {
	start := len(g.buf)
	if start+n > cap(g.buf) {
		grown := alignedBytes(int(alignUp(int64(max(2*cap(g.buf), start+n)), BlockSize)))
		copy(grown, g.buf)
		g.buf = grown
	}
	g.buf = g.buf[:start+n]
	return g.buf[start:]
}

// begin starts a part: what is staged from here on goes to offset in segment.
func (g *group) begin(segment uint32, offset int64) {
	g.pad()
	g.parts = append(g.parts, part{segment: segment, offset: offset, start: len(g.buf)})
}

// pad fills the last block with zeros.
func (g *group) pad() {
	clear(g.extend(int(alignUp(int64(len(g.buf)), BlockSize)) - len(g.buf)))
}

// bytes returns the contents of the i-th part, whole blocks once the group is padded.
func (g *group) bytes(i int) []byte {
	end := len(g.buf)
	if i+1 < len(g.parts) {
		end = g.parts[i+1].start
	}
	return g.buf[g.parts[i].start:end]
}
