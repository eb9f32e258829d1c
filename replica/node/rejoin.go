package node

// Rejoin says when the journal of a replica that had forgotten what it voted may remember it as a voter again. What the
// core needed to know to become one came from the peers, and stands in records that are appended like all others: if
// the journal took the replica for a voter before these are durable, a crash in between would leave a voter that has
// forgotten.
type Rejoin struct {
	voting bool
	needed uint64 // records of this life, up to the first round in which the core voted
}

// Done reports whether it may. voting is what Core.Voting says, appended and durable are records of this life.
func (r *Rejoin) Done(voting bool, appended, durable uint64) bool {
	if voting && !r.voting {
		r.voting, r.needed = true, appended
	}
	return r.voting && durable >= r.needed
}
