package journal

import (
	"time"

	"paxosbench/wire"
)

// Committer syncs a journal on a goroutine of its own, so that the owner's loop goes on while the disk works. It adds
// no queue: while one group is being synced, what the owner appends gathers in the journal and becomes the next group.
//
// A second goroutine prepares and recycles segment files. All methods but Stats belong to the owner.
type Committer struct {
	journal *Journal
	durable func(LSN, error)

	wake    chan struct{} // to sync; holds at most the one token that says that there is something to do
	tend    chan struct{} // to do housekeeping, likewise
	done    chan struct{} // closed when the syncing goroutine has ended
	tended  chan struct{} // closed when the housekeeping goroutine has ended
	started time.Time
	times   flushTimes
}

// NewCommitter starts the goroutines. durable is called on the syncing one after every flush, with the LSN up to which
// the journal is durable, or with the final error; it must not block. Close the committer before the journal.
func NewCommitter(j *Journal, durable func(LSN, error)) *Committer {
	c := &Committer{
		journal: j,
		durable: durable,
		wake:    make(chan struct{}, 1),
		tend:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		tended:  make(chan struct{}),
		started: time.Now(),
	}
	j.setPoke(func() { poke(c.tend) })
	go c.housekeep()
	go c.sync()
	poke(c.tend)
	return c
}

// Append stages a record (see Journal.Append).
func (c *Committer) Append(r *wire.Record) LSN { return c.journal.Append(r) }

// Submit has what was appended made durable soon, and returns at once. While a sync is running it costs next to
// nothing: what is submitted then becomes one group. If the goroutine sleeps, waking it takes tens of microseconds or
// more before the write begins; see Sync.
func (c *Committer) Submit() { poke(c.wake) }

// Sync makes what was appended durable on the calling goroutine, which saves the hand-over when there is nothing else
// to do meanwhile. If a flush is already running it does nothing and ok is false: use Submit.
// durable is not called for it.
func (c *Committer) Sync() (durable LSN, ok bool, err error) {
	began := c.now()
	durable, ok, err = c.journal.TryFlush()
	if ok {
		c.times.add(c.now() - began)
	}
	return durable, ok, err
}

// Close makes durable what was appended, on the calling goroutine, and stops. It waits for a call of durable that is
// under way. Closing the journal remains to be done.
func (c *Committer) Close() error {
	close(c.wake)
	<-c.done
	c.journal.setPoke(nil)
	close(c.tend)
	<-c.tended
	_, err := c.journal.Flush()
	return err
}

// Stats returns the journal's counters, with the times of flushes.
func (c *Committer) Stats() Stats {
	s := c.journal.Stats()
	c.times.into(&s)
	return s
}

// sync flushes whenever it is woken, until Close or the first error.
func (c *Committer) sync() {
	defer close(c.done)
	for range c.wake {
		if !c.journal.Pending() {
			continue // a Sync was faster
		}
		began := c.now()
		durable, err := c.journal.Flush()
		c.times.add(c.now() - began)
		c.durable(durable, err)
		if err != nil {
			return
		}
	}
}

// housekeep prepares and recycles segment files whenever it is woken, until Close.
func (c *Committer) housekeep() {
	defer close(c.tended)
	for range c.tend {
		c.journal.tend()
	}
}

// now returns the time since the committer was started.
func (c *Committer) now() time.Duration { return time.Since(c.started) }

// poke leaves a token in c, unless there is one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
