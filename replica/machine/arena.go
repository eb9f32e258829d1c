package machine

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"paxosbench/wire"
)

// Records live in slabs of bytes without pointers, so the garbage collector never looks into them. Every size class has
// slabs of its own, or, if it is large, one for each record. Memory comes back: a record that is released leaves a hole,
// which the next one of its class fills; where there are more holes than an eighth of the records, the last record of the
// class moves into one (see KV.compact), and slabs are let go from the end. So with every release at most two records of
// the same class move, and nothing ever waits for more. A record's layout is:
//
//	offset size
//	0      1    size class
//	1      1    zero
//	2      2    key length
//	4      4    value length
//	8      8    digest of key and value
//	16          key, value
//
// and that of a hole, 0xff for the size class, 7 bytes for the hole released before it and 8 for the one after it.
const (
	recordHeaderSize = wire.CommandHeaderSize + 8
	digestOffset     = wire.CommandHeaderSize

	granuleBits  = 4 // sizes are multiples of 16 bytes
	granule      = 1 << granuleBits
	slabBits     = 18
	slabSize     = 1 << slabBits
	slabGranules = slabSize / granule
	cacheLine    = 64
	fetchedAhead = 20 * cacheLine // of a record: a group's fit into the nearest cache of any processor

	// Classes are 1 to 16 granules, then eight to every doubling: at most a ninth of a larger record is slack.
	linearClasses = 16
	classCount    = linearClasses + 8*12 + 1
	firstLarge    = linearClasses + 8*5 + 1 // from 10 KiB on: a record has a slab of its own, and never moves

	// A class has at most one hole for so many records.
	recordsPerHole = 8

	holeMark = 0xff

	// What a store may take: storeFactor times the bytes of its records, headers included, and storeOverhead: a slab for
	// each class and what is kept for reuse. The factor is made of a record that may be a quarter larger than its value needs (see
	// KV.fits), an eighth of slack in a class, an eighth of holes, and a few hundredths at the ends of slabs.
	storeFactor   = 2
	storeOverhead = firstLarge*slabSize + maxSpareSlabs*slabSize + maxSpareLarge

	maxSpareSlabs = 8       // unused slabs kept for any class that is not large
	maxSpareLarge = 4 << 20 // bytes of holes among the large ones
)

// The largest record must fit in the largest class.
const (
	largestClass = 9 << 13
	_            = uint(largestClass*granule - recordHeaderSize - wire.MaxKey - wire.MaxValue)
)

// ref is the place of a record: the number of its slab, and its first granule there. 0 means no record.
type ref uint64

const offsetBits = slabBits - granuleBits

// recordHeader is the decoded first word of a record.
type recordHeader uint64

func makeRecordHeader(class, keyLen, valueLen int) recordHeader {
	return recordHeader(uint64(class) | uint64(keyLen)<<16 | uint64(valueLen)<<32)
}

func (h recordHeader) class() int    { return int(h & 0xff) }
func (h recordHeader) keyLen() int   { return int(h >> 16 & 0xffff) }
func (h recordHeader) valueLen() int { return int(h >> 32) }

// headerOf returns the header of the record at the start of b.
func headerOf(b []byte) recordHeader { return recordHeader(binary.LittleEndian.Uint64(b)) }

// classOf returns the smallest class that holds size bytes of header, key and value.
func classOf(size int) int {
	g := uint(size+granule-1) >> granuleBits
	if g <= linearClasses {
		return int(g) - 1
	}
	doublings := bits.Len(g-1) - 4
	eighths := (g-1)>>doublings + 1 // 9 to 16 eighths of the doubling below
	return linearClasses + 8*(doublings-1) + int(eighths) - 9
}

// classGranules is the inverse of classOf: the size of a class.
func classGranules(class int) ref {
	if class < linearClasses {
		return ref(class + 1)
	}
	step := class - linearClasses
	return ref(9+step&7) << (step>>3 + 1)
}

// arena hands out records. The zero value is ready to use.
type arena struct {
	slabs      [][]byte // by number; number 0 is none
	numbers    []uint32 // unused ones
	spare      [][]byte // unused slabs of the common size
	spareLarge int      // bytes of holes of large classes
	held       int      // bytes of all slabs that have a number
	classes    [classCount]sizeClass
}

// sizeClass is the records of one size. They take the slots from 0 to used of its slabs without a gap, but for the holes.
type sizeClass struct {
	slabs []uint32 // their numbers; large classes do without
	used  int
	holes int
	hole  ref // the newest one
}

// bytes returns the memory from r to the end of its slab.
func (a *arena) bytes(r ref) []byte {
	return a.slabs[r>>offsetBits][r%slabGranules*granule:]
}

