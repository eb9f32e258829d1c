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
//	24     4    number of commands, at least 1; the highest bit: they are alike
//	28     4    bytes of commands
//
// Commands that are alike have one header in common, which comes first; behind it is the key and value of each. They are puts, gets
// or deletes of a session, of at least as many bytes as a header, so that a run of them has no more commands than others of its size.
const RunHeaderSize = 32

// alike is the bit of a run's number of commands which says that they have one header in common.
const alike = 1 << 31

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
	// Common is the header of every command if they are alike, and 0 if each begins with its own.
	Common uint64
	// Commands holds Count encoded commands; a view into the decoded bytes. Those of a run that has Common are without a header.
	Commands []byte
}

// Last returns the sequence number of the run's last command.
func (r *Run) Last() Seq { return r.First + Seq(r.Count) - 1 }

// Len returns the encoded length of the run.
func (r *Run) Len() int { return r.HeaderLen() + len(r.Commands) }

// HeaderLen returns the bytes of an encoded run that come before Commands.
func (r *Run) HeaderLen() int {
	if r.Common != 0 {
		return RunHeaderSize + CommandHeaderSize
	}
	return RunHeaderSize
}

// AppendHeader appends what comes before Commands, for a run of count commands in size bytes, as these are in Commands.
func (r *Run) AppendHeader(dst []byte, count, size int) []byte {
	if r.Common == 0 {
		return AppendRunHeader(dst, r.Session, r.First, r.Seen, count, size)
	}
	dst = AppendRunHeader(dst, r.Session, r.First, r.Seen, count|alike, CommandHeaderSize+size)
	return binary.LittleEndian.AppendUint64(dst, r.Common)
}

// CommandLen returns how many bytes of Commands the command that begins at the given place takes.
func (r *Run) CommandLen(at int) int {
	if r.Common != 0 {
		return bodyLen(r.Common)
	}
	return CommandLen(r.Commands[at:])
}

// CommandAt returns the command that begins at the given place of Commands as a view, and the place behind it. The run must be
// one that DecodeFragment has accepted.
func (r *Run) CommandAt(at int) (Command, int) {
	h := r.Common
	if h == 0 {
		h = binary.LittleEndian.Uint64(r.Commands[at:])
		at += CommandHeaderSize
	}
	keyEnd, end := at+int(h>>16&0xffff), at+bodyLen(h)
	return Command{Op: Op(h), Flags: uint8(h >> 8), Key: r.Commands[at:keyEnd:keyEnd], Value: r.Commands[keyEnd:end:end]}, end
}

// bodyLen returns the bytes of key and value of a command with that header.
func bodyLen(header uint64) int { return int(header>>16&0xffff) + int(header>>32) }

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

// BeginRun appends room for a run header and returns dst. The caller appends commands, each with its header, and then calls EndRun
// or EndRunAlike with the length that dst had before BeginRun.
func BeginRun(dst []byte) []byte { return append(dst, make([]byte, RunHeaderSize)...) }

// EndRun writes the header of a run of count commands that began at dst[start:].
func EndRun(dst []byte, start int, session SessionID, first, seen Seq, count int) []byte {
	AppendRunHeader(dst[start:start], session, first, seen, count, len(dst)-start-RunHeaderSize)
	return dst
}

// EndRunAlike is EndRun, and leaves out the headers of commands that are alike, where that is worth it.
func EndRunAlike(dst []byte, start int, session SessionID, first, seen Seq, count int) []byte {
	commands := dst[start+RunHeaderSize:]
	header, ok := commonHeader(commands, count)
	if !ok {
		return EndRun(dst, start, session, first, seen, count)
	}
	end, size := CommandHeaderSize, bodyLen(header)
	for at := CommandHeaderSize; at < len(commands); at += CommandHeaderSize + size {
		end += copy(commands[end:], commands[at:at+size])
	}
	AppendRunHeader(dst[start:start], session, first, seen, count|alike, end)
	return dst[:start+RunHeaderSize+end]
}

// MaxAlike is the longest key and value together of commands that EndRunAlike moves: what it takes to move longer ones is more than
// the header's bytes are worth.
const MaxAlike = 256

// commonHeader returns the header that all commands have, if they are such as may have it in common, and are worth it.
func commonHeader(commands []byte, count int) (header uint64, ok bool) {
	if count < 2 || len(commands) < CommandHeaderSize {
		return 0, false
	}
	header = binary.LittleEndian.Uint64(commands)
	size := CommandHeaderSize + bodyLen(header)
	if !mayBeCommon(header) || size > CommandHeaderSize+MaxAlike || len(commands) != count*size {
		return 0, false
	}
	for at := size; at < len(commands); at += size {
		if binary.LittleEndian.Uint64(commands[at:]) != header {
			return 0, false
		}
	}
	return header, true
}

// mayBeCommon tells whether commands may have that header in common.
func mayBeCommon(header uint64) bool {
	return plain(header) && header>>32 <= MaxValue && bodyLen(header) >= CommandHeaderSize
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
// src, and that of commands which are alike; others are not (see DecodeFragment). src must not be empty.
func DecodeRun(src []byte) (Run, int, error) {
	if len(src) < RunHeaderSize {
		return Run{}, 0, fmt.Errorf("%w: run header in %d bytes", ErrLength, len(src))
	}
	field := binary.LittleEndian.Uint32(src[24:])
	count := field &^ alike
	size := binary.LittleEndian.Uint32(src[28:])
	if uint64(size) > uint64(len(src)-RunHeaderSize) {
		return Run{}, 0, fmt.Errorf("%w: run of %d bytes in %d", ErrLength, size, len(src)-RunHeaderSize)
	}
	if count == 0 || count > MaxRunCommands || uint64(count)*CommandHeaderSize > uint64(size) {
		return Run{}, 0, fmt.Errorf("%w: %d commands in %d bytes", ErrField, count, size)
	}
	n := RunHeaderSize + int(size)
	run := Run{
		Session:  SessionID(binary.LittleEndian.Uint64(src)),
		First:    Seq(binary.LittleEndian.Uint64(src[8:])),
		Seen:     Seq(binary.LittleEndian.Uint64(src[16:])),
		Count:    int(count),
		Commands: src[RunHeaderSize:n:n],
	}
	if field&alike != 0 {
		run.Common, run.Commands = binary.LittleEndian.Uint64(run.Commands), run.Commands[CommandHeaderSize:]
		if run.Session == 0 || !mayBeCommon(run.Common) || len(run.Commands) != run.Count*bodyLen(run.Common) {
			return Run{}, 0, fmt.Errorf("%w: %d commands alike, of operation %v with %d bytes each, in %d bytes of session %d",
				ErrField, count, Op(run.Common), bodyLen(run.Common), len(run.Commands), run.Session)
		}
	}
	return run, n, nil
}

// CommandLen returns the encoded length of the command at the start of src, which must hold a whole command header.
func CommandLen(src []byte) int {
	return CommandHeaderSize + bodyLen(binary.LittleEndian.Uint64(src))
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
	if run.Common != 0 {
		return nil
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
