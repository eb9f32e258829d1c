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
	common   uint64 // as in wire.Run
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
	head := stretch{session: p.session, first: p.first, count: n, common: p.common, commands: p.commands[:size]}
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
	at := 0
	for range n {
		_, _, _, _, at = p.commandAt(at)
	}
	return p.take(n, at)
}

// op returns the operation of the command at the given place.
func (p *stretch) op(at int) wire.Op {
	if p.common != 0 {
		return wire.Op(p.common)
	}
	return wire.Op(p.commands[at])
}

// commandAt returns the parts of the command at the given place, and the place behind it. It is wire.Run.CommandAt, small enough
// to become part of the loop around it; the parts come one by one because the compiler keeps them in registers only then.
func (p *stretch) commandAt(at int) (op wire.Op, flags uint8, key, value []byte, end int) {
	h := p.common
	if h == 0 {
		h = binary.LittleEndian.Uint64(p.commands[at:])
		at += wire.CommandHeaderSize
	}
	keyLen, valueLen := headerLengths(h)
	keyEnd := at + keyLen
	end = keyEnd + valueLen
	return wire.Op(h), uint8(h >> 8), p.commands[at:keyEnd], p.commands[keyEnd:end], end
}

// headerLengths returns the lengths in the header of a command.
func headerLengths(header uint64) (keyLen, valueLen int) {
	return int(header >> 16 & 0xffff), int(header >> 32)
}
