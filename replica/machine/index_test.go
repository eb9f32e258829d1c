package machine

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// entriesOf returns the refs in the chain of a hash that carry its hash bits, with their places.
func (x *index) entriesOf(hash uint64) map[ref]*entry {
	found := map[ref]*entry{}
	for b := x.home(hash); b != nil; b = x.following(b) {
		for i, e := range b.entries {
			if e != 0 && e&entryHash == hashPart(hash) {
				found[e.ref()] = &b.entries[i]
			}
		}
	}
	return found
}

// checkIndex compares the index with the hashes of the refs that it should hold, and checks the form of every chain.
func checkIndex(t *testing.T, x *index, want map[ref]uint64) {
	t.Helper()
	if x.len != len(want) {
		t.Fatalf("%d entries, want %d", x.len, len(want))
	}
	total := 0
	for i := range x.table.count {
		gap := false
		for b := x.table.at(i); b != nil; b = x.following(b) {
			if b != x.table.at(i) && b.entries[0] == 0 {
				t.Fatalf("chain %d has an empty overflow bucket", i)
			}
			for _, e := range b.entries {
				switch {
				case e == 0:
					gap = true
				case gap:
					t.Fatalf("chain %d has a hole", i)
				default:
					total++
					if hash, ok := want[e.ref()]; !ok || x.home(hash) != x.table.at(i) || hashPart(hash) != e&entryHash {
						t.Fatalf("ref %d of hash %x is in chain %d", e.ref(), hash, i)
					}
				}
			}
		}
	}
	if total != len(want) {
		t.Fatalf("%d entries in chains, want %d", total, len(want))
	}
}

func TestIndexAgainstMap(t *testing.T) {
	for name, mask := range map[string]uint64{
		"spread":        ^uint64(0),
		"few buckets":   0xffffff00_00000007, // long chains
		"all the same":  0,
		"few hash bits": 0xffff,
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, mask))
			x, want, live := newIndex(), map[ref]uint64{}, []ref(nil)
			next := ref(1)
			steps := 30000
			if mask == 0 || mask>>40 != 0 && mask&0xff00 == 0 {
				steps = 1500 // every step walks a chain of hundreds of buckets
			}
			for step := range steps {
				if len(live) == 0 || rng.IntN(5) > 0 && step < steps*2/3 || rng.IntN(5) == 0 {
					hash := rng.Uint64() & mask
					x.insert(hash, next)
					want[next], live = hash, append(live, next)
					next++
				} else {
					i := rng.IntN(len(live))
					r := live[i]
					place := x.entriesOf(want[r])[r]
					if place == nil {
						t.Fatalf("ref %d is not in its chain", r)
					}
					x.remove(x.home(want[r]), place)
					delete(want, r)
					live[i] = live[len(live)-1]
					live = live[:len(live)-1]
				}
				if step%1000 == 0 {
					checkIndex(t, &x, want)
				}
			}
			checkIndex(t, &x, want)
		})
	}
}

// TestIndexOverflowIsRare checks the hash on the kinds of keys that workloads use: it must be about as good as chance.
func TestIndexOverflowIsRare(t *testing.T) {
	const count = 90000
	for name, key := range map[string]func(i uint64) []byte{
		"little-endian": func(i uint64) []byte { return binary.LittleEndian.AppendUint64(nil, i) },
		"big-endian":    func(i uint64) []byte { return binary.BigEndian.AppendUint64(nil, i) },
		"strided":       func(i uint64) []byte { return binary.LittleEndian.AppendUint64(nil, i<<20) },
		"four bytes":    func(i uint64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) },
		"decimal":       func(i uint64) []byte { return binary.BigEndian.AppendUint64([]byte("user/0000"), i*7) },
		"prefixed":      func(i uint64) []byte { return binary.LittleEndian.AppendUint64(make([]byte, 16), i) },
	} {
		x := newIndex()
		for i := range uint64(count) {
			x.insert(hashKey(key(i)), ref(i+1))
		}
		overflowing := 0
		for i := range x.table.count {
			for b := x.following(x.table.at(i)); b != nil; b = x.following(b) {
				for _, e := range b.entries {
					if e != 0 {
						overflowing++
					}
				}
			}
		}
		if overflowing*25 > count {
			t.Errorf("%s: %d of %d entries are in overflow buckets", name, overflowing, count)
		}
	}
}

func TestHashKeyIsHashBytes(t *testing.T) {
	key := []byte("abcdefghijklmnopqrstuvwxyz")
	seen := map[uint64]int{}
	for n := range len(key) {
		h := hashKey(key[:n])
		if h != hashBytes(key[:n]) {
			t.Fatalf("length %d: %x and %x", n, h, hashBytes(key[:n]))
		}
		if m, ok := seen[h]; ok {
			t.Fatalf("lengths %d and %d have the same hash", m, n)
		}
		seen[h] = n
	}
}
