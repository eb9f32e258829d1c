package paxos

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"paxosbench/pipeline"
	"paxosbench/wire"
)

// cluster runs cores over a network and disks that lose, double, delay, reorder, stall and crash, all drawn from one
// seed. What it checks all the time stands in checks_test.go.
type cluster struct {
	checks
	rng     *rand.Rand
	now     time.Duration
	cfg     Config
	ids     []wire.ReplicaID
	nodes   map[wire.ReplicaID]*node
	flight  []flying
	faults  bool
	cut     map[link]bool
	paused  map[wire.ReplicaID]time.Duration // the process does not run until then
	stalled map[wire.ReplicaID]time.Duration // its disk does not
	padding int                              // bytes in each batch beside its name
	next    int                              // names the next batch
}

type flying struct {
	at time.Duration
	m  wire.Message
}

func newCluster(t *testing.T, seed uint64, n int, change ...func(*Config)) *cluster {
	c := &cluster{
		rng:   rand.New(rand.NewPCG(seed, 1)),
		nodes: map[wire.ReplicaID]*node{}, cut: map[link]bool{},
		paused: map[wire.ReplicaID]time.Duration{}, stalled: map[wire.ReplicaID]time.Duration{},
	}
	c.cfg = c.drawConfig(n)
	for _, f := range change {
		f(&c.cfg)
	}
	c.ids = c.cfg.Replicas
	c.checks = newChecks(t, c.nodes, c.cfg.Quorum2)
	for _, id := range c.ids {
		c.nodes[id] = newNode(t, id)
		c.start(id)
	}
	return c
}

// drawConfig draws quorums, depth and memory, now and then with batches so large that promises and catch-up come in
// parts.
func (c *cluster) drawConfig(n int) Config {
	cfg := labConfig(n)
	if n > 2 && c.rng.IntN(3) == 0 {
		cfg.Quorum2 = 1 + c.rng.IntN(n)
		cfg.Quorum1 = n - cfg.Quorum2 + 1
	}
	cfg.Depth = pipeline.Depth{N: 1 + c.rng.IntN(16)}
	if c.rng.IntN(2) == 0 {
		cfg.LogBytes = 10 << 10
	}
	if c.rng.IntN(32) == 0 {
		c.padding = 150 << 10
	}
	return cfg
}

func (c *cluster) start(id wire.ReplicaID) {
	cfg := c.cfg
	cfg.Seed = c.rng.Uint64()
	c.nodes[id].start(cfg, c.now)
	c.started(c.nodes[id])
}

// carryOut does what a core has ready.
func (c *cluster) carryOut(n *node) {
	ready := n.ready()
	if len(ready.Accusations) > 0 {
		c.t.Fatal(ready.Accusations)
	}
	for _, m := range ready.Messages {
		c.post(m)
	}
	for _, f := range ready.Fetches {
		c.post(n.answer(f))
	}
	if ready.Snapshot != 0 {
		c.post(wire.Message{Type: wire.TypeSnapshotFetch, From: n.id, To: ready.Snapshot})
	}
	c.observe(n, &ready)
}

func (c *cluster) post(m wire.Message) {
	copies := 1
	if c.faults {
		switch p := c.rng.IntN(100); {
		case p < 5:
			copies = 0
		case p < 15:
			copies = 2
		}
	}
	for range copies {
		delay := time.Duration(c.rng.IntN(2000)) * time.Microsecond
		if c.faults && c.rng.IntN(50) == 0 {
			delay = time.Duration(c.rng.IntN(400)) * time.Millisecond
		}
		c.flight = append(c.flight, flying{c.now + delay, m})
	}
}

// step lets one millisecond pass. A core takes several messages before it is asked what it has ready, as under an event
// loop.
func (c *cluster) step() {
	c.now += time.Millisecond
	due := c.due()
	c.rng.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	for _, m := range due {
		if n := c.nodes[m.To]; n.up && !c.cut[linkOf(&m)] {
			c.arrive(n, m)
			if c.rng.IntN(2) == 0 {
				c.carryOut(n)
			}
		}
	}
	for _, id := range c.ids {
		if c.nodes[id].up && c.now >= c.paused[id] {
			c.run(c.nodes[id])
		}
	}
}

// due takes the messages off the network that arrive now at replicas that run.
func (c *cluster) due() (due []wire.Message) {
	rest := c.flight[:0]
	for _, f := range c.flight {
		if f.at <= c.now && c.now >= c.paused[f.m.To] {
			due = append(due, f.m)
		} else {
			rest = append(rest, f)
		}
	}
	c.flight = rest
	return due
}

