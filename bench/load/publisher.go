package load

import (
	"errors"
	"sync"

	"paxosbench/bench/record"
)

// publisher passes finished intervals on to the output and to who watches, on a goroutine of its own, so that a slow disk or
// terminal holds nothing back. While it is behind, intervals are put together.
type publisher struct {
	output   Output
	progress Progress

	mu    sync.Mutex
	queue []*record.Set
	more  chan struct{} // something is in the queue
	done  chan struct{} // everything was passed on
	err   error
}

// mostLate is how many intervals wait before they are put together.
const mostLate = 4

func newPublisher(output Output, progress Progress) *publisher {
	p := &publisher{output: output, progress: progress, more: make(chan struct{}, 1), done: make(chan struct{})}
	go p.run()
	return p
}

// Interval implements record.Sink. It does not wait.
func (p *publisher) Interval(_ *record.Row, set *record.Set) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.queue); n >= mostLate && !set.Drain {
		last := p.queue[n-1]
		last.Merge(set)
		last.End = set.End
		return nil
	}
	late := record.NewSet()
	late.Merge(set)
	late.Interval, late.Drain, late.Start, late.End = set.Interval, set.Drain, set.Start, set.End
	p.queue = append(p.queue, late)
	select {
	case p.more <- struct{}{}:
	default:
	}
	return nil
}

// run passes on what there is, until close.
func (p *publisher) run() {
	defer close(p.done)
	for range p.more {
		for set := p.next(); set != nil; set = p.next() {
			row := record.NewRow(set)
			if p.progress != nil {
				p.progress.Interval(&row)
			}
			if p.output != nil {
				p.err = errors.Join(p.err, p.output.Interval(&row, set))
			}
		}
	}
}

// next takes the first interval from the queue, nil if there is none.
func (p *publisher) next() *record.Set {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil
	}
	set := p.queue[0]
	p.queue = p.queue[1:]
	return set
}

// close waits until everything was passed on, and returns what went wrong.
func (p *publisher) close() error {
	close(p.more)
	<-p.done
	return p.err
}
