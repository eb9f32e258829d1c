package load

import (
	"time"

	"paxosbench/bench/load/pacing"
	"paxosbench/bench/record"
)

// recorder is one thread's side of the recording: the set of the present interval and the hand-over of finished ones.
// Before the measurement begins it records all the same, into a set that is then forgotten, so that a warm-up costs
// exactly what a measurement does.
type recorder struct {
	set      *record.Set
	finished chan<- *record.Set
	spare    <-chan *record.Set

	start    time.Duration // of the measurement
	end      time.Duration // of the measurement, if nothing interrupts it
	interval time.Duration
	next     time.Duration // end of the present interval; never: it ends with the phase

	inFlight  int64 // operations sent and not answered
	changedAt time.Duration
}

// spareSets is how many intervals per thread the collector may be behind.
const spareSets = 4

// newRecorder returns a recorder of its own first set, which takes the others from spare.
func newRecorder(interval time.Duration, finished chan<- *record.Set, spare <-chan *record.Set) recorder {
	return recorder{set: record.NewSet(), finished: finished, spare: spare, interval: interval, next: pacing.Never}
}

// empty forgets what the warm-up has recorded. It takes longer than the threads are given to begin together, so it is done before
// they agree on when.
func (r *recorder) empty() { r.set.Reset() }

// begin starts the measurement with nothing in flight, and nothing recorded.
func (r *recorder) begin(start, end time.Duration) {
	r.start, r.end = start, end
	r.next = start + r.interval
	r.changedAt = start
}

// sent counts operations handed to the socket.
func (r *recorder) sent(count int, at time.Duration) {
	r.integrate(at)
	r.inFlight += int64(count)
}

// settled counts operations answered or given up.
func (r *recorder) settled(count int, at time.Duration) {
	r.integrate(at)
	r.inFlight -= int64(count)
}

// integrate brings the integral of inFlight up to date.
func (r *recorder) integrate(at time.Duration) {
	if at > r.changedAt {
		r.set.InFlight.Add(r.inFlight, int64(at-r.changedAt))
		r.changedAt = at
	}
}

// roll hands over the intervals that have ended by now, except the last one, which endMeasurement ends.
func (r *recorder) roll(now time.Duration) {
	for now >= r.next && r.next < r.end {
		r.handOver(r.next)
		r.next += r.interval
	}
}

// endMeasurement hands over the last interval, whole or not; what follows is the drain.
func (r *recorder) endMeasurement(at time.Duration) {
	r.roll(at)
	r.handOver(at)
	r.set.Drain = true
	r.next = pacing.Never
}

// endDrain hands over the drain. The recorder is of no use afterwards.
func (r *recorder) endDrain(at time.Duration) {
	r.handOver(at)
	r.set = nil
}

// handOver ends the present interval and starts the next one.
func (r *recorder) handOver(at time.Duration) {
	r.integrate(at)
	interval := r.set.Interval
	r.set.End = at - r.start
	r.finished <- r.set
	r.set = <-r.spare
	r.set.Interval = interval + 1
	r.set.Start = at - r.start
}
