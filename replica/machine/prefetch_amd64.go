package machine

// prefetch asks for the first n cache lines, and does not wait for them.
//
//go:noescape
func prefetch(lines *cacheLines, n int)
