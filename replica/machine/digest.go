package machine

import (
	"encoding/binary"
	"fmt"
)

// The digest of what is held is a sum, modulo 2^64, of a digest for each record and each session. A sum is independent of
// order, layout and history, and a change of one record costs two digests: the old one goes, the new one comes. Both are
// computed from what is stored, never from the command, so that a store that does not store what it is told has another
// digest than its peers at the next slot.
//
// The digest of a small record is two multiplications, of which the first is of the key alone. That of any other is computed when it is
// written, and kept in front of it: deleting a megabyte would take a thousand times as long if it had to be read again. Each
// multiplication is of 64 by 64 to 128 bits, folded (Wang Yi's wyhash is made of them).

// MemoryError reports that what was found in memory is not what was stored there. The state must not be used any more.
type MemoryError struct {
	What        string // records or sessions
	Held, Found uint64 // their digests: kept since the start, and of what is there
}

// Error implements error.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("machine: the %s found in memory have digest %016x, those stored there %016x: the memory is damaged, "+
		"or the replica has a bug. Test the memory, then start the replica again: it builds its state from its disk", e.What, e.Found, e.Held)
}

// checkDigest compares what a scan has found with what was held when it began.
func checkDigest(what string, held, found uint64) error {
	if held != found {
		return &MemoryError{what, held, found}
	}
	return nil
}

// keyDigest spreads a small key, as a number, for smallDigest.
func keyDigest(key uint64) uint64 {
	key = (key ^ hashSeed) * hashWord
	return key ^ key>>32
}

// smallDigest returns the digest of a small record: its entry gives the lengths, key is the keyDigest of its key.
func smallDigest(key uint64, e, value entry) uint64 {
	return mix(key^uint64(e&entryLengths), uint64(value)^digestKey)
}

// recordDigest returns the digest of any record, whose value stands right behind its key.
func recordDigest(record []byte, keyLen int) uint64 {
	key, value := record[:keyLen], record[keyLen:]
	if isSmall(key, value) {
		return smallDigest(keyDigest(word(key)), smallEntry(0, len(key), len(value)), entry(word(value)))
	}
	return bytesDigest(record, uint64(keyLen))
}

// bytesDigest returns a digest of at least nine bytes: of 64 at a time in four chains that do not wait for each other, then
// of 16 at a time.
func bytesDigest(b []byte, seed uint64) uint64 {
	h := (seed<<32 ^ uint64(len(b))) * digestLengths
	rest := b
	if len(rest) > 64 {
		h1, h2, h3 := h^hashSeed, h^hashWord, h^hashTail
		for ; len(rest) > 64; rest = rest[64:] {
			p := (*[64]byte)(rest)
			h = mixPair(p[0:], h)
			h1 = mixPair(p[16:], h1)
			h2 = mixPair(p[32:], h2)
			h3 = mixPair(p[48:], h3)
		}
		h = mix(h^h1, h2^h3^digestKey)
	}
	for ; len(rest) > 16; rest = rest[16:] {
		h = mixPair(rest, h)
	}
	// The last 16 bytes, of which some may have been taken already; or, if there are not so many, the first and last 8.
	first := max(len(b)-16, 0)
	return mix(binary.LittleEndian.Uint64(b[first:])^h, binary.LittleEndian.Uint64(b[len(b)-8:])^digestKey)
}

// mixPair adds the first 16 bytes of b to a chain.
func mixPair(b []byte, h uint64) uint64 {
	return mix(binary.LittleEndian.Uint64(b)^h, binary.LittleEndian.Uint64(b[8:])^digestKey)
}
