package machine

import (
	"encoding/binary"

	"paxosbench/wire"
)

// Session item: the key holds the fields, the value the outcomes of the commands in (seen, last].
//
//	offset size
//	0      4    place
//	4      4    generation
//	8      8    last
//	16     8    seen
//	24     8    active
const sessionItemKey = 32

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
		if t.at(t.cursor).epoch != t.epoch {
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
	s := t.at(place)
	s.epoch = t.epoch
	t.scanned += s.wholeDigest(s.id(place))
	dst = wire.AppendCommandHeader(dst, itemSession, 0, sessionItemKey, s.remembered())
	dst = binary.LittleEndian.AppendUint32(dst, place)
	dst = binary.LittleEndian.AppendUint32(dst, s.generation)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.last))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.seen))
	dst = binary.LittleEndian.AppendUint64(dst, s.active)
	for i := range s.remembered() {
		dst = append(dst, s.outcome(s.seen+1+wire.Seq(i)))
	}
	return dst
}
