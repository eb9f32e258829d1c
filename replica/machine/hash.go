package machine

import (
	"encoding/binary"
	"math/bits"
)

// Constants of the digests: odd, half of their bits set, otherwise arbitrary. They are fixed, because replicas compare digests.
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

// HashKey makes the store's hash one that nobody outside of the process can know, so that nobody can choose keys that collide.
// It is drawn when the process starts, and given to nobody. Nothing that leaves the store depends on it, but for the order of
// the records in a snapshot: replicas with different keys do the same.
type HashKey struct{ A, B uint64 }

// hasher is what a key is expanded to.
//
// A key of more than eight bytes is folded, a word at a time, with two secrets: one that the state begins with, and one that it
// is multiplied by. A word can only cancel a state, or multiply by nothing, for who knows the first; and which words make two
// states equal depends on the second.
//
// Shorter keys are permuted, because they must be found again from the hash (see small.go): by three rounds of a Feistel
// network over halves of 32 bits, whose round functions z -> (mul*z + add) >> 32 are strongly universal (Dietzfelbinger,
// "Universal hashing and k-wise independent random variables via integer arithmetic without primes", 1996): for any two z the
// results are independent and uniform. So for any two keys, chosen as one likes without knowledge of the secrets: after the
// first round the right halves differ, but in one case of 2^32; if they do, the second makes the left halves independent, which
// differ then, but in one case of 2^32; and the third the right halves, from which the number of the bucket is taken. Two keys
// meet in one of 2^n buckets with a probability of at most 2^-n + 2^-31, as if they had been drawn, and however many keys are
// chosen, what it takes to pass by those in their buckets is on the average what it would be for random ones.
type hasher struct {
	mul, add [3]uint64
	seed     uint64
	word     uint64
}

func newHasher(key HashKey) hasher {
	state := key.A
	next := func() uint64 { // splitmix64 (Steele, Lea and Flood, 2014), with the other half of the key mixed in
		state += 0x9e3779b97f4a7c15
		z := mix(state^key.B, hashWord) ^ state
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	var h hasher
	for i := range h.mul {
		h.mul[i], h.add[i] = next(), next()
	}
	h.seed, h.word = next(), next()|1
	return h
}

// of returns the hash that a key is found by.
func (h *hasher) of(key []byte) uint64 {
	if len(key) <= smallSize {
		return h.small(word(key), len(key))
	}
	return h.bytes(key)
}

// bytes returns a 64-bit hash of b. One multiplication per eight bytes.
func (h *hasher) bytes(b []byte) uint64 {
	v := h.seed ^ uint64(len(b))
	for len(b) >= 8 {
		v = mix(v^binary.LittleEndian.Uint64(b), h.word)
		b = b[8:]
	}
	if len(b) > 0 {
		v = mix(v^tail(b), h.word)
	}
	return v
}

// small returns the hash of a key of at most eight bytes, as a number of that length. Keys of different lengths may have the
// same: nine of them at most, and their entries hold the lengths.
func (h *hasher) small(key uint64, length int) uint64 {
	key ^= uint64(length)
	left, right := key>>32, key&(1<<32-1)
	right ^= (h.mul[0]*left + h.add[0]) >> 32
	left ^= (h.mul[1]*right + h.add[1]) >> 32
	right ^= (h.mul[2]*left + h.add[2]) >> 32
	return left<<32 | right
}

// key is the inverse of small: the key as a number.
func (h *hasher) key(hash uint64, length int) uint64 {
	left, right := hash>>32, hash&(1<<32-1)
	right ^= (h.mul[2]*left + h.add[2]) >> 32
	left ^= (h.mul[1]*right + h.add[1]) >> 32
	right ^= (h.mul[0]*left + h.add[0]) >> 32
	return (left<<32 | right) ^ uint64(length)
}

// tail returns the 1 to 7 bytes of b as a number.
func tail(b []byte) uint64 {
	var v uint64
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	return v
}
