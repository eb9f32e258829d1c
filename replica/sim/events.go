package sim

import (
	"container/heap"
	"time"
)

// event is something that happens at a time.
type event struct {
	at    time.Duration
	order uint64
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// after has something happen later.
func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.events, event{w.now + d, w.order, do})
}

func (w *world) runUntil(done func() bool) {
	for !done() {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
	}
}

// runFor lets time pass.
func (w *world) runFor(d time.Duration) {
	end := w.now + d
	w.after(d, func() {})
	w.runUntil(func() bool { return w.now >= end })
}

// await lets time pass until something has come true, and reports whether it has.
func (w *world) await(within time.Duration, true func() bool) bool {
	end := w.now + within
	w.after(within, func() {})
	w.runUntil(func() bool { return true() || w.now >= end })
	return true()
}

// every has something done again and again, at random, on average once in mean, as long as there are faults. It does
// not get in the way of a plot.
func (w *world) every(mean time.Duration, do func()) {
	if mean == 0 {
		return
	}
	w.after(w.exponential(mean), func() {
		if w.calm {
			return
		}
		if !w.plotting {
			do()
		}
		w.every(mean, do)
	})
}

func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.rng.Int64N(int64(most-least)))
}

func (w *world) exponential(mean time.Duration) time.Duration {
	return time.Duration(w.rng.ExpFloat64() * float64(mean))
}

func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }
