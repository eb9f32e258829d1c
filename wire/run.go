package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A run is a stretch of commands of one session with contiguous sequence numbers. A fragment (the body of a Request)
// and a batch (the body of an Accept, a journal record, a log entry) are both just runs, one behind the other, so a
// fragment joins a batch by being copied.
//
// Run header, little-endian; the commands follow it.
//
//	offset size
//	0      8    session (0: registrations)
//	8      8    sequence number of the first command
//	16     8    seen: the client holds every reply up to this sequence number
//	24     4    number of commands, at least 1
//	28     4    bytes of commands
const RunHeaderSize = 32

// Command header, little-endian; key and value follow it.
//
//	offset size
//	0      1    operation
//	1      1    flags
//	2      2    key length
//	4      4    value length
const CommandHeaderSize = 8

// Op is what a command asks of the state machine.
type Op uint8

// Operations. A CompareAndSet's value is described at AppendCompareAndSet.
const (
	OpPut           Op = 1
	OpGet           Op = 2
	OpDelete        Op = 3
	OpCompareAndSet Op = 4
	OpRegister      Op = 5 // open a session; only, and alone, in runs of session 0
	opCount            = 6
)

var opNames = [opCount]string{OpPut: "put", OpGet: "get", OpDelete: "delete", OpCompareAndSet: "cas", OpRegister: "register"}

// String returns the operation's name as workloads spell it.
func (o Op) String() string {
	if o.valid() {
		return opNames[o]
	}
	return fmt.Sprintf("Op(%d)", uint8(o))
}

func (o Op) valid() bool { return o >= OpPut && o < opCount }

// FlagExpectAbsent makes a CompareAndSet succeed only if the key does not exist.
const FlagExpectAbsent = 1

// Run is a decoded run header and its commands.
type Run struct {
	Session SessionID
	First   Seq
	Seen    Seq
	Count   int
	// Commands holds Count encoded commands; a view into the decoded bytes.
	Commands []byte
}

// Last returns the sequence number of the run's last command.
func (r *Run) Last() Seq { return r.First + Seq(r.Count) - 1 }

// Len returns the encoded length of the run.
func (r *Run) Len() int { return RunHeaderSize + len(r.Commands) }

// Command is one decoded command; Key and Value are views into the decoded bytes.
type Command struct {
	Op    Op
	Flags uint8
	Key   []byte
	Value []byte
}

// AppendRunHeader appends the header of a run of count commands in size bytes.
func AppendRunHeader(dst []byte, session SessionID, first, seen Seq, count, size int) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(session))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(first))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(seen))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(count))
	return binary.LittleEndian.AppendUint32(dst, uint32(size))
}

// PutRunHeader overwrites the run header at dst[:RunHeaderSize], for encoders that learn count and size last.
func PutRunHeader(dst []byte, session SessionID, first, seen Seq, count, size int) {
	AppendRunHeader(dst[:0], session, first, seen, count, size)
}

// SizeError says that a command cannot be sent, because its key or its value is too long.
type SizeError struct {
	Op         Op
	Key, Value int // their lengths
}

// Error implements error.
func (e *SizeError) Error() string {
	return fmt.Sprintf("%v: %v with a key of %d bytes and a value of %d: at most %d and %d can be sent", ErrLength, e.Op, e.Key, e.Value, MaxKey, MaxValue)
}

// Unwrap implements errors.Is for ErrLength.
func (e *SizeError) Unwrap() error { return ErrLength }

// CheckSize returns a *SizeError if a command with a key and a value of that many bytes cannot be sent. That of a compare-and-set
// has four bytes more than its two values.
func CheckSize(op Op, keyLen, valueLen int) error {
	if tooLong(keyLen, valueLen) {
		return &SizeError{op, keyLen, valueLen}
	}
	return nil
}

func tooLong(keyLen, valueLen int) bool { return uint(keyLen) > MaxKey || uint(valueLen) > MaxValue }

// unsendable is the header of a command that every decoder refuses: of no operation, and longer than any.
const unsendable = math.MaxUint32 << 32

