package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Frame prefix, little-endian. The fields of the frame's type follow it, then the body.
//
//	offset size
//	0      2    Magic
//	2      1    Version
//	3      1    Type
//	4      4    body length
//	8      4    CRC-32C of the body
//	12     4    CRC-32C of bytes 0..11 and of the fields
const (
	Magic      = 0x5850 // "PX" in memory order
	Version    = 1
	PrefixSize = 16

	offsetBodyLen   = 4
	offsetBodyCRC   = 8
	offsetHeaderCRC = 12
)

// Type tells frames apart.
type Type uint8

// Frame types between a client and a replica.
const (
	TypeClientHello Type = 1 // client: first frame of a connection
	TypeWelcome     Type = 2 // replica: answer to ClientHello
	TypeRequest     Type = 3 // client: a fragment, that is runs of commands
	TypeReply       Type = 4 // replica: reply runs
	TypeRedirect    Type = 5 // replica: I am not (or no longer) the leader
	TypeFault       Type = 6 // either side: why the connection is about to be closed
	TypeQuery       Type = 7 // client: runs of gets to be answered without the log
	TypeQueryReply  Type = 8 // replica: reply runs
)

// Frame types between replicas. All but the handshake carry a Message.
const (
	TypePeerHello      Type = 16
	TypePreVote        Type = 17
	TypePreVoteReply   Type = 18
	TypePrepare        Type = 19
	TypePromise        Type = 20
	TypeAccept         Type = 21
	TypeAccepted       Type = 22
	TypeReject         Type = 23
	TypeHeartbeat      Type = 24
	TypeHeartbeatReply Type = 25
	TypeFetch          Type = 26
	TypeEntries        Type = 27
	TypeSnapshotFetch  Type = 28
	TypeSnapshotChunk  Type = 29
	TypeRejoin         Type = 30
	TypeRejoinReply    Type = 31
	TypeDiverged       Type = 32

	typeCount = 33
)

var typeNames = [typeCount]string{
	TypeClientHello: "ClientHello", TypeWelcome: "Welcome", TypeRequest: "Request", TypeReply: "Reply",
	TypeRedirect: "Redirect", TypeFault: "Fault", TypeQuery: "Query", TypeQueryReply: "QueryReply", TypePeerHello: "PeerHello", TypePreVote: "PreVote",
	TypePreVoteReply: "PreVoteReply", TypePrepare: "Prepare", TypePromise: "Promise", TypeAccept: "Accept",
	TypeAccepted: "Accepted", TypeReject: "Reject", TypeHeartbeat: "Heartbeat", TypeHeartbeatReply: "HeartbeatReply",
	TypeFetch: "Fetch", TypeEntries: "Entries", TypeSnapshotFetch: "SnapshotFetch", TypeSnapshotChunk: "SnapshotChunk",
	TypeRejoin: "Rejoin", TypeRejoinReply: "RejoinReply", TypeDiverged: "Diverged",
}

// String returns the type's name as used in docs/wire.md.
func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// fieldSizes holds, by type, the bytes of fields between prefix and body; -1 marks a type that does not exist.
var fieldSizes = func() (sizes [typeCount]int) {
	for t := range sizes {
		sizes[t] = -1
	}
	sizes[TypeClientHello] = clientHelloSize
	sizes[TypeWelcome] = welcomeSize
	sizes[TypeRequest] = 0
	sizes[TypeReply] = 0
	sizes[TypeRedirect] = redirectSize
	sizes[TypeFault] = 0
	sizes[TypeQuery] = 0
	sizes[TypeQueryReply] = 0
	sizes[TypePeerHello] = peerHelloSize
	for t := TypePreVote; t <= TypeDiverged; t++ {
		sizes[t] = messageSize
	}
	return sizes
}()

