package snapshot

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"paxosbench/replica/machine"
	"paxosbench/wire"
)

var testID = Identity{Cluster: 7, Settings: 0xfeed}

// makeState returns a state after the given slot. Every slot puts one record of valueBytes random bytes.
func makeState(slot wire.Slot, valueBytes int) *machine.State {
	return fillState(machine.NewKV(machine.HashKey{}), slot, valueBytes)
}

func fillState(m machine.StateMachine, slot wire.Slot, valueBytes int) *machine.State {
	s := machine.NewState(m, machine.DefaultConfig())
	rng := rand.New(rand.NewPCG(uint64(slot), uint64(valueBytes)))
	register := wire.AppendCommand(nil, wire.OpRegister, 0, nil, wire.AppendStamp(nil, wire.Stamp{Random: 1 << 20}))
	s.ApplyRun(1, &wire.Run{First: 1, Count: 1, Commands: register}, nil, false)
	s.EndBatch(1, 1)
	value := make([]byte, valueBytes)
	for at := wire.Slot(2); at <= slot; at++ {
		for i := range value {
			value[i] = byte(rng.Uint32())
		}
		key := binary.LittleEndian.AppendUint64(nil, uint64(at))
		put := wire.AppendCommand(nil, wire.OpPut, 0, key, value)
		run := wire.Run{Session: wire.MakeSessionID(1, 0), First: wire.Seq(at - 1), Seen: wire.Seq(at - 2), Count: 1, Commands: put}
		s.ApplyRun(at, &run, nil, false)
		s.EndBatch(at, uint32(at))
	}
	return s
}

// stream returns the pieces of a state's snapshot.
func stream(s *machine.State, pieceBytes int) (pieces [][]byte) {
	p := s.BeginSnapshot()
	for done := false; !done; {
		var piece []byte
		piece, done, _ = p.Next(nil, pieceBytes)
		pieces = append(pieces, piece)
	}
	return pieces
}

// encode returns a state in its stored form.
func encode(s *machine.State, pieceBytes int) []byte {
	var e Encoder
	stored := e.Begin(nil, s.Applied(), testID)
	for _, piece := range stream(s, pieceBytes) {
		stored = e.Append(stored, piece)
	}
	return e.End(stored)
}

func newRestorer() *machine.Restorer {
	return machine.NewRestorer(machine.NewKV(machine.HashKey{}), machine.DefaultConfig())
}

// decode returns the state that stored bytes stand for.
func decode(stored []byte) (*machine.State, error) {
	return decodeInto(machine.NewKV(machine.HashKey{}), stored)
}

func decodeInto(m machine.StateMachine, stored []byte) (*machine.State, error) {
	d := NewDecoder(testID, machine.NewRestorer(m, machine.DefaultConfig()))
	if err := d.Write(stored); err != nil {
		return nil, err
	}
	return d.Finish()
}

// requireEqual fails the test unless the states are equal.
func requireEqual(t testing.TB, got, want *machine.State) {
	t.Helper()
	if got == nil {
		t.Fatalf("no state, want the one after slot %d", want.Applied())
	}
	if got.Applied() != want.Applied() || got.Digest() != want.Digest() ||
		got.Sessions() != want.Sessions() || got.Stats() != want.Stats() {
		t.Fatalf("state after slot %d with digest %x, want slot %d with %x", got.Applied(), got.Digest(), want.Applied(), want.Digest())
	}
}
