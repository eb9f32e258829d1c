//go:build !amd64

package machine

import "unsafe"

var prefetched byte // keeps the reads from being optimised away

// prefetch reads the first n of the cache lines whose places begin at lines. Without an instruction that only asks for them this waits, but for all of them
// at once: the reads do not depend on each other, and nothing else stands between them.
func prefetch(lines *unsafe.Pointer, n int) {
	sum := prefetched
	for _, line := range unsafe.Slice(lines, n) {
		sum += *(*byte)(line)
	}
	prefetched = sum
}

// prefetchBytes reads from the cache lines of the n bytes from first on.
func prefetchBytes(first *byte, n int) {
	sum := prefetched
	for at := 0; at < n; at += cacheLine {
		sum += *(*byte)(unsafe.Add(unsafe.Pointer(first), at))
	}
	prefetched = sum
}
