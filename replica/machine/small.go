package machine

import "encoding/binary"

// A small record is one whose key and value have at most eight bytes each. Each of them is a word, and the hash of such
// a key can be undone, so an entry that holds the whole hash holds the key (quotienting; Knuth, "The Art of Computer
// Programming" 3, section 6.4, exercise 13).

const smallSize = 8 // bytes of a key or value that fit in a word

func isSmall(key, value []byte) bool { return len(key) <= smallSize && len(value) <= smallSize }

// word returns at most eight bytes as a number. Eight are common enough to be spared the loop.
func word(b []byte) uint64 {
	if len(b) == smallSize {
		return binary.LittleEndian.Uint64(b)
	}
	return tail(b)
}

// Two rounds of multiplying and folding: each is a permutation of the words.
const (
	permuteA = hashWord
	permuteB = hashTail
)

var (
	undoA = inverse(permuteA)
	undoB = inverse(permuteB)
)

// hashSmall returns the hash of a key of at most eight bytes.
func hashSmall(key []byte) uint64 { return hashWordKey(word(key), len(key)) }

// hashWordKey is hashSmall for a key of length bytes as a number.
func hashWordKey(key uint64, length int) uint64 {
	h := (key ^ lengthSeed(length)) * permuteA
	h = (h ^ h>>32) * permuteB
	return h ^ h>>32
}

// smallKey is the inverse of hashSmall: the key as a number.
func smallKey(hash uint64, length int) uint64 {
	h := (hash ^ hash>>32) * undoB
	h = (h ^ h>>32) * undoA
	return h ^ lengthSeed(length)
}

// lengthSeed tells keys apart that differ only by zeros at their end.
func lengthSeed(n int) uint64 { return hashSeed ^ uint64(n)*digestKey }

// inverse returns the number that undoes a multiplication by c, which is odd, modulo 2^64: Newton's iteration, which
// doubles the number of right bits from the three that c itself has.
func inverse(c uint64) uint64 {
	x := c
	for range 5 {
		x *= 2 - c*x
	}
	return x
}
