package machine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"paxosbench/wire"
)

// checkHeld computes the digests of what the state holds anew, from all that is there.
func checkHeld(t require, s *State) {
	t.Helper()
	var sessions uint64
	for place := range s.sessions.count {
		it := s.sessions.at(place)
		sessions += it.wholeDigest(it.id(place), s.sessions.asideOf(place).ownerID())
	}
	if sessions != s.sessions.held {
		t.Fatalf("the sessions have digest %x, held is %x", sessions, s.sessions.held)
	}
	k, ok := s.machine.(*KV)
	if !ok {
		return
	}
	var records uint64
	k.eachRecord(func(key, value []byte) {
		records += recordDigest(slices.Concat(key, value), len(key))
	})
	if records != k.held {
		t.Fatalf("the records have digest %x, held is %x", records, k.held)
	}
}

// eachRecord visits all records.
func (k *KV) eachRecord(f func(key, value []byte)) {
	for i := range k.index.table.count {
		for b := k.index.table.at(i); b != nil; b = k.index.following(b) {
			for p, e := range b.entries() {
				if !e.small() {
					record, h := k.records.record(e.ref())
					f(record[:h.keyLen()], record[h.keyLen():])
					continue
				}
				key := binary.LittleEndian.AppendUint64(nil, k.hash.key(e.hash(i), e.keyLen()))
				f(key[:e.keyLen()], slices.Clone(k.value(p)))
			}
		}
	}
}

// lossy is a store that damages what it is told to store, once.
type lossy struct {
	*KV
	puts   int
	damage func(k *KV, key, value []byte) // what it does instead
}

const lossyPut = 500 // the put that is damaged

func (l *lossy) Apply(op wire.Op, flags uint8, key, value []byte) (wire.Status, []byte) {
	if op == wire.OpPut {
		if l.puts++; l.puts == lossyPut {
			l.Prepare(nil, 0, 0, false) // the look-ahead knows the undamaged command
			l.damage(l.KV, key, value)
			return wire.StatusOK, nil
		}
	}
	return l.KV.Apply(op, flags, key, value)
}

// ApplyPuts leaves every put to Apply, to count it.
func (l *lossy) ApplyPuts([]byte, uint64, int) (done, size int) { return 0, 0 }

func applyOnly(k *KV, op wire.Op, key, value []byte) { k.Apply(op, 0, key, value) }

// TestDigestSeesTheStore gives one of two replicas a store that does not do what it is told. The digests must differ at
// the end of that very batch, and agree before.
func TestDigestSeesTheStore(t *testing.T) {
	flip := func(b []byte, bit int) []byte {
		c := slices.Clone(b)
		c[bit/8%len(c)] ^= 1 << (bit % 8)
		return c
	}
	damages := map[string]func(k *KV, key, value []byte){
		"dropped": func(k *KV, key, _ []byte) { applyOnly(k, wire.OpGet, key, nil) },
		"one bit of the value": func(k *KV, key, value []byte) {
			applyOnly(k, wire.OpPut, key, flip(value, 77))
		},
		"one bit of the key": func(k *KV, key, value []byte) { applyOnly(k, wire.OpPut, flip(key, 5), value) },
		"cut short":          func(k *KV, key, value []byte) { applyOnly(k, wire.OpPut, key, value[:len(value)-1]) },
		"deleted":            func(k *KV, key, _ []byte) { applyOnly(k, wire.OpDelete, key, nil) },
		"zeroed":             func(k *KV, key, value []byte) { applyOnly(k, wire.OpPut, key, make([]byte, len(value))) },
	}
	for _, valueLen := range []int{8, 9, 16, 100, 1000, 100_000} {
		for name, damage := range damages {
			t.Run(fmt.Sprintf("%s/value=%d", name, valueLen), func(t *testing.T) {
				good := NewState(NewKV(HashKey{}), DefaultConfig())
				bad := NewState(&lossy{KV: NewKV(HashKey{}), damage: damage}, DefaultConfig())
				at, same := &script{session: openSession(good)}, &script{session: openSession(bad)}
				rng := rand.NewChaCha8([32]byte{byte(valueLen)})
				const perBatch = 10
				for batch := 1; batch <= 60; batch++ {
					for i := range perBatch {
						key := binary.LittleEndian.AppendUint64(nil, uint64(batch*perBatch+i)%300)
						value := make([]byte, valueLen)
						rng.Read(value)
						at.add(wire.OpPut, key, value)
						same.add(wire.OpPut, key, value)
					}
					at.apply(good)
					same.apply(bad)
					if damaged := batch*perBatch >= lossyPut; damaged == (good.Digest() == bad.Digest()) {
						t.Fatalf("batch %d: digests %x and %x, damaged: %v", batch, good.Digest(), bad.Digest(), damaged)
					}
				}
			})
		}
	}
}

