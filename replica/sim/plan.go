package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"paxosbench/batching"
	"paxosbench/pipeline"
	"paxosbench/replica/journal"
	"paxosbench/wire"
)

// plan is everything about a run that is fixed before it begins.
type plan struct {
	seed     uint64
	replicas int
	quorum1  int
	quorum2  int

	times
	limits
	long bool // a life of more than 100,000 slots

	batching      batching.Config
	depth         pipeline.Depth
	codec         wire.Codec
	logBytes      int
	snapshotBytes int // 0: never, but on demand
	durability    journal.Durability

	maxSessions  uint32 // as a replica keeps them
	activeFor    time.Duration
	pendingBytes int // of commands that wait to be proposed; beyond, BUSY
	owners       int // who clients prove to be, in turn; 0: nobody has to
	hoard        int // replies that clients leave unconfirmed besides those in flight
	remembered   int // of those: what sessions may remember together; 0: as in production

	clients int
	window  int        // commands in flight per client
	eager   float64    // how likely a client makes one more command at once
	keys    int        // few, so that clients meet
	reads   wire.Reads // see queries.go

	// Network: probabilities per message.
	loss, duplication float64
	stale             float64 // probability that a message takes as long as elections do
	streams           streams

	// Disk: the mean of the time that a sync takes.
	sync time.Duration

	// Processor: how long an event loop takes for a look at its sockets, after which a round goes on that has left something to do.
	look time.Duration

	// Faults: mean time between two of a kind; 0: never.
	crashes, powerLosses, pauses, partitions, syncErrors, lostDisks time.Duration
	stalls, fullDisks, rots                                         time.Duration // of disks
	clogs, slowLinks                                                time.Duration // of single links
	jumps, freezes                                                  time.Duration // of clocks
	visitors                                                        time.Duration // sessions that are registered and left
	rumours                                                         time.Duration // that a replica is gone
	plots                                                           time.Duration // see plots.go

	drift    float64 // most that a clock runs faster or slower than true time
	careless bool    // operators leave flags in and change them; see operators.go
	probe    int     // what the healed cluster is tried with at the end; see probes
}

// drawPlan draws a plan from a seed.
func drawPlan(seed uint64) plan {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := plan{seed: seed, replicas: []int{1, 2, 3, 3, 3, 3, 5, 5, 7}[rng.IntN(9)]}
	p.quorum2 = p.replicas/2 + 1
	if rng.IntN(3) == 0 {
		p.quorum2 = 1 + rng.IntN(p.replicas) // flexible quorums
	}
	p.quorum1 = p.replicas - p.quorum2 + 1
	p.batching = batching.Config{Policy: []batching.Policy{
		{Kind: batching.Adaptive}, {Kind: batching.Adaptive}, {Kind: batching.None}, {Kind: batching.Count, N: 1 + rng.IntN(20)},
	}[rng.IntN(4)], MaxBytes: []int{256, 4 << 10, 1 << 20}[rng.IntN(3)]}
	if rng.IntN(3) == 0 {
		p.batching.Linger = time.Duration(rng.Int64N(int64(10 * time.Millisecond)))
	}
	p.depth = pipeline.Depth{N: []int{1, 2, 8, 64}[rng.IntN(4)]}
	p.codec = []wire.Codec{wire.CodecNone, wire.CodecNone, wire.CodecS2}[rng.IntN(3)]
	p.logBytes = []int{0, 2 << 10, 1 << 20}[rng.IntN(3)]
	p.snapshotBytes = []int{0, 64 << 10, 512 << 10}[rng.IntN(3)]
	p.clients, p.window, p.keys = 1+rng.IntN(4), []int{1, 2, 4, 16}[rng.IntN(4)], 1+rng.IntN(8)
	p.eager = 0.7
	p.drawFaults(rng)
	p.drawMore(rng)
	p.times = drawTimes(rng)
	p.drawStreams()
	p.drawLife()
	p.careless = rand.New(rand.NewPCG(p.seed, 7)).IntN(3) == 0
	p.drawLimits()
	p.depth.Adaptive = rand.New(rand.NewPCG(p.seed, 19)).IntN(2) == 0
	p.look = []time.Duration{20 * time.Microsecond, 500 * time.Microsecond, tickInterval}[rand.New(rand.NewPCG(p.seed, 23)).IntN(3)]
	if p.long {
		p.look = 20 * time.Microsecond // or who has lost its disk takes half a minute to apply so many slots
	}
	p.drawWindow()
	p.drawReads()
	p.activeFor = []time.Duration{0, 100 * time.Millisecond, time.Second}[rand.New(rand.NewPCG(p.seed, 13)).IntN(3)]
	p.drawHoards()
	p.maxSessions = max(p.maxSessions, uint32(p.clients+1)) // sessions at work keep their places, whoever waits for one
	return p
}

// drawHoards draws who the clients are, and whether they leave so many replies unconfirmed that some sessions have to go, with random
// numbers of its own.
func (p *plan) drawHoards() {
	rng := rand.New(rand.NewPCG(p.seed, 17))
	p.owners = rng.IntN(4)
	if rng.IntN(3) == 0 {
		p.hoard, p.remembered = 257+rng.IntN(400), 1100<<rng.IntN(3) // at least what one session may weigh, as it always is
	}
}

