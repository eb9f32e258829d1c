package machine

import "container/heap"

// Sessions that hoard leave so many replies unconfirmed that they are not of the classes of outcomes that are modest. With the default of
// Config.MaxSessions those of modest classes never take all the memory for outcomes, so when it is short those go that hoard: one of the
// owner whose sessions hoard most. So what an owner's sessions may hoard is a share of the memory, whoever else has how many sessions.
const (
	modestClasses = 3 // rings of up to 256 bytes
	hoardClasses  = ringClasses - modestClasses
)

// owner is who has registered sessions, as their stamps say; all that have proved nothing are one.
type owner struct {
	id       uint64
	sessions int                // how many there are
	hoarded  int                // what the outcomes of those weigh that hoard
	ends     [hoardClasses]ends // of those that hoard, by class
	place    int                // in owners.hoards, if any do
}

// owners are those that have sessions.
type owners struct {
	all    map[uint64]*owner // looked up when sessions are registered and restored
	hoards hoards            // whose sessions hoard
}

// ownerBytes is what an owner takes, about.
const ownerBytes = 192

// join counts one more session of an owner.
func (t *owners) join(id uint64) *owner {
	o := t.all[id]
	if o == nil {
		o = &owner{id: id}
		for class := range o.ends {
			o.ends[class] = ends{nobody, nobody}
		}
		t.all[id] = o
	}
	o.sessions++
	return o
}

// leave counts one less, which must not hoard.
func (t *owners) leave(o *owner) {
	if o.sessions--; o.sessions == 0 {
		delete(t.all, o.id)
	}
}

// hoard adds to what an owner hoards, or takes from it.
func (t *owners) hoard(o *owner, bytes int) {
	before := o.hoarded
	o.hoarded += bytes
	switch {
	case bytes == 0:
	case before == 0:
		heap.Push(&t.hoards, o)
	case o.hoarded == 0:
		heap.Remove(&t.hoards, o.place)
	default:
		heap.Fix(&t.hoards, o.place)
	}
}

// hoards are owners as a heap: who hoards most comes first, of several the one with the lowest id. So the first one is a function of the
// state, whatever the order of the others.
type hoards []*owner

func (h hoards) Len() int { return len(h) }

func (h hoards) Less(i, j int) bool {
	if h[i].hoarded != h[j].hoarded {
		return h[i].hoarded > h[j].hoarded
	}
	return h[i].id < h[j].id
}

func (h hoards) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *hoards) Push(x any) {
	o := x.(*owner)
	o.place = len(*h)
	*h = append(*h, o)
}

// Pop implements heap.Interface.
func (h *hoards) Pop() any {
	last := len(*h) - 1
	o := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return o
}
