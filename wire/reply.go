package wire

import (
	"encoding/binary"
	"fmt"
)

// The body of a Reply is reply runs, one behind the other. A reply run answers contiguous sequence numbers of one
// session. Where all of its results are the same status without a value, which is the rule for writes, it is uniform
// and carries no results at all: the cost of such an answer does not depend on how many commands it answers.
//
// Reply run header, little-endian; the results follow it.
//
//	offset size
//	0      8    session
//	8      8    sequence number of the first command answered
//	16     4    number of commands answered, at least 1
//	20     4    bytes of results; 0 in a uniform run
//	24     1    status of all commands, in a uniform run
//	25     1    1 if uniform, else 0
//	26     6    zero
const ReplyRunHeaderSize = 32

// Result header, little-endian; the value follows it.
//
//	offset size
//	0      1    status
//	1      3    zero
//	4      4    value length
const ResultHeaderSize = 8

// Status is the outcome of one command.
type Status uint8

// Statuses. OK, NotFound, Mismatch and Full are results of the state machine. The others mean that the command was not
// executed by this attempt; the remedy is the client's.
const (
	StatusOK        Status = 0
	StatusNotFound  Status = 1 // get, delete: no such key
	StatusMismatch  Status = 2 // compare-and-set: the present value is another
	StatusBusy      Status = 3 // past a window: resend from this command on, later
	StatusGap       Status = 4 // an earlier command of the session is missing: resend from there
	StatusForgotten Status = 5 // executed once, but the client had said that it holds the reply
	StatusNoSession Status = 6 // the session does not exist or was evicted: register anew
	StatusFull      Status = 7 // put, compare-and-set: the store has no room; nothing was changed
	statusCount            = 8
)

var statusNames = [statusCount]string{"ok", "not-found", "mismatch", "busy", "gap", "forgotten", "no-session", "full"}

// String returns the status as counters and results spell it.
func (s Status) String() string {
	if s < statusCount {
		return statusNames[s]
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// Executed reports whether the status is the outcome of an executed command.
func (s Status) Executed() bool { return s <= StatusMismatch || s == StatusFull }

// ReplyRun is a decoded reply run.
type ReplyRun struct {
	Session SessionID
	First   Seq
	Count   int
	Uniform bool
	Status  Status // of every command, if Uniform
	Results []byte // Count encoded results, unless Uniform; a view into the decoded bytes
}

// Last returns the sequence number of the last command answered.
func (r *ReplyRun) Last() Seq { return r.First + Seq(r.Count) - 1 }

// Result is the decoded outcome of one command; Value is a view into the decoded bytes.
type Result struct {
	Status Status
	Value  []byte
}

// AppendUniformReply appends a reply run that answers count commands from first on with one status.
func AppendUniformReply(dst []byte, session SessionID, first Seq, count int, status Status) []byte {
	dst = appendReplyRunHeader(dst, session, first, count, 0)
	dst[len(dst)-8] = byte(status)
	dst[len(dst)-7] = 1
	return dst
}

// BeginReplyRun appends room for a reply run header and returns dst. The caller appends results and then calls
// EndReplyRun with the length dst had before.
func BeginReplyRun(dst []byte) []byte { return append(dst, make([]byte, ReplyRunHeaderSize)...) }

// EndReplyRun completes the reply run that BeginReplyRun started at dst[start:].
func EndReplyRun(dst []byte, start int, session SessionID, first Seq, count int) {
	appendReplyRunHeader(dst[:start], session, first, count, len(dst)-start-ReplyRunHeaderSize)
}

func appendReplyRunHeader(dst []byte, session SessionID, first Seq, count, size int) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(session))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(first))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(count))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
	return binary.LittleEndian.AppendUint64(dst, 0)
}

// AppendResult appends one result.
func AppendResult(dst []byte, status Status, value []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(status)|uint64(len(value))<<32)
	return append(dst, value...)
}

// DecodeReplyRun returns the reply run at the start of src as a view, and its encoded length.
func DecodeReplyRun(src []byte) (ReplyRun, int, error) {
	if len(src) < ReplyRunHeaderSize {
		return ReplyRun{}, 0, fmt.Errorf("%w: reply run header in %d bytes", ErrLength, len(src))
	}
	count := binary.LittleEndian.Uint32(src[16:])
	size := binary.LittleEndian.Uint32(src[20:])
	status, uniform := Status(src[24]), src[25] == 1
	if uint64(size) > uint64(len(src)-ReplyRunHeaderSize) {
		return ReplyRun{}, 0, fmt.Errorf("%w: reply run of %d bytes in %d", ErrLength, size, len(src)-ReplyRunHeaderSize)
	}
	if count == 0 || count > MaxRunCommands || src[25] > 1 {
		return ReplyRun{}, 0, fmt.Errorf("%w: reply run of %d results", ErrField, count)
	}
	if uniform && (size != 0 || status >= statusCount) || !uniform && uint64(count)*ResultHeaderSize > uint64(size) {
		return ReplyRun{}, 0, fmt.Errorf("%w: %d results in %d bytes", ErrField, count, size)
	}
	first := Seq(binary.LittleEndian.Uint64(src[8:]))
	if first+Seq(count)-1 < first {
		return ReplyRun{}, 0, fmt.Errorf("%w: sequence number %d", ErrField, first)
	}
	n := ReplyRunHeaderSize + int(size)
	return ReplyRun{
		Session: SessionID(binary.LittleEndian.Uint64(src)),
		First:   first,
		Count:   int(count),
		Uniform: uniform,
		Status:  status,
		Results: src[ReplyRunHeaderSize:n:n],
	}, n, nil
}

// DecodeResult returns the result at the start of src as a view, and its encoded length.
func DecodeResult(src []byte) (Result, int, error) {
	if len(src) < ResultHeaderSize {
		return Result{}, 0, fmt.Errorf("%w: result header in %d bytes", ErrLength, len(src))
	}
	h := binary.LittleEndian.Uint64(src)
	status, size := Status(h), h>>32
	if status >= statusCount {
		return Result{}, 0, fmt.Errorf("%w: status %d", ErrField, status)
	}
	if size > uint64(len(src)-ResultHeaderSize) {
		return Result{}, 0, fmt.Errorf("%w: result of %d bytes in %d", ErrLength, size, len(src)-ResultHeaderSize)
	}
	n := ResultHeaderSize + int(size)
	return Result{Status: status, Value: src[ResultHeaderSize:n:n]}, n, nil
}
