package machine

import (
	"encoding/binary"

	"paxosbench/wire"
)

// Session item: the key holds the fields, the value the outcomes of the commands in (seen, last].
//
//	offset size
//	0      4    place
//	4      4    zero
//	8      8    tag; the highest bit: the place is vacant
//	16     8    last
//	24     8    seen
//	32     8    active
//	40     8    owner
const sessionItemKey = 48

// sessionBytes is the size of a session in the table.
const sessionBytes = 64

func (t *sessions) freeze() {
	t.epoch++
	t.frozen = true
	t.cursor, t.end = 0, t.count
	t.heldFrozen, t.scanned = t.held, 0
}

func (t *sessions) thaw() {
	t.frozen = false
	t.saved = itemQueue{}
}

// save sets the session at place aside as it is now.
func (t *sessions) save(place uint32) {
	size := wire.CommandHeaderSize + sessionItemKey + t.at(place).remembered()
	t.saved.put(t.appendItem(t.saved.room(size), place))
}

// scan appends sessions as they were at the freeze, until about limit bytes have been read or appended, and reports
// whether none is left. With the last ones comes a *MemoryError if they are not those that were held at the freeze.
func (t *sessions) scan(dst []byte, limit int) (out []byte, done bool, err error) {
	dst = t.saved.pop(dst, limit)
	for t.cursor < t.end && len(dst) < limit {
		if t.asideOf(t.cursor).epoch != t.epoch {
			dst = t.appendItem(dst, t.cursor)
		}
		t.cursor++
		limit -= sessionBytes
	}
	if done = t.saved.empty() && t.cursor == t.end; done {
		err = checkDigest("sessions", t.heldFrozen, t.scanned)
	}
	return dst, done, err
}

// appendItem appends the session at place, which needs no saving from here on.
func (t *sessions) appendItem(dst []byte, place uint32) []byte {
	s, rest := t.at(place), t.asideOf(place)
	rest.epoch = t.epoch
	t.scanned += s.wholeDigest(s.id(place), rest.ownerID())
	dst = wire.AppendCommandHeader(dst, itemSession, 0, sessionItemKey, s.remembered())
	dst = binary.LittleEndian.AppendUint64(dst, uint64(place))
	dst = binary.LittleEndian.AppendUint64(dst, s.tag)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.last))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.seen))
	dst = binary.LittleEndian.AppendUint64(dst, s.active)
	dst = binary.LittleEndian.AppendUint64(dst, rest.ownerID())
	for i := range s.remembered() {
		dst = append(dst, s.outcome(s.seen+1+wire.Seq(i)))
	}
	return dst
}
