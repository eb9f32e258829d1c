package machine

import "unsafe"

// prefetch asks for the first n of the cache lines whose places begin at lines, and does not wait for them.
//
//go:noescape
func prefetch(lines *unsafe.Pointer, n int)

// prefetchBytes asks for the cache lines of the n bytes from first on, and does not wait for them.
//
//go:noescape
func prefetchBytes(first *byte, n int)
