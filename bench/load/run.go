// Package load runs one load against a cluster: it paces operations, draws them from a workload, records what became
// of them and judges how far the figures may be believed.
//
// A run has phases. Every thread connects and registers its sessions, writes each key once (if asked to), and warms up
// at the load of the measurement. Then the threads wait until nothing is in flight, agree on a time, start the schedule
// anew from there and measure. At the end outstanding answers are awaited for at most the timeout, and what is still
// unanswered then is accounted for by its age.
package load

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"paxosbench/bench/client"
	"paxosbench/bench/record"
)

// Outcome is everything a run has measured.
type Outcome struct {
	Result *record.Result
	Rows   []record.Row
	Set    *record.Set
	// Interrupted tells that the run was ended early.
	Interrupted bool
}

// Progress is what a run tells while it goes on. Calls come from one goroutine.
type Progress interface {
	// Phase announces a phase.
	Phase(text string)
	// Interval reports an interval of the measurement.
	Interval(row *record.Row)
}

// Output receives the series as the run goes. A nil Output is fine.
type Output interface {
	record.Sink
	// Start is called once, before the first interval.
	Start(at time.Time) error
}

// run is the state shared by the threads of one run.
type run struct {
	cfg      *Config
	start    time.Time // zero of all clocks
	engines  []*engine
	finished chan *record.Set // intervals of all threads, for the collector
	empty    chan *record.Set // sets for the threads to fill
	stop     atomic.Bool
	warm     *barrier // everyone is connected and preloaded
	quiet    *barrier // everyone has warmed up and drained
	begin    *barrier // the coordinator has looked at the replicas
	seeds    seeds
	progress Progress
}

// seeds are the random numbers of a run. All but tag and nonce follow from Config.Seed; these two tell runs with the
// same seed apart.
type seeds struct {
	warmup, measure uint64
	tag             uint16
	nonce           uint64
}

// measurement is what the coordinator notes around the measured time.
type measurement struct {
	started       time.Time
	start, end    time.Duration
	before, after usage
	replicas      [2][]snapshot
	counters      [2]client.Counters
	inFlight      int64
	inWindow      int64 // operations answered within the measured time
	granted       int
}

// Run carries out a run. ctx ends it early: what is in flight is awaited and the outcome is complete for the time it
// covers. An outcome is returned unless the run could not begin or broke off.
func Run(ctx context.Context, cfg *Config, output Output, progress Progress) (*Outcome, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, start: time.Now(), progress: progress}
	r.makeSets()
	r.seeds = newSeeds(cfg.Seed)
	r.warm, r.quiet, r.begin = newBarrier(cfg.Threads+1), newBarrier(cfg.Threads+1), newBarrier(cfg.Threads+1)
	if err := r.makeEngines(); err != nil {
		return nil, err
	}
	defer func() {
		for _, e := range r.engines {
			e.loop.Close()
		}
	}()
	defer context.AfterFunc(ctx, func() { r.stop.Store(true) })()
	return r.execute(ctx, output)
}

func newSeeds(seed uint64) seeds {
	var random [10]byte
	crand.Read(random[:])
	return seeds{
		warmup:  hash(seed + 1),
		measure: hash(seed + 2),
		tag:     binary.LittleEndian.Uint16(random[8:]) | 1, // not 0, see idUnknown
		nonce:   binary.LittleEndian.Uint64(random[:]),
	}
}

// makeSets makes the sets that threads and collector pass round. Neither channel can be full.
func (r *run) makeSets() {
	spares := r.cfg.Threads * spareSets
	r.finished = make(chan *record.Set, spares+r.cfg.Threads)
	r.empty = make(chan *record.Set, spares+r.cfg.Threads)
	for range spares {
		r.empty <- record.NewSet()
	}
}

func (r *run) makeEngines() error {
	picker := newPicker(r.cfg.KeyDist, r.cfg.keySpace(), r.cfg.Mix)
	for t := range r.cfg.Threads {
		first, sessions := offset(r.cfg.Clients, t, r.cfg.Threads), share(r.cfg.Clients, t, r.cfg.Threads)
		work := newWorkload(r.cfg, picker, r.seeds.tag, first, sessions)
		e, err := newEngine(r.cfg, t, r.start, work, hash(r.seeds.nonce+uint64(t)), &r.stop)
		if err != nil {
			return err
		}
		e.rec = newRecorder(r.cfg.Interval, r.finished, r.empty)
		r.engines = append(r.engines, e)
	}
	return nil
}

