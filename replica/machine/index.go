package machine

import (
	"math/bits"
	"unsafe"
)

// The index is a linear hash table (Litwin, "Linear hashing: a new tool for file and table addressing", 1980). It
// grows by one bucket at a time: the insertion that pushes the load over the limit splits one bucket in two, in a
// fixed order, so there is no rehash that stops the replica, however large the table. What does not fit into a bucket
// goes into overflow buckets behind it.

const (
	minLoad        = 6  // below it the table shrinks: a small record takes 85 bytes at most, another one 43
	maxLoad        = 12 // weight per bucket: one entry in forty is in an overflow bucket, of small records one in fifteen
	bucketPageBits = 10
	bucketPageSize = 1 << bucketPageBits // 64 KiB; also the smallest table

	// The table stops growing, and its chains get longer, when the hash bits kept in entries are used up. That is
	// at tens of billions of records.
	maxLevel = bucketPageBits + hashBits
)

// bucketPages is a growing array of buckets that never moves.
type bucketPages struct {
	pages []*[bucketPageSize]bucket
	count uint64
}

// at returns bucket i. Plain indexing would look whether the page is nil, at its first byte: another line of memory, and another
// page of the processor's, for every command.
func (p *bucketPages) at(i uint64) *bucket {
	page := unsafe.Pointer(p.pages[i>>bucketPageBits])
	return (*bucket)(unsafe.Add(page, i%bucketPageSize*bucketBytes))
}

// add appends an empty bucket and returns its number.
func (p *bucketPages) add() uint64 {
	if p.count>>bucketPageBits == uint64(len(p.pages)) {
		p.pages = append(p.pages, new([bucketPageSize]bucket))
	}
	p.count++
	return p.count - 1
}

// remove lets the last bucket go, which is empty.
func (p *bucketPages) remove() {
	p.count--
	if last := len(p.pages) - 1; p.count == uint64(last)<<bucketPageBits {
		p.pages[last] = nil
		p.pages = p.pages[:last]
	}
}

// index maps hashes to entries. Comparing keys is the caller's business.
type index struct {
	table    bucketPages
	mask     uint64 // of the hash bits that the numbers of split buckets use
	overflow bucketPages
	spare    uint32 // first of the unused overflow buckets, linked by next
	chained  uint64 // overflow buckets in use
	resized  uint64 // how often the number of buckets has changed
	len      int    // entries
	load     uint64 // their weight
	epoch    uint32 // of the newest freeze
	frozen   bool
	scratch  []drained // of split
}

// drained is an entry that has been taken out of its bucket, and its value if it is a small record.
type drained struct {
	entry entry
	value uint64
}

func newIndex() index {
	var x index
	for range bucketPageSize {
		x.table.add()
	}
	x.mask = 2<<x.level() - 1
	x.overflow.add() // number 0 means none
	return x
}

// level returns the number of hash bits that every bucket number uses.
func (x *index) level() int { return bits.Len64(x.table.count) - 1 }

// home returns the first bucket of the hash's chain.
func (x *index) home(hash uint64) *bucket { return x.table.home(hash, x.mask) }

// home is index.home. Buckets below the one that is split next have been split already on this level: for them, and for the
// new ones, one more bit of the hash counts.
func (p *bucketPages) home(hash, mask uint64) *bucket {
	unsplit := (p.count - 1 - hash&mask) >> 63 // 1 or 0 and no branch: that would be a coin toss
	return p.at(hash & (mask >> unsplit))
}

// following returns the bucket behind b in its chain, or nil.
func (x *index) following(b *bucket) *bucket {
	if n := b.next(); n != 0 {
		return x.overflow.at(uint64(n))
	}
	return nil
}

// insert adds an entry, and the value if it is a small record, for a hash that the caller knows to be missing, and
// returns its place. The table grows in the call of grow that follows.
func (x *index) insert(hash uint64, e entry, value uint64) place {
	home := x.home(hash)
	if x.frozen {
		x.touch(home)
		e |= entrySaved // not part of the frozen contents
	}
	x.len++
	x.load += e.weight()
	return x.push(home, e, value)
}

// grow splits a bucket if the table is full.
func (x *index) grow() {
	if x.load > x.table.count*maxLoad && x.level() < maxLevel {
		x.split()
	}
}

