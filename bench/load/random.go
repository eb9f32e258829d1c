package load

import "math/bits"

// The workload is a pure function of (seed, session, operation number): nothing is remembered to send an operation a
// second time or to know which value a reply must carry. Randomness is therefore counter-based: a hash of where one is.

// hash is the finaliser of splitmix64, a bijection of 64-bit words that passes for random.
func hash(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below maps a random word to 0..n-1 evenly (Lemire's multiplication).
func below(random, n uint64) uint64 {
	hi, _ := bits.Mul64(random, n)
	return hi
}
