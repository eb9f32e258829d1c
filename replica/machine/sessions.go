package machine

import "paxosbench/wire"

// sessionPage is the number of sessions allocated together, 16 KiB.
const sessionPage = 256

// tagBits is the length of a tag. A place has the vacant bit beside its last one when it has no session.
const (
	tagBits = 44
	vacant  = 1 << 63
)

// nobody ends the list of sessions in the order of activity.
const nobody = ^uint32(0)

// sessions is the session table. A session is found by its place; the tag tells it from those that had the place before, and
// from what somebody has guessed. When the table is full, a newcomer gets the place of the session whose last run is the
// longest ago in the log, if that has been idle for long enough (see idleness.go), else that of one that has executed nothing
// yet, or none: so newcomers, however many, evict nobody who is at work. When the outcomes to be remembered are too many (see
// outcomes.go), one goes of the owner that hoards most of them (see owners.go), and it is the one that has most.
type sessions struct {
	pages []*sessionsPage // a session never moves
	count uint32          // places, vacant ones included
	limit uint32          // places at most
	clock uint64          // how often the most recently active session has been another one
	idle  idleness
	ends  [amongHoarding]ends
	held  uint64 // sum of the digests of all sessions (see digest.go)

	outcomes outcomeTable
	owners   owners

	scanned    uint64 // the same sum over what has been scanned or saved since the newest freeze
	heldFrozen uint64 // what held was then
	epoch      uint32 // of the newest freeze
	frozen     bool
	cursor     uint32 // place that scan looks at next
	end        uint32 // places at the freeze
	saved      itemQueue
}

// sessionsPage is so many sessions, and what is seldom needed of them.
type sessionsPage struct {
	sessions [sessionPage]session
	aside    [sessionPage]aside
}

func newSessions(config Config) sessions {
	t := sessions{
		limit: config.MaxSessions, idle: idleness{activeFor: config.ActiveFor}, outcomes: outcomeTable{limit: maxOutcomesWeight},
		owners: owners{all: map[uint64]*owner{}},
	}
	if config.Remembered != 0 {
		t.outcomes.limit = config.Remembered
	}
	for order := range t.ends {
		t.ends[order] = ends{nobody, nobody}
	}
	return t
}

// ends are the places of the least and of the most recently active session of an order.
type ends struct{ oldest, newest uint32 }

// at returns the session at place, which must be less than count.
func (t *sessions) at(place uint32) *session {
	return &t.pages[place/sessionPage].sessions[place%sessionPage]
}

// asideOf returns the rest of the session at place.
func (t *sessions) asideOf(place uint32) *aside {
	return &t.pages[place/sessionPage].aside[place%sessionPage]
}

// find returns the session of that id, or nil if there is none, or none any more.
func (t *sessions) find(id wire.SessionID) *session {
	if id.Index() >= t.count {
		return nil
	}
	s := t.at(id.Index())
	if s.tag != id.Tag() {
		return nil
	}
	return s
}

// open registers a session, if there is a place, and reports whether another one had to make room.
func (t *sessions) open(stamp wire.Stamp) (id wire.SessionID, evicted, ok bool) {
	t.idle.note(stamp, t.clock)
	place, evicted := t.placeFor()
	if place == nobody {
		return 0, false, false
	}
	if place == t.count {
		t.add()
		t.link(amongAll, place)
		t.link(amongVacant, place)
		t.stamp(place)
	} else {
		t.activate(place)
		t.vacate(place)
	}
	return t.occupy(place, stamp), evicted, true
}

// placeFor returns the place for a newcomer, which may be the one after the last, and whether its session is evicted; or nobody.
func (t *sessions) placeFor() (place uint32, evicts bool) {
	oldest := t.ends[amongAll].oldest
	switch {
	case t.ends[amongVacant].oldest != nobody:
		return t.ends[amongVacant].oldest, false
	case t.count < t.limit:
		return t.count, false
	case t.idle.is(t.at(oldest)):
		return oldest, true
	}
	return t.ends[amongUnused].oldest, t.ends[amongUnused].oldest != nobody
}

// occupy begins a session at place, which is vacant and the most recently active one.
func (t *sessions) occupy(place uint32, stamp wire.Stamp) wire.SessionID {
	s := t.at(place)
	t.unlink(amongVacant, place)
	tag := stamp.Random >> (64 - tagBits)
	if tag == s.tag&^vacant || tag == 0 { // the one that the place has had just now, or that makes no session
		tag = s.tag&^vacant%(1<<tagBits-1) + 1
	}
	s.tag = tag
	t.asideOf(place).owner = t.owners.join(stamp.Owner)
	t.held += ownerDigest(s.id(place), stamp.Owner)
	t.link(amongUnused, place)
	t.digest(s, place)
	return s.id(place)
}

// vacate ends the session at place, if there is one.
func (t *sessions) vacate(place uint32) {
	s := t.at(place)
	if s.tag&vacant != 0 {
		return
	}
	t.saveOnce(place)
	if s.outcomes != nil {
		sum, _ := s.outcomesDigest(s.id(place), s.seen+1, s.last, s.last)
		t.held -= sum
		t.drop(s, place)
	}
	if kind := s.kind(); kind != amongAll {
		t.unlink(kind, place)
	}
	rest := t.asideOf(place)
	t.held -= ownerDigest(s.id(place), rest.owner.id)
	t.owners.leave(rest.owner)
	rest.owner = nil
	s.last, s.seen, s.tag = 0, 0, s.tag|vacant
	t.link(amongVacant, place)
	t.digest(s, place)
}

// add adds a place that no session has had, and returns it.
func (t *sessions) add() uint32 {
	place := t.count
	if place%sessionPage == 0 {
		t.pages = append(t.pages, new(sessionsPage))
	}
	t.count++
	t.at(place).tag = vacant
	t.asideOf(place).epoch = t.epoch // not part of a snapshot that has begun
	return place
}