// drawFaults draws how often what goes wrong. A quiet network with crashes finds other bugs than a noisy one without.
func (p *plan) drawFaults(rng *rand.Rand) {
	sometimes := func(most time.Duration) time.Duration {
		if rng.IntN(2) == 0 {
			return 0
		}
		return 200*time.Millisecond + time.Duration(rng.Int64N(int64(most)))
	}
	p.loss = []float64{0, 0.01, 0.1, 0.3}[rng.IntN(4)]
	p.duplication = []float64{0, 0.01, 0.2}[rng.IntN(3)]
	p.stale = []float64{0, 0.01, 0.1}[rng.IntN(3)]
	p.sync = []time.Duration{100 * time.Microsecond, 2 * time.Millisecond, 15 * time.Millisecond}[rng.IntN(3)]
	p.crashes, p.powerLosses = sometimes(3*time.Second), sometimes(3*time.Second)
	p.pauses, p.partitions = sometimes(2*time.Second), sometimes(2*time.Second)
	p.syncErrors, p.lostDisks = sometimes(6*time.Second), sometimes(4*time.Second)
	p.drift = []float64{0, 0.01, 0.1}[rng.IntN(3)]
	if !p.mayLoseDisk() {
		p.lostDisks = 0
	}
}

// drawMore draws what else there is: each seldom, so that they meet in all combinations and some runs have none of them.
func (p *plan) drawMore(rng *rand.Rand) {
	seldom := func(most time.Duration) time.Duration {
		if rng.IntN(4) != 0 {
			return 0
		}
		return 300*time.Millisecond + time.Duration(rng.Int64N(int64(most)))
	}
	fsync, none := journal.DurabilityFsync, journal.DurabilityNone
	p.durability = []journal.Durability{fsync, fsync, fsync, fsync, fsync, fsync, journal.DurabilityOS, none}[rng.IntN(8)]
	p.maxSessions, p.pendingBytes = 1<<12, 64<<20 // room for the sessions that clients register more than once
	if p.visitors = seldom(time.Second); p.visitors != 0 {
		p.visitors /= 8
		p.depth.N = 64 // in a slow cluster, clients that register again and again would evict each other for ever
		p.maxSessions = uint32(p.clients + 1 + rng.IntN(3))
	}
	if rng.IntN(4) == 0 {
		p.pendingBytes = 64 << rng.IntN(6)
	}
	p.stalls, p.fullDisks, p.rots = seldom(2*time.Second), seldom(4*time.Second), seldom(4*time.Second)
	p.clogs, p.slowLinks = seldom(2*time.Second), seldom(2*time.Second)
	p.jumps, p.freezes = seldom(2*time.Second), seldom(2*time.Second)
	p.rumours = seldom(time.Second)
	if p.probe = rng.IntN(len(probes) + 1); rng.IntN(3) == 0 {
		p.plots = 300*time.Millisecond + time.Duration(rng.Int64N(int64(time.Second)))
	}
	if p.durability == none {
		p.snapshotBytes = 0 // there is no journal to cut
	}
	if !p.mayLoseDisk() {
		p.rots, p.plots = 0, 0
	}
}

// drawStreams draws whether the network is one of streams, with random numbers of its own. Streams lose, double and reorder
// nothing by themselves.
func (p *plan) drawStreams() {
	rng := rand.New(rand.NewPCG(p.seed, 4))
	if rng.IntN(2) == 0 {
		return
	}
	p.streams = streams{on: true, rate: []int{0, 128 << 10, 32 << 10, 32 << 10}[rng.IntN(4)], queue: []int{8 << 10, 24 << 10, 512 << 10}[rng.IntN(3)]}
	p.loss, p.duplication, p.stale = 0, 0, 0
	if p.visitors != 0 {
		p.streams.rate = 0 // sessions would be evicted faster than their clients are answered, for ever
	}
	if rng.IntN(2) == 0 {
		p.streams.resets = p.electionTimeout + time.Duration(rng.Int64N(int64(10*p.electionTimeout)))
	}
}

// mayLoseDisk reports whether losing one disk at a time loses nothing that was acknowledged: every decision must be on
// another disk as well, and the replica must be able to find out what it may have forgotten from the others. See
// mayForget for several.
func (p *plan) mayLoseDisk() bool { return p.quorum2 >= 2 && p.quorum1 >= 2 }

func (p *plan) String() string {
	return fmt.Sprintf("seed %d: %d replicas, quorums %d and %d, %v, batch %v of %d bytes, linger %v, window %v of at most %d, %v, log %d, snapshot %d; "+
		"%d sessions active for %v, %d bytes pending, %d owners, %d unconfirmed of %d; %d clients with %d in flight on %d keys, reads %v; loss %v, duplication %v, delay %v, stale %v, streams %+v, sync %v, look %v, drift %v; "+
		"%+v, long %v, careless %v; mean time between crashes %v, power losses %v, pauses %v, partitions %v, sync errors %v, lost disks %v, stalls %v, full disks %v, rots %v, "+
		"clogs %v, slow links %v, jumps %v, freezes %v, visitors %v, rumours %v, plots %v; probe %d",
		p.seed, p.replicas, p.quorum1, p.quorum2, p.durability, p.batching.Policy, p.batching.MaxBytes, p.batching.Linger, p.depth, p.depth.N, p.codec,
		p.logBytes, p.snapshotBytes, p.maxSessions, p.activeFor, p.pendingBytes, p.owners, p.hoard, p.remembered, p.clients, p.window, p.keys, p.reads, p.loss, p.duplication, p.delay, p.stale, p.streams,
		p.sync, p.look, p.drift, p.limits, p.long, p.careless, p.crashes, p.powerLosses, p.pauses, p.partitions, p.syncErrors, p.lostDisks, p.stalls, p.fullDisks, p.rots,
		p.clogs, p.slowLinks, p.jumps, p.freezes, p.visitors, p.rumours, p.plots, p.probe)
}
