package machine

import "math/bits"

// The index is a linear hash table (Litwin, "Linear hashing: a new tool for file and table addressing", 1980). It
// grows by one bucket at a time: the insertion that pushes the load over the limit splits one bucket in two, in a
// fixed order, so there is no rehash that stops the replica, however large the table. A bucket is a cache line of
// seven entries and a link; what does not fit goes into overflow buckets behind it.
//
// Entry: 24 bits of hash | saved bit | 39 bits of ref; 0 is no entry. The entries of a chain are contiguous: a
// deletion moves the last one into the hole. The hash bits begin where the smallest table's bucket numbers end, so a
// split never needs the record.
//
// Link: 32 bits of epoch | 32 bits of number of the next overflow bucket, 0 for none. The epoch counts, and only in a
// chain's first bucket: the saved bits of a chain mean something only while its epoch is the index's (see freeze).

type entry uint64

type bucket struct {
	entries [bucketEntries]entry
	link    uint64
}

const (
	bucketEntries  = 7
	maxLoad        = 3 // entries per bucket: one record in forty is found in an overflow bucket, at 4 one in fifteen
	bucketPageBits = 10
	bucketPageSize = 1 << bucketPageBits // 64 KiB; also the smallest table

	refBits     = 39
	entryRef    = 1<<refBits - 1
	entrySaved  = 1 << refBits
	entryShift  = refBits + 1
	entryHash   = (1<<hashBits - 1) << entryShift
	hashBits    = 64 - entryShift
	bucketBytes = 64

	// The table stops growing, and its chains get longer, when the hash bits kept in entries are used up. That is
	// at 50 billion records.
	maxLevel = bucketPageBits + hashBits
)

func makeEntry(hash uint64, r ref) entry { return hashPart(hash) | entry(r) }

// hashPart returns the part of a hash that entries hold, in its place.
func hashPart(hash uint64) entry { return entry(hash>>bucketPageBits) << entryShift }

func (e entry) ref() ref    { return ref(e & entryRef) }
func (e entry) saved() bool { return e&entrySaved != 0 }

// hashBit returns the given bit of the hash, which must be one that entries hold.
func (e entry) hashBit(bit int) uint64 { return uint64(e>>(entryShift+bit-bucketPageBits)) & 1 }

func (b *bucket) next() uint32          { return uint32(b.link) }
func (b *bucket) epoch() uint32         { return uint32(b.link >> 32) }
func (b *bucket) setNext(n uint32)      { b.link = b.link>>32<<32 | uint64(n) }
func (b *bucket) setEpoch(epoch uint32) { b.link = uint64(epoch)<<32 | uint64(b.next()) }

// bucketPages is a growing array of buckets that never moves.
type bucketPages struct {
	pages []*[bucketPageSize]bucket
	count uint64
}

func (p *bucketPages) at(i uint64) *bucket {
	return &p.pages[i>>bucketPageBits][i%bucketPageSize]
}

// add appends an empty bucket and returns its number.
func (p *bucketPages) add() uint64 {
	if p.count>>bucketPageBits == uint64(len(p.pages)) {
		p.pages = append(p.pages, new([bucketPageSize]bucket))
	}
	p.count++
	return p.count - 1
}

// index maps hashes to refs. Comparing keys is the caller's business.
type index struct {
	table    bucketPages
	mask     uint64 // of the hash bits that the numbers of split buckets use
	overflow bucketPages
	spare    uint32 // first of the unused overflow buckets, linked by next
	len      int    // entries
	epoch    uint32 // of the newest freeze
	frozen   bool
	scratch  []entry // of split
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

// home returns the first bucket of the hash's chain. Buckets below the one that is split next have been split already
// on this level: for them, and for the new ones, one more bit of the hash counts.
func (x *index) home(hash uint64) *bucket {
	i, early := hash&x.mask, hash&(x.mask>>1)
	if i >= x.table.count {
		i = early // a conditional move: the branch would be a coin toss
	}
	return x.table.at(i)
}

// following returns the bucket behind b in its chain, or nil.
func (x *index) following(b *bucket) *bucket {
	if n := b.next(); n != 0 {
		return x.overflow.at(uint64(n))
	}
	return nil
}

// insert adds an entry for a hash that the caller knows to be missing, and lets the table grow.
func (x *index) insert(hash uint64, r ref) {
	home := x.home(hash)
	e := makeEntry(hash, r)
	if x.frozen {
		x.touch(home)
		e |= entrySaved // not part of the frozen contents
	}
	x.push(home, e)
	x.len++
	if uint64(x.len) > x.table.count*maxLoad && x.level() < maxLevel {
		x.split()
	}
}

// push appends an entry to the chain that begins at home.
func (x *index) push(home *bucket, e entry) {
	last := home
	for last.next() != 0 {
		last = x.overflow.at(uint64(last.next()))
	}
	for i := range last.entries {
		if last.entries[i] == 0 {
			last.entries[i] = e
			return
		}
	}
	n := x.takeOverflow()
	last.setNext(n)
	x.overflow.at(uint64(n)).entries[0] = e
}

// remove deletes the entry at the given place of the chain that begins at home: the chain's last entry moves there.
func (x *index) remove(home *bucket, place *entry) {
	last, before := home, home
	for last.next() != 0 {
		before, last = last, x.overflow.at(uint64(last.next()))
	}
	i := bucketEntries - 1
	for last.entries[i] == 0 {
		i--
	}
	*place = last.entries[i]
	last.entries[i] = 0
	if i == 0 && last != home {
		x.releaseOverflow(before)
	}
	x.len--
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
	sibling.setEpoch(home.epoch())
	for _, e := range x.scratch {
		if e.hashBit(level) == 0 {
			x.push(home, e)
		} else {
			x.push(sibling, e)
		}
	}
}

// drain takes all entries out of the chain that begins at home and appends them to dst.
func (x *index) drain(home *bucket, dst []entry) []entry {
	for b := home; b != nil; b = x.following(b) {
		for _, e := range b.entries {
			if e != 0 {
				dst = append(dst, e)
			}
		}
		clear(b.entries[:])
	}
	for home.next() != 0 {
		x.releaseOverflow(home)
	}
	return dst
}

// takeOverflow returns the number of an empty overflow bucket.
func (x *index) takeOverflow() uint32 {
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
}

// freeze begins a new epoch. From here until thaw, an entry's saved bit says that the record it points to is not, or
// no longer, to be scanned: the record is newer than the freeze, or has been scanned or set aside.
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
		for i := range b.entries {
			b.entries[i] &^= entrySaved
		}
	}
	home.setEpoch(x.epoch)
}
