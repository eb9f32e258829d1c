package replica

import (
	"math"
	"runtime/debug"
	"time"
)

// heap is how large the heap of the process may become.
type heap struct {
	limit    int64 // as it was set; 0: it has not been
	lastLook time.Duration
	given    bool // whoever has started the process has set one
}

// What takes memory besides the parts of --memory, beyond what the configuration and the state say.
const (
	baseMemory    = 32 << 20 // of a replica that has nothing to do, as the runtime counts
	clientMemory  = 16 << 10 // of a connection
	securedMemory = 48 << 10 // of one that is encrypted
)

// heapLimit returns how large the heap of a replica may become that has so many clients and a state of so many bytes: three quarters of
// --memory, which all its parts fit into and what the collector is late with has place beside, and what comes on top of it twice, because the
// collector lets it grow to that; the state once more, for there are two of it while one is restored. As long as the parts of --memory
// take no more than three eighths of it, which is as good as always, the collector does what it does without a limit.
func (c *Config) heapLimit(clients, state int) int64 {
	each, base := clientMemory, baseMemory
	if c.TLS != "" {
		each, base = securedMemory, 2*baseMemory
	}
	return int64(c.memory()/4*3 + base + 2*(int(c.LogBytes)+2*int(c.PipelineBytes)+clients*each) + 3*state)
}

// limitHeap keeps the limit up to date, if the heap is this replica's alone and whoever has started the process has set none. It is no
// stricter than it has to be: what grows raises it at once, by a little more, and what becomes less lowers it when that is much.
func (l *loop) limitHeap(now time.Duration) {
	h := &l.heap
	if !l.cfg.OwnProcess || h.given || h.limit != 0 && now-h.lastLook < trimEvery {
		return
	}
	h.lastLook = now
	if h.limit == 0 && debug.SetMemoryLimit(-1) != math.MaxInt64 {
		h.given = true // by GOMEMLIMIT
		return
	}
	want := l.cfg.heapLimit(l.transport.Stats().Clients, l.node.State().Bytes())
	if want > h.limit || want < h.limit-h.limit/8 {
		h.limit = want + want/32
		debug.SetMemoryLimit(h.limit)
	}
}
