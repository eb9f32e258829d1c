package wire

import (
	"encoding/binary"
	"fmt"
)

// Message is a message between replicas. All of them share one layout, so that there is one encoder, one decoder and
// one thing to read in a transcript. What a field means for which type stands in docs/wire.md; here it is what the
// constructor of that type and its accessors make of it (see messages.go).
//
//	offset size  (behind the prefix)
//	0      8    Ballot
//	8      8    Slot
//	16     8    last
//	24     8    Commit
//	32     8    nonce
//	40     4    RawLen
//	44     1    Codec
//	45     1    flags
//	46     2    zero
type Message struct {
	Type   Type
	From   ReplicaID // not on the wire: the connection says who sent it
	To     ReplicaID // not on the wire
	flags  uint8
	Ballot Ballot
	Slot   Slot
	last   Slot
	Commit Slot // the sender's commit index
	nonce  uint64
	// Payload's Body is owned by whoever made the message; a decoded one is a view into the decoded bytes. Only in an Accept
	// it is a batch.
	Payload
}

// Codec names how a batch body is compressed.
type Codec uint8

// Codecs.
const (
	CodecNone  Codec = 0
	CodecS2    Codec = 1
	CodecZstd  Codec = 2
	codecCount       = 3
)

// Message flags.
const (
	flagGranted   uint8 = 1 << 0 // PreVoteReply
	flagMore      uint8 = 1 << 1 // Promise; Diverged
	flagTruncated uint8 = 1 << 2 // Entries
	flagNonVoting uint8 = 1 << 3 // HeartbeatReply
)

const (
	messageSize = 48

	// MessageHeaderSize is the length of an encoded message without its body.
	MessageHeaderSize = PrefixSize + messageSize
)

// AppendMessageHeader appends prefix and fields of m's frame. The frame is complete when m.Body has been written
// behind it, which the sender does without copying. m.BodyCRC must be the body's checksum.
func AppendMessageHeader(dst []byte, m *Message) []byte {
	start := len(dst)
	dst = appendPrefix(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.Ballot))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.Slot))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.last))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.Commit))
	dst = binary.LittleEndian.AppendUint64(dst, m.nonce)
	dst = binary.LittleEndian.AppendUint32(dst, m.RawLen)
	dst = append(dst, byte(m.Codec), m.flags, 0, 0)
	sealHeader(dst[start:], m.Type, len(m.Body), m.BodyCRC)
	return dst
}

// DecodeMessageHeader fills in m from the checked header h at the start of frame. It leaves m.Body alone: the caller
// sets it once the body is complete and checked.
func DecodeMessageHeader(m *Message, h Header, frame []byte) error {
	if h.Type < TypePreVote || h.Type > TypeDiverged {
		return fmt.Errorf("%w: %v is not a message between replicas", ErrType, h.Type)
	}
	f := frame[PrefixSize : PrefixSize+messageSize]
	*m = Message{
		Type:    h.Type,
		Ballot:  Ballot(binary.LittleEndian.Uint64(f)),
		Slot:    Slot(binary.LittleEndian.Uint64(f[8:])),
		last:    Slot(binary.LittleEndian.Uint64(f[16:])),
		Commit:  Slot(binary.LittleEndian.Uint64(f[24:])),
		nonce:   binary.LittleEndian.Uint64(f[32:]),
		flags:   f[45],
		Payload: Payload{Codec: Codec(f[44]), RawLen: binary.LittleEndian.Uint32(f[40:]), BodyCRC: h.BodyCRC},
	}
	if m.Codec >= codecCount {
		return fmt.Errorf("%w: codec %d", ErrField, m.Codec)
	}
	return nil
}
