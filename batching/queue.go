package batching

// queue is a FIFO of batches in a ring whose length is a power of two. It grows to the longest queue there has been
// and then allocates no more. The zero value is an empty queue.
type queue struct {
	ring       []Batch
	head, tail uint // counts of batches ever popped and pushed
}

const minQueue = 16

func (q *queue) len() int { return int(q.tail - q.head) }

// push appends a copy of batch.
func (q *queue) push(batch *Batch) {
	if q.len() == len(q.ring) {
		q.grow()
	}
	q.ring[q.tail&uint(len(q.ring)-1)] = *batch
	q.tail++
}

// pop removes the oldest batch; the queue must not be empty.
func (q *queue) pop() Batch {
	place := &q.ring[q.head&uint(len(q.ring)-1)]
	batch := *place
	*place = Batch{} // the caller alone owns body and spans
	q.head++
	return batch
}

func (q *queue) grow() {
	grown := make([]Batch, max(minQueue, 2*len(q.ring)))
	n := uint(q.len())
	for i := range n {
		grown[i] = q.ring[(q.head+i)&uint(len(q.ring)-1)]
	}
	q.ring, q.head, q.tail = grown, 0, n
}
