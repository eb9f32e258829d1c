package load

import "testing"

func TestSessionQueueHoldsEachOnce(t *testing.T) {
	q := newSessionQueue(3)
	for _, s := range []int{2, 0, 2, 1, 0} {
		q.push(s)
	}
	for _, want := range []int{2, 0, 1} {
		if got := q.pop(); got != want {
			t.Errorf("popped %d, want %d", got, want)
		}
	}
	if q.len() != 0 {
		t.Errorf("%d left", q.len())
	}
	for i := range 100 { // round the ring
		q.push(i % 3)
		if got := q.pop(); got != i%3 {
			t.Fatalf("popped %d, want %d", got, i%3)
		}
	}
}
