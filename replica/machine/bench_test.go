package machine

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"testing"

	"paxosbench/wire"
)

const benchRun = 256 // commands in a run

// benchLoad fills a state with keys records of 8-byte keys and values, and returns its next run, of op.
func benchLoad(b testing.TB, op wire.Op, keys int) (*State, wire.Run) {
	b.Helper()
	s := NewState(NewKV(HashKey{}), DefaultConfig())
	id := openSession(s)
	var key, value [8]byte
	at := &script{session: id}
	for i := range keys {
		binary.LittleEndian.PutUint64(key[:], uint64(i))
		at.add(wire.OpPut, key[:], value[:])
		if at.count == benchRun || i == keys-1 {
			at.apply(s)
		}
	}
	for range benchRun {
		at.add(op, key[:], value[:opValueLen(op)])
	}
	return s, at.take()
}

// pickKeys gives every command of a run from benchLoad a random key; it costs about two nanoseconds a command.
func pickKeys(run *wire.Run, keys int, state uint64) uint64 {
	size := len(run.Commands) / benchRun
	start := 0
	if run.Common == 0 {
		start = wire.CommandHeaderSize
	}
	for at := start; at < len(run.Commands); at += size {
		state = state*6364136223846793005 + 1442695040888963407
		key, _ := bits.Mul64(state, uint64(keys))
		binary.LittleEndian.PutUint64(run.Commands[at:], key)
	}
	return state
}

func opValueLen(op wire.Op) int {
	if op == wire.OpGet {
		return 0
	}
	return 8
}

// script builds runs of one session in order.
type script struct {
	session  wire.SessionID
	last     wire.Seq
	count    int
	commands []byte
}

func (p *script) add(op wire.Op, key, value []byte) {
	p.commands = wire.AppendCommand(p.commands, op, 0, key, value)
	p.count++
}

func (p *script) take() wire.Run {
	if p.count == 0 {
		return wire.Run{Session: p.session, First: p.last + 1, Seen: p.last}
	}
	run, _, err := wire.DecodeRun(wire.EndRunAlike(append(wire.BeginRun(nil), p.commands...), 0, p.session, p.last+1, p.last, p.count))
	if err != nil {
		panic(err)
	}
	p.last += wire.Seq(p.count)
	p.count, p.commands = 0, nil
	return run
}

func (p *script) apply(s *State) {
	run := p.take()
	s.ApplyRun(s.Applied()+1, &run, nil, false)
	s.EndBatch(s.Applied()+1, 0)
}

// registration returns a registration as it stands in the log.
func registration(stamp wire.Stamp) []byte {
	return wire.AppendCommand(nil, wire.OpRegister, 0, nil, wire.AppendStamp(nil, stamp))
}

// openSession opens a session whose tag is the number of sessions opened.
func openSession(s *State) wire.SessionID {
	stamp := wire.Stamp{Random: (s.Stats().Registered + 1) << 20}
	run := wire.Run{First: 1, Count: 1, Commands: registration(stamp)}
	out := s.ApplyRun(s.Applied()+1, &run, nil, true)
	s.EndBatch(s.Applied()+1, 0)
	reply, _, _ := wire.DecodeReplyRun(out)
	result, _, _ := wire.DecodeResult(reply.Results)
	return wire.SessionID(binary.LittleEndian.Uint64(result.Value))
}

func BenchmarkApplyRun(b *testing.B) {
	for _, op := range []wire.Op{wire.OpPut, wire.OpGet} {
		for _, keys := range []int{1_000, 100_000, 1_000_000, 10_000_000} {
			b.Run(fmt.Sprintf("op=%v/keys=%d", op, keys), func(b *testing.B) {
				if testing.Short() && keys > 1_000_000 {
					b.Skip("large")
				}
				s, run := benchLoad(b, op, keys)
				var out []byte
				random, slot := uint64(1), s.Applied()+1
				b.ReportAllocs()
				for b.Loop() {
					random = pickKeys(&run, keys, random)
					out = s.ApplyRun(slot, &run, out[:0], true)
					run.First, run.Seen = run.Last()+1, run.Last()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchRun), "ns/command")
			})
		}
	}
}

// BenchmarkApplyValues writes values of one size in place, or deletes and inserts them again, in a store of 64 MiB.
func BenchmarkApplyValues(b *testing.B) {
	for _, size := range []int{16, 100, 1000, 16 << 10} {
		for _, remove := range []bool{false, true} {
			b.Run(fmt.Sprintf("value=%d/delete=%v", size, remove), func(b *testing.B) {
				keys := 64 << 20 / (size + 32)
				s := NewState(NewKV(HashKey{}), DefaultConfig())
				at := &script{session: openSession(s)}
				var key [8]byte
				value := make([]byte, size)
				for i := range keys {
					binary.LittleEndian.PutUint64(key[:], uint64(i))
					at.add(wire.OpPut, key[:], value)
					if at.count == benchRun || i == keys-1 {
						at.apply(s)
					}
				}
				random, slot := uint64(1), s.Applied()+1
				var out []byte
				b.ReportAllocs()
				for b.Loop() {
					for range 64 {
						random = random*6364136223846793005 + 1442695040888963407
						n, _ := bits.Mul64(random, uint64(keys))
						binary.LittleEndian.PutUint64(key[:], n)
						if remove {
							at.add(wire.OpDelete, key[:], nil)
						}
						at.add(wire.OpPut, key[:], value)
					}
					commands := at.commands[:0]
					run := at.take()
					out = s.ApplyRun(slot, &run, out[:0], true)
					at.commands = commands
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*64), "ns/put")
			})
		}
	}
}

// BenchmarkApplySingle executes runs of one put, or of one get, of many sessions in turn.
func BenchmarkApplySingle(b *testing.B) {
	for _, op := range []wire.Op{wire.OpPut, wire.OpGet} {
		for _, sessions := range []int{100, 10_000} {
			b.Run(fmt.Sprintf("op=%v/sessions=%d", op, sessions), func(b *testing.B) {
				s := NewState(NewKV(HashKey{}), DefaultConfig())
				runs := make([]wire.Run, sessions)
				for i := range runs {
					at := &script{session: openSession(s)}
					key := binary.LittleEndian.AppendUint64(nil, uint64(i))
					at.add(op, key, key[:opValueLen(op)])
					runs[i] = at.take()
				}
				slot := s.Applied() + 1
				var out []byte
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					run := &runs[i%sessions]
					out = s.ApplyRun(slot, run, out[:0], true)
					run.First, run.Seen = run.Last()+1, run.Last()
				}
			})
		}
	}
}

// BenchmarkSnapshot takes the snapshot of a million records between runs that change some of them.
func BenchmarkSnapshot(b *testing.B) {
	const keys, piece = 1_000_000, 256 << 10
	s, run := benchLoad(b, wire.OpPut, keys)
	var dst []byte
	random := uint64(1)
	b.ReportAllocs()
	for b.Loop() {
		p := s.BeginSnapshot()
		for done := false; !done; {
			dst, done, _ = p.Next(dst[:0], piece)
			random = pickKeys(&run, keys, random)
			s.ApplyRun(s.Applied()+1, &run, nil, false)
			s.EndBatch(s.Applied()+1, 0)
			run.First, run.Seen = run.Last()+1, run.Last()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*keys), "ns/record")
}

func sessionValue(id wire.SessionID) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(id)) }
