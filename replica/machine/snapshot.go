package machine

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"paxosbench/wire"
)

// Snapshot format. The stream is items (see items.go): one header, a session item for each open session in any order,
// the machine's records in any order, one end. It can be cut anywhere for transport.
//
// Header item; the key holds the magic, the value:
//
//	offset size
//	0      8    applied slot
//	8      8    hash chain
//	16     8    clock of the session table
//	24     4    open sessions
//	28     1    kind of state machine
//	29     3    zero
//	32     8    digest of the sessions
//	40     8    digest of the machine's records
//	48     8    term of the marks of idleness
//	56     16   the recent mark: nanoseconds, clock
//	72     16   the one before
//	88     104  the fields of Stats in their order
//
// End item; the value:
//
//	offset size
//	0      4    CRC-32C of everything before the end item
const (
	snapshotMagic   = "paxsnap\x03" // the last byte is the version
	statsOffset     = 88
	headerValueSize = statsOffset + 8*statsFields
	endValueSize    = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Snapshot yields the state as it was at one slot, while the state goes on.
type Snapshot struct {
	state *State
	slot  wire.Slot
	part  snapshotPart
	crc   uint32 // of what Next has yielded
	head  []byte // the header item
}

// snapshotPart is what Next yields at the moment.
type snapshotPart uint8

const (
	partHeader snapshotPart = iota
	partSessions
	partMachine
	partEnd
	partNothing
)

// BeginSnapshot fixes the present state. The caller calls Next, between runs as it likes, until it is done, or Cancel.
// Until then, what a run is about to change and has not been yielded yet is copied first. Beginning a second snapshot
// before the end of the first, or any in the middle of a batch, is a bug.
func (s *State) BeginSnapshot() *Snapshot {
	switch {
	case s.snapshot != nil:
		panic(fmt.Sprintf("BUG: snapshot of slot %d begun during that of slot %d", s.applied, s.snapshot.slot))
	case s.inBatch:
		panic(fmt.Sprintf("BUG: snapshot begun in the middle of the batch of slot %d", s.applied+1))
	}
	s.snapshot = &Snapshot{state: s, slot: s.applied, head: s.appendHeader(nil)}
	s.sessions.freeze()
	s.machine.Freeze()
	return s.snapshot
}

// Slot returns the slot of the newest batch in the snapshot.
func (p *Snapshot) Slot() wire.Slot { return p.slot }

// Next appends the next piece of the snapshot to dst, and reports whether it was the last one. A piece has about
// maxBytes bytes: at most MaxItem more, and fewer, even none, where there was much to pass over, so that a call takes
// a time that depends on maxBytes only. An error is a *MemoryError: what has been yielded is not what was held, nor is what
// the state holds now to be relied on; the snapshot has been cancelled.
func (p *Snapshot) Next(dst []byte, maxBytes int) (out []byte, done bool, err error) {
	start := len(dst)
	limit := start + max(maxBytes, 1)
	switch p.part {
	case partHeader:
		dst, done = append(dst, p.head...), true
	case partSessions:
		dst, done, err = p.state.sessions.scan(dst, limit)
	case partMachine:
		dst, done, err = p.state.machine.Scan(dst, limit-start)
	case partEnd:
		dst, done = p.appendEnd(dst), true
	case partNothing:
		panic(fmt.Sprintf("BUG: snapshot of slot %d continued behind its end", p.slot))
	}
	if err != nil {
		p.Cancel()
		return dst, false, err
	}
	if p.part < partEnd {
		p.crc = crc32.Update(p.crc, castagnoli, dst[start:])
	}
	if done {
		p.part++
	}
	if p.part == partNothing {
		p.release()
		return dst, true, nil
	}
	return dst, false, nil
}

// Cancel ends the snapshot early. After the end it does nothing.
func (p *Snapshot) Cancel() {
	if p.part != partNothing {
		p.part = partNothing
		p.release()
	}
}

func (p *Snapshot) release() {
	p.state.sessions.thaw()
	p.state.machine.Thaw()
	p.state.snapshot = nil
}

func (s *State) appendHeader(dst []byte) []byte {
	dst = wire.AppendCommandHeader(dst, itemHeader, 0, len(snapshotMagic), headerValueSize)
	dst = append(dst, snapshotMagic...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.applied))
	dst = binary.LittleEndian.AppendUint64(dst, s.chain)
	dst = binary.LittleEndian.AppendUint64(dst, s.sessions.clock)
	dst = binary.LittleEndian.AppendUint32(dst, s.sessions.count)
	dst = append(dst, byte(s.machine.Kind()), 0, 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, s.sessions.held)
	dst = binary.LittleEndian.AppendUint64(dst, s.machine.Digest())
	idle := &s.sessions.idle
	dst = binary.LittleEndian.AppendUint64(dst, idle.term)
	for _, m := range []mark{idle.recent, idle.before} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(m.at))
		dst = binary.LittleEndian.AppendUint64(dst, m.clock)
	}
	for _, field := range s.stats.fields() {
		dst = binary.LittleEndian.AppendUint64(dst, *field)
	}
	return dst
}

func (p *Snapshot) appendEnd(dst []byte) []byte {
	dst = wire.AppendCommandHeader(dst, itemEnd, 0, 0, endValueSize)
	return binary.LittleEndian.AppendUint32(dst, p.crc)
}
