package record

import (
	"errors"
	"maps"
	"slices"
)

// Collector merges the sets of all threads into the total and the series of intervals. It belongs to one goroutine,
// which is not one that sends.
type Collector struct {
	threads int
	total   *Set
	open    map[int]*openSet // intervals that some threads still owe, by number
	free    []*Set
	rows    []Row
	sink    Sink
	err     error
}

type openSet struct {
	sum  *Set
	owed int // threads that have not added their part
}

// Sink receives each finished interval.
type Sink interface {
	// Interval is called with an interval's row and the sum of its sets, which is valid during the call.
	Interval(row *Row, set *Set) error
}

// NewCollector returns a collector for sets of the given number of threads. sink may be nil.
func NewCollector(threads int, sink Sink) *Collector {
	return &Collector{threads: threads, total: NewSet(), open: make(map[int]*openSet), sink: sink}
}

// Add merges one thread's set of one interval. Every thread adds a set for every interval, empty or not. The set is
// the caller's again when Add returns.
func (c *Collector) Add(set *Set) {
	o := c.open[set.Interval]
	if o == nil {
		o = &openSet{sum: c.take(), owed: c.threads}
		o.sum.Interval, o.sum.Drain = set.Interval, set.Drain
		o.sum.Start, o.sum.End = set.Start, set.End
		c.open[set.Interval] = o
	}
	o.sum.End = max(o.sum.End, set.End)
	o.sum.Merge(set)
	if o.owed--; o.owed == 0 {
		c.finish(o.sum)
	}
}

func (c *Collector) take() *Set {
	if n := len(c.free); n > 0 {
		set := c.free[n-1]
		c.free = c.free[:n-1]
		return set
	}
	return NewSet()
}

func (c *Collector) finish(sum *Set) {
	row := NewRow(sum)
	c.rows = append(c.rows, row)
	if c.sink != nil {
		c.err = errors.Join(c.err, c.sink.Interval(&row, sum))
	}
	c.total.Merge(sum)
	delete(c.open, sum.Interval)
	sum.Reset()
	c.free = append(c.free, sum)
}

// Close finishes the intervals that some thread still owes, as after an interruption, and returns the total and the
// rows. The error is the sink's.
func (c *Collector) Close() (*Set, []Row, error) {
	for _, interval := range slices.Sorted(maps.Keys(c.open)) {
		c.finish(c.open[interval].sum)
	}
	return c.total, c.rows, c.err
}
