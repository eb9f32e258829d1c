package wire

import "encoding/binary"

// Constructors and accessors of messages, by type. A field of the layout stands for something else in each type; what it
// is, is said here and nowhere else. Whoever sends a message sets From and To.

// NewPreVote asks whether an election for ballot b could be won by a replica with that commit index.
func NewPreVote(b Ballot, commit Slot) Message {
	return Message{Type: TypePreVote, Ballot: b, Commit: commit}
}

// NewPreVoteReply answers a PreVote of ballot b. promised is the ballot that the voter has promised.
func NewPreVoteReply(b Ballot, granted bool, promised Ballot, commit Slot) Message {
	m := Message{Type: TypePreVoteReply, Ballot: b, Commit: commit, nonce: uint64(promised)}
	m.setFlag(flagGranted, granted)
	return m
}

// NewPrepare asks for a promise of ballot b, and for what has been accepted from slot first on, about maxBytes of it.
func NewPrepare(b Ballot, first Slot, maxBytes int) Message {
	return Message{Type: TypePrepare, Ballot: b, Slot: first, Payload: Payload{RawLen: uint32(maxBytes)}}
}

// NewPromise answers a Prepare: every slot up to commit is chosen, entries holds what has been accepted of the slots from
// first to last, and with more the acceptor has accepted something beyond.
func NewPromise(b Ballot, commit, first, last Slot, more bool, entries []byte) Message {
	m := Message{Type: TypePromise, Ballot: b, Slot: first, last: last, Commit: commit, Payload: MakeBody(entries)}
	m.setFlag(flagMore, more)
	return m
}

// NewAccept proposes a batch for a slot. commit is the proposer's commit index.
func NewAccept(b Ballot, s, commit Slot, batch Payload) Message {
	return Message{Type: TypeAccept, Ballot: b, Slot: s, Commit: commit, Payload: batch}
}

// NewAccepted says that the batches of the slots from first to last have been accepted, durably.
func NewAccepted(b Ballot, first, last, commit Slot) Message {
	return Message{Type: TypeAccepted, Ballot: b, Slot: first, last: last, Commit: commit}
}

// NewReject turns down a message of ballot b: another has been promised, or the slot is known chosen.
func NewReject(b, promised Ballot, commit Slot) Message {
	return Message{Type: TypeReject, Ballot: b, nonce: uint64(promised), Commit: commit}
}

// NewHeartbeat begins a leadership round. proposed is the highest slot that the leader has proposed, or will before anything new.
func NewHeartbeat(b Ballot, round uint64, commit, proposed Slot) Message {
	return Message{Type: TypeHeartbeat, Ballot: b, nonce: round, Commit: commit, last: proposed}
}

// SetQuestion adds to a Heartbeat the slot after which the leader wants to know its follower's digest.
func (m *Message) SetQuestion(s Slot) { m.Slot = s }

// Question returns that slot.
func (m *Message) Question() Slot { return m.Slot }

// NewHeartbeatReply answers a round: everything above the heartbeat's commit index has been accepted under ballot b
// durably up to one slot, and received up to another.
func NewHeartbeatReply(b Ballot, round uint64, durable, received, commit Slot) Message {
	return Message{Type: TypeHeartbeatReply, Ballot: b, nonce: round, Slot: durable, last: received, Commit: commit}
}

// NewNonVotingReply answers a round without a vote in it: the acceptor is non-voting.
func NewNonVotingReply(b Ballot, round uint64, commit Slot) Message {
	return Message{Type: TypeHeartbeatReply, Ballot: b, nonce: round, Commit: commit, flags: flagNonVoting}
}

// SetDigest adds to a HeartbeatReply what its sender's state was after a slot: the one asked about or, if it does not know
// that, the last one applied.
func (m *Message) SetDigest(s Slot, digest uint64) {
	body := binary.LittleEndian.AppendUint64(make([]byte, 0, 16), uint64(s))
	m.Payload = MakeBody(binary.LittleEndian.AppendUint64(body, digest))
}

// Digest returns what SetDigest has set, if it has.
func (m *Message) Digest() (s Slot, digest uint64, ok bool) {
	if m.Type != TypeHeartbeatReply || len(m.Body) != 16 {
		return 0, 0, false
	}
	return Slot(binary.LittleEndian.Uint64(m.Body)), binary.LittleEndian.Uint64(m.Body[8:]), true
}

// NewDiverged tells a follower, in ballot b, what the states of replicas were after a slot.
func NewDiverged(b Ballot, s Slot, d *Digests) Message {
	return Message{Type: TypeDiverged, Ballot: b, Slot: s, Payload: MakeBody(d.Append(nil))}
}

