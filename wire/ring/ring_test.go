package ring

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A queue does what a slice does.
func TestQueueIsASlice(t *testing.T) {
	var q Queue[*int]
	var want []*int
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 10_000 {
		if push := rng.IntN(100) < 30+40*(i/1000%2); push || len(want) == 0 {
			q.Push(&i)
			want = append(want, &i)
		} else if got := q.Pop(); got != want[0] {
			t.Fatalf("popped %d, want %d", *got, *want[0])
		} else {
			want = want[1:]
		}
		var got []*int
		for i := range q.Len() {
			got = append(got, *q.At(i))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("step %d: %d elements, want %d, or others", i, len(got), len(want))
		}
	}
	held := 0
	for _, p := range q.ring {
		if p != nil {
			held++
		}
	}
	if held != q.Len() {
		t.Errorf("%d elements are held, %d are in the queue", held, q.Len())
	}
}

func TestQueueDoesNotAllocate(t *testing.T) {
	var q Queue[[4]uint64]
	if allocs := testing.AllocsPerRun(100, func() {
		for range 100 {
			q.Push([4]uint64{})
		}
		for q.Len() > 0 {
			q.Pop()
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestEmptyQueuePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("popped from an empty queue")
		}
	}()
	new(Queue[int]).Pop()
}

// A queue that has been cleared is empty, and nothing that was in it is kept alive.
func TestClear(t *testing.T) {
	var q Queue[*int]
	for i := range 20 {
		q.Push(&i)
	}
	q.Pop()
	q.Clear()
	if q.Len() != 0 || slices.ContainsFunc(q.ring, func(p *int) bool { return p != nil }) {
		t.Errorf("%d elements, ring %v", q.Len(), q.ring)
	}
	n := 7
	if q.Push(&n); q.Pop() != &n {
		t.Error("something else comes out than went in")
	}
}
