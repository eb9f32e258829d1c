package inflight

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"paxosbench/bench/target"
)

// TestStampsMatchAList compares the queue with a list of one time per operation.
func TestStampsMatchAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q Stamps
		times := map[target.Number]time.Duration{}
		var pushed, passed, popped target.Number
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"push", "advance", "pop"}).Draw(t, "step") {
			case "push":
				count := target.Number(rapid.IntRange(1, 5).Draw(t, "count"))
				at := time.Duration(rapid.IntRange(0, 3).Draw(t, "at"))
				for n := pushed + 1; n <= pushed+count; n++ {
					times[n] = at
				}
				pushed += count
				q.Push(pushed, at)
			case "advance":
				last := target.Number(rapid.IntRange(int(passed), int(pushed)).Draw(t, "last"))
				for n := passed + 1; n <= last; {
					s := q.Advance(last)
					for ; n <= min(s.Last, last); n++ {
						if times[n] != s.At {
							t.Fatalf("advance gives operation %d the time %v, want %v", n, s.At, times[n])
						}
					}
				}
				passed = last
			case "pop":
				last := target.Number(rapid.IntRange(int(popped), int(passed)).Draw(t, "last"))
				for n := popped + 1; n <= last; {
					front := *q.Front()
					for ; n <= min(front.Last, last); n++ {
						if times[n] != front.At {
							t.Fatalf("front gives operation %d the time %v, want %v", n, front.At, times[n])
						}
					}
					q.Pop(min(front.Last, last))
				}
				popped = last
			}
			if q.Empty() != (popped == pushed) {
				t.Fatalf("empty is %v with %d of %d popped", q.Empty(), popped, pushed)
			}
		}
	})
}

// TestRingMatchesAMap compares a ring with a map.
func TestRingMatchesAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ring Ring[uint64]
		dumb := map[target.Number]uint64{}
		var answered, sent target.Number
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "send") {
				sent++
				item := rapid.Uint64().Draw(t, "item")
				dumb[sent] = item
				ring.Put(sent, answered, item)
			} else if answered < sent {
				answered++
			}
			for n := answered + 1; n <= sent; n++ {
				if got := ring.At(n); got != dumb[n] {
					t.Fatalf("operation %d has %x, want %x", n, got, dumb[n])
				}
			}
		}
	})
}
