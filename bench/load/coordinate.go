package load

import (
	"context"
	"errors"
	"time"

	"paxosbench/bench/load/events"
	"paxosbench/bench/load/observe"
	"paxosbench/bench/record"
	"paxosbench/bench/target"
	"paxosbench/wire"
)

// measurement is what the coordinator notes around the measured time.
type measurement struct {
	started       time.Time
	start, end    time.Duration
	before, after usage
	sleeper       *sleeper
	stops         *stops // nil: nobody could watch
	replicas      [2][]observe.Scrape
	ended         []observe.Scrape // last looks at replicas that events have killed
	counters      [2]target.Counters
	leaders       [2]wire.ReplicaID // who led, as the connections have seen it; 0: they do not know
	inFlight      float64           // integral, in operation-nanoseconds
	inWindow      int64             // operations answered within the measured time
	granted       int
}

// note notes what the connections have noticed before the measured time, or after it.
func (m *measurement) note(when int, r target.Report) {
	m.counters[when], m.leaders[when], m.granted = r.Counters, r.Leader, r.Granted
}

// lead is how far ahead the common start of a phase is set, so that every thread can be there in time.
const lead = 2 * time.Millisecond

// coordinate accompanies the threads: it looks at the replicas before and after, carries out events, merges what the
// threads record, and makes the result.
func (r *run) coordinate(ctx context.Context, output Output, ended <-chan struct{}) (*Outcome, error) {
	r.tell("connecting")
	warm := time.Since(r.start)
	if !r.cfg.StartAt.IsZero() {
		warm = r.cfg.StartAt.Sub(r.start)
	}
	if _, err := r.warm.await(warm); err != nil {
		return nil, err
	}
	r.tell("warming up")
	if _, err := r.quiet.await(0); err != nil {
		return nil, err
	}
	var m measurement
	m.replicas[0] = r.nodes.Look(ctx)
	m.note(0, r.report())
	m.before = readUsage()
	if ctx.Err() != nil {
		return nil, errNotBegun // the threads that have not noticed wait for the time to begin
	}
	start, err := r.begin.await(r.measureAt(warm))
	if err != nil {
		return nil, err
	}
	m.start, m.started = start, r.start.Add(start)
	m.sleeper = watchStops(m.started)
	defer m.sleeper.end()
	r.tell("measuring")
	return r.accompany(ctx, output, ended, &m)
}

// startSlack separates the warm-up and the measurement of generators that start together, for each to drain.
const startSlack = time.Second

// measureAt proposes when the measurement begins.
func (r *run) measureAt(warm time.Duration) time.Duration {
	soon := time.Since(r.start) + lead
	if r.cfg.StartAt.IsZero() {
		return soon
	}
	return max(soon, warm+r.cfg.Warmup+startSlack)
}

// accompany follows the measurement to its end.
func (r *run) accompany(ctx context.Context, output Output, ended <-chan struct{}, m *measurement) (*Outcome, error) {
	if output != nil {
		if err := output.Start(m.started); err != nil {
			r.stop.Store(true)
			return nil, err
		}
	}
	sink := &runSink{newPublisher(output, r.progress), m, newStageSums(r.cfg.Stages)}
	eventCtx, cancelEvents := context.WithDeadline(ctx, m.started.Add(r.cfg.Duration))
	done := make(chan []record.Event, 1)
	runner := events.NewRunner(&r.cfg.Plan, r.cluster, r.nodes, m.replicas[0])
	go func() { done <- runner.Run(eventCtx, r.cfg.Events, m.started) }()

	collector := record.NewCollector(len(r.engines), sink)
	measured := make(chan struct{})
	go func() {
		r.measured.Wait()
		close(measured)
	}()
	r.gather(ctx, collector, measured, m)
	cancelEvents()
	happened := <-done
	m.ended = runner.Ended
	m.replicas[1] = r.nodes.Look(context.WithoutCancel(ctx))
	m.note(1, r.report())
	if _, err := r.examine.await(0); err != nil {
		return nil, errors.Join(err, sink.close())
	}
	r.tell("examining the replicas")
	<-ended
	set, rows, err := collector.Close()
	if err := errors.Join(err, sink.close()); err != nil {
		return nil, err
	}
	m.inFlight = set.InFlight.Float()
	outcome, err := r.outcome(ctx, set, rows, happened, m)
	if err != nil {
		return nil, err
	}
	outcome.Result.Stages = sink.stages.describe()
	return outcome, nil
}

// gather merges sets until every thread has drained. It notes when the measurement ended and what it has cost by then.
func (r *run) gather(ctx context.Context, c *record.Collector, drained <-chan struct{}, m *measurement) {
	collect := func(set *record.Set) {
		c.Add(set)
		set.Reset()
		r.empty <- set
	}
	measured, cancel := context.WithDeadline(ctx, m.started.Add(r.cfg.Duration))
	defer cancel()
	over := measured.Done()
	conclude := func() {
		m.after, m.end = readUsage(), min(time.Since(r.start), m.start+r.cfg.Duration)
		m.stops = m.sleeper.end()
		over = nil
	}
	for {
		select {
		case set := <-r.finished:
			collect(set)
		case <-over:
			conclude()
		case <-drained:
			for len(r.finished) > 0 {
				collect(<-r.finished)
			}
			if over != nil {
				conclude()
			}
			return
		}
	}
}

// report sums up what the connections of all threads have noticed.
func (r *run) report() (sum target.Report) {
	for _, e := range r.engines {
		one := e.loop.Report()
		sum.Counters.Add(&one.Counters)
		sum.Leader = max(sum.Leader, one.Leader)
		if sum.Granted == 0 || one.Granted > 0 && one.Granted < sum.Granted {
			sum.Granted = one.Granted
		}
		sum.Violations = append(sum.Violations, one.Violations...)
	}
	return sum
}

// cluster returns the id of the cluster under load, empty if no replica has said it yet.
func (r *run) cluster() string {
	for _, e := range r.engines {
		if id := e.loop.Cluster(); id != "" {
			return id
		}
	}
	return ""
}

func (r *run) tell(text string) {
	if r.progress != nil {
		r.progress.Phase(text)
	}
}

// runSink counts what was answered within the measured time, and passes intervals on.
type runSink struct {
	*publisher
	measurement *measurement
	stages      *stageSums
}

func (s *runSink) Interval(row *record.Row, set *record.Set) error {
	if !row.Drain {
		s.measurement.inWindow += row.OK
	}
	s.stages.add(set)
	return s.publisher.Interval(row, set)
}
