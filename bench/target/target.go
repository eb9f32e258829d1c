// Package target is what the instrument loads: a system under test, as an engine of package load sees it.
package target

// Number identifies an operation within its stream, contiguously from 1.
type Number uint64
