package storage

import (
	"sync"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/wire"
)

// Records are synced in groups, without a queue of their own: while the flusher syncs one group, what is appended
// gathers in the journal and becomes the next, without a trip through the loop in between. When nothing else is in
// flight the replica's goroutine syncs itself: handing the work over and back costs two wake-ups, tens of microseconds
// or more, which pays only if there is something else to do meanwhile.

// Append stages a record of this life; they are numbered from 1.
func (s *Storage) Append(r *wire.Record) {
	s.appended++
	s.journal.Append(r)
}

// Persist has everything appended made durable and returns how many records of this life are known to be by now: all, if
// it has done so itself. An error is final.
func (s *Storage) Persist(alone bool) (durable uint64, err error) {
	if alone || s.volatile { // where nothing is kept there is next to nothing to write
		began := time.Now()
		if lsn, ok, err := s.journal.TryFlush(); err != nil {
			return 0, s.fail(err)
		} else if ok {
			s.times.add(time.Since(began))
			s.inPlace = uint64(lsn - s.base)
			return s.inPlace, nil
		}
	}
	s.flusher.Wake()
	return 0, nil
}

// flush is the flusher's work.
func (s *Storage) flush() {
	if !s.journal.Pending() {
		return // the replica's goroutine was faster
	}
	began := time.Now()
	if lsn, err := s.journal.Flush(); err != nil {
		_ = s.fail(err) // the replica is told
	} else {
		s.times.add(time.Since(began))
		s.newest.Store(uint64(lsn))
	}
	s.runner.Post(s.announce)
}

// fail remembers why nothing will be durable any more.
func (s *Storage) fail(err error) error {
	s.failed.Store(&err)
	return err
}

// persisted tells the replica what the flusher has done.
func (s *Storage) persisted() {
	durable, err := s.Durable()
	if err != nil {
		s.replica.Fail(err)
		return
	}
	s.replica.Persisted(s.runner.Now(), durable)
}

// Base returns the number of the newest record of earlier lives, which those of this one are numbered after.
func (s *Storage) Base() journal.LSN { return s.base }

// Durable returns how many records of this life are durable, or why none will be any more. The flusher's word may come
// after the replica's goroutine has synced more itself.
func (s *Storage) Durable() (uint64, error) {
	if err := s.failed.Load(); err != nil {
		return 0, *err
	}
	return max(s.inPlace, s.newest.Load()-uint64(s.base)), nil
}

// flushTimes gathers the times of flushes. They are told to operators and decide nothing.
type flushTimes struct {
	mu  sync.Mutex
	sum time.Duration
	max time.Duration
}

func (t *flushTimes) add(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum += d
	t.max = max(t.max, d)
}

func (t *flushTimes) into(s *journal.Stats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.FlushTime, s.MaxFlushTime = t.sum, t.max
}
