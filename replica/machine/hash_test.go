package machine

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"paxosbench/wire"
)

// ownKey and otherKey are the hash keys of two processes.
var ownKey, otherKey = HashKey{A: 1, B: 2}, HashKey{A: 3, B: 4}

// colliding are sets of keys that somebody who knows a hash key can choose: all of one set go into one bucket.
func colliding(key HashKey) map[string]func(i uint64) []byte {
	h := newHasher(key)
	words := func(w ...uint64) (b []byte) {
		for _, v := range w {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		return b
	}
	return map[string]func(i uint64) []byte{
		"small": func(i uint64) []byte { return words(h.key(i<<24, smallSize)) },
		"two words": func(i uint64) []byte {
			state := mix(h.seed^16^i, h.word)
			return words(i, state^7) // the second word cancels the state
		},
		"three words": func(i uint64) []byte {
			state := mix(h.seed^24^i, h.word)
			return words(i, state^7, 9)
		},
	}
}

// longestChain returns how many buckets the longest chain has.
func (k *KV) longestChain() (longest int) {
	for i := range k.index.table.count {
		n := 0
		for b := k.index.table.at(i); b != nil; b = k.index.following(b) {
			n++
		}
		longest = max(longest, n)
	}
	return longest
}

// TestKeysThatCollideAreHarmlessToOthers: keys that go into one bucket of a process whose hash key is known are spread in any
// other's.
func TestKeysThatCollideAreHarmlessToOthers(t *testing.T) {
	const count = 20000
	for name, choose := range colliding(ownKey) {
		chain := func(key HashKey, n uint64) int {
			k := NewKV(key)
			for i := range n {
				k.Apply(wire.OpPut, 0, choose(i), []byte("a value that is not small"))
			}
			return k.longestChain()
		}
		if n := chain(ownKey, 700); n < 50 {
			t.Errorf("%s: chosen keys make a chain of %d buckets, and collide for nobody", name, n)
		}
		if n := chain(otherKey, count); n > 5 {
			t.Errorf("%s: a chain of %d buckets under another key", name, n)
		}
	}
}

// TestRegularKeysAreSpread: neither counters nor keys that differ in a few bits, wherever, make long chains, under any hash key.
func TestRegularKeysAreSpread(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for shift := 0; shift <= 48; shift += 4 {
		for _, length := range []int{smallSize, 16, 24} {
			key := HashKey{rng.Uint64(), rng.Uint64()}
			k := NewKV(key)
			for i := range uint64(1 << 14) {
				b := make([]byte, length)
				binary.LittleEndian.PutUint64(b[length-8:], i<<shift)
				k.Apply(wire.OpPut, 0, b, b)
			}
			if n := k.longestChain(); n > 6 {
				t.Errorf("keys of %d bytes that count from bit %d: a chain of %d buckets under %x", length, shift, n, key)
			}
		}
	}
}

// contents returns what a snapshot holds, in an order that its state has nothing to do with.
func contents(t *testing.T, s *State) []string {
	var items []string
	for rest := takeAll(s.BeginSnapshot(), nil, 1<<16); len(rest) > 0; {
		item, n, err := wire.DecodeCommand(rest)
		if err != nil {
			t.Fatal(err)
		}
		if item.Op != itemEnd { // whose checksum is of the order as well
			items = append(items, fmt.Sprintf("%x %x %x", item.Op, item.Key, item.Value))
		}
		rest = rest[n:]
	}
	slices.Sort(items)
	return items
}

// TestHashKeyIsNotSeenOutside: states with different hash keys that apply the same have the same digest after every batch and
// the same contents in their snapshots, and each can be restored under the key of the other.
func TestHashKeyIsNotSeenOutside(t *testing.T) {
	a, b := NewState(NewKV(ownKey), Config{MaxSessions: 50}), NewState(NewKV(otherKey), Config{MaxSessions: 50})
	rng := rand.New(rand.NewPCG(7, 8))
	ids := make([]wire.SessionID, 60)
	ops := []wire.Op{wire.OpPut, wire.OpPut, wire.OpPut, wire.OpGet, wire.OpDelete}
	for step := range 400 {
		for i := range ids {
			if step%100 == 0 {
				ids[i] = openSession(a)
				if other := openSession(b); other != ids[i] {
					t.Fatalf("sessions %x and %x", ids[i], other)
				}
			}
		}
		at := &script{session: ids[59-step%40], last: wire.Seq(step/40) * 40}
		for range 40 {
			key, value := make([]byte, rng.IntN(20)), make([]byte, rng.IntN(300)*rng.IntN(2))
			binary.LittleEndian.PutUint16(append(key, 0, 0)[:2], uint16(rng.IntN(3000)))
			op := ops[rng.IntN(len(ops))]
			if op != wire.OpPut {
				value = nil
			}
			at.add(op, key, value)
		}
		run := at.take()
		outs := [2]string{}
		for i, s := range []*State{a, b} {
			outs[i] = string(s.ApplyRun(s.Applied()+1, &run, nil, true))
			s.EndBatch(s.Applied()+1, 0)
		}
		if outs[0] != outs[1] || a.Digest() != b.Digest() {
			t.Fatalf("step %d: the answers or the states differ", step)
		}
	}
	if a.Stats().Executed == 0 || !slices.Equal(contents(t, a), contents(t, b)) {
		t.Fatal("the snapshots differ")
	}
	r := NewRestorer(NewKV(otherKey), a.config)
	if err := r.Write(takeAll(a.BeginSnapshot(), nil, 100)); err != nil {
		t.Fatal(err)
	}
	restored, err := r.Finish()
	if err != nil || restored.Digest() != b.Digest() || !slices.Equal(contents(t, restored), contents(t, b)) {
		t.Fatalf("a snapshot of one key restored under another: %v", err)
	}
}
