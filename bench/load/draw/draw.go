// Package draw is the randomness of a run: words that follow from a seed and from what they are drawn for, so that nothing is
// remembered to draw one a second time.
package draw

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// A workload is a pure function of (seed, session, operation number): nothing is remembered to send an operation a
// second time or to know which value a reply must carry. Randomness is therefore counter-based: a hash of where one is.

// Hash is the finaliser of splitmix64, a bijection of 64-bit words that passes for random.
func Hash(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Fill fills b with bytes that follow from a seed and pass for random. Its words do not wait for each other, as those of a chain
// of hashes would: one multiplication each (as in wyrand, of Wang Yi), several under way at a time.
func Fill(b []byte, seed uint64) {
	at := Hash(seed)
	for ; len(b) >= 8; b = b[8:] {
		at += fillStep
		binary.LittleEndian.PutUint64(b, scatter(at))
	}
	var last [8]byte
	binary.LittleEndian.PutUint64(last[:], scatter(at+fillStep))
	copy(b, last[:])
}

// Odd, with half of their bits set, otherwise arbitrary.
const (
	fillStep = 0xa0761d6478bd642f
	fillMix  = 0xe7037ed1a0b428db
)

// scatter makes a word that passes for random of one of a sequence of equal steps.
func scatter(x uint64) uint64 {
	hi, lo := bits.Mul64(x, x^fillMix)
	return hi ^ lo
}

// Below maps a random word to 0..n-1 evenly (Lemire's multiplication).
func Below(random, n uint64) uint64 {
	hi, _ := bits.Mul64(random, n)
	return hi
}

// Fraction returns the word that a random word is below with probability p.
func Fraction(p float64) uint64 {
	if p >= 1 {
		return math.MaxUint64
	}
	return uint64(p * (1 << 63) * 2)
}

// Purpose is what words are drawn for.
type Purpose uint64

// The purposes.
const (
	Workload Purpose = iota
	Warmup
	Measurement
	Sizes
)

// Word returns the word of a seed that belongs to a purpose. Each generator has its own: two that are started with one seed
// draw other operations and other arrivals.
func Word(seed uint64, p Purpose, generator int) uint64 {
	return Hash(Hash(seed+uint64(p)) + uint64(generator))
}