// TestMemoryDamageIsFoundByTheNextSnapshot flips one bit of what the store, or the session table, keeps in memory.
func TestMemoryDamageIsFoundByTheNextSnapshot(t *testing.T) {
	anySmall := func(k *KV) place {
		for i := range k.index.table.count {
			for p, e := range k.index.table.at(i).entries() {
				if e.small() {
					return p
				}
			}
		}
		panic("no small record")
	}
	for name, damage := range map[string]func(s *State, k *KV){
		"none":               func(*State, *KV) {},
		"value of a small":   func(_ *State, k *KV) { *anySmall(k).value() ^= 1 << 40 },
		"key of a small":     func(_ *State, k *KV) { *anySmall(k).entry() ^= 1 << 60 },
		"length of a small":  func(_ *State, k *KV) { *anySmall(k).entry() ^= 1 << valueShift },
		"entry gone":         func(_ *State, k *KV) { anySmall(k).clear() },
		"bytes of a record":  func(_ *State, k *KV) { k.records.bytes(1 << offsetBits)[recordHeaderSize+5] ^= 4 },
		"last executed":      func(s *State, _ *KV) { s.sessions.at(0).last-- },
		"an outcome":         func(s *State, _ *KV) { o := s.sessions.at(2); *o.outcomes.at(o.last) = byte(wire.StatusMismatch) },
		"order of sessions":  func(s *State, _ *KV) { s.sessions.at(0).active++ },
		"a session's number": func(s *State, _ *KV) { s.sessions.at(1).tag++ },
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := sampleState(1000)
			at := &script{session: openSession(s)}
			for i := range 100 {
				at.add(wire.OpPut, fmt.Append(nil, i), fmt.Append(nil, i))
				at.add(wire.OpGet, fmt.Append(nil, i), nil)
			}
			at.apply(s)
			damage(s, s.machine.(*KV))
			var err error
			p := s.BeginSnapshot()
			for done := false; !done && err == nil; {
				_, done, err = p.Next(nil, 1000)
			}
			var damaged *MemoryError
			if found := errors.As(err, &damaged); found == (name == "none") {
				t.Fatalf("error %v", err)
			}
			if s.snapshot != nil {
				t.Fatal("the snapshot was not let go of")
			}
		})
	}
}

