package replica

import (
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"paxosbench/replica/transport"
	"paxosbench/wire"
)

// memoryParts is how --memory is divided, in bytes. Each part has a bound of its own, so that what is done to one, by whomever,
// leaves the others as they are. Three eighths of the whole are in no part, because the collector lets the heap grow to twice what is
// in use; where that is not enough, when all parts are used up, it works more (see heap.go).
type memoryParts struct {
	partial int // frames from clients that have not arrived whole
	unread  int // answers that clients have not taken
	pending int // requests that wait to be proposed; queries that wait have as much again
	peer    int // what waits for one peer; two frames at least
	outs    int // buffers for answers that are kept for the next ones
	kept    int // all other buffers that are
	relayed int // on its way between clients and the leader
	pinned  int // chosen batches that a peer still needs and no journal holds
}

const (
	minMemory = 256 << 20

	// machineShare is the part of the machine's memory that is the default. Three replicas on one host leave it more than half.
	machineShare = 8

	// mostPending and mostPeer bound what waits, which is time as well as memory.
	mostPending = 64 << 20
	mostPeer    = 64 << 20
)

// memoryParts divides the memory, in thirty-seconds. What gnet queues, for clients and for peers, is in buffers of up to twice
// the size, and pending counts twice as well: that makes twenty.
func (c *Config) memoryParts() memoryParts {
	unit := c.memory() / 32
	peers := max(1, len(c.Members)-1)
	return memoryParts{
		partial: 2 * unit,
		unread:  3 * unit,
		pending: min(mostPending, unit),
		peer:    max(2*transport.MaxMessage, min(mostPeer, 2*unit/peers)),
		outs:    unit / 2,
		kept:    unit,
		relayed: unit / 2,
		pinned:  4 * unit,
	}
}

// memory returns how many bytes --memory stands for.
func (c *Config) memory() int {
	if c.Memory != 0 {
		return int(c.Memory)
	}
	return max(minMemory, machineMemory()/machineShare)
}

// machineMemory returns what the control group allows, or else what the machine has; 0 if neither can be found out.
func machineMemory() int {
	bytes, err := memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)()
	if err != nil {
		slog.Warn("cannot find out how much memory there is, set --memory", "error", err)
	}
	return int(bytes)
}

// trimEvery is how often buffers are let go of that were not needed since the last time.
const trimEvery = 2 * time.Second

// trimmer gives memory back. The collector and the runtime do so at their leisure, which is minutes where little is allocated;
// after an onslaught that is helped along.
type trimmer struct {
	last    time.Duration
	peak    int         // of what was held
	freeing atomic.Bool // a collection is under way
}

// tick is called with every tick. What was held is noted every time: an onslaught may be over before the next look.
func (m *trimmer) tick(now time.Duration, buffers *wire.Buffers, t *transport.Transport, most int) {
	m.peak = max(m.peak, t.Held()+buffers.Kept())
	if now-m.last < trimEvery {
		return
	}
	m.last = now
	buffers.Trim()
	t.Trim()
	held := t.Held() + buffers.Kept()
	if !fallen(m.peak, held, most) || !m.freeing.CompareAndSwap(false, true) {
		return
	}
	m.peak = held
	go func() {
		debug.FreeOSMemory()
		m.freeing.Store(false)
	}()
}

// fallen reports whether what is held has fallen by so much that it is worth a collection.
func fallen(peak, held, most int) bool { return peak-held >= most/16 && held <= peak/2 }
