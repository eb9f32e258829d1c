package sim

import (
	"container/heap"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"time"

	"paxosbench/wire"
)

// Counts says what happened in a run, or in many.
type Counts struct {
	Crashes, PowerLosses, Pauses, Partitions, SyncErrors, LostDisks uint64 // faults
	Lost, Duplicated, Delivered                                     uint64 // messages
	Elections, Snapshots, Fetched, Resent, Duplicates, Gaps, NoOps  uint64 // what replicas did
	Answered                                                        uint64 // commands
	Undecided                                                       uint64 // histories whose check ran out of time
}

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
	blocked  map[[2]wire.ReplicaID]bool // by sender and receiver
	calm     bool                       // no faults any more

	check  *checker
	counts Counts
	hash   io.Writer
	out    io.Writer // the transcript, or nil
}

// Run runs one seed. The transcript, a line per event, goes to out unless it is nil.
func Run(seed uint64, out io.Writer) (report *Report) {
	hash := fnv.New64a()
	w := &world{plan: drawPlan(seed), rng: rand.New(rand.NewPCG(seed, 2)), blocked: map[[2]wire.ReplicaID]bool{}, hash: hash, out: out}
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
	for id := 1; id <= w.plan.replicas; id++ {
		w.replicas = append(w.replicas, newReplica(w, wire.ReplicaID(id)))
	}
	for _, r := range w.replicas {
		r.start(bootstrap)
	}
	for i := range w.plan.clients {
		w.clients = append(w.clients, newClient(w, i+1))
	}
}

// rampage is the first part: all faults that the plan has.
func (w *world) rampage() {
	w.every(w.crashes, func() { w.victim().crash(false) })
	w.every(w.powerLosses, func() { w.victim().crash(true) })
	w.every(w.pauses, func() { w.victim().pause(w.between(2*heartbeat, 4*electionTimeout)) })
	w.every(w.partitions, w.partition)
	w.every(w.syncErrors, func() { w.victim().failSync() })
	w.every(w.lostDisks, func() { w.victim().loseDisk() })
	w.runUntil(func() bool { return w.now >= faultTime })
}

// every has something done again and again, at random, on average once in mean, as long as there are faults.
func (w *world) every(mean time.Duration, do func()) {
	if mean == 0 {
		return
	}
	w.after(w.exponential(mean), func() {
		if !w.calm {
			do()
			w.every(mean, do)
		}
	})
}

// victim returns a replica, the leader more often than its share.
func (w *world) victim() *replica {
	if w.rng.IntN(2) == 0 {
		for _, r := range w.replicas {
			if r.up && r.node.Leads() {
				return r
			}
		}
	}
	return w.replicas[w.rng.IntN(len(w.replicas))]
}

// partition cuts some links for a while: a random group off from the rest, in both directions or one.
func (w *world) partition() {
	w.counts.Partitions++
	side := make([]bool, len(w.replicas)+1)
	for i := range side {
		side[i] = w.rng.IntN(2) == 0
	}
	oneWay := w.rng.IntN(3) == 0
	for _, a := range w.replicas {
		for _, b := range w.replicas {
			if side[a.id] != side[b.id] && (!oneWay || side[a.id]) {
				w.blocked[[2]wire.ReplicaID{a.id, b.id}] = true
			}
		}
	}
	w.logf("partition %v, one way: %v", side[1:], oneWay)
	w.after(w.between(electionTimeout/2, 6*electionTimeout), w.reconnect)
}

func (w *world) reconnect() {
	clear(w.blocked)
	w.logf("network whole")
}

// healQuorum is the second part: as many replicas as the larger quorum needs work, the others do not, and every client
// must get on.
func (w *world) healQuorum() {
	w.calm = true
	w.reconnect()
	w.loss, w.duplication = 0, 0
	needed, kept := max(w.quorum1, w.quorum2), 0
	for _, at := range w.rng.Perm(len(w.replicas)) {
		// A replica that may not vote is of no use to a quorum, and needs the others to become so: it stays up.
		if r := w.replicas[at]; kept < needed || !r.votes() {
			r.heal()
			if r.votes() {
				kept++
			}
		} else {
			r.crash(false)
			r.restartAt = 0
		}
	}
	w.logf("a quorum is healed")
	w.progress(healTime, "a quorum of %d is up and connected", kept)
}

// healAll is the third part: all replicas work, and must come to hold the same.
func (w *world) healAll() {
	for _, r := range w.replicas {
		r.heal()
	}
	w.logf("all are healed")
	w.progress(healTime, "all replicas are up and connected")
	for _, c := range w.clients {
		c.retire()
	}
	deadline := w.now + settleTime
	w.runUntil(func() bool {
		if w.now > deadline {
			w.fail("no convergence within %v: %s", settleTime, w.describe())
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
	for _, c := range w.clients {
		if !c.done() {
			return false
		}
	}
	first := w.replicas[0]
	for _, r := range w.replicas {
		if !r.up || !r.votes() || r.node.State().Applied() != first.node.State().Applied() || r.node.Core().Commit() != r.node.State().Applied() {
			return false
		}
	}
	return true
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

// event is something that happens at a time.
type event struct {
	at    time.Duration
	order uint64
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// after has something happen later.
func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.events, event{w.now + d, w.order, do})
}

func (w *world) runUntil(done func() bool) {
	for !done() {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
	}
}

func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.rng.Int64N(int64(most-least)))
}

func (w *world) exponential(mean time.Duration) time.Duration {
	return time.Duration(w.rng.ExpFloat64() * float64(mean))
}

func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// transmit carries something over the network, or does not. Every copy takes its own time, so that later messages
// overtake earlier ones.
func (w *world) transmit(deliver func()) {
	copies := 1
	if w.chance(w.loss) {
		w.counts.Lost++
		copies--
	}
	if w.chance(w.duplication) {
		w.counts.Duplicated++
		copies++
	}
	for range copies {
		delay := w.delay/2 + w.exponential(w.delay/2)
		if !w.calm && w.chance(w.stale) {
			delay += w.between(0, 6*electionTimeout) // from long ago, from other ballots
		}
		w.after(delay, deliver)
	}
}
