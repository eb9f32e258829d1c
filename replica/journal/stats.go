package journal

import "time"

// Stats counts what a journal has done since it was opened.
type Stats struct {
	Records uint64 `json:"records"` // made durable
	Flushes uint64 `json:"flushes"` // groups written
	Syncs   uint64 `json:"syncs"`   // of segment files; a group that fills a segment takes one more
	Bytes   uint64 `json:"bytes"`   // written to segments, with headers and padding

	SegmentsCreated  uint64 `json:"segments_created"` // from nothing, by writing zeros
	SegmentsRecycled uint64 `json:"segments_recycled"`
	SegmentsRemoved  uint64 `json:"segments_removed"`

	// Times of flushes, measured by the owner: write, sync and, rarely, going on to another segment.
	FlushTime    time.Duration `json:"flush_time_ns"` // sum
	MaxFlushTime time.Duration `json:"max_flush_time_ns"`
}

// RecordsPerFlush returns how many records shared one flush on average.
func (s *Stats) RecordsPerFlush() float64 {
	if s.Flushes == 0 {
		return 0
	}
	return float64(s.Records) / float64(s.Flushes)
}

// MeanFlushTime returns the average time of a flush.
func (s *Stats) MeanFlushTime() time.Duration {
	if s.Flushes == 0 {
		return 0
	}
	return s.FlushTime / time.Duration(s.Flushes)
}

// Stats returns the journal's counters so far. The times are left zero: the journal reads no clock.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	s := j.stats
	j.mu.Unlock()
	if j.pool != nil {
		j.pool.count(&s)
	}
	return s
}