// Errors of the frame layer. ErrShort asks for more bytes; every other one condemns the connection.
var (
	ErrShort    = errors.New("wire: incomplete")
	ErrMagic    = errors.New("wire: bad magic, the peer does not speak this protocol")
	ErrVersion  = errors.New("wire: unsupported protocol version")
	ErrType     = errors.New("wire: unknown frame type")
	ErrLength   = errors.New("wire: length out of bounds")
	ErrChecksum = errors.New("wire: checksum mismatch")
	ErrField    = errors.New("wire: field out of bounds")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC-32C (Castagnoli) of b, the checksum of every frame and journal record.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// Header is a frame's checked prefix.
type Header struct {
	Type    Type
	Size    int    // bytes of prefix and fields: where the body begins
	BodyLen int    // bytes of body
	BodyCRC uint32 // CRC-32C the body must have
}

// FrameLen returns the bytes of the whole frame.
func (h Header) FrameLen() int { return h.Size + h.BodyLen }

// CheckBody reports whether body is the body that the header announced.
func (h Header) CheckBody(body []byte) error {
	if len(body) != h.BodyLen {
		return ErrLength
	}
	if Checksum(body) != h.BodyCRC {
		return ErrChecksum
	}
	return nil
}

// DecodeHeader checks the frame header at the start of src: magic, version, type, length and the header's own
// checksum. It returns ErrShort while src holds only part of a header. Nothing about the body is looked at, so a
// receiver may wait for BodyLen more bytes (at most MaxBody) knowing that the length was really sent.
func DecodeHeader(src []byte) (Header, error) {
	if len(src) < PrefixSize {
		return Header{}, ErrShort
	}
	if binary.LittleEndian.Uint16(src) != Magic {
		return Header{}, ErrMagic
	}
	if src[2] != Version {
		return Header{}, fmt.Errorf("%w: got %d, want %d", ErrVersion, src[2], Version)
	}
	t := Type(src[3])
	if int(t) >= len(fieldSizes) || fieldSizes[t] < 0 {
		return Header{}, fmt.Errorf("%w: %d", ErrType, src[3])
	}
	bodyLen := binary.LittleEndian.Uint32(src[offsetBodyLen:])
	if bodyLen > MaxBody {
		return Header{}, fmt.Errorf("%w: %v body of %d bytes, limit %d", ErrLength, t, bodyLen, MaxBody)
	}
	size := PrefixSize + fieldSizes[t]
	if len(src) < size {
		return Header{}, ErrShort
	}
	if headerChecksum(src[:size]) != binary.LittleEndian.Uint32(src[offsetHeaderCRC:]) {
		return Header{}, fmt.Errorf("%w in the header of a %v frame", ErrChecksum, t)
	}
	return Header{
		Type:    t,
		Size:    size,
		BodyLen: int(bodyLen),
		BodyCRC: binary.LittleEndian.Uint32(src[offsetBodyCRC:]),
	}, nil
}

// headerChecksum covers the prefix up to the checksum itself and the fields behind it.
func headerChecksum(header []byte) uint32 {
	return crc32.Update(Checksum(header[:offsetHeaderCRC]), castagnoli, header[PrefixSize:])
}

// appendPrefix appends room for a prefix; sealHeader fills it in once the fields stand behind it.
func appendPrefix(dst []byte) []byte {
	return append(dst, make([]byte, PrefixSize)...)
}

// sealHeader completes the header that starts at header[0]: prefix and fields, no body.
func sealHeader(header []byte, t Type, bodyLen int, bodyCRC uint32) {
	binary.LittleEndian.PutUint16(header, Magic)
	header[2] = Version
	header[3] = byte(t)
	binary.LittleEndian.PutUint32(header[offsetBodyLen:], uint32(bodyLen))
	binary.LittleEndian.PutUint32(header[offsetBodyCRC:], bodyCRC)
	binary.LittleEndian.PutUint32(header[offsetHeaderCRC:], headerChecksum(header))
}

// BeginFrame appends a placeholder for the header of a frame without fields (Request, Reply, Query, QueryReply) and returns dst.
// The caller appends the body and then calls EndFrame with the length dst had before BeginFrame.
func BeginFrame(dst []byte) []byte { return appendPrefix(dst) }

// EndFrame completes the frame that BeginFrame started at dst[start:].
func EndFrame(dst []byte, start int, t Type) {
	frame := dst[start:]
	body := frame[PrefixSize:]
	sealHeader(frame[:PrefixSize], t, len(body), Checksum(body))
}