// AppendCommand appends one command.
func AppendCommand(dst []byte, op Op, flags uint8, key, value []byte) []byte {
	dst = AppendCommandHeader(dst, op, flags, len(key), len(value))
	dst = append(dst, key...)
	return append(dst, value...)
}

// AppendCommandHeader appends the header of a command; the caller appends keyLen bytes of key and valueLen of value. If these are
// more than can be sent (see CheckSize) what it appends is refused by every decoder, whatever follows, and can be taken for nothing else.
func AppendCommandHeader(dst []byte, op Op, flags uint8, keyLen, valueLen int) []byte {
	header := uint64(op) | uint64(flags)<<8 | uint64(keyLen)<<16 | uint64(valueLen)<<32
	if tooLong(keyLen, valueLen) {
		header = unsendable
	}
	return binary.LittleEndian.AppendUint64(dst, header)
}

// AppendCompareAndSet appends a command that sets key to value if its present value is expected. Its value field is
// the length of expected (4 bytes), expected, value. With FlagExpectAbsent expected must be empty.
func AppendCompareAndSet(dst []byte, flags uint8, key, expected, value []byte) []byte {
	dst = AppendCommandHeader(dst, OpCompareAndSet, flags, len(key), 4+len(expected)+len(value))
	dst = append(dst, key...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(expected)))
	dst = append(dst, expected...)
	return append(dst, value...)
}

// SplitCompareAndSet returns the expected and the new value of a CompareAndSet that DecodeFragment has checked.
func SplitCompareAndSet(value []byte) (expected, update []byte) {
	n := 4 + binary.LittleEndian.Uint32(value)
	return value[4:n], value[n:]
}

// DecodeRun returns the run at the start of src as a view, and its encoded length. The header is checked against
// src; the commands are not (see DecodeFragment). src must not be empty.
func DecodeRun(src []byte) (Run, int, error) {
	if len(src) < RunHeaderSize {
		return Run{}, 0, fmt.Errorf("%w: run header in %d bytes", ErrLength, len(src))
	}
	count := binary.LittleEndian.Uint32(src[24:])
	size := binary.LittleEndian.Uint32(src[28:])
	if uint64(size) > uint64(len(src)-RunHeaderSize) {
		return Run{}, 0, fmt.Errorf("%w: run of %d bytes in %d", ErrLength, size, len(src)-RunHeaderSize)
	}
	if count == 0 || count > MaxRunCommands || uint64(count)*CommandHeaderSize > uint64(size) {
		return Run{}, 0, fmt.Errorf("%w: %d commands in %d bytes", ErrField, count, size)
	}
	n := RunHeaderSize + int(size)
	return Run{
		Session:  SessionID(binary.LittleEndian.Uint64(src)),
		First:    Seq(binary.LittleEndian.Uint64(src[8:])),
		Seen:     Seq(binary.LittleEndian.Uint64(src[16:])),
		Count:    int(count),
		Commands: src[RunHeaderSize:n:n],
	}, n, nil
}

// CommandLen returns the encoded length of the command at the start of src, which must hold a whole command header.
func CommandLen(src []byte) int {
	h := binary.LittleEndian.Uint64(src)
	return CommandHeaderSize + int(h>>16&0xffff) + int(h>>32)
}

// DecodeCommand returns the command at the start of src as a view, and its encoded length.
func DecodeCommand(src []byte) (Command, int, error) {
	if len(src) < CommandHeaderSize {
		return Command{}, 0, fmt.Errorf("%w: command header in %d bytes", ErrLength, len(src))
	}
	h := binary.LittleEndian.Uint64(src)
	keyEnd := CommandHeaderSize + int(h>>16&0xffff)
	end := keyEnd + int(h>>32)
	if end > len(src) {
		return Command{}, 0, fmt.Errorf("%w: command of %d bytes in %d", ErrLength, end, len(src))
	}
	return Command{
		Op:    Op(h),
		Flags: uint8(h >> 8),
		Key:   src[CommandHeaderSize:keyEnd:keyEnd],
		Value: src[keyEnd:end:end],
	}, end, nil
}

// FragmentInfo sums up a checked fragment.
type FragmentInfo struct {
	Runs          int
	Commands      int
	Registrations int // of the runs
}