// push adds an entry to the chain that begins at home, and returns its place.
func (x *index) push(home *bucket, e entry, value uint64) place {
	for b := home; ; b = x.overflow.at(uint64(b.next())) {
		if word, ok := b.put(e, value); ok {
			return place{b, word}
		}
		if b.next() == 0 {
			b.setNext(x.takeOverflow())
		}
	}
}

// remove deletes the entry at p in the chain that begins at home.
func (x *index) remove(home *bucket, p place) {
	x.len--
	x.load -= p.entry().weight()
	p.clear()
	if p.bucket == home || !p.bucket.empty() {
		return
	}
	before := home
	for x.following(before) != p.bucket {
		before = x.following(before)
	}
	x.releaseOverflow(before)
}

// split divides the entries of the next bucket in order between it and a new bucket.
func (x *index) split() {
	level := x.level()
	home := x.table.at(x.table.count - 1<<level)
	if x.frozen {
		x.touch(home)
	}
	x.scratch = x.drain(home, x.scratch[:0])
	sibling := x.table.at(x.table.add())
	x.mask = 2<<x.level() - 1
	x.resized++
	sibling.setEpoch(home.epoch())
	for _, d := range x.scratch {
		if d.entry.hashBit(level) == 0 {
			x.push(home, d.entry, d.value)
		} else {
			x.push(sibling, d.entry, d.value)
		}
	}
}

// shrink joins buckets again, two at most, if the table is too large for what it holds. While a scan is under way it waits:
// entries would move from buckets to come to such as have been.
func (x *index) shrink() {
	for range 2 {
		if x.load < x.table.count*minLoad && x.table.count > bucketPageSize && !x.frozen {
			x.join()
		}
	}
}

// join undoes the newest split.
func (x *index) join() {
	last := x.table.count - 1
	x.scratch = x.drain(x.table.at(last), x.scratch[:0])
	x.table.remove()
	x.mask = 2<<x.level() - 1
	x.resized++
	home := x.table.at(last - 1<<x.level())
	for _, d := range x.scratch {
		x.push(home, d.entry, d.value)
	}
}

// drain takes all entries out of the chain that begins at home and appends them to dst.
func (x *index) drain(home *bucket, dst []drained) []drained {
	for b := home; b != nil; b = x.following(b) {
		for p, e := range b.entries() {
			d := drained{entry: e}
			if e.small() {
				d.value = uint64(*p.value())
			}
			dst = append(dst, d)
		}
		clear(b.words[:])
	}
	for home.next() != 0 {
		x.releaseOverflow(home)
	}
	return dst
}

// takeOverflow returns the number of an empty overflow bucket.
func (x *index) takeOverflow() uint32 {
	x.chained++
	n := x.spare
	if n == 0 {
		return uint32(x.overflow.add())
	}
	b := x.overflow.at(uint64(n))
	x.spare = b.next()
	b.setNext(0)
	return n
}

// releaseOverflow unlinks the empty bucket behind b and keeps it for later.
func (x *index) releaseOverflow(b *bucket) {
	n := b.next()
	empty := x.overflow.at(uint64(n))
	b.setNext(empty.next())
	empty.setNext(x.spare)
	x.spare = n
	if x.chained--; x.chained == 0 && x.overflow.count > bucketPageSize {
		x.spare = 0
		x.overflow = bucketPages{}
		x.overflow.add()
	}
}

// freeze begins a new epoch. From here until thaw, an entry's saved bit says that the record is not, or no longer, to be
// scanned: it is newer than the freeze, or has been scanned or set aside.
func (x *index) freeze() {
	x.epoch++ // may wrap: a scan that comes to its end leaves no chain in an older epoch
	x.frozen = true
}

func (x *index) thaw() { x.frozen = false }

// touch brings the chain that begins at home into the present epoch, with nothing saved. It comes before any look at
// a saved bit and before any change while frozen.
func (x *index) touch(home *bucket) {
	if home.epoch() == x.epoch {
		return
	}
	for b := home; b != nil; b = x.following(b) {
		b.forgetSaved()
	}
	home.setEpoch(x.epoch)
}
