package wire

import (
	"encoding/binary"
	"fmt"
)

// ClientHello opens a client connection.
//
//	offset size  (behind the prefix)
//	0      8    cluster id the client expects; 0: any
//	8      4    commands the client would like to have in flight on this connection; 0: as many as granted
//	12     4    zero
type ClientHello struct {
	Cluster uint64
	Window  uint32
}

const clientHelloSize = 16

// Welcome answers a ClientHello. The body is the leader's client address.
//
//	offset size
//	0      8    cluster id
//	8      8    ballot the replica follows
//	16     4    commands the client may have in flight on this connection
//	20     1    replica
//	21     1    leader, 0 if unknown
//	22     1    how reads are served
//	23     1    1: takes runs of commands that are alike
type Welcome struct {
	Cluster    uint64
	Ballot     Ballot
	Window     uint32
	Replica    ReplicaID
	Leader     ReplicaID
	Reads      Reads
	Alike      bool // false of replicas that are older than such runs
	LeaderAddr string
}

const welcomeSize = 24

// Redirect tells a client that this replica does not take commands: what the client has unanswered on this
// connection it must send to the leader. The body is the leader's client address, empty if unknown.
//
//	offset size
//	0      8    ballot the replica follows
//	8      1    leader, 0 if unknown
//	9      7    zero
type Redirect struct {
	Ballot     Ballot
	Leader     ReplicaID
	LeaderAddr string
}

const redirectSize = 16

// PeerHello opens a connection between replicas; both sides send it. The body is the settings that must be equal on all
// replicas. They are compared, and a connection where they are not is refused with a Fault that names those that differ
// and both values.
//
//	offset size
//	0      8    cluster id; 0: not known yet
//	8      8    incarnation: drawn at random when the process starts
//	16     1    sender
//	17     1    receiver the sender means to reach
//	18     1    lane: what the connection is for, 1 control, 2 bulk
//	19     1    members that the sender's data directory has met, bit i-1 for replica i
//	20     1    members that have told it that theirs have met it
//	21     11   zero
type PeerHello struct {
	Cluster     uint64
	Incarnation uint64
	From, To    ReplicaID
	Lane        Lane
	Met, MetBy  Members
	Settings    Settings
}

// PeerProtocol is the version of PeerHello, of the messages between replicas, and of what the same commands do to each, one of the
// settings compared. It changes when they do, which clients need not know of: Version is for what they see.
const PeerProtocol = 5

const peerHelloSize = 32

// AppendClientHello appends a ClientHello frame.
func AppendClientHello(dst []byte, h ClientHello) []byte {
	start := len(dst)
	dst = appendPrefix(dst)
	dst = binary.LittleEndian.AppendUint64(dst, h.Cluster)
	dst = binary.LittleEndian.AppendUint32(dst, h.Window)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	sealHeader(dst[start:], TypeClientHello, 0, 0)
	return dst
}

// DecodeClientHello returns the fields of a ClientHello frame; frame begins at the prefix and is already checked.
func DecodeClientHello(frame []byte) ClientHello {
	f := frame[PrefixSize:]
	return ClientHello{Cluster: binary.LittleEndian.Uint64(f), Window: binary.LittleEndian.Uint32(f[8:])}
}

// AppendWelcome appends a Welcome frame. An address longer than MaxText is cut.
func AppendWelcome(dst []byte, w Welcome) []byte {
	start := len(dst)
	dst = appendPrefix(dst)
	dst = binary.LittleEndian.AppendUint64(dst, w.Cluster)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(w.Ballot))
	dst = binary.LittleEndian.AppendUint32(dst, w.Window)
	dst = append(dst, byte(w.Replica), byte(w.Leader), byte(w.Reads), 0)
	if w.Alike {
		dst[len(dst)-1] = 1
	}
	return appendText(dst, start, TypeWelcome, w.LeaderAddr)
}

