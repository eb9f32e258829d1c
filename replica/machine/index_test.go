package machine

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// testEntry returns what the index holds for a record of a test: every other one is small, with its number as value.
func testEntry(hash uint64, r ref) (entry, uint64) {
	if r%2 == 0 {
		return smallEntry(hash, smallSize, smallSize), uint64(r)
	}
	return refEntry(hash, r), 0
}

// testRef is the inverse of testEntry.
func testRef(p place) ref {
	if p.entry().small() {
		return ref(*p.value())
	}
	return p.entry().ref()
}

// placeOf returns the place of a test's record in its chain.
func (x *index) placeOf(hash uint64, r ref) place {
	for b := x.home(hash); b != nil; b = x.following(b) {
		for p := range b.entries() {
			if testRef(p) == r {
				return p
			}
		}
	}
	return place{}
}

// checkIndex compares the index with the hashes of the records that it should hold, and checks the form of every chain.
func checkIndex(t *testing.T, x *index, want map[ref]uint64) {
	t.Helper()
	if x.len != len(want) {
		t.Fatalf("%d entries, want %d", x.len, len(want))
	}
	total, load := 0, uint64(0)
	for i := range x.table.count {
		for b := x.table.at(i); b != nil; b = x.following(b) {
			if b != x.table.at(i) && b.empty() {
				t.Fatalf("chain %d has an empty overflow bucket", i)
			}
			for p, e := range b.entries() {
				total++
				load += e.weight()
				hash, ok := want[testRef(p)]
				if !ok || x.home(hash) != x.table.at(i) || hashPart(hash) != e&entryHash {
					t.Fatalf("record %d of hash %x is in chain %d", testRef(p), hash, i)
				}
				if e.small() && e.hash(i) != hash {
					t.Fatalf("record %d has hash %x, want %x", testRef(p), e.hash(i), hash)
				}
			}
		}
	}
	if total != len(want) || load != x.load {
		t.Fatalf("%d entries of weight %d in chains, want %d of weight %d", total, load, len(want), x.load)
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
					e, value := testEntry(hash, next)
					x.insert(hash, e, value)
					x.grow()
					want[next], live = hash, append(live, next)
					next++
				} else {
					i := rng.IntN(len(live))
					r := live[i]
					p := x.placeOf(want[r], r)
					if !p.found() {
						t.Fatalf("record %d is not in its chain", r)
					}
					x.remove(x.home(want[r]), p)
					x.shrink()
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
		arena := func(hash uint64) entry { return refEntry(hash, 1) }
		if n := overflowing(count, key, arena); n*25 > count {
			t.Errorf("%s: %d of %d records of the arena are in overflow buckets", name, n, count)
		}
		small := func(hash uint64) entry { return smallEntry(hash, smallSize, smallSize) }
		if n := overflowing(count, key, small); n*12 > count {
			t.Errorf("%s: %d of %d small records are in overflow buckets", name, n, count)
		}
	}
}

// overflowing returns how many of count entries for the given keys are in overflow buckets.
func overflowing(count uint64, key func(i uint64) []byte, entryFor func(hash uint64) entry) int {
	x, h := newIndex(), newHasher(HashKey{})
	for i := range count {
		hash := h.of(key(i))
		x.insert(hash, entryFor(hash), i)
		x.grow()
	}
	n := 0
	for i := range x.table.count {
		for b := x.following(x.table.at(i)); b != nil; b = x.following(b) {
			for range b.entries() {
				n++
			}
		}
	}
	return n
}

// TestSmallKeyIsFoundInItsHash: an entry holds all of the hash but what its bucket's number says, and that gives the key.
func TestSmallKeyIsFoundInItsHash(t *testing.T) {
	rng, h := rand.New(rand.NewPCG(1, 2)), newHasher(HashKey{A: 3, B: 4})
	seen := map[[2]uint64]string{}
	for step := range 20000 {
		key := binary.LittleEndian.AppendUint64(nil, rng.Uint64()>>rng.IntN(64))[:step%(smallSize+1)]
		hash := h.of(key)
		of := [2]uint64{hash, uint64(len(key))}
		if other, ok := seen[of]; ok && other != string(key) {
			t.Fatalf("keys %q and %q have the same hash", other, key)
		}
		seen[of] = string(key)
		e := smallEntry(hash, len(key), step%(smallSize+1))
		if e.keyLen() != len(key) || e.valueLen() != step%(smallSize+1) {
			t.Fatalf("key %q: lengths %d and %d", key, e.keyLen(), e.valueLen())
		}
		bucket := hash % (bucketPageSize << 5)
		found := binary.LittleEndian.AppendUint64(nil, h.key(e.hash(bucket), len(key)))[:len(key)]
		if string(found) != string(key) {
			t.Fatalf("key %q comes back as %q", key, found)
		}
	}
}
