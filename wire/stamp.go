package wire

import (
	"encoding/binary"
	"time"
)

// A Stamp is what the replica that takes a registration adds to it, as the value of the command: a registration in the log has
// one, a client's has none. So what the replicas need to know, and cannot find out in the same way each for itself, comes to all
// of them through the log.
//
//	offset size
//	0      8    random
//	8      8    owner
//	16     8    term
//	24     8    milliseconds
type Stamp struct {
	Random uint64        // what the session's id is made of, and nobody can guess
	Owner  uint64        // who registers, if clients have to prove who they are; else 0
	Term   uint64        // tells the leaderships in which registrations were taken from each other
	At     time.Duration // since the term's first one, to the millisecond
}

// StampSize is the length of an encoded Stamp.
const StampSize = 32

// AppendStamp appends a Stamp.
func AppendStamp(dst []byte, s Stamp) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, s.Random)
	dst = binary.LittleEndian.AppendUint64(dst, s.Owner)
	dst = binary.LittleEndian.AppendUint64(dst, s.Term)
	return binary.LittleEndian.AppendUint64(dst, uint64(s.At/time.Millisecond))
}

// DecodeStamp returns the Stamp that src is, if it is one.
func DecodeStamp(src []byte) (s Stamp, ok bool) {
	const longest = uint64(1<<63-1) / uint64(time.Millisecond)
	if len(src) != StampSize || binary.LittleEndian.Uint64(src[24:]) > longest {
		return s, false
	}
	return Stamp{
		Random: binary.LittleEndian.Uint64(src),
		Owner:  binary.LittleEndian.Uint64(src[8:]),
		Term:   binary.LittleEndian.Uint64(src[16:]),
		At:     time.Duration(binary.LittleEndian.Uint64(src[24:])) * time.Millisecond,
	}, true
}
