// Package load runs one load against a cluster: it paces operations, draws them from a workload, records what became
// of them and judges how far the figures may be believed.
//
// A run has phases. Every thread connects and registers its sessions, writes each key once (if asked to), and warms up
// at the load of the measurement. Then the threads wait until nothing is in flight, agree on a time, start the schedule
// anew from there and measure. At the end outstanding answers are awaited for at most the timeout, and what is still
// unanswered then is accounted for by its age.
package load

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"paxosbench/bench/load/draw"
	"paxosbench/bench/load/observe"
	"paxosbench/bench/load/verify"
	"paxosbench/bench/load/workload"
	"paxosbench/bench/record"
)

// Outcome is everything a run has measured.
type Outcome struct {
	Result *record.Result
	Rows   []record.Row
	Set    *record.Set
	// Interrupted tells that the run was ended early.
	Interrupted bool
	// Picture is a page that shows an illegal history; nil if there is none.
	Picture []byte
}

// Progress is what a run tells while it goes on. Phases and intervals come from two goroutines.
type Progress interface {
	// Phase announces a phase.
	Phase(text string)
	// Interval reports an interval of the measurement, or several together if it takes longer than they do.
	Interval(row *record.Row)
}

// Output receives the series as the run goes. A nil Output is fine.
type Output interface {
	record.Sink // intervals, or several together if it takes longer than they do
	// Start is called once, before the first interval.
	Start(at time.Time) error
}

// run is the state shared by the threads of one run.
type run struct {
	cfg      *Config
	start    time.Time // zero of all clocks
	nodes    observe.Nodes
	engines  []*engine
	finished chan *record.Set // intervals of all threads, for the collector
	empty    chan *record.Set // sets for the threads to fill
	stop     atomic.Bool
	warm     *barrier       // everyone is connected and preloaded
	quiet    *barrier       // everyone has warmed up and drained
	begin    *barrier       // the coordinator has looked at the replicas
	examine  *barrier       // everyone has drained, and the coordinator has looked at the replicas again
	measured sync.WaitGroup // threads that have not drained
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

// errNotBegun ends a run that was interrupted before there was anything to measure.
var errNotBegun = errors.New("the measurement had not begun")

// Run carries out a run. ctx ends it early: what the measurement has in flight is awaited and the outcome is complete for
// the time it covers. An outcome is returned unless the run broke off, or was to end before the measurement began.
func Run(ctx context.Context, cfg *Config, output Output, progress Progress) (*Outcome, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, start: time.Now(), nodes: cfg.nodes(), progress: progress}
	r.makeSets()
	r.seeds = newSeeds(cfg)
	r.warm, r.quiet, r.begin = newBarrier(cfg.Threads+1), newBarrier(cfg.Threads+1), newBarrier(cfg.Threads+1)
	r.examine = newBarrier(cfg.Threads + 1)
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

func newSeeds(cfg *Config) seeds {
	var random [10]byte
	crand.Read(random[:])
	return seeds{
		warmup:  draw.Word(cfg.Seed, draw.Warmup, cfg.Generator.Index),
		measure: draw.Word(cfg.Seed, draw.Measurement, cfg.Generator.Index),
		tag:     workload.Tag(cfg.Generator, binary.LittleEndian.Uint16(random[8:])),
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
	picker := workload.NewPicker(&r.cfg.Config)
	for t := range r.cfg.Threads {
		first, sessions := offset(r.cfg.Clients, t, r.cfg.Threads), share(r.cfg.Clients, t, r.cfg.Threads)
		work := workload.New(&r.cfg.Config, picker, r.seeds.tag, first, sessions)
		e, err := newEngine(r.cfg, t, r.start, work, draw.Hash(r.seeds.nonce+uint64(t)), &r.stop)
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
	r.measured.Add(len(r.engines))
	for i, e := range r.engines {
		threads.Go(func() { errs[i] = r.thread(e) })
	}
	ended := make(chan struct{})
	go func() {
		threads.Wait()
		close(ended)
	}()
	outcome, err := r.coordinate(ctx, output, ended)
	if err != nil {
		r.abandon()
	}
	<-ended
	if err := rootCause(append(errs, err)); err != nil {
		return nil, err
	}
	return outcome, nil
}

// abandon frees whoever waits for a phase that will not come.
func (r *run) abandon() {
	r.warm.abandon()
	r.quiet.abandon()
	r.begin.abandon()
	r.examine.abandon()
}

// rootCause returns what went wrong in preference to what that led to, nil if nothing did.
func rootCause(errs []error) error {
	var consequence error
	for _, err := range errs {
		if err != nil && !errors.Is(err, errBroken) {
			return err
		}
		consequence = cmp.Or(consequence, err)
	}
	return consequence
}

// thread is the life of one engine.
func (r *run) thread(e *engine) error {
	err := r.phases(e)
	r.measured.Done()
	if err == nil {
		err = r.audit(e)
	}
	if err != nil {
		r.abandon()
	}
	return err
}

// audit examines the replicas when all threads have drained.
func (r *run) audit(e *engine) error {
	if _, err := r.examine.await(0); err != nil {
		return err
	}
	verifiers := make([]*verify.Verifier, len(r.engines))
	for i, other := range r.engines {
		verifiers[i] = other.verifier
	}
	return e.audit(verifiers)
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
	if err := e.warmUp(start, r.seeds.warmup); err != nil {
		return err
	}
	if _, err := r.quiet.await(e.loop.Now()); err != nil {
		return err
	}
	e.rec.empty()
	if start, err = r.begin.await(e.loop.Now()); err != nil {
		return err
	}
	return r.measure(e, start)
}

func (r *run) measure(e *engine, start time.Duration) error {
	end := start + r.cfg.Duration
	e.rec.begin(start, end)
	total := unlimited
	if r.cfg.Total > 0 {
		total = budget(share(int(r.cfg.Total), e.thread, r.cfg.Threads))
	}
	f, err := e.load(start, end, total, r.cfg.Pacer(e.thread, r.cfg.Threads, r.cfg.Generator, r.seeds.measure, false))
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
