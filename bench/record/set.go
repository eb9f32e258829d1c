package record

import "time"

// Counts account for every operation. Over a whole measurement
//
//	Scheduled = Sent + NotSent
//	Sent      = OK + Failed + TimedOut + InFlightAtEnd
type Counts struct {
	Scheduled     int64 `json:"scheduled"`
	Sent          int64 `json:"sent"`
	NotSent       int64 `json:"not_sent"` // due, but never handed to a socket
	OK            int64 `json:"ok"`       // answered in time; includes not-found and mismatch, which are answers
	Failed        int64 `json:"failed"`   // outcome unknown: the session was lost
	TimedOut      int64 `json:"timed_out"`
	InFlightAtEnd int64 `json:"in_flight_at_end"` // unanswered when the run ended, younger than the timeout
	Late          int64 `json:"late"`             // of TimedOut: answered after all
	NotFound      int64 `json:"not_found"`        // of OK
	Mismatch      int64 `json:"mismatch"`         // of OK
	Full          int64 `json:"full,omitempty"`   // of OK: writes for which the store had no room
	Early         int64 `json:"early"`            // sent before they were due, which must not happen
}

// Add adds o to c, field by field.
func (c *Counts) Add(o *Counts) {
	c.Scheduled += o.Scheduled
	c.Sent += o.Sent
	c.NotSent += o.NotSent
	c.OK += o.OK
	c.Failed += o.Failed
	c.TimedOut += o.TimedOut
	c.InFlightAtEnd += o.InFlightAtEnd
	c.Late += o.Late
	c.NotFound += o.NotFound
	c.Mismatch += o.Mismatch
	c.Full += o.Full
	c.Early += o.Early
}

// Consistent reports whether the counts sum as they must over a whole measurement.
func (c *Counts) Consistent() bool {
	return c.Scheduled == c.Sent+c.NotSent && c.Sent == c.OK+c.Failed+c.TimedOut+c.InFlightAtEnd
}

// Set is what one thread records during one interval, or the sum of many such.
type Set struct {
	// Intended has every scheduled operation once, from when it was due to its answer. Operations without an answer
	// are in it with the age they had reached: censored observations, not dropped ones.
	Intended *Histogram
	// Service has every answered operation, from when it was handed to the socket.
	Service *Histogram
	// SendLag has every sent operation: handed to the socket less due. It is the generator's own health.
	SendLag *Histogram
	// Failure has the age of the operations whose outcome is unknown.
	Failure *Histogram

	Counts Counts
	// InFlight is the integral of the number of operations in flight over the interval, in operation-nanoseconds.
	InFlight Sum
	// Interval numbers the interval, from 0. The last one holds what came after the measurement and is the Drain.
	Interval int
	Drain    bool
	// Start and End bound the interval, counted from the beginning of the measurement.
	Start, End time.Duration
}

// NewSet returns an empty set.
func NewSet() *Set {
	return &Set{Intended: NewHistogram(), Service: NewHistogram(), SendLag: NewHistogram(), Failure: NewHistogram()}
}

// Answer records count operations that were due and sent together and are answered now. No allocation.
func (s *Set) Answer(due, sent, at time.Duration, count int64) {
	s.Intended.Record(at-due, count)
	s.Service.Record(at-sent, count)
}

// Send records count operations that were due together and are sent now. No allocation.
func (s *Set) Send(due, at time.Duration, count int64) {
	if at < due {
		s.Counts.Early += count
	}
	s.Counts.Sent += count
	s.SendLag.Record(at-due, count)
}

// Reset empties the set.
func (s *Set) Reset() {
	s.Intended.Reset()
	s.Service.Reset()
	s.SendLag.Reset()
	s.Failure.Reset()
	s.Counts = Counts{}
	s.InFlight = Sum{}
	s.Interval, s.Drain = 0, false
	s.Start, s.End = 0, 0
}

// Merge adds what o has recorded. The bounds of the interval stay those of s.
func (s *Set) Merge(o *Set) {
	s.Intended.Merge(o.Intended)
	s.Service.Merge(o.Service)
	s.SendLag.Merge(o.SendLag)
	s.Failure.Merge(o.Failure)
	s.Counts.Add(&o.Counts)
	s.InFlight.Merge(o.InFlight)
}
