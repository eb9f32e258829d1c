package machine

import "paxosbench/wire"

// sessionPage is the number of sessions allocated together, 16 KiB.
const sessionPage = 256

// nobody ends the list of sessions in the order of activity.
const nobody = ^uint32(0)

// sessions is the session table. A session is found by its place; the generation tells it from those that had the
// place before. When the table is full, the session whose last run is the longest ago in the log makes room; when the
// outcomes to be remembered are too many (see outcomes.go), the one among those that have any.
type sessions struct {
	pages []*[sessionPage]session // a session never moves
	count uint32                  // places, all of them taken
	limit uint32                  // places at most
	clock uint64                  // how often the most recently active session has been another one
	ends  [orders]ends
	held  uint64 // sum of the digests of all sessions (see digest.go)

	outcomes outcomeTable

	scanned    uint64 // the same sum over what has been scanned or saved since the newest freeze
	heldFrozen uint64 // what held was then
	epoch      uint32 // of the newest freeze
	frozen     bool
	cursor     uint32 // place that scan looks at next
	end        uint32 // places at the freeze
	saved      itemQueue
}

func newSessions(limit uint32) sessions {
	none := ends{nobody, nobody}
	return sessions{limit: limit, ends: [orders]ends{none, none}, outcomes: outcomeTable{limit: maxOutcomesWeight}}
}

// ends are the places of the least and of the most recently active session of an order.
type ends struct{ oldest, newest uint32 }

// at returns the session at place, which must be less than count.
func (t *sessions) at(place uint32) *session { return &t.pages[place/sessionPage][place%sessionPage] }

// find returns the session of that id, or nil if there is none, or none any more.
func (t *sessions) find(id wire.SessionID) *session {
	if id.Index() >= t.count {
		return nil
	}
	s := t.at(id.Index())
	if s.generation != id.Generation() {
		return nil
	}
	return s
}

// open registers a session in the next free place, or in that of the least recently active session, and reports
// whether it had to.
func (t *sessions) open() (id wire.SessionID, evicted bool) {
	place := t.ends[amongAll].oldest
	if evicted = t.count == t.limit; evicted {
		t.activate(place)
	} else {
		place = t.add()
		t.link(amongAll, place)
		t.stamp(place)
	}
	t.renew(place)
	return t.at(place).id(place), evicted
}

// renew ends the session at place, if there was one, and begins the next one there.
func (t *sessions) renew(place uint32) {
	s := t.at(place)
	t.saveOnce(place)
	if s.outcomes != nil {
		sum, _ := s.outcomesDigest(s.id(place), s.seen+1, s.last, s.last)
		t.held -= sum
		t.drop(s, place)
	}
	s.last, s.seen = 0, 0
	s.generation = max(s.generation+1, 1) // not 0 when the count wraps: that would be no session
	t.digest(s, place)
}

// add adds a place that no session has had, and returns it.
func (t *sessions) add() uint32 {
	place := t.count
	if place%sessionPage == 0 {
		t.pages = append(t.pages, new([sessionPage]session))
	}
	t.count++
	t.at(place).epoch = t.epoch // not part of a snapshot that has begun
	return place
}

// seat takes in the session at place, which has been restored, as the most recently active one.
func (t *sessions) seat(place uint32) {
	t.link(amongAll, place)
	s := t.at(place)
	t.digest(s, place)
	if s.outcomes == nil {
		return
	}
	sum, _ := s.outcomesDigest(s.id(place), s.seen+1, s.last, s.last)
	t.held += sum
	t.link(amongRemembering, place)
	t.settle(s, place)
}

// digest brings the digest of the session at place up to date with its fields.
func (t *sessions) digest(s *session, place uint32) {
	before := s.digest
	s.digest = s.fieldsDigest(s.id(place))
	t.held += s.digest - before
}

// endRun comes when the session at place, which is the most recently active one, has changed, and returns how many others
// had to be evicted to make room for its outcomes. Their places keep their order; no client knows the new sessions there.
func (t *sessions) endRun(s *session, place uint32) (evicted int) {
	t.digest(s, place)
	if s.outcomes != nil {
		t.settle(s, place)
	}
	for t.outcomes.weight > t.outcomes.limit {
		oldest := t.ends[amongRemembering].oldest
		if oldest == place {
			break
		}
		t.renew(oldest)
		evicted++
	}
	return evicted
}

