package load

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"paxosbench/bench/client"
)

// TestStampsMatchAList compares the queue with a list of one time per operation.
func TestStampsMatchAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q stamps
		times := map[client.Number]time.Duration{}
		var pushed, passed, popped client.Number
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"push", "advance", "pop"}).Draw(t, "step") {
			case "push":
				count := client.Number(rapid.IntRange(1, 5).Draw(t, "count"))
				at := time.Duration(rapid.IntRange(0, 3).Draw(t, "at"))
				for n := pushed + 1; n <= pushed+count; n++ {
					times[n] = at
				}
				pushed += count
				q.push(pushed, at)
			case "advance":
				last := client.Number(rapid.IntRange(int(passed), int(pushed)).Draw(t, "last"))
				for n := passed + 1; n <= last; {
					s := q.advance(last)
					for ; n <= min(s.last, last); n++ {
						if times[n] != s.at {
							t.Fatalf("advance gives operation %d the time %v, want %v", n, s.at, times[n])
						}
					}
				}
				passed = last
			case "pop":
				last := client.Number(rapid.IntRange(int(popped), int(passed)).Draw(t, "last"))
				for n := popped + 1; n <= last; {
					front := *q.front()
					for ; n <= min(front.last, last); n++ {
						if times[n] != front.at {
							t.Fatalf("front gives operation %d the time %v, want %v", n, front.at, times[n])
						}
					}
					q.pop(min(front.last, last))
				}
				popped = last
			}
			if q.empty() != (popped == pushed) {
				t.Fatalf("empty is %v with %d of %d popped", q.empty(), popped, pushed)
			}
		}
	})
}

// TestRingMatchesAMap compares a ring with a map.
func TestRingMatchesAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ring ring[valueID]
		dumb := map[client.Number]valueID{}
		var answered, sent client.Number
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "send") {
				sent++
				id := valueID(rapid.Uint64().Draw(t, "id"))
				dumb[sent] = id
				ring.put(sent, answered, id)
			} else if answered < sent {
				answered++
			}
			for n := answered + 1; n <= sent; n++ {
				if got := ring.at(n); got != dumb[n] {
					t.Fatalf("operation %d has %x, want %x", n, got, dumb[n])
				}
			}
		}
	})
}

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