// seat takes in the session at place, which has been restored, as the most recently active one.
func (t *sessions) seat(place uint32, owner uint64) {
	t.link(amongAll, place)
	s := t.at(place)
	t.digest(s, place)
	kind := s.kind()
	if kind != amongVacant {
		t.asideOf(place).owner = t.owners.join(owner)
		t.held += ownerDigest(s.id(place), owner)
	}
	if kind != amongAll {
		t.link(kind, place)
	}
	if kind >= amongRemembering {
		sum, _ := s.outcomesDigest(s.id(place), s.seen+1, s.last, s.last)
		t.held += sum
		t.settle(s, place)
	}
}

// digest brings the digest of the session at place up to date with its fields.
func (t *sessions) digest(s *session, place uint32) {
	before := s.digest
	s.digest = s.fieldsDigest(s.id(place))
	t.held += s.digest - before
}

// endRun comes when the session at place, which is the most recently active one, has changed, and returns how many others
// had to be evicted to make room for its outcomes. Their places keep their order.
func (t *sessions) endRun(s *session, place uint32) (evicted int) {
	t.digest(s, place)
	if s.outcomes != nil {
		t.settle(s, place)
	}
	if t.outcomes.weight > t.outcomes.limit {
		return t.makeRoom(s, place)
	}
	return 0
}

// makeRoom evicts sessions until outcomes weigh no more than they may. That at place, which is the most recently active one and whose
// run may not be over, is left aside, and counts for nothing: so the same go, however many parts a run is taken in.
func (t *sessions) makeRoom(s *session, place uint32) (evicted int) {
	if s.outcomes != nil {
		kind, owner := s.kind(), t.asideOf(place).owner
		t.unlink(kind, place)
		t.owners.hoard(owner, -s.hoarded())
		defer func() {
			t.link(kind, place)
			t.owners.hoard(owner, s.hoarded())
		}()
	}
	for t.outcomes.weight > t.outcomes.limit {
		heaviest := t.heaviest()
		if heaviest == nobody {
			break
		}
		t.vacate(heaviest)
		evicted++
	}
	return evicted
}

// heaviest returns the place of the session with the heaviest outcomes, of several the one that was active the longest ago, or nobody:
// among those of the owner that hoards most, and if nobody hoards, among all.
func (t *sessions) heaviest() uint32 {
	if len(t.owners.hoards) > 0 {
		return oldestOfLast(t.owners.hoards[0].ends[:])
	}
	return oldestOfLast(t.ends[amongRemembering:])
}

// oldestOfLast returns the oldest of the last of several orders that has any, or nobody.
func oldestOfLast(orders []ends) uint32 {
	for i := len(orders) - 1; i >= 0; i-- {
		if orders[i].oldest != nobody {
			return orders[i].oldest
		}
	}
	return nobody
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

// advance takes the next n sequence numbers, at least one, of the session at that place as executed, all with StatusOK.
func (t *sessions) advance(s *session, place uint32, n int) {
	if s.last == 0 {
		t.unlink(amongUnused, place)
	}
	if s.outcomes != nil {
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
	t.link(s.kind(), place)
}

// settle ends a run of the session at that place, which has outcomes: none are kept that are all StatusOK.
func (t *sessions) settle(s *session, place uint32) {
	if s.outcomes.noted == 0 {
		t.drop(s, place)
		return
	}
	before, hoarded := s.kind(), s.hoarded()
	t.outcomes.weigh(s)
	if kind := s.kind(); kind != before {
		t.unlink(before, place)
		t.link(kind, place)
	}
	if grown := s.hoarded() - hoarded; grown != 0 {
		t.owners.hoard(t.asideOf(place).owner, grown)
	}
}

// drop lets the outcomes of the session at that place go.
func (t *sessions) drop(s *session, place uint32) {
	t.unlink(s.kind(), place)
	if hoarded := s.hoarded(); hoarded != 0 {
		t.owners.hoard(t.asideOf(place).owner, -hoarded)
	}
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
	if kind := t.at(place).kind(); kind != amongAll && place != t.endsOf(kind, place).newest {
		t.unlink(kind, place)
		t.link(kind, place)
	}
}

// saveOnce saves the session at place as it is, for the snapshot that still needs it.
func (t *sessions) saveOnce(place uint32) {
	if t.frozen && t.asideOf(place).epoch != t.epoch {
		t.save(place)
	}
}

// stamp numbers the most recently active session.
func (t *sessions) stamp(place uint32) {
	t.clock++
	t.at(place).active = t.clock
}

// endsOf returns the ends of an order, in which the session at place is or comes.
func (t *sessions) endsOf(order int, place uint32) *ends {
	if order < amongHoarding {
		return &t.ends[order]
	}
	return &t.asideOf(place).owner.ends[order-amongHoarding]
}

// link adds the session at place as the most recently active one of an order.
func (t *sessions) link(order int, place uint32) {
	ends := t.endsOf(order, place)
	*t.at(place).linkOf(order) = link{older: ends.newest, newer: nobody}
	if ends.newest == nobody {
		ends.oldest = place
	} else {
		t.at(ends.newest).linkOf(order).newer = place
	}
	ends.newest = place
}

// unlink takes the session at place out of an order.
func (t *sessions) unlink(order int, place uint32) {
	ends, l := t.endsOf(order, place), *t.at(place).linkOf(order)
	if l.newer == nobody {
		ends.newest = l.older
	} else {
		t.at(l.newer).linkOf(order).older = l.older
	}
	if l.older == nobody {
		ends.oldest = l.newer
	} else {
		t.at(l.older).linkOf(order).newer = l.newer
	}
}