// confirm notes that the client of the session, which is at that place, holds the replies up to seen. What it claims beyond
// the newest command means nothing.
func (t *sessions) confirm(s *session, place uint32, seen wire.Seq) {
	if seen = min(seen, s.last); seen <= s.seen {
		return
	}
	if s.outcomes == nil {
		s.seen = seen
		return
	}
	id := s.id(place)
	gone, noted := s.outcomesDigest(id, s.seen+1, seen, s.last)
	s.seen = seen
	t.held -= gone
	s.outcomes.noted -= noted
	if seen < s.last { // the last of those words may hold later ones
		left, still := s.outcomesDigest(id, seen, seen, s.last)
		t.held += left
		s.outcomes.noted += still
	}
}

// advance takes the next n sequence numbers of a session as executed, all with StatusOK.
func (t *sessions) advance(s *session, n int) {
	if s.outcomes != nil && n > 0 {
		if need := s.remembered() + n; need > len(s.outcomes.ring) {
			t.outcomes.resize(s, need)
		}
		s.outcomes.clear(s.last+1, n)
	}
	s.last += wire.Seq(n)
}

// remember gives the session at that place outcomes, all StatusOK so far.
func (t *sessions) remember(s *session, place uint32) {
	s.outcomes = t.outcomes.take(s.remembered())
	t.link(amongRemembering, place)
}

// settle ends a run of the session at that place, which has outcomes: none are kept that are all StatusOK.
func (t *sessions) settle(s *session, place uint32) {
	if s.outcomes.noted == 0 {
		t.drop(s, place)
		return
	}
	t.outcomes.weigh(s)
}

// drop lets the outcomes of the session at that place go.
func (t *sessions) drop(s *session, place uint32) {
	t.unlink(amongRemembering, place)
	t.outcomes.weight -= int(s.outcomes.weight)
	t.outcomes.give(s.outcomes)
	s.outcomes = nil
}

// note digests and counts the outcomes of the commands from first on, which have been executed since the last call.
func (t *sessions) note(s *session, place uint32, first wire.Seq) {
	if s.outcomes == nil || s.last < first {
		return
	}
	id := s.id(place)
	after, noted := s.outcomesDigest(id, first, s.last, s.last)
	t.held += after
	s.outcomes.noted += noted
	if s.seen+1 < first { // there may be earlier ones in its word
		before, had := s.outcomesDigest(id, first, first, first-1)
		t.held -= before
		s.outcomes.noted -= had
	}
}

// activate makes the session at place the most recently active one. Every change of a session comes after it, or after
// saveOnce.
func (t *sessions) activate(place uint32) {
	t.saveOnce(place)
	if place == t.ends[amongAll].newest {
		return // its order stays, and so does its number: another replica may take this run in more parts
	}
	t.unlink(amongAll, place)
	t.link(amongAll, place)
	t.stamp(place)
	if t.at(place).outcomes != nil && place != t.ends[amongRemembering].newest {
		t.unlink(amongRemembering, place)
		t.link(amongRemembering, place)
	}
}

// saveOnce saves the session at place as it is, for the snapshot that still needs it.
func (t *sessions) saveOnce(place uint32) {
	if t.frozen && t.at(place).epoch != t.epoch {
		t.save(place)
	}
}

// stamp numbers the most recently active session.
func (t *sessions) stamp(place uint32) {
	t.clock++
	t.at(place).active = t.clock
}

// link adds the session at place as the most recently active one of an order.
func (t *sessions) link(order int, place uint32) {
	ends := &t.ends[order]
	t.at(place).links[order] = link{older: ends.newest, newer: nobody}
	if ends.newest == nobody {
		ends.oldest = place
	} else {
		t.at(ends.newest).links[order].newer = place
	}
	ends.newest = place
}

// unlink takes the session at place out of an order.
func (t *sessions) unlink(order int, place uint32) {
	ends, l := &t.ends[order], t.at(place).links[order]
	if l.newer == nobody {
		ends.newest = l.older
	} else {
		t.at(l.newer).links[order].older = l.older
	}
	if l.older == nobody {
		ends.oldest = l.newer
	} else {
		t.at(l.older).links[order].newer = l.newer
	}
}