// TestRestoreComparesTheContents gives the restorer a whole snapshot with right checksums whose contents are not those that
// its header announces.
func TestRestoreComparesTheContents(t *testing.T) {
	_, good := sampleState(200)
	for name, damage := range map[string]func(b []byte){
		"digest of the sessions": func(b []byte) { b[wire.CommandHeaderSize+len(snapshotMagic)+32] ^= 1 },
		"digest of the records":  func(b []byte) { b[wire.CommandHeaderSize+len(snapshotMagic)+40] ^= 1 },
		"a value": func(b []byte) {
			at := bytes.Index(b, []byte("key150"))
			b[at+len("key150")] ^= 1
		},
	} {
		bad := slices.Clone(good)
		damage(bad)
		_, err := restoreAll(resealed(bad), 1000, KindKV, Config{MaxSessions: 3})
		if !errors.Is(err, ErrSnapshot) || !strings.Contains(err.Error(), "digest") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestContentsHaveOneDigest comes to the same contents in different ways: other orders, values and sizes in between,
// growth to and fro, with a snapshot under way, and by a restore.
func TestContentsHaveOneDigest(t *testing.T) {
	final := map[string]string{}
	for i := range 3000 {
		final[fmt.Sprint("key", i*i)] = string(make([]byte, i%70))
	}
	keys := make([]string, 0, len(final))
	for key := range final {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	build := func(seed uint64, detours int, frozen bool) *State {
		rng := rand.New(rand.NewPCG(seed, 0))
		s := NewState(NewKV(HashKey{}), DefaultConfig())
		at := &script{session: openSession(s)}
		for range detours {
			key := []byte(fmt.Sprint("key", rng.IntN(20000)))
			at.add(wire.OpPut, key, make([]byte, 1<<rng.IntN(14)))
		}
		at.apply(s)
		if frozen {
			s.BeginSnapshot().Next(nil, 1)
		}
		for i := range 20000 {
			if key := fmt.Sprint("key", i); detours > 0 {
				if _, ok := final[key]; !ok {
					at.add(wire.OpDelete, []byte(key), nil)
				}
			}
		}
		for _, i := range rng.Perm(len(keys)) {
			at.add(wire.OpPut, []byte(keys[i]), []byte(final[keys[i]]))
		}
		at.apply(s)
		checkHeld(t, s)
		return s
	}
	want := build(1, 0, false)
	restored, err := restoreAll(takeAll(want.BeginSnapshot(), nil, 1<<20), 1<<16, KindKV, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*State{
		"another order": build(2, 0, false), "detours": build(3, 9000, false), "while frozen": build(4, 9000, true), "restored": restored,
	} {
		if s.machine.Digest() != want.machine.Digest() {
			t.Errorf("%s: digest %x, want %x", name, s.machine.Digest(), want.machine.Digest())
		}
	}
}

// TestEveryBitCounts flips each bit of records of all sizes up to some hundred bytes, moves bytes between key and value,
// and swaps blocks: all digests must be different, and about half of their bits.
func TestEveryBitCounts(t *testing.T) {
	seen := map[uint64]string{}
	note := func(what string, digest uint64) {
		if other, ok := seen[digest]; ok {
			t.Fatalf("%s and %s have the same digest", what, other)
		}
		seen[digest] = what
	}
	rng := rand.NewChaCha8([32]byte{9})
	for _, size := range []int{1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 80, 81, 127, 128, 129, 144, 200, 257} {
		record := make([]byte, size)
		rng.Read(record)
		for keyLen := range min(size, 20) {
			note(fmt.Sprintf("%d bytes, key of %d", size, keyLen), recordDigest(record, keyLen))
		}
		flipped := 0
		whole := recordDigest(record, 0)
		for bit := range size * 8 {
			record[bit/8] ^= 1 << (bit % 8)
			digest := recordDigest(record, 0)
			note(fmt.Sprintf("%d bytes, bit %d", size, bit), digest)
			flipped += bits.OnesCount64(digest ^ whole)
			record[bit/8] ^= 1 << (bit % 8)
		}
		if mean := float64(flipped) / float64(size*8); mean < 26 || mean > 38 {
			t.Errorf("%d bytes: a flipped bit changes %.1f bits of the digest, want about 32", size, mean)
		}
	}
	record := make([]byte, 512)
	rng.Read(record)
	for i := range 32 {
		for j := range i {
			swapped := slices.Clone(record)
			copy(swapped[16*i:], record[16*j:16*j+16])
			copy(swapped[16*j:], record[16*i:16*i+16])
			note(fmt.Sprintf("blocks %d and %d swapped", i, j), recordDigest(swapped, 3))
		}
	}
}

// TestSwappedValuesCount: two records that have exchanged their values are other contents, whatever the values.
func TestSwappedValuesCount(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 0))
	for range 100000 {
		a, b := rng.Uint64(), rng.Uint64()
		v, w := entry(rng.IntN(4)), entry(rng.IntN(4))<<rng.IntN(62)
		straight := smallDigest(a, 0, v) + smallDigest(b, 0, w)
		if crossed := smallDigest(a, 0, w) + smallDigest(b, 0, v); v != w && straight == crossed {
			t.Fatalf("hashes %x and %x, values %x and %x", a, b, v, w)
		}
	}
}

func BenchmarkRecordDigest(b *testing.B) {
	for _, size := range []int{24, 100, 1000, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprint("bytes=", size), func(b *testing.B) {
			record := make([]byte, size)
			b.SetBytes(int64(size))
			var sum uint64
			for b.Loop() {
				sum += recordDigest(record, 8)
			}
			if sum == 1 {
				b.Log(sum)
			}
		})
	}
}
