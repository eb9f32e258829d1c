package wire

import "fmt"

// Payload is a batch in the form in which it travels, is stored and is applied. It is embedded by everything that carries
// a batch: messages, entries, records and the log, so that it passes from one to the other in one assignment.
type Payload struct {
	Codec   Codec
	RawLen  uint32 // bytes of the batch before compression
	BodyCRC uint32 // Checksum of Body; encoders trust it, so that a batch is summed once and not once per peer
	Checked bool   // DecodeFragment has accepted Body in this process: it need not be looked at again. Never sent or stored
	Body    []byte // the batch, at most MaxBatch bytes; who owns it is said where it is embedded
}

// MakeBody returns the payload of a message whose body is not a batch.
func MakeBody(body []byte) Payload { return Payload{BodyCRC: Checksum(body), Body: body} }

// Same reports whether two payloads are the same value, as far as lengths and checksums tell.
func (p *Payload) Same(other *Payload) bool {
	return p.BodyCRC == other.BodyCRC && len(p.Body) == len(other.Body)
}

// RecordKind tells the records of an acceptor apart.
type RecordKind uint8

// Kinds of records.
const (
	RecordPromise   RecordKind = 1 // Ballot has been promised
	RecordAccept    RecordKind = 2 // the batch has been accepted for Slot under Ballot, which is thereby promised too
	RecordChosen    RecordKind = 3 // the batch is known to be chosen for Slot; Ballot is one under which it was
	RecordCommit    RecordKind = 4 // nothing but what every record says: Commit
	RecordInstalled RecordKind = 5 // a snapshot of a peer stands for every slot up to Commit, whatever other records say
	recordKinds                = 6
)

var recordKindNames = [recordKinds]string{RecordPromise: "promise", RecordAccept: "accept", RecordChosen: "chosen", RecordCommit: "commit", RecordInstalled: "installed"}

// String returns the kind's name.
func (k RecordKind) String() string {
	if k.Valid() {
		return recordKindNames[k]
	}
	return fmt.Sprintf("RecordKind(%d)", uint8(k))
}

// Valid reports whether the kind is one of those above.
func (k RecordKind) Valid() bool { return k >= RecordPromise && k < recordKinds }

// NamesSlot reports whether records of the kind are about a slot and carry its batch.
func (k RecordKind) NamesSlot() bool { return k == RecordAccept || k == RecordChosen }

// IsVote reports whether records of the kind are promises to others, which a replica must keep.
func (k RecordKind) IsVote() bool { return k == RecordPromise || k == RecordAccept }

// Record is one fact that an acceptor must not forget. The protocol makes records, the journal keeps them.
type Record struct {
	Kind   RecordKind
	Ballot Ballot
	Slot   Slot // 0 unless the kind names one
	Commit Slot // the replica's commit index when the record was made (see the protocol's Restore)
	Payload
}