// DecodeFragment checks a fragment or batch completely: every run, every command, every limit. After it, DecodeRun,
// DecodeCommand and SplitCompareAndSet cannot fail on these bytes, and any replica can apply them.
func DecodeFragment(src []byte) (FragmentInfo, error) {
	var info FragmentInfo
	if len(src) > MaxBatch {
		return info, fmt.Errorf("%w: fragment of %d bytes, limit %d", ErrLength, len(src), MaxBatch)
	}
	for len(src) > 0 {
		run, n, err := DecodeRun(src)
		if err != nil {
			return info, err
		}
		if err := checkRun(&run); err != nil {
			return info, err
		}
		src = src[n:]
		info.Runs++
		info.Commands += run.Count
		if run.Session == 0 {
			info.Registrations++
		}
	}
	return info, nil
}

// checkRun checks the run's numbers and walks its commands, which must fill it exactly.
func checkRun(run *Run) error {
	if run.First == 0 || run.Last() < run.First || run.Seen >= run.First {
		return fmt.Errorf("%w: sequence numbers %d..%d with %d seen", ErrField, run.First, run.Last(), run.Seen)
	}
	if run.Session == 0 && run.Count != 1 {
		return fmt.Errorf("%w: %d commands without a session", ErrField, run.Count)
	}
	rest := run.Commands
	for left := run.Count; left > 0; {
		if len(rest) < CommandHeaderSize {
			return fmt.Errorf("%w: run ends inside a command", ErrLength)
		}
		h := binary.LittleEndian.Uint64(rest)
		keyLen, valueLen := h>>16&0xffff, h>>32
		n := CommandHeaderSize + keyLen + valueLen
		if valueLen > MaxValue || n > uint64(len(rest)) {
			return fmt.Errorf("%w: command of %d bytes in %d", ErrLength, n, len(rest))
		}
		if !plain(h) || run.Session == 0 {
			if err := checkCommand(run.Session, rest[:n]); err != nil {
				return err
			}
			left, rest = left-1, rest[n:]
			continue
		}
		alike := countAlike(rest, left, h, int(n))
		left, rest = left-alike, rest[alike*int(n):]
	}
	if len(rest) != 0 {
		return fmt.Errorf("%w: %d bytes behind the last command of a run", ErrLength, len(rest))
	}
	return nil
}

// plain tells whether a command's form is right if its lengths are: it is one of the common operations.
func plain(header uint64) bool { op := Op(header); return op != 0 && op < OpCompareAndSet }

// countAlike returns how many of the first commands, at most limit, are plain and have the lengths of the first one, which has
// that header and n bytes. Where the next header is does not wait for this one then, and neither does the processor.
func countAlike(commands []byte, limit int, header uint64, n int) int {
	count, at := 1, n
	for ; count < limit && len(commands)-at >= n; count++ {
		h := binary.LittleEndian.Uint64(commands[at:])
		if h>>16 != header>>16 || !plain(h) {
			break
		}
		at += n
	}
	return count
}

// checkCommand checks the operations whose form depends on more than the header.
func checkCommand(session SessionID, src []byte) error {
	command, _, err := DecodeCommand(src)
	if err != nil {
		return err
	}
	if !command.Op.valid() || (command.Op == OpRegister) != (session == 0) {
		return fmt.Errorf("%w: operation %v in session %d", ErrField, command.Op, session)
	}
	if command.Op == OpRegister && len(command.Key) != 0 {
		return fmt.Errorf("%w: registration with a key", ErrField)
	}
	if command.Op == OpCompareAndSet {
		if len(command.Value) < 4 || uint64(binary.LittleEndian.Uint32(command.Value)) > uint64(len(command.Value)-4) {
			return fmt.Errorf("%w: compare-and-set value of %d bytes", ErrLength, len(command.Value))
		}
		if command.Flags&FlagExpectAbsent != 0 && binary.LittleEndian.Uint32(command.Value) != 0 {
			return fmt.Errorf("%w: compare-and-set expects both absence and a value", ErrField)
		}
	}
	return nil
}
