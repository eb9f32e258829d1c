package wire

import (
	"encoding/binary"
	"fmt"
)

// Message is a message between replicas. All of them share one layout, so that there is one encoder, one decoder and
// one thing to read in a transcript; what a field means for which type is said here and in docs/wire.md.
//
//	offset size  (behind the prefix)
//	0      8    Ballot
//	8      8    Slot
//	16     8    Last
//	24     8    Commit
//	32     8    Nonce
//	40     4    RawLen
//	44     1    Codec
//	45     1    Flags
//	46     2    zero
//
//	PreVote        Ballot: the one the sender would use; Commit: its commit frontier
//	PreVoteReply   Ballot: echoed; FlagGranted or, refused, Nonce: the ballot the voter has promised
//	Prepare        Ballot; Slot: first slot the proposer does not know chosen
//	Promise        Ballot; Commit: acceptor's frontier, every slot up to it is chosen; Slot: index of this part, from 0;
//	               FlagMore unless it is the last; body: entries accepted above Commit, in slot order
//	Accept         Ballot; Slot; Commit: proposer's frontier; body: the batch, encoded by Codec from RawLen bytes
//	Accepted       Ballot; Slot..Last: durably accepted under Ballot; Commit: acceptor's frontier
//	Refuse         Ballot: the refused message's; Nonce: the ballot promised; Commit: acceptor's frontier
//	Heartbeat      Ballot; Commit: leader's frontier; Last: highest slot proposed; Nonce: leadership round
//	HeartbeatReply Ballot; Nonce: echoed; Slot: everything between the heartbeat's Commit and Slot is durably accepted
//	               under Ballot; Last: and up to here it has been received; Commit: acceptor's frontier. With
//	               FlagForgot: the acceptor does not vote, Slot and Last say nothing
//	Fetch          Slot: first slot wanted; RawLen: bytes of entries wanted at most
//	Entries        Slot: first slot in the body; Last: last one; Commit: sender's frontier; body: chosen entries in slot
//	               order. With FlagTruncated no entries: the sender's log starts at Slot, fetch a snapshot
//	SnapshotFetch  Slot: snapshot wanted, 0: the newest; Nonce: byte offset
//	SnapshotChunk  Slot: last slot the snapshot covers; Nonce: byte offset; Last: bytes of the whole snapshot, 0: none
//	               yet; body: the bytes
//	Rejoin         Nonce: drawn at random
//	RejoinReply    Nonce: echoed; Ballot: the leader's; Last: highest slot it had proposed
//	Forward        Nonce: the sender's name for the client connection; body: a fragment
//	ForwardReply   Nonce: echoed; body: reply runs
type Message struct {
	Type   Type
	From   ReplicaID // not on the wire: the connection says who sent it
	To     ReplicaID // not on the wire
	Flags  uint8
	Ballot Ballot
	Slot   Slot
	Last   Slot
	Commit Slot
	Nonce  uint64
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
	FlagGranted   uint8 = 1 << 0 // PreVoteReply
	FlagMore      uint8 = 1 << 1 // Promise, Entries
	FlagTruncated uint8 = 1 << 2 // Entries
	FlagForgot    uint8 = 1 << 3 // HeartbeatReply: of a replica that does not vote; no vote in it
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
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.Last))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.Commit))
	dst = binary.LittleEndian.AppendUint64(dst, m.Nonce)
	dst = binary.LittleEndian.AppendUint32(dst, m.RawLen)
	dst = append(dst, byte(m.Codec), m.Flags, 0, 0)
	sealHeader(dst[start:], m.Type, len(m.Body), m.BodyCRC)
	return dst
}

// DecodeMessageHeader fills in m from the checked header h at the start of frame. It leaves m.Body alone: the caller
// sets it once the body is complete and checked.
func DecodeMessageHeader(m *Message, h Header, frame []byte) error {
	if h.Type < TypePreVote || h.Type >= typeCount {
		return fmt.Errorf("%w: %v is not a message between replicas", ErrType, h.Type)
	}
	f := frame[PrefixSize : PrefixSize+messageSize]
	*m = Message{
		Type:    h.Type,
		Ballot:  Ballot(binary.LittleEndian.Uint64(f)),
		Slot:    Slot(binary.LittleEndian.Uint64(f[8:])),
		Last:    Slot(binary.LittleEndian.Uint64(f[16:])),
		Commit:  Slot(binary.LittleEndian.Uint64(f[24:])),
		Nonce:   binary.LittleEndian.Uint64(f[32:]),
		Flags:   f[45],
		Payload: Payload{Codec: Codec(f[44]), RawLen: binary.LittleEndian.Uint32(f[40:]), BodyCRC: h.BodyCRC},
	}
	if m.Codec >= codecCount {
		return fmt.Errorf("%w: codec %d", ErrField, m.Codec)
	}
	return nil
}

// Entry is a log entry inside a Promise or an Entries message.
//
//	offset size
//	0      8    slot
//	8      8    ballot under which the batch was accepted
//	16     4    batch length as it stands here
//	20     4    CRC-32C of the batch as it stands here
//	24     4    batch length before compression
//	28     1    codec
//	29     3    zero
//	32          the batch
type Entry struct {
	Slot    Slot
	Ballot  Ballot
	Payload // Body is a view into the decoded bytes
}

// EntryHeaderSize is the length of an encoded entry without its batch.
const EntryHeaderSize = 32

// AppendEntry appends one entry.
func AppendEntry(dst []byte, e *Entry) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Slot))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Ballot))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.Body)))
	dst = binary.LittleEndian.AppendUint32(dst, e.BodyCRC)
	dst = binary.LittleEndian.AppendUint32(dst, e.RawLen)
	dst = append(dst, byte(e.Codec), 0, 0, 0)
	return append(dst, e.Body...)
}

// DecodeEntry returns the entry at the start of src as a view, and its encoded length. The batch's checksum is
// checked: an entry may have been read from a disk on its way.
func DecodeEntry(src []byte) (Entry, int, error) {
	if len(src) < EntryHeaderSize {
		return Entry{}, 0, fmt.Errorf("%w: entry header in %d bytes", ErrLength, len(src))
	}
	size := binary.LittleEndian.Uint32(src[16:])
	if uint64(size) > uint64(len(src)-EntryHeaderSize) {
		return Entry{}, 0, fmt.Errorf("%w: entry of %d bytes in %d", ErrLength, size, len(src)-EntryHeaderSize)
	}
	n := EntryHeaderSize + int(size)
	e := Entry{
		Slot:   Slot(binary.LittleEndian.Uint64(src)),
		Ballot: Ballot(binary.LittleEndian.Uint64(src[8:])),
		Payload: Payload{
			Codec:   Codec(src[28]),
			RawLen:  binary.LittleEndian.Uint32(src[24:]),
			BodyCRC: binary.LittleEndian.Uint32(src[20:]),
			Body:    src[EntryHeaderSize:n:n],
		},
	}
	if e.Slot == 0 || e.Codec >= codecCount || size > MaxBatch {
		return Entry{}, 0, fmt.Errorf("%w: entry for slot %d with codec %d in %d bytes", ErrField, e.Slot, e.Codec, size)
	}
	if Checksum(e.Body) != e.BodyCRC {
		return Entry{}, 0, fmt.Errorf("%w in the entry for slot %d", ErrChecksum, e.Slot)
	}
	return e, n, nil
}
