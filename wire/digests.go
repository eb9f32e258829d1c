package wire

import "encoding/binary"

// Digest is what a replica's state was after some slot, if that is known.
type Digest struct {
	Known bool
	Value uint64
}

// Digests are those of the replicas after the same slot, by id.
type Digests [MaxReplicas + 1]Digest

// digestSize is what one takes in a message: the id and the value.
const digestSize = 1 + 8

// Append appends those that are known.
func (d *Digests) Append(dst []byte) []byte {
	for id, digest := range d {
		if digest.Known {
			dst = binary.LittleEndian.AppendUint64(append(dst, byte(id)), digest.Value)
		}
	}
	return dst
}

// DecodeDigests returns what Append has appended; of what it cannot have appended, nothing.
func DecodeDigests(src []byte) (d Digests) {
	for ; len(src) >= digestSize; src = src[digestSize:] {
		if id := src[0]; id >= 1 && id <= MaxReplicas {
			d[id] = Digest{Known: true, Value: binary.LittleEndian.Uint64(src[1:])}
		}
	}
	return d
}
