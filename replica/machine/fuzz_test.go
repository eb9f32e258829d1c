package machine

import (
	"errors"
	"hash/crc32"
	"slices"
	"testing"

	"paxosbench/wire"
)

// FuzzRestore gives the restorer arbitrary items, with a correct checksum at the end, so that it must rely on itself.
// What it accepts must be a state that can be used and that survives another snapshot.
func FuzzRestore(f *testing.F) {
	_, good := sampleState(5)
	_, empty := sampleState(0)
	f.Add(good, uint16(7))
	f.Add(empty, uint16(1000))
	f.Add(good[:len(good)/2], uint16(1))
	f.Add([]byte{}, uint16(0))
	config := Config{MaxSessions: 3}
	f.Fuzz(func(t *testing.T, snapshot []byte, piece uint16) {
		s, err := restoreUnverified(resealed(snapshot), int(piece), config)
		if err != nil {
			if !errors.Is(err, ErrSnapshot) {
				t.Fatalf("error %v does not say what it is about", err)
			}
			return
		}
		again, err := restoreAll(takeAll(s.BeginSnapshot(), nil, 1000), 1<<20, KindKV, config)
		if err != nil {
			t.Fatalf("snapshot of a restored state: %v", err)
		}
		for range 4 {
			if a, b := openSession(s), openSession(again); a != b {
				t.Fatalf("sessions %x and %x", a, b)
			}
		}
		if s.Digest() != again.Digest() {
			t.Fatal("a state and its restored snapshot differ")
		}
	})
}

// restoreUnverified restores a snapshot as if its header had announced the digests of what it holds.
func restoreUnverified(snapshot []byte, piece int, config Config) (*State, error) {
	r := NewRestorer(NewKV(HashKey{}), config)
	for chunk := range slices.Chunk(snapshot, max(piece, 1)) {
		if err := r.Write(chunk); err != nil {
			return nil, err
		}
	}
	r.promised.machineDigest = r.state.machine.Digest()
	for i := range r.sessions {
		s := &r.sessions[i]
		if i == 0 {
			r.promised.sessionsDigest = 0
		}
		r.promised.sessionsDigest += s.wholeDigest(s.id(s.place), s.owner)
	}
	return r.Finish()
}

// resealed cuts the snapshot at its last whole item and puts an end with the right checksum there.
func resealed(snapshot []byte) []byte {
	size := 0
	for {
		item, n, err := wire.DecodeCommand(snapshot[size:])
		if err != nil || item.Op == itemEnd {
			break
		}
		size += n
	}
	p := Snapshot{crc: crc32.Checksum(snapshot[:size], castagnoli)}
	return p.appendEnd(snapshot[:size:size])
}
