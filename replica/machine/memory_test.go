package machine

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"paxosbench/wire"
)

// checkMemory compares what the store takes with what it holds: the bounds of arena.go and index.go.
func checkMemory(t *testing.T, k *KV, when string) {
	t.Helper()
	live := 0
	k.eachRecord(func(key, value []byte) {
		if !isSmall(key, value) {
			live += recordHeaderSize + len(key) + len(value)
		}
	})
	if n := k.records.size(); n > storeFactor*live+storeOverhead {
		t.Fatalf("%s: the arena takes %d bytes for records of %d", when, n, live)
	}
	if got, want := k.records.held+len(k.records.spare)*slabSize, k.records.size(); got != want || k.Bytes() < got-maxSpareSlabs*slabSize {
		t.Fatalf("%s: %d bytes of slabs are counted, and %d in all, of %d", when, got, k.Bytes(), want)
	}
	x := &k.index
	if x.table.count > bucketPageSize && x.load < x.table.count*minLoad {
		t.Fatalf("%s: %d buckets for a load of %d", when, x.table.count, x.load)
	}
	if pages := uint64(len(x.table.pages)); pages != (x.table.count+bucketPageSize-1)/bucketPageSize {
		t.Fatalf("%s: %d pages for %d buckets", when, pages, x.table.count)
	}
	if x.len == 0 && len(x.overflow.pages) > 1 {
		t.Fatalf("%s: %d pages of overflow buckets for nothing", when, len(x.overflow.pages))
	}
}

// TestMemoryComesBack fills the store with values of one size after the other, and deletes them again.
func TestMemoryComesBack(t *testing.T) {
	for name, keep := range map[string]int{"all deleted": 0, "one in fifty kept": 50} {
		t.Run(name, func(t *testing.T) {
			const total = 6 << 20
			k := NewKV(HashKey{})
			kept := map[string]int{}
			for _, size := range []int{8, 100, 300, 1000, 3000, 9000, 30_000, 100_000, 300_000, 1 << 20} {
				n := min(total/size, 20_000)
				for i := range n {
					k.Apply(wire.OpPut, 0, fmt.Append(nil, size, i), make([]byte, size))
				}
				checkMemory(t, k, fmt.Sprint("filled with ", size))
				for i := range n {
					key := fmt.Append(nil, size, i)
					if keep > 0 && i%keep == 7 {
						kept[string(key)] = size
						continue
					}
					if status, _ := k.Apply(wire.OpDelete, 0, key, nil); status != wire.StatusOK {
						t.Fatalf("%s: %v", key, status)
					}
					if i%1000 == 0 {
						checkMemory(t, k, fmt.Sprintf("%d of size %d deleted", i, size))
					}
				}
				checkMemory(t, k, fmt.Sprint("emptied of ", size))
			}
			for key, size := range kept {
				if _, value := k.Apply(wire.OpGet, 0, []byte(key), nil); len(value) != size {
					t.Fatalf("key %s has a value of %d bytes", key, len(value))
				}
			}
			if k.Len() != len(kept) {
				t.Fatalf("%d records, want %d", k.Len(), len(kept))
			}
		})
	}
}

// TestChurnAcrossSizes changes sizes and numbers to and fro, with look-ahead and with snapshots under way, against a map.
func TestChurnAcrossSizes(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 0))
	s := NewState(NewKV(HashKey{}), DefaultConfig())
	k := s.machine.(*KV)
	at := &script{session: openSession(s)}
	want := map[uint64]int{}
	var taking *Snapshot
	var taken []byte
	var held uint64
	restores := 0
	for batch := range 400 {
		phase := batch / 40
		for range 200 {
			n := rng.Uint64N(12000)
			key := binary.LittleEndian.AppendUint64(nil, n)
			if phase%2 == 1 && rng.IntN(8) > 0 {
				at.add(wire.OpDelete, key, nil)
				delete(want, n)
				continue
			}
			size := rng.IntN(1 << (3 + (phase+rng.IntN(2))%10))
			if rng.IntN(400) == 0 {
				size = rng.IntN(wire.MaxValue)
			}
			at.add(wire.OpPut, key, slices.Repeat([]byte{byte(size)}, size))
			want[n] = size
		}
		at.apply(s)
		switch {
		case taking == nil && batch%7 == 0:
			taking, taken, held = s.BeginSnapshot(), nil, s.machine.Digest()
		case taking != nil:
			var done bool
			var err error
			if taken, done, err = taking.Next(taken, 1<<20); err != nil {
				t.Fatal(err)
			}
			if done {
				taking = nil
				restored, err := restoreAll(taken, 1<<20, KindKV, DefaultConfig())
				if err != nil || restored.machine.Digest() != held {
					t.Fatalf("batch %d: restore: %v", batch, err)
				}
				restores++
			}
		}
		if batch%20 == 0 && taking == nil {
			checkMemory(t, k, fmt.Sprint("batch ", batch))
			checkHeld(t, s)
		}
	}
	if restores < 5 {
		t.Fatalf("%d snapshots were restored: the test tests too little", restores)
	}
	if k.Len() != len(want) {
		t.Fatalf("%d records, want %d", k.Len(), len(want))
	}
	for n, size := range want {
		_, value := k.Apply(wire.OpGet, 0, binary.LittleEndian.AppendUint64(nil, n), nil)
		if len(value) != size || size > 0 && (value[0] != byte(size) || value[size-1] != byte(size)) {
			t.Fatalf("key %d has a value of %d bytes, want %d", n, len(value), size)
		}
	}
}
