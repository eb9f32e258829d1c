// Package ring has the queue that the replica's parts share.
package ring

// Queue is a first-in-first-out queue in a ring whose length is a power of two. It grows to the longest queue there has been
// and then allocates no more. The zero value is an empty queue.
type Queue[T any] struct {
	ring       []T
	head, tail uint // counts of elements ever popped and pushed
}

const minRing = 16

// Len returns the number of elements.
func (q *Queue[T]) Len() int { return int(q.tail - q.head) }

// At returns a view of the i-th oldest element, which there must be. It is valid until the next Push or Pop.
func (q *Queue[T]) At(i int) *T {
	if uint(i) >= q.tail-q.head {
		panic("BUG: no such element in the queue")
	}
	return &q.ring[(q.head+uint(i))&uint(len(q.ring)-1)]
}

// Push appends an element.
func (q *Queue[T]) Push(element T) {
	if q.Len() == len(q.ring) {
		q.grow()
	}
	q.ring[q.tail&uint(len(q.ring)-1)] = element
	q.tail++
}

// Pop removes the oldest element, which there must be. Nothing of it stays in the queue.
func (q *Queue[T]) Pop() T {
	place := q.At(0)
	element := *place
	var none T
	*place = none
	q.head++
	return element
}

// Clear removes all elements.
func (q *Queue[T]) Clear() {
	for q.Len() > 0 {
		q.Pop()
	}
}

func (q *Queue[T]) grow() {
	grown := make([]T, max(minRing, 2*len(q.ring)))
	n := q.Len()
	for i := range n {
		grown[i] = *q.At(i)
	}
	q.ring, q.head, q.tail = grown, 0, uint(n)
}
