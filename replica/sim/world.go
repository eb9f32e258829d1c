package sim

import (
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/wire"
)

// Report is the outcome of one run.
type Report struct {
	Seed   uint64
	Plan   string
	Err    error  // what was violated; nil: nothing
	Hash   uint64 // of the transcript
	Counts Counts
}

// violation is how checkers end a run.
type violation struct{ err error }

// world is one run.
type world struct {
	plan
	rng    *rand.Rand
	now    time.Duration
	events events
	order  uint64 // events of one time happen in the order in which they were made

	replicas []*replica // by id-1
	clients  []*client
	readers  []*reader
	links    [wire.MaxReplicas + 1][wire.MaxReplicas + 1]link // by sender and receiver
	spy      func(from, to *replica, m *wire.Message, deliver func()) bool
	plotting bool // a plot goes on, and no other faults
	calm     bool // no faults any more

	check  *checker
	counts Counts
	hash   io.Writer
	out    io.Writer // the transcript, or nil
}

// Run runs one seed. The transcript, a line per event, goes to out unless it is nil.
func Run(seed uint64, out io.Writer) (report *Report) {
	hash := fnv.New64a()
	w := &world{plan: drawPlan(seed), rng: rand.New(rand.NewPCG(seed, 2)), hash: hash, out: out}
	w.check = newChecker(w)
	report = &Report{Seed: seed, Plan: w.plan.String()}
	defer func() {
		if r := recover(); r != nil {
			v, ok := r.(violation)
			if !ok {
				panic(fmt.Sprintf("seed %d: %v", seed, r))
			}
			report.Err = v.err
		}
		report.Hash, report.Counts = hash.Sum64(), w.counts
	}()
	w.logf("%v", &w.plan)
	w.begin()
	w.rampage()
	w.healQuorum()
	w.healAll()
	return report
}

// fail ends the run.
func (w *world) fail(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	w.logf("VIOLATION %v", err)
	panic(violation{err})
}

func (w *world) logf(format string, args ...any) {
	fmt.Fprintf(w.hash, format+"\n", args...) // a hash takes everything
	if w.out != nil {
		fmt.Fprintf(w.out, "%12v  "+format+"\n", append([]any{w.now}, args...)...)
	}
}

func (w *world) begin() {
	switch w.durability {
	case journal.DurabilityOS:
		w.counts.OSRuns++
	case journal.DurabilityNone:
		w.counts.VolatileRuns++
	}
	for id := 1; id <= w.plan.replicas; id++ {
		w.replicas = append(w.replicas, newReplica(w, wire.ReplicaID(id)))
	}
	for _, r := range w.replicas {
		r.start(bootstrap)
	}
	for i := range w.plan.clients {
		w.clients = append(w.clients, newClient(w, i+1))
	}
	w.makeReaders()
}

// healQuorum is the second part: as many replicas as the larger quorum needs work, the others are down or cut off, and
// every client must get on.
func (w *world) healQuorum() {
	w.calm = true
	w.reconnect()
	w.loss, w.duplication = 0, 0
	needed, kept := max(w.quorum1, w.quorum2), 0
	for _, at := range w.rng.Perm(len(w.replicas)) {
		// A replica that may not vote is of no use to a quorum, and needs the others to become so: it stays up.
		r := w.replicas[at]
		switch {
		case kept < needed || !r.votes():
			r.heal()
			if r.votes() {
				kept++
			}
		case w.durability == journal.DurabilityNone || w.chance(0.5):
			w.cut(w.replicas, []*replica{r})
			w.cut([]*replica{r}, w.replicas)
		default:
			r.crash(false)
			r.restartAt = 0
		}
	}
	w.logf("a quorum is healed")
	w.progress(w.healTime, "a quorum of %d is up and connected", kept)
}

// healAll is the third part: all replicas work, and must come to hold the same.
func (w *world) healAll() {
	w.reconnect()
	for _, r := range w.replicas {
		r.heal()
	}
	w.logf("all are healed")
	w.progress(w.healTime, "all replicas are up and connected")
	w.runProbe()
	for _, c := range w.clients {
		c.retire()
	}
	w.retireReaders()
	deadline := w.now + w.settleTime
	w.runUntil(func() bool {
		if w.now > deadline {
			w.fail("no convergence within %v: %s", w.settleTime, w.describe())
		}
		return w.settled()
	})
	w.check.end()
}

// progress waits until every client has got further.
func (w *world) progress(within time.Duration, why string, args ...any) {
	goals := make([]uint64, len(w.clients))
	for i, c := range w.clients {
		goals[i] = c.answeredEver + 3
	}
	deadline := w.now + within
	w.runUntil(func() bool {
		for i, c := range w.clients {
			if c.answeredEver >= goals[i] {
				continue
			}
			if w.now > deadline {
				w.fail("client %d makes no progress within %v although "+why+": %s", append(append([]any{c.id, within}, args...), w.describe())...)
			}
			return false
		}
		return true
	})
}

// settled reports whether nothing is left to do: all clients have their answers, and all replicas have applied the same.
func (w *world) settled() bool {
	if !w.allRead() {
		return false
	}
	for _, c := range w.clients {
		if !c.done() {
			return false
		}
	}
	first := w.replicas[0]
	for _, r := range w.replicas {
		if !r.up || !r.votes() || r.forgetful || r.node.State().Applied() != first.node.State().Applied() || r.node.Core().Commit() != r.node.State().Applied() {
			return false
		}
		if known := max(r.disk.commit, r.disk.snapshot); known < r.node.Core().Commit() && w.probe != 1 { // which may leave a disk stalled
			return false // a restart would know less
		}
	}
	return true
}

// leader returns the replica that leads with the highest ballot, nil if none does.
func (w *world) leader() (leader *replica) {
	for _, r := range w.replicas {
		if r.leads() && (leader == nil || r.node.Core().Ballot() > leader.node.Core().Ballot()) {
			leader = r
		}
	}
	return leader
}

func (w *world) describe() string {
	text := ""
	for _, r := range w.replicas {
		text += fmt.Sprintf("[%d up %v", r.id, r.up)
		if r.up {
			core := r.node.Core()
			text += fmt.Sprintf(" %v %v leader %d commit %d known %d applied %d voting %v", core.Role(), core.Ballot(), core.Leader(), core.Commit(),
				core.Known(), r.node.State().Applied(), core.Voting())
		}
		text += "] "
	}
	for _, c := range w.clients {
		text += fmt.Sprintf("[client %d target %d session %v answered %d sent %d]", c.id, c.target, c.session, c.answered, c.assigned)
	}
	return text
}
