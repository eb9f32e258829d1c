package machine

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"paxosbench/wire"
)

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	for name, add := range map[string]func(at *script, key, value []byte){
		"put":             func(at *script, key, value []byte) { at.add(wire.OpPut, key, value) },
		"get":             func(at *script, key, value []byte) { at.add(wire.OpGet, key, nil) },
		"get and delete":  func(at *script, key, value []byte) { at.add(wire.OpDelete, key, nil); at.add(wire.OpGet, key, nil) },
		"delete and put":  func(at *script, key, value []byte) { at.add(wire.OpDelete, key, nil); at.add(wire.OpPut, key, value) },
		"resize and back": func(at *script, key, value []byte) { at.add(wire.OpPut, key, nil); at.add(wire.OpPut, key, value) },
	} {
		t.Run(name, func(t *testing.T) {
			s := NewState(NewKV(HashKey{}), DefaultConfig())
			at := &script{session: openSession(s)}
			value := make([]byte, 100)
			for i := range 5000 {
				add(at, binary.LittleEndian.AppendUint64(nil, uint64(i)), value)
			}
			run := at.take()
			s.ApplyRun(s.Applied()+1, &run, nil, true)
			out := make([]byte, 0, 2<<20)
			apply := func() {
				run.First, run.Seen = run.Last()+1, run.Last()
				out = s.ApplyRun(s.Applied()+1, &run, out[:0], true)
				s.EndBatch(s.Applied()+1, 0)
			}
			if n := testing.AllocsPerRun(10, apply); n != 0 {
				t.Fatalf("%v allocations for %d commands", n, run.Count)
			}
		})
	}
}

func TestLargestCommand(t *testing.T) {
	s := NewState(NewKV(HashKey{}), DefaultConfig())
	at := &script{session: openSession(s)}
	key, value := make([]byte, wire.MaxKey), make([]byte, wire.MaxValue)
	rand.NewChaCha8([32]byte{}).Read(key)
	rand.NewChaCha8([32]byte{1}).Read(value)
	at.add(wire.OpPut, key, value)
	at.add(wire.OpPut, key[1:], value[1:])
	at.apply(s)
	snapshot := takeAll(s.BeginSnapshot(), nil, 1)
	restored, err := restoreAll(snapshot, 1<<16, KindKV, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		status, got := restored.Query(wire.Command{Op: wire.OpGet, Key: key[i:]}, []byte("before"))
		if status != wire.StatusOK || !bytes.Equal(got, append([]byte("before"), value[i:]...)) {
			t.Fatalf("value %d: %v, %d bytes", i, status, len(got))
		}
	}
	if status, got := restored.Query(wire.Command{Op: wire.OpGet, Key: key[2:]}, nil); status != wire.StatusNotFound || got != nil {
		t.Fatalf("a key that was never put: %v, %d bytes", status, len(got))
	}
}

// TestLargeValueMakesRoom checks that a record does not keep the room of a large value for a small one.
func TestLargeValueMakesRoom(t *testing.T) {
	k := NewKV(HashKey{})
	for i := range 100 {
		key := fmt.Append(nil, i)
		k.Apply(wire.OpPut, 0, key, make([]byte, wire.MaxValue))
		k.Apply(wire.OpPut, 0, key, []byte("small"))
	}
	if n := k.records.size(); n > 100*64+storeOverhead {
		t.Fatalf("%d bytes for 100 small values", n)
	}
}

func TestEqualContentsHaveEqualDigests(t *testing.T) {
	put := func(k *KV, key, value string) { k.Apply(wire.OpPut, 0, []byte(key), []byte(value)) }
	a, b, c := NewKV(HashKey{}), NewKV(HashKey{}), NewKV(HashKey{})
	put(a, "x", "1")
	put(a, "y", "2")
	put(b, "y", "3")
	put(b, "x", "1")
	put(b, "y", "2")
	put(c, "x", "2")
	put(c, "y", "1")
	if a.Digest() != b.Digest() || a.Digest() == c.Digest() || a.Digest() == NewKV(HashKey{}).Digest() {
		t.Fatalf("digests %x, %x and, for other contents, %x", a.Digest(), b.Digest(), c.Digest())
	}
}

func TestChainTellsHistoriesApart(t *testing.T) {
	base := func() *State {
		s := NewState(NewKV(HashKey{}), DefaultConfig())
		openSession(s)
		return s
	}
	digests := map[uint64]string{}
	note := func(name string, s *State) {
		if other, ok := digests[s.Digest()]; ok {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		digests[s.Digest()] = name
	}
	id := wire.MakeSessionID(1, 0)
	note("nothing", base())
	for _, crc := range []uint32{0, 1} {
		s := base()
		s.EndBatch(2, crc)
		note(fmt.Sprint("empty batch ", crc), s)
	}
	s := base()
	s.ApplyRun(2, puts(id, 1, 0, 1), nil, false)
	s.EndBatch(2, 0)
	note("put", s)
	s = base()
	s.ApplyRun(2, puts(id, 2, 0, 1), nil, false)
	s.EndBatch(2, 0)
	note("put behind a gap", s)
}

func TestNoopAnswersUniformly(t *testing.T) {
	s := NewState(NewNoop(), DefaultConfig())
	at := &script{session: openSession(s)}
	at.add(wire.OpPut, []byte("key"), []byte("value"))
	at.add(wire.OpGet, []byte("key"), nil)
	at.add(wire.OpDelete, []byte("key"), nil)
	run := at.take()
	if got := uniform(t, s, &run); len(got) != 1 || got[0] != wire.StatusOK {
		t.Fatalf("statuses %v", got)
	}
}

func TestSlotOrder(t *testing.T) {
	for name, f := range map[string]func(s *State){
		"run of a later slot": func(s *State) { s.ApplyRun(2, puts(1, 1, 0, 1), nil, false) },
		"end of a later slot": func(s *State) { s.EndBatch(2, 0) },
		"slot again":          func(s *State) { s.EndBatch(1, 0); s.EndBatch(1, 0) },
		"query of a put":      func(s *State) { s.Query(wire.Command{Op: wire.OpPut}, nil) },
		"no sessions":         func(*State) { NewState(NewKV(HashKey{}), Config{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f(NewState(NewKV(HashKey{}), DefaultConfig()))
		}()
	}
}

func TestKindText(t *testing.T) {
	for _, kind := range []Kind{KindKV, KindNoop} {
		text, err := json.Marshal(kind)
		var back Kind
		if err != nil || json.Unmarshal(text, &back) != nil || back != kind || New(kind, HashKey{}).Kind() != kind {
			t.Errorf("%v became %s and %v (%v)", kind, text, back, err)
		}
	}
	if _, err := ParseKind("etcd"); err == nil {
		t.Error("a kind that does not exist was parsed")
	}
}