// SetAsks has a Diverged ask for the digest of the replica that gets it.
func (m *Message) SetAsks() { m.setFlag(flagMore, true) }

// Asks reports whether a Diverged does.
func (m *Message) Asks() bool { return m.flags&flagMore != 0 }

// NewFetch asks for the chosen entries of the slots from first to last, about maxBytes of them at a time.
func NewFetch(first, last Slot, maxBytes int) Message {
	return Message{Type: TypeFetch, Slot: first, last: last, Payload: Payload{RawLen: uint32(maxBytes)}}
}

// NewEntries holds the chosen entries of the slots from first to last; the sender's commit index is commit.
func NewEntries(first, last, commit Slot, entries []byte) Message {
	return Message{Type: TypeEntries, Slot: first, last: last, nonce: uint64(last), Commit: commit, Payload: MakeBody(entries)}
}

// SetThrough says that another Entries follows, which goes up to slot through.
func (m *Message) SetThrough(through Slot) { m.nonce = uint64(through) }

// Through returns the last slot that an Entries and the one that follows it are about.
func (m *Message) Through() Slot { return Slot(m.nonce) }

// NewTruncated answers a Fetch of what is gone: the sender's log begins at slot first.
func NewTruncated(first, commit Slot) Message {
	return Message{Type: TypeEntries, Slot: first, Commit: commit, flags: flagTruncated}
}

// NewSnapshotFetch asks for so many bytes of the snapshot of a slot, 0: the newest, from a byte on.
func NewSnapshotFetch(s Slot, offset uint64, maxBytes int) Message {
	return Message{Type: TypeSnapshotFetch, Slot: s, nonce: offset, Payload: Payload{RawLen: uint32(maxBytes)}}
}

// NewSnapshotChunk holds bytes of the snapshot of a slot, which is so large. With no size there is no snapshot, and slot and
// offset are those asked for.
func NewSnapshotChunk(s Slot, size, offset uint64, chunk []byte) Message {
	return Message{Type: TypeSnapshotChunk, Slot: s, last: Slot(size), nonce: offset, Payload: MakeBody(chunk)}
}

// NewRejoin asks a leader up to where a replica that has forgotten may have voted.
func NewRejoin(nonce uint64) Message { return Message{Type: TypeRejoin, nonce: nonce} }

// NewRejoinReply answers the Rejoin of that nonce.
func NewRejoinReply(nonce uint64, b Ballot, proposed Slot) Message {
	return Message{Type: TypeRejoinReply, nonce: nonce, Ballot: b, last: proposed}
}

// Last returns the last slot that a Promise, an Accepted, a Fetch or an Entries is about. The first one is Slot.
func (m *Message) Last() Slot { return m.last }

// Granted reports whether a PreVoteReply grants the vote.
func (m *Message) Granted() bool { return m.flags&flagGranted != 0 }

// Promised returns the ballot that the sender of a PreVoteReply or a Reject has promised.
func (m *Message) Promised() Ballot { return Ballot(m.nonce) }

// More reports whether there is more than a Promise holds.
func (m *Message) More() bool { return m.flags&flagMore != 0 }

// Round returns the leadership round of a Heartbeat or HeartbeatReply.
func (m *Message) Round() uint64 { return m.nonce }

// Proposed returns the highest slot that the sender of a Heartbeat or a RejoinReply had proposed.
func (m *Message) Proposed() Slot { return m.last }

// Durable returns the slot of a HeartbeatReply up to which everything is accepted durably.
func (m *Message) Durable() Slot { return m.Slot }

// Received returns the slot of a HeartbeatReply up to which everything has been received.
func (m *Message) Received() Slot { return m.last }

// Voting reports whether the sender of a HeartbeatReply votes.
func (m *Message) Voting() bool { return m.flags&flagNonVoting == 0 }

// MaxBytes returns how much a Prepare, a Fetch or a SnapshotFetch asks for.
func (m *Message) MaxBytes() int { return int(m.RawLen) }

// Truncated reports whether an Entries says that what was asked for is gone.
func (m *Message) Truncated() bool { return m.flags&flagTruncated != 0 }

// Offset returns the byte at which a SnapshotFetch or a SnapshotChunk begins.
func (m *Message) Offset() uint64 { return m.nonce }

// Size returns how large the snapshot of a SnapshotChunk is, 0 if there is none.
func (m *Message) Size() uint64 { return uint64(m.last) }

// Nonce returns what tells a Rejoin and its RejoinReply from others.
func (m *Message) Nonce() uint64 { return m.nonce }

func (m *Message) setFlag(flag uint8, on bool) {
	if on {
		m.flags |= flag
	}
}
