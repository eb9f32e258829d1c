package draw

import (
	"bytes"
	"fmt"
	"math/bits"
	"testing"
)

// Half of the bits that fill memory are set, in every place of a word, and no word comes twice, whatever the seeds: neither
// next to each other nor far apart.
func TestFillPassesForRandom(t *testing.T) {
	const words = 4096
	seen := map[string]bool{}
	var ones [64]int
	for seed := range uint64(16) {
		b := make([]byte, 8*words)
		Fill(b, seed<<(4*seed%48))
		for w := range words {
			word := b[8*w : 8*w+8]
			if seen[string(word)] {
				t.Fatalf("seed %d: a word came before", seed)
			}
			seen[string(word)] = true
			for i := range ones {
				ones[i] += int(word[i/8] >> (i % 8) & 1)
			}
		}
	}
	const n, sigma = 16 * words, 128 // of n/2
	for i, got := range ones {
		if got < n/2-5*sigma || got > n/2+5*sigma {
			t.Errorf("bit %d is set %d times of %d", i, got, n)
		}
	}
}

// A longer piece begins like a shorter one, and neighbouring seeds have half of their bits in common.
func TestFillFollowsFromItsSeed(t *testing.T) {
	long := make([]byte, 1000)
	Fill(long, 7)
	for size := range long {
		b := make([]byte, size)
		if Fill(b, 7); !bytes.Equal(b, long[:size]) {
			t.Fatalf("%d bytes of a seed are not the first of more", size)
		}
	}
	other := make([]byte, len(long))
	Fill(other, 8)
	differ := 0
	for i := range long {
		differ += bits.OnesCount8(long[i] ^ other[i])
	}
	if differ < 3700 || differ > 4300 {
		t.Errorf("%d of 8000 bits differ between two seeds", differ)
	}
}

func BenchmarkFill(b *testing.B) {
	for _, size := range []int{8, 16 << 10} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			value := make([]byte, size)
			b.SetBytes(int64(size))
			seed := uint64(0)
			for b.Loop() {
				seed++
				Fill(value, seed)
			}
		})
	}
}
