package machine

import "paxosbench/wire"

// sessionPage is the number of sessions allocated together, 16 KiB.
const sessionPage = 256

// nobody ends the list of sessions in the order of activity.
const nobody = ^uint32(0)

// sessions is the session table. A session is found by its place; the generation tells it from those that had the
// place before. When the table is full, the session whose last run is the longest ago in the log makes room.
type sessions struct {
	pages  []*[sessionPage]session // a session never moves
	count  uint32                  // places, all of them taken
	limit  uint32                  // places at most
	clock  uint64                  // how often the most recently active session has been another one
	oldest uint32
	newest uint32
	held   uint64 // sum of the digests of all sessions (see digest.go)

	scanned    uint64 // the same sum over what has been scanned or saved since the newest freeze
	heldFrozen uint64 // what held was then
	epoch      uint32 // of the newest freeze
	frozen     bool
	cursor     uint32 // place that scan looks at next
	end        uint32 // places at the freeze
	saved      itemQueue
}

func newSessions(limit uint32) sessions {
	return sessions{limit: limit, oldest: nobody, newest: nobody}
}

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
	place := t.oldest
	if evicted = t.count == t.limit; evicted {
		t.beginRun(place)
		t.confirm(place, t.at(place).last)
	} else {
		place = t.add()
		t.link(place)
		t.stamp(place)
	}
	s := t.at(place)
	s.last, s.seen, s.outcomes = 0, 0, nil
	s.generation = max(s.generation+1, 1) // not 0 when the count wraps: that would be no session
	t.endRun(place)
	return s.id(place), evicted
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

// beginRun comes before every change of the session at place, which is the most recently active one from here on. endRun
// comes after it. In between, held lacks the fields of the session.
func (t *sessions) beginRun(place uint32) *session {
	s := t.at(place)
	t.held -= s.fieldsDigest(s.id(place))
	t.activate(place)
	return s
}

func (t *sessions) endRun(place uint32) {
	s := t.at(place)
	t.held += s.fieldsDigest(s.id(place))
}

// confirm notes that the client of the session at place holds the replies up to seen. What it claims beyond the newest
// command means nothing.
func (t *sessions) confirm(place uint32, seen wire.Seq) {
	s := t.at(place)
	if seen = min(seen, s.last); seen <= s.seen {
		return
	}
	id := s.id(place)
	t.held -= s.outcomesDigest(id, s.seen+1, seen)
	s.seen = seen
	t.held += s.outcomesDigest(id, seen, seen) // the last of those words may hold later ones
}

// activate makes the session at place the most recently active one, and saves it for the snapshot that still needs it as
// it was.
func (t *sessions) activate(place uint32) {
	s := t.at(place)
	if t.frozen && s.epoch != t.epoch {
		t.save(place)
	}
	if place != t.newest { // else its order stays, and so do the numbers: another replica may take this run in more parts
		t.unlink(place)
		t.link(place)
		t.stamp(place)
	}
}

// stamp numbers the most recently active session.
func (t *sessions) stamp(place uint32) {
	t.clock++
	t.at(place).active = t.clock
}

// link adds the session at place as the most recently active one.
func (t *sessions) link(place uint32) {
	s := t.at(place)
	s.older, s.newer = t.newest, nobody
	if t.newest == nobody {
		t.oldest = place
	} else {
		t.at(t.newest).newer = place
	}
	t.newest = place
}

// unlink takes the session at place, which is not the most recently active one, out of the order.
func (t *sessions) unlink(place uint32) {
	s := t.at(place)
	t.at(s.newer).older = s.older
	if s.older == nobody {
		t.oldest = s.newer
	} else {
		t.at(s.older).newer = s.newer
	}
}
