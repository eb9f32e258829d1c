package explore

import (
	"hash/maphash"
	"time"
	"unsafe"

	"paxosbench/wire"
)

// state is a state of the cluster: for each replica its own state, and all that was ever sent to it.
type state [2 * maxReplicas]uint32

// Limits bound a walk.
type Limits struct {
	States int // that are kept
	Depth  int // steps from the beginning; 0: any number
}

// Report is what a walk has come to.
type Report struct {
	Scope       Scope
	States      int
	Depth       int // every state at most so many steps from the beginning was visited
	Transitions uint64
	Locals      int // states of single replicas
	Messages    int
	Took        time.Duration
	Exhausted   bool // nothing in the scope is left

	Violation  error
	Transcript string // the shortest way there
}

// node is a state that was visited, with the one that it was reached from first.
type node struct {
	state
	parent uint32
}

// Nodes are kept in pieces of so many: a single array would be copied as it grows.
const (
	pieceBits = 16
	pieceMask = 1<<pieceBits - 1
)

// search is a breadth-first walk. States are kept as they are, and not by a hash alone: none is missed by accident.
type search struct {
	scope    Scope
	limits   Limits
	net      *network
	facts    *factBook
	replicas []*replicaSpace

	prefix []state // on the way to where the walk begins
	pieces [][]node
	count  int
	table  []uint32 // open addressing: number of a state, from 1
	seed   maphash.Seed
	report Report
}

// Run walks through a scope. progress is called now and then, with what has been found so far.
func Run(scope Scope, limits Limits, progress func(*Report)) (*Report, error) {
	if err := scope.Validate(); err != nil {
		return nil, err
	}
	s := newSearch(scope.normal(), limits)
	start := time.Now()
	if s.begin() {
		s.walk(func() {
			s.report.Took = time.Since(start)
			progress(s.sum())
		})
	}
	s.report.Took = time.Since(start)
	return s.sum(), nil
}

func newSearch(scope Scope, limits Limits) *search {
	s := &search{
		scope: scope, limits: limits, net: newNetwork(), facts: newFactBook(scope.Quorum2),
		table: make([]uint32, 1<<16), seed: maphash.MakeSeed(), report: Report{Scope: scope},
	}
	for i := range scope.Replicas {
		s.replicas = append(s.replicas, newReplicaSpace(wire.ReplicaID(i+1), &s.scope, s.net, s.facts))
	}
	return s
}

func (s *search) sum() *Report {
	s.report.States, s.report.Messages, s.report.Locals = s.count, len(s.net.messages), 0
	for _, r := range s.replicas {
		s.report.Locals += len(r.locals)
	}
	return &s.report
}

// progressEvery is how many states lie between two reports.
const progressEvery = 1 << 18

// walk visits states in the order of their distance from the first.
func (s *search) walk(progress func()) {
	s.visit(s.prefix[len(s.prefix)-1], 0)
	for at, levelEnd := 0, 1; at < s.count; at++ {
		if at == levelEnd {
			s.report.Depth++
			levelEnd = s.count
			if s.report.Depth == s.limits.Depth {
				return
			}
		}
		if at%progressEvery == progressEvery-1 {
			progress()
		}
		if !s.expand(uint32(at)) {
			return
		}
		if s.count > s.limits.States {
			return
		}
	}
	s.report.Exhausted = true
}

// expand visits what comes after a state. It returns false if that violates an invariant.
func (s *search) expand(at uint32) bool {
	now := s.node(at).state
	for i, r := range s.replicas {
		steps, err := r.from(now[i], now[maxReplicas+i])
		if err != nil {
			return s.violated(at, i, steps[0].event, err)
		}
		for j := range steps {
			next, ok, err := s.after(now, i, &steps[j])
			if err == nil && ok {
				s.report.Transitions++
				if s.visit(next, at) {
					err = s.check(next)
				}
			}
			if err != nil {
				return s.violated(at, i, steps[j].event, err)
			}
		}
	}
	return true
}

// after returns the state after a step of replica i, and whether it is another one, within the scope.
func (s *search) after(now state, i int, st *step) (next state, ok bool, err error) {
	next = now
	next[i] = st.next
	for to, send := range st.sent {
		for _, m := range s.replicas[i].sends[send] {
			if next[maxReplicas+to], err = s.net.add(next[maxReplicas+to], m); err != nil {
				return next, false, err
			}
		}
	}
	return next, next != now && (st.event.kind() < crash || s.affordable(next)), nil
}

// affordable reports whether no more crashes have happened than the scope has.
func (s *search) affordable(at state) bool {
	crashes, losses := 0, 0
	for i, r := range s.replicas {
		l := r.locals[at[i]]
		crashes += l.lives - 1 - l.losses
		losses += l.losses
	}
	return crashes <= s.scope.Crashes && losses <= s.scope.LostDisks
}

func (s *search) check(at state) error {
	var names [maxReplicas]uint32
	for i, r := range s.replicas {
		names[i] = r.locals[at[i]].facts
	}
	return s.facts.check(names)
}

// visit adds a state unless it is known, and reports whether it was new.
func (s *search) visit(st state, parent uint32) bool {
	if s.count*4 >= len(s.table)*3 {
		s.grow()
	}
	at := s.find(st)
	if s.table[at] != 0 {
		return false
	}
	if s.count&pieceMask == 0 {
		s.pieces = append(s.pieces, make([]node, 0, 1<<pieceBits))
	}
	last := &s.pieces[len(s.pieces)-1]
	*last = append(*last, node{st, parent})
	s.count++
	s.table[at] = uint32(s.count)
	return true
}

// node returns a state that was visited, by its number from 0 on.
func (s *search) node(i uint32) *node { return &s.pieces[i>>pieceBits][i&pieceMask] }

// find returns the place of a state in the table.
func (s *search) find(st state) uint64 {
	mask := uint64(len(s.table) - 1)
	at := maphash.Comparable(s.seed, st) & mask
	for s.table[at] != 0 && s.node(s.table[at]-1).state != st {
		at = (at + 1) & mask
	}
	return at
}

func (s *search) grow() {
	s.table = make([]uint32, 2*len(s.table))
	for i := range uint32(s.count) {
		s.table[s.find(s.node(i).state)] = i + 1
	}
}

// StateBytes is what a state costs while it is kept, at most: itself, and its place in the table while that doubles.
const StateBytes = int(unsafe.Sizeof(node{})) + 4*4*4/3
