package sim

import (
	"math/rand/v2"
	"time"

	"paxosbench/batching"
	"paxosbench/pipeline"
	"paxosbench/replica/journal"
	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// limits are the bounds that production has as constants or as flags with large defaults. Drawn small, a run of seconds comes
// to every one of them, as a production cluster does after days.
type limits struct {
	paxos         paxos.Limits
	windowBytes   int // of batches in flight
	pinBytes      int // kept for a replica that lags
	segmentBytes  int64
	snapshotPiece int
	replyFrame    int
	applyWork     int
}

// drawLimits draws them, with random numbers of its own. A third of the runs have those of production.
func (p *plan) drawLimits() {
	rng := rand.New(rand.NewPCG(p.seed, 5))
	p.limits = limits{windowBytes: 1 << 20, pinBytes: 1 << 20, segmentBytes: 16 * journal.BlockSize}
	if rng.IntN(3) == 0 {
		return
	}
	pick := func(of ...int) int { return of[rng.IntN(len(of))] }
	p.limits = limits{
		paxos: paxos.Limits{
			MaxAhead:     wire.Slot(2*p.depth.N + pick(0, 1, 16, 256)), // less is refused, see paxos.Config.Validate
			FetchBytes:   pick(2<<10, 16<<10, 64<<10),
			PromiseBytes: pick(1, 300, 4<<10, 64<<10),
		},
		windowBytes: pick(1, 2<<10, 64<<10, 1<<20), pinBytes: pick(64<<10, 1<<20),
		segmentBytes: int64(pick(4, 8, 16, 256)) * journal.BlockSize,
		// A snapshot takes a round for each piece, and who has nothing else to do has a round a tick: with pieces of 64 bytes one takes longer
		// than a failover may. Production has a constant of 256 KiB and no flag.
		snapshotPiece: pick(1<<10, 4<<10, 256<<10), replyFrame: pick(64, 4<<10, 1<<20),
		applyWork: pick(1<<10, 16<<10, 1<<20),
	}
	if p.visitors != 0 || p.pendingBytes < 1<<20 || p.long {
		p.windowBytes = 1 << 20 // or sessions are evicted faster than their clients are answered, or one is always turned away
	}
	if p.durability == journal.DurabilityNone {
		p.pinBytes = 1 << 20 // what leaves the memory while a snapshot travels is gone
	}
}

// drawWindow keeps clients from having so much in flight that it cannot be answered before they ask again: then the cluster has
// only repetitions to do. That is a limit of clients, which no flag of a replica knows: who has n commands in flight must wait for as
// long as n take.
func (p *plan) drawWindow() {
	commands := 1 // in a batch
	switch p.batching.Policy.Kind {
	case batching.None:
	case batching.Count:
		commands = p.batching.Policy.N
	default:
		return // as many as wait
	}
	depth := p.windowBytes / (smallBatch * commands)
	if p.depth.N > 0 {
		depth = min(depth, p.depth.N)
	}
	answered := max(1, depth) * commands * int(p.clientTimeout/(2*p.delay+p.sync+tickInterval))
	p.window = min(p.window, max(1, answered/2/p.clients))
}

// smallBatch is about how long the batch of one command is, and what each command adds at most.
const smallBatch = 64

// longLife is how many slots a long life has.
const longLife = 100_000

// drawLife makes one run in 250 a long one: more than 100,000 slots, one for each command, with few faults in between.
func (p *plan) drawLife() {
	rng := rand.New(rand.NewPCG(p.seed, 11))
	if p.long = rng.IntN(250) == 0; !p.long {
		return
	}
	p.batching = batching.Config{Policy: batching.Policy{Kind: batching.None}, MaxBytes: 4 << 10}
	p.depth = pipeline.Depth{N: 64}
	p.clients, p.window, p.keys = 4, 32, 64
	p.loss, p.duplication, p.stale, p.streams = 0, 0, 0, streams{on: true, queue: 512 << 10}
	p.times = newTimes(100 * time.Microsecond)
	p.faultTime *= 6
	p.eager = 0.96
	p.sync, p.visitors, p.pendingBytes = 100*time.Microsecond, 0, 64<<20
	for _, mean := range []*time.Duration{
		&p.crashes, &p.powerLosses, &p.pauses, &p.partitions, &p.syncErrors, &p.lostDisks, &p.stalls, &p.fullDisks, &p.rots, &p.clogs, &p.slowLinks,
		&p.jumps, &p.freezes, &p.plots,
	} {
		*mean *= 6
	}
}
