package machine

import (
	"iter"
	"unsafe"
)

// A bucket is a cache line: seven words for entries, and a link. An entry says where a record is, in one word; or it is
// the record, if key and value are small (see small.go), and its value takes the word behind it. So a lookup of a small
// record costs one cache miss, and of any other two.
//
//	bits      entry of a record in the arena    entry that is a small record
//	40 to 63  hash, from bit 10 on              the same
//	10 to 39  ref (with the bits below)         the rest of the hash: all of it but the bits that the bucket has
//	 6 to  9  ref                               length of the key, 0 to 8
//	 2 to  5  ref                               length of the value, 0 to 8
//	 1        saved (see index.freeze)          saved
//	 0        0                                 1
//
// The hash bits begin where the smallest table's bucket numbers end, so that a split needs no record. A word that is 0,
// and not a value, is free. Small records begin at an even place, and so a word can be told from a value by looking at
// the one before it. The order of the entries in a chain means nothing.
//
// Link: 32 bits of epoch | 32 bits of number of the next overflow bucket, 0 for none. The epoch counts, and only in a
// chain's first bucket: the saved bits of a chain mean something only while its epoch is the index's (see freeze).
type bucket struct {
	words [bucketWords]entry
	link  uint64
}

type entry uint64

// bucketPages.at counts on it.
var _ [bucketBytes]byte = [unsafe.Sizeof(bucket{})]byte{}

const (
	bucketWords = 7
	bucketBytes = 64

	entrySmall entry = 1 << 0
	entrySaved entry = 1 << 1
	entryShift       = 40
	entryHash  entry = (1<<hashBits - 1) << entryShift
	hashBits         = 64 - entryShift
	refShift         = 2
	refBits          = entryShift - refShift
	entryRef   entry = (1<<refBits - 1) << refShift
	restShift        = 10
	keyShift         = 6
	valueShift       = 2
	lengthMask       = 1<<4 - 1

	entryLengths entry = lengthMask<<keyShift | lengthMask<<valueShift

	// smallRecord is what tells small records apart: the key.
	smallRecord entry = ^(entrySaved | lengthMask<<valueShift)
)

// refEntry returns the entry of the record at r.
func refEntry(hash uint64, r ref) entry { return hashPart(hash) | entry(r)<<refShift }

// smallEntry returns the entry that is a small record, without its value. The lengths must be 0 to 8.
func smallEntry(hash uint64, keyLen, valueLen int) entry {
	rest := entry(hash>>(hashBits+restShift)) << restShift
	return hashPart(hash) | rest | entry(keyLen)<<keyShift | entry(valueLen)<<valueShift | entrySmall
}

// hashPart returns the part of a hash that all entries hold, in its place.
func hashPart(hash uint64) entry { return entry(hash>>bucketPageBits) << entryShift }

func (e entry) small() bool   { return e&entrySmall != 0 }
func (e entry) saved() bool   { return e&entrySaved != 0 }
func (e entry) ref() ref      { return ref(e & entryRef >> refShift) }
func (e entry) keyLen() int   { return int(e >> keyShift & lengthMask) }
func (e entry) valueLen() int { return int(e >> valueShift & lengthMask) }

// withRef returns the entry of a record at another place.
func (e entry) withRef(r ref) entry { return e&^entryRef | entry(r)<<refShift }

// withValueLen returns the entry of a small record with a value of another length.
func (e entry) withValueLen(n int) entry {
	return e&^(lengthMask<<valueShift) | entry(n)<<valueShift
}

// hash returns the whole hash of a small record in the chain of the given bucket.
func (e entry) hash(bucket uint64) uint64 {
	low := bucket % bucketPageSize
	middle := uint64(e>>entryShift) << bucketPageBits
	return low | middle | uint64(e&(1<<entryShift-1)>>restShift)<<(hashBits+bucketPageBits)
}

// hashBit returns the given bit of the hash, which must be one that all entries hold.
func (e entry) hashBit(bit int) uint64 { return uint64(e>>(entryShift+bit-bucketPageBits)) & 1 }

