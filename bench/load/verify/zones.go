package verify

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"paxosbench/bench/load/pacing"
	"paxosbench/bench/load/workload"
	"paxosbench/wire"
)

// A history of writes and reads in which no value is written twice can be checked in the time that it takes to sort it
// (Gibbons and Korach, Testing Shared Memories, SIAM J. Comput. 26(4), 1997), however many operations overlap, where a
// search for an order takes exponential time. What was read says which write it followed directly, so a write and the
// reads of its value stand together, as a cluster, in any order that explains the history. A cluster has to stand before
// another if one of its operations was answered before one of the other's was sent. An order exists if and only if no two
// clusters have to stand before each other, and no read was answered before its value's write was sent.

// cluster is the write of a value and the reads that found it.
type cluster struct {
	id       workload.ValueID
	written  time.Duration // when its write was sent
	answered time.Duration // when the first of its operations was answered
	sent     time.Duration // when the last of its operations was sent
}

// holds reports whether the value has to have been there from answered to sent.
func (c *cluster) holds() bool { return c.answered < c.sent }

// add adds an operation.
func (c *cluster) add(sent, at time.Duration) {
	c.answered, c.sent = min(c.answered, at), max(c.sent, sent)
}

// Plain reports whether a history has but puts and gets.
func plain(entries []*historyEntry) bool {
	return !slices.ContainsFunc(entries, func(e *historyEntry) bool { return e.Op != wire.OpPut && e.Op != wire.OpGet })
}

// beginning is before all times of a run.
const beginning = -pacing.Never

// checkClusters checks a plain history, of whose operations those answered before the cut say what they found. It returns
// what is wrong with it, if anything is. open tells that there are other writers, which nobody has recorded.
func checkClusters(entries []*historyEntry, cut time.Duration, open bool) string {
	clusters := make(map[workload.ValueID]*cluster)
	for _, e := range entries {
		if e.Op == wire.OpPut {
			c := &cluster{id: e.id, written: e.sent, answered: pacing.Never, sent: beginning}
			c.add(e.sent, e.returned())
			clusters[e.id] = c
		}
	}
	for _, e := range entries {
		if e.Op != wire.OpGet || !e.known(cut) {
			continue
		}
		found := e.left()
		c := clusters[found]
		if c == nil {
			// There before the recording began, or another writer's: then it may have been written at any time.
			c = &cluster{id: found, written: beginning, answered: beginning, sent: beginning}
			if open {
				c.answered = pacing.Never
			}
			clusters[found] = c
		}
		if e.at < c.written {
			return fmt.Sprintf("%v was found before it was written", found)
		}
		c.add(e.sent, e.at)
	}
	return contradiction(clusters)
}

// contradiction returns two clusters that have to stand before each other, as text; empty if there are none.
func contradiction(clusters map[workload.ValueID]*cluster) string {
	var held, others []*cluster
	for _, c := range clusters {
		if c.holds() {
			held = append(held, c)
		} else {
			others = append(others, c)
		}
	}
	slices.SortFunc(held, func(a, b *cluster) int {
		return cmp.Or(cmp.Compare(a.answered, b.answered), cmp.Compare(a.sent, b.sent))
	})
	for i := 1; i < len(held); i++ {
		if a, b := held[i-1], held[i]; b.answered < a.sent {
			return fmt.Sprintf("%v and %v were both there before and after each other", a.id, b.id)
		}
	}
	for _, c := range others {
		// Those that hold follow one another, so only the last that has to stand before c can have to stand after it, too.
		i, _ := slices.BinarySearchFunc(held, c.sent, func(h *cluster, sent time.Duration) int { return cmp.Compare(h.answered, sent) })
		if i > 0 && c.answered < held[i-1].sent {
			return fmt.Sprintf("%v was written while %v was there, before and after", c.id, held[i-1].id)
		}
	}
	return ""
}
