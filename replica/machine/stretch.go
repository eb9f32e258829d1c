package machine

import (
	"encoding/binary"

	"paxosbench/wire"
)

// stretch is a part of a run.
type stretch struct {
	session  wire.SessionID
	first    wire.Seq
	count    int
	commands []byte
}

// upTo returns how many commands of the stretch have sequence numbers up to seq.
func (p *stretch) upTo(seq wire.Seq) int {
	if seq < p.first {
		return 0
	}
	return int(min(uint64(seq-p.first)+1, uint64(p.count)))
}

func (p *stretch) last() wire.Seq { return p.first + wire.Seq(p.count) - 1 }

// take takes the first n commands off the stretch, which take size bytes.
func (p *stretch) take(n, size int) stretch {
	head := stretch{session: p.session, first: p.first, count: n, commands: p.commands[:size]}
	p.first += wire.Seq(n)
	p.count -= n
	p.commands = p.commands[size:]
	return head
}

// all takes everything off the stretch.
func (p *stretch) all() stretch { return p.take(p.count, len(p.commands)) }

// cut takes the first n commands off the stretch.
func (p *stretch) cut(n int) stretch {
	if n == p.count {
		return p.all()
	}
	size := 0
	for range n {
		size += wire.CommandLen(p.commands[size:])
	}
	return p.take(n, size)
}

// commandAt returns the parts of the command at the given place, and the place behind it. It is wire.DecodeCommand for
// bytes that are known to be good, small enough to become part of the loop around it; the parts come one by one because
// the compiler keeps them in registers only then.
func commandAt(commands []byte, at int) (op wire.Op, flags uint8, key, value []byte, end int) {
	src := commands[at:]
	h := binary.LittleEndian.Uint64(src)
	keyLen, valueLen := headerLengths(h)
	keyEnd := wire.CommandHeaderSize + keyLen
	size := keyEnd + valueLen
	return wire.Op(h), uint8(h >> 8), src[wire.CommandHeaderSize:keyEnd], src[keyEnd:size], at + size
}

// headerLengths returns the lengths in the header of a command.
func headerLengths(header uint64) (keyLen, valueLen int) {
	return int(header >> 16 & 0xffff), int(header >> 32)
}
