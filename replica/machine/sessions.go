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
	clock  uint64                  // runs seen
	oldest uint32
	newest uint32

	epoch  uint32 // of the newest freeze
	frozen bool
	cursor uint32 // place that scan looks at next
	end    uint32 // places at the freeze
	saved  itemQueue
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
	if evicted = t.count == t.limit; !evicted {
		place = t.add()
		t.link(place)
	}
	t.activate(place)
	s := t.at(place)
	s.last, s.seen, s.outcomes = 0, 0, nil
	s.generation = max(s.generation+1, 1) // not 0 when the count wraps: that would be no session
	return wire.MakeSessionID(s.generation, place), evicted
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

// activate makes the session at place the most recently active one. Every change of a session comes behind it: it
// saves the session for the snapshot that still needs it.
func (t *sessions) activate(place uint32) {
	s := t.at(place)
	if t.frozen && s.epoch != t.epoch {
		t.save(place)
	}
	t.clock++
	s.active = t.clock
	if place != t.newest {
		t.unlink(place)
		t.link(place)
	}
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