func (c *cluster) arrive(n *node, m wire.Message) {
	switch m.Type {
	case wire.TypeSnapshotFetch:
		n.takeSnapshot()
		c.post(wire.Message{Type: wire.TypeSnapshotChunk, From: n.id, To: m.From, Slot: n.snapshot})
	case wire.TypeSnapshotChunk:
		if from := c.nodes[m.From]; m.Slot <= from.applied() {
			n.install(from.history[:m.Slot])
		}
	default:
		n.step(c.now, m)
	}
}

// run is one round of a replica: time, proposals, and some of its records reach the disk.
func (c *cluster) run(n *node) {
	n.core.Tick(c.now)
	c.propose(n)
	c.carryOut(n)
	if k := len(n.pending); k > 0 && c.now >= c.stalled[n.id] && c.rng.IntN(3) != 0 {
		n.persist(c.now, 1+c.rng.IntN(k))
		c.carryOut(n)
	}
	if c.rng.IntN(500) == 0 {
		n.takeSnapshot()
	}
}

// propose fills part of the window; where batches are large it does so rarely, and fills all of it.
func (c *cluster) propose(n *node) {
	rare := c.padding > 0
	if rare && c.rng.IntN(30) != 0 {
		return
	}
	for n.core.CanPropose(c.now, false) && (rare || c.rng.IntN(3) != 0) {
		c.next++
		n.core.Propose(c.now, 1, batch(fmt.Sprintf("batch %d%*s", c.next, c.padding, "")))
	}
}

func (c *cluster) anyone() wire.ReplicaID { return c.ids[c.rng.IntN(len(c.ids))] }

// soon returns a time up to a second from now: several election timeouts.
func (c *cluster) soon() time.Duration {
	return c.now + time.Duration(c.rng.IntN(1000))*time.Millisecond
}

func (c *cluster) mischief() {
	c.faults = true
	for range 1500 {
		c.step()
		switch p := c.rng.IntN(1000); {
		case p < 8:
			if id := c.anyone(); c.nodes[id].up {
				c.nodes[id].crash(false)
			} else {
				c.start(id)
			}
		case p < 20:
			c.cut[link{c.anyone(), c.anyone()}] = c.rng.IntN(2) == 0
		case p < 22:
			c.paused[c.anyone()] = c.soon()
		case p < 24:
			c.stalled[c.anyone()] = c.soon()
		case p < 28:
			if n := c.nodes[c.anyone()]; n.up {
				n.core.Gone(c.now, c.anyone())
			}
		}
	}
}

// heal ends all faults and requires that everybody learns of new decisions.
func (c *cluster) heal() {
	c.faults = false
	clear(c.cut)
	clear(c.paused)
	clear(c.stalled)
	for _, id := range c.ids {
		if !c.nodes[id].up {
			c.start(id)
		}
	}
	goal := wire.Slot(len(c.decided)) + 50
	for i := 0; c.slowest() < goal; i++ {
		if i > 20000 {
			c.t.Fatalf("no progress after healing: %s", c)
		}
		c.step()
	}
}

func (c *cluster) slowest() wire.Slot {
	low := ^wire.Slot(0)
	for _, n := range c.nodes {
		low = min(low, n.applied())
	}
	return low
}

func (c *cluster) String() string {
	s := ""
	for _, id := range c.ids {
		k := c.nodes[id].core
		s += fmt.Sprintf("[%d %v promised %v commit %d target %d log %d..%d fetching %d forgot %v leader %d] ",
			id, k.role, k.promised, k.commit, k.target, k.log.first, k.log.next, k.fetching.peer, k.forgot, k.leader)
	}
	return s
}

func TestClusterSurvivesFaults(t *testing.T) {
	seeds := uint64(150)
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c := newCluster(t, seed, 1+int(seed%5))
			c.mischief()
			c.heal()
		})
	}
}

// A replica that loses its disk may vote again once it has rejoined, and until then only one does: what is decided
// stays decided.
func TestForgetfulReplicaRejoins(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c := newCluster(t, seed, 3+2*int(seed%2), func(cfg *Config) {
				cfg.Quorum1, cfg.Quorum2 = Majority(len(cfg.Replicas)), Majority(len(cfg.Replicas))
			})
			c.disksAreLost, c.padding = true, 0
			c.heal()
			for range 5 {
				c.loseDisk(c.anyone())
				c.heal()
			}
		})
	}
}

// loseDisk has a replica come back without its disk while the network is at its worst.
func (c *cluster) loseDisk(id wire.ReplicaID) {
	c.faults = true
	c.nodes[id].crash(true)
	for range c.rng.IntN(600) {
		c.step()
	}
	c.start(id)
	for i := 0; !c.nodes[id].core.Voting(); i++ {
		if i > 20000 {
			c.t.Fatalf("replica %d does not come back: %s", id, c)
		}
		c.faults = i < 500
		c.step()
	}
}