// weight is the room that an entry takes, in quarters of a word.
func (e entry) weight() uint64 {
	if e.small() {
		return 8
	}
	return 4
}

// place is where an entry is: a word of a bucket. Without a bucket it is nowhere.
type place struct {
	bucket *bucket
	word   int
}

func (p place) found() bool   { return p.bucket != nil }
func (p place) entry() *entry { return &p.bucket.words[p.word] }
func (p place) value() *entry { return &p.bucket.words[p.word+1] }

// isValue tells whether the word is the value of a small record.
func (b *bucket) isValue(word int) bool {
	return word&1 == 1 && b.words[word-1].small()
}

// entries yields the entries and their places.
func (b *bucket) entries() iter.Seq2[place, entry] {
	return func(yield func(place, entry) bool) {
		for i, e := range b.words {
			if e != 0 && !b.isValue(i) && !yield(place{b, i}, e) {
				return
			}
		}
	}
}

// put adds an entry, and the value if it is a small record, and returns its word, if there was room. Small records come in
// from one end and the others from the other, so that they leave each other the most room.
func (b *bucket) put(e entry, value uint64) (word int, ok bool) {
	if e.small() {
		for i := 0; i+1 < bucketWords; i += 2 {
			if b.words[i] == 0 && b.words[i+1] == 0 {
				b.words[i], b.words[i+1] = e, entry(value)
				return i, true
			}
		}
		return 0, false
	}
	for i := bucketWords - 1; i >= 0; i-- {
		if b.words[i] == 0 && !b.isValue(i) {
			b.words[i] = e
			return i, true
		}
	}
	return 0, false
}

// clear frees the words of the entry at p.
func (p place) clear() {
	if p.entry().small() {
		*p.value() = 0
	}
	*p.entry() = 0
}

// forgetSaved clears the saved bits, without a branch that nobody could predict.
func (b *bucket) forgetSaved() {
	for i := 0; i+1 < bucketWords; i += 2 {
		b.words[i] &^= entrySaved
		kept := (b.words[i] & entrySmall) << 1 // saved bit of a word that is a value
		b.words[i+1] &^= entrySaved &^ kept
	}
	b.words[bucketWords-1] &^= entrySaved
}

func (b *bucket) empty() bool { return b.words == [bucketWords]entry{} }

// candidates returns a bit for each word that has the wanted hash bits. Values are among the words, so what it returns
// is to be checked. It is straight code: a branch for each word would be mispredicted once in every search, which costs
// more than all of it.
func (b *bucket) candidates(want entry) uint64 {
	w := &b.words
	return w[0].like(want) | w[1].like(want)<<1 | w[2].like(want)<<2 | w[3].like(want)<<3 |
		w[4].like(want)<<4 | w[5].like(want)<<5 | w[6].like(want)<<6
}

// noSmallWord is where no small record begins.
const noSmallWord = bucketWords - 1

// smallWord returns where the small record begins whose entry is e but for its value, or noSmallWord.
func (b *bucket) smallWord(e entry) int {
	word := noSmallWord // each of the following lines is a conditional move
	if (b.words[0]^e)&smallRecord == 0 {
		word = 0
	}
	if (b.words[2]^e)&smallRecord == 0 {
		word = 2
	}
	if (b.words[4]^e)&smallRecord == 0 {
		word = 4
	}
	return word
}

// like returns 1 if the hash bits are the wanted ones, and 0 otherwise.
func (e entry) like(want entry) uint64 { return (uint64(e^want)>>entryShift - 1) >> 63 }

func (b *bucket) next() uint32          { return uint32(b.link) }
func (b *bucket) epoch() uint32         { return uint32(b.link >> 32) }
func (b *bucket) setNext(n uint32)      { b.link = b.link>>32<<32 | uint64(n) }
func (b *bucket) setEpoch(epoch uint32) { b.link = uint64(epoch)<<32 | uint64(b.next()) }