// execute runs the threads and the coordinator and puts the outcome together.
func (r *run) execute(ctx context.Context, output Output) (*Outcome, error) {
	errs := make([]error, len(r.engines))
	var threads sync.WaitGroup
	for i, e := range r.engines {
		threads.Go(func() { errs[i] = r.thread(e) })
	}
	ended := make(chan struct{})
	go func() {
		threads.Wait()
		close(ended)
	}()
	outcome, err := r.coordinate(ctx, output, ended)
	<-ended
	if err := errors.Join(errs...); err != nil {
		return nil, rootCause(errs)
	}
	return outcome, err
}

// rootCause prefers what went wrong to what it led to.
func rootCause(errs []error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, errBroken) {
			return err
		}
	}
	return errBroken
}

// thread is the life of one engine.
func (r *run) thread(e *engine) error {
	err := r.phases(e)
	if err != nil {
		r.warm.abandon()
		r.quiet.abandon()
		r.begin.abandon()
	}
	return err
}

func (r *run) phases(e *engine) error {
	if err := lockThread(); err != nil {
		return err
	}
	if err := e.connect(); err != nil {
		return err
	}
	if err := e.preload(); err != nil {
		return err
	}
	start, err := r.warm.await(e.loop.Now())
	if err != nil {
		return err
	}
	if _, err := e.load(start, start+r.cfg.Warmup, r.seeds.warmup); err != nil {
		return err
	}
	if err := e.drain(); err != nil {
		return err
	}
	if e.rec.inFlight > 0 {
		return fmt.Errorf("%w: %d operations of the warm-up unanswered after %v; last error: %v", ErrUnreachable,
			e.rec.inFlight, r.cfg.Timeout, e.loop.LastError())
	}
	if _, err := r.quiet.await(e.loop.Now()); err != nil {
		return err
	}
	if start, err = r.begin.await(e.loop.Now()); err != nil {
		return err
	}
	return r.measure(e, start)
}

func (r *run) measure(e *engine, start time.Duration) error {
	end := start + r.cfg.Duration
	e.rec.begin(start, end)
	f, err := e.load(start, end, r.seeds.measure)
	if err != nil {
		return err
	}
	end = max(start, min(end, e.loop.Now()))
	e.rec.endMeasurement(end)
	if err := e.drain(); err != nil {
		return err
	}
	e.finish(f, end)
	e.rec.endDrain(e.loop.Now())
	return nil
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
	m.replicas[0] = scrape(ctx, r.cfg.Admin)
	m.counters[0] = r.counters()
	m.before = readUsage()
	start, err := r.begin.await(r.measureAt(warm))
	if err != nil {
		return nil, err
	}
	m.start, m.started = start, r.start.Add(start)
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
	sink := &runSink{output: output, progress: r.progress, measurement: m}
	if output != nil {
		if err := output.Start(m.started); err != nil {
			r.stop.Store(true)
			return nil, err
		}
	}
	events := &eventRunner{script: r.cfg.ClusterScript}
	eventCtx, cancelEvents := context.WithCancel(ctx)
	var eventsDone sync.WaitGroup
	eventsDone.Go(func() { events.run(eventCtx, r.cfg.Events, m.started) })

	collector := record.NewCollector(len(r.engines), sink)
	r.gather(ctx, collector, ended, m)
	cancelEvents()
	eventsDone.Wait()
	m.replicas[1] = scrape(context.WithoutCancel(ctx), r.cfg.Admin)
	m.counters[1] = r.counters()
	m.granted = r.granted()
	set, rows, err := collector.Close()
	if err != nil {
		return nil, err
	}
	m.inFlight = set.InFlight
	return r.outcome(ctx, set, rows, events.done(), m)
}

// gather merges sets until every thread has ended. It notes when the measurement ended and what it has cost by then.
func (r *run) gather(ctx context.Context, c *record.Collector, ended <-chan struct{}, m *measurement) {
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
		over = nil
	}
	for {
		select {
		case set := <-r.finished:
			collect(set)
		case <-over:
			conclude()
		case <-ended:
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

func (r *run) counters() client.Counters {
	var sum client.Counters
	for _, e := range r.engines {
		c := e.loop.Counters()
		sum.Add(&c)
	}
	return sum
}

func (r *run) granted() int {
	granted := 0
	for _, e := range r.engines {
		if g := e.loop.Granted(); granted == 0 || g > 0 && g < granted {
			granted = g
		}
	}
	return granted
}

func (r *run) tell(text string) {
	if r.progress != nil {
		r.progress.Phase(text)
	}
}

// runSink passes intervals on to the output and the progress, and counts what was answered within the measured time.
type runSink struct {
	output      Output
	progress    Progress
	measurement *measurement
}

func (s *runSink) Interval(row *record.Row, set *record.Set) error {
	if !row.Drain {
		s.measurement.inWindow += row.OK
	}
	if s.progress != nil {
		s.progress.Interval(row)
	}
	if s.output == nil {
		return nil
	}
	return s.output.Interval(row, set)
}