// DecodeWelcome returns the fields and body of a Welcome frame whose header and body are already checked.
func DecodeWelcome(frame []byte) (Welcome, error) {
	f := frame[PrefixSize:]
	addr, err := decodeText(f[welcomeSize:])
	return Welcome{
		Cluster:    binary.LittleEndian.Uint64(f),
		Ballot:     Ballot(binary.LittleEndian.Uint64(f[8:])),
		Window:     binary.LittleEndian.Uint32(f[16:]),
		Replica:    ReplicaID(f[20]),
		Leader:     ReplicaID(f[21]),
		Reads:      Reads(f[22]),
		Alike:      f[23] == 1,
		LeaderAddr: addr,
	}, err
}

// AppendRedirect appends a Redirect frame. An address longer than MaxText is cut.
func AppendRedirect(dst []byte, r Redirect) []byte {
	start := len(dst)
	dst = appendPrefix(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Ballot))
	dst = append(dst, byte(r.Leader), 0, 0, 0, 0, 0, 0, 0)
	return appendText(dst, start, TypeRedirect, r.LeaderAddr)
}

// DecodeRedirect returns the fields and body of a Redirect frame whose header and body are already checked.
func DecodeRedirect(frame []byte) (Redirect, error) {
	f := frame[PrefixSize:]
	addr, err := decodeText(f[redirectSize:])
	return Redirect{Ballot: Ballot(binary.LittleEndian.Uint64(f)), Leader: ReplicaID(f[8]), LeaderAddr: addr}, err
}

// AppendFault appends a Fault frame, the last one before the sender closes the connection. Text longer than MaxText
// is cut.
func AppendFault(dst []byte, text string) []byte {
	return appendText(appendPrefix(dst), len(dst), TypeFault, text)
}

// DecodeFault returns the text of a Fault frame whose header and body are already checked.
func DecodeFault(frame []byte) (string, error) { return decodeText(frame[PrefixSize:]) }

// AppendPeerHello appends a PeerHello frame.
func AppendPeerHello(dst []byte, h *PeerHello) []byte {
	start := len(dst)
	dst = appendPrefix(dst)
	dst = binary.LittleEndian.AppendUint64(dst, h.Cluster)
	dst = binary.LittleEndian.AppendUint64(dst, h.Incarnation)
	dst = append(dst, byte(h.From), byte(h.To), byte(h.Lane), byte(h.Met), byte(h.MetBy))
	dst = append(dst, make([]byte, peerHelloSize-21)...)
	headerEnd := len(dst)
	dst = AppendSettings(dst, h.Settings)
	body := dst[headerEnd:]
	sealHeader(dst[start:headerEnd], TypePeerHello, len(body), Checksum(body))
	return dst
}

// DecodePeerHello returns the fields and the body of a PeerHello frame; both are already checked. It keeps no reference
// to either.
func DecodePeerHello(header, body []byte) (PeerHello, error) {
	f := header[PrefixSize:]
	h := PeerHello{
		Cluster:     binary.LittleEndian.Uint64(f),
		Incarnation: binary.LittleEndian.Uint64(f[8:]),
		From:        ReplicaID(f[16]),
		To:          ReplicaID(f[17]),
		Lane:        Lane(f[18]),
		Met:         Members(f[19]),
		MetBy:       Members(f[20]),
	}
	if len(body) == 0 {
		return h, fmt.Errorf("%w: a PeerHello without settings: the other replica is of an older version", ErrLength)
	}
	if h.Lane < 1 || h.Lane > LaneCount {
		return h, fmt.Errorf("%w: lane %d, want 1 to %d", ErrField, h.Lane, LaneCount)
	}
	var n int
	var err error
	if h.Settings, n, err = DecodeSettings(body); err == nil && n != len(body) {
		err = fmt.Errorf("%w: %d bytes behind the settings", ErrLength, len(body)-n)
	}
	return h, err
}

// appendText appends a text body to the header that starts at dst[start:] and seals the frame.
func appendText(dst []byte, start int, t Type, text string) []byte {
	text = text[:min(len(text), MaxText)]
	headerEnd := len(dst)
	dst = append(dst, text...)
	sealHeader(dst[start:headerEnd], t, len(text), Checksum(dst[headerEnd:]))
	return dst
}

func decodeText(body []byte) (string, error) {
	if len(body) > MaxText {
		return "", fmt.Errorf("%w: text of %d bytes, limit %d", ErrLength, len(body), MaxText)
	}
	return string(body), nil
}
