package machine

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"unsafe"

	"paxosbench/wire"
)

// Records live in pages of bytes without pointers, so the garbage collector never looks into them. A record is
// allocated in one of a few sizes and goes to that size's free list when it is released; pages are never given back.
// Its layout is:
//
//	offset size
//	0      1    size class
//	1      1    zero
//	2      2    key length
//	4      4    value length
//	8      8    digest of key and value
//	16          key, value
const (
	recordHeaderSize = wire.CommandHeaderSize + 8

	digestOffset = wire.CommandHeaderSize

	granuleBits  = 4 // sizes are multiples of 16 bytes: a record of 8 and 8 bytes takes 32 and never straddles a cache line
	granule      = 1 << granuleBits
	pageSizeBits = 21 // 2 MiB, the size of a huge page
	pageSize     = 1 << pageSizeBits
	pageGranules = pageSize / granule
	cacheLine    = 64

	// Classes are 1 to 8 granules, then four to every doubling: at most a fifth of a larger record is slack.
	linearClasses = 8
	classCount    = 61
)

// The largest record must fit in the largest class, and that in a page behind the granule that is never used.
const (
	largestClass = 5 << 14
	_            = uint(largestClass*granule - recordHeaderSize - wire.MaxKey - wire.MaxValue)
	_            = uint(pageGranules - 1 - largestClass)
)

// ref is the place of a record, in granules from the beginning of the arena. 0 means no record.
type ref uint64

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

// arena hands out records. The zero value is ready to use.
type arena struct {
	pages []*[pageSize]byte
	next  ref // first granule of the newest page that was never handed out
	end   ref // first granule behind the newest page
	free  [classCount]ref
}

// classOf returns the smallest class that holds size bytes of header, key and value.
func classOf(size int) int {
	g := uint(size+granule-1) >> granuleBits
	if g <= linearClasses {
		return int(g) - 1
	}
	doublings := bits.Len(g-1) - 3
	quarters := (g-1)>>doublings + 1 // 5 to 8 quarters of the doubling below
	return linearClasses + 4*(doublings-1) + int(quarters) - 5
}

// classGranules is the inverse of classOf: the size of a class.
func classGranules(class int) ref {
	if class < linearClasses {
		return ref(class + 1)
	}
	step := class - linearClasses
	return ref(5+step&3) << (step>>2 + 1)
}

// bytes returns the memory from r to the end of its page.
func (a *arena) bytes(r ref) []byte {
	return a.pages[r/pageGranules][r%pageGranules*granule:]
}

// firstLines returns places in the first two cache lines of the record at r, as far as they are in its page. What has been
// written is read back for the digest, and would wait for the second line: most records that are short have no more.
func (a *arena) firstLines(r ref) (first, second unsafe.Pointer) {
	page := a.pages[r/pageGranules]
	at := r % pageGranules * granule
	return unsafe.Pointer(&page[at]), unsafe.Pointer(&page[min(at+cacheLine, pageSize-1)])
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
	if r := a.free[class]; r != 0 {
		a.free[class] = ref(binary.LittleEndian.Uint64(a.bytes(r)))
		return r
	}
	size := classGranules(class)
	if a.end-a.next < size {
		a.addPage()
	}
	r := a.next
	a.next += size
	return r
}

// release puts the record at r on its class's free list; the link takes the place of the header.
func (a *arena) release(r ref, class int) {
	if class >= classCount {
		panic(fmt.Sprintf("BUG: record %d has size class %d of %d", r, class, classCount))
	}
	binary.LittleEndian.PutUint64(a.bytes(r), uint64(a.free[class]))
	a.free[class] = r
}

// addPage cuts what is left of the newest page into free records, the largest first, and opens another page.
func (a *arena) addPage() {
	for a.next < a.end {
		class := classCount - 1
		for classGranules(class) > a.end-a.next {
			class--
		}
		r := a.next
		a.next += classGranules(class)
		a.release(r, class)
	}
	a.next = ref(len(a.pages)) * pageGranules
	if a.next == 0 {
		a.next = 1 // granule 0 means no record
	}
	a.pages = append(a.pages, new([pageSize]byte))
	a.end = ref(len(a.pages)) * pageGranules
}