// fetch asks for the memory of the record at r, as far as it takes for size bytes of key and value, but no farther than fetchedAhead
// and its slab. What is written is waited for as well, when the digest reads it back. It takes two lines at least: a get does not
// know how long its record is, and most that are short have no more.
func (a *arena) fetch(r ref, size int) {
	b := a.bytes(r)
	prefetchBytes(&b[0], min(max(recordHeaderSize+size, cacheLine+1), fetchedAhead, len(b)))
}

// record returns key and value of the record at r as one view, and the decoded header.
func (a *arena) record(r ref) ([]byte, recordHeader) {
	b := a.bytes(r)
	h := headerOf(b)
	return b[recordHeaderSize : recordHeaderSize+h.keyLen()+h.valueLen()], h
}

// digest returns the digest that the record at r was written with.
func (a *arena) digest(r ref) uint64 { return binary.LittleEndian.Uint64(a.bytes(r)[digestOffset:]) }

// seal computes the digest of the record at r from what is there.
func (a *arena) seal(r ref) {
	record, h := a.record(r)
	binary.LittleEndian.PutUint64(a.bytes(r)[digestOffset:], recordDigest(record, h.keyLen()))
}

// alloc returns an unused record of the given class with undefined contents.
func (a *arena) alloc(class int) ref {
	c := &a.classes[class]
	if r := c.hole; r != 0 {
		a.fill(c, r)
		if class >= firstLarge {
			a.spareLarge -= int(classGranules(class)) * granule
		}
		return r
	}
	c.used++
	if class >= firstLarge {
		return ref(a.addSlab(make([]byte, classGranules(class)*granule))) << offsetBits
	}
	if c.used > len(c.slabs)*perSlab(class) {
		c.slabs = append(c.slabs, a.addSlab(a.takeSpare()))
	}
	return c.slot(class, c.used-1)
}

// perSlab returns how many records of a class that is not large a slab holds.
func perSlab(class int) int { return slabGranules / int(classGranules(class)) }

// slot returns the place of the class's record number i.
func (c *sizeClass) slot(class, i int) ref {
	n := perSlab(class)
	return ref(c.slabs[i/n])<<offsetBits | ref(i%n)*classGranules(class)
}

// release gives back the record at r.
func (a *arena) release(r ref, class int) {
	if class >= classCount {
		panic(fmt.Sprintf("BUG: record %d has size class %d of %d", r, class, classCount))
	}
	c := &a.classes[class]
	if class >= firstLarge {
		size := int(classGranules(class)) * granule
		if a.spareLarge+size > maxSpareLarge {
			c.used--
			a.dropSlab(uint32(r >> offsetBits))
			return
		}
		a.spareLarge += size
	}
	c.holes++
	a.link(r, c.hole, 0)
	if c.hole != 0 {
		before, _ := a.holeAt(c.hole)
		a.link(c.hole, before, r)
	}
	c.hole = r
}

// fill takes the hole at r, which is about to hold a record or to be let go.
func (a *arena) fill(c *sizeClass, r ref) {
	before, after := a.holeAt(r)
	if before != 0 {
		further, _ := a.holeAt(before)
		a.link(before, further, after)
	}
	if after != 0 {
		_, further := a.holeAt(after)
		a.link(after, before, further)
	} else {
		c.hole = before
	}
	c.holes--
}

// link makes the record at r a hole between two others.
func (a *arena) link(r, before, after ref) {
	b := a.bytes(r)
	binary.LittleEndian.PutUint64(b, uint64(before)<<8|holeMark)
	binary.LittleEndian.PutUint64(b[8:], uint64(after))
}

// holeAt returns the neighbours of the hole at r.
func (a *arena) holeAt(r ref) (before, after ref) {
	b := a.bytes(r)
	return ref(binary.LittleEndian.Uint64(b) >> 8), ref(binary.LittleEndian.Uint64(b[8:]))
}

// sparse reports whether the class has too many holes, so that retire has to be called.
func (a *arena) sparse(class int) bool {
	c := &a.classes[class]
	return class < firstLarge && recordsPerHole*c.holes > c.used-c.holes
}

// retire gives up the last slot of a sparse class. If there was a record, it has been copied to another place.
func (a *arena) retire(class int) (from, to ref) {
	c := &a.classes[class]
	c.used--
	from = c.slot(class, c.used)
	if headerOf(a.bytes(from)).class() == holeMark {
		a.fill(c, from)
	} else {
		to = c.hole
		a.fill(c, to)
		size := classGranules(class) * granule
		copy(a.bytes(to)[:size], a.bytes(from)[:size])
	}
	if last := len(c.slabs) - 1; c.used <= last*perSlab(class) {
		a.giveSpare(c.slabs[last])
		c.slabs = c.slabs[:last]
	}
	return from, to
}
