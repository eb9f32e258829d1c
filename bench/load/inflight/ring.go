// Package inflight keeps what is to be remembered of operations under way, by their numbers in a stream: anything at all in a
// Ring, times in Stamps. It knows no operations, and allocates only while a window grows.
package inflight

import "paxosbench/bench/target"

// Ring holds something for each unanswered operation of a stream, by its number. It grows to what a window needs and then
// stays.
type Ring[T any] struct{ items []T } // power-of-two length

// At returns what was put for operation n.
func (r *Ring[T]) At(n target.Number) T { return r.items[uint64(n)&uint64(len(r.items)-1)] }

// Put puts an item for operation n; those up to answered are not needed any more.
func (r *Ring[T]) Put(n, answered target.Number, item T) {
	for n-answered > target.Number(len(r.items)) {
		r.grow(answered)
	}
	r.items[uint64(n)&uint64(len(r.items)-1)] = item
}

func (r *Ring[T]) grow(answered target.Number) {
	old := r.items
	r.items = make([]T, max(8, 2*len(old)))
	for i := range old {
		n := uint64(answered) + 1 + uint64(i)
		r.items[n&uint64(len(r.items)-1)] = old[n&uint64(len(old)-1)]
	}
}
