package storage

// voter says whether the journal remembers the replica as one that has lost its memory, and what it takes to remember it
// as a voter again. What the core needed to know to become one came from the peers, and stands in records that are
// appended like all others: if the journal took the replica for a voter before these are durable, a crash in between
// would leave a voter that has forgotten.
type voter struct {
	amnesiac bool   // the journal says that the replica may not vote
	voting   bool   // the core does
	needed   uint64 // records of this life, up to where the core was first seen to vote
}

// due reports whether the replica may be remembered as a voter.
func (v *voter) due(voting bool, appended, durable uint64) bool {
	if v.amnesiac && voting && !v.voting {
		v.voting, v.needed = true, appended
	}
	return v.amnesiac && v.voting && durable >= v.needed
}

// Amnesiac reports whether the replica will not vote after a restart: it has lost what it voted, and has not been
// remembered as a voter since.
func (s *Storage) Amnesiac() bool { return s.voter.amnesiac }

// recordVoter has the journal remember that the replica votes again, once it does. It is called at every tick, however the
// records became durable: a replica that syncs in place would otherwise be left out.
func (s *Storage) recordVoter(durable uint64) {
	core := s.replica.Core()
	if !s.voter.due(core.Voting(), s.appended, durable) {
		return
	}
	if err := s.journal.Rejoined(); err != nil {
		s.replica.Fail(s.fail(err))
		return
	}
	s.voter.amnesiac = false
	s.log.Info("voting again", "ballot", core.Ballot(), "commit", core.Commit())
}
