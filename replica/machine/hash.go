package machine

import (
	"encoding/binary"
	"math/bits"
)

// Constants of the hash: odd, half of their bits set, otherwise arbitrary. They are fixed because two replicas, and
// two runs of a test, are to behave alike.
const (
	hashSeed = 0x9ae16a3b2f90404f
	hashWord = 0xd6e8feb86659fd93
	hashTail = 0xa3b195354a39b70d

	digestKey     = 0xc2b2ae3d27d4eb4f
	digestLengths = 0x9fb21c651e98df25
)

// mix multiplies to 128 bits and folds, which spreads every input bit over the whole result in about four cycles.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// hashKey returns the hash that a key is found by.
func hashKey(key []byte) uint64 {
	if len(key) <= smallSize {
		return hashSmall(key)
	}
	return hashBytes(key)
}

// hashBytes returns a 64-bit hash of b. One multiplication per eight bytes.
func hashBytes(b []byte) uint64 {
	h := hashSeed ^ uint64(len(b))
	for len(b) >= 8 {
		h = mix(h^binary.LittleEndian.Uint64(b), hashWord)
		b = b[8:]
	}
	if len(b) > 0 {
		h = mix(h^tail(b), hashTail)
	}
	return h
}

// tail returns the 1 to 7 bytes of b as a number.
func tail(b []byte) uint64 {
	var v uint64
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	return v
}
