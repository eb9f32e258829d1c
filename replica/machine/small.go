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
