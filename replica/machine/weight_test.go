package machine

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"paxosbench/wire"
)

// TestStoreLimit: beyond its limit a store takes no write that would make it larger, and all others; a refusal is remembered like
// any other outcome.
func TestStoreLimit(t *testing.T) {
	s := NewState(NewKV(HashKey{}), Config{MaxSessions: 3, StoreLimit: 1000})
	at := &script{session: openSession(s)}
	small, large := bytes.Repeat([]byte("v"), 8), bytes.Repeat([]byte("v"), 300)
	statuses := func() (list string) {
		run := at.take()
		results, again := flatten(t, s.ApplyRun(s.Applied()+1, &run, nil, true)), flatten(t, s.ApplyRun(s.Applied()+1, &run, nil, true))
		s.EndBatch(s.Applied()+1, 0)
		for i, r := range results {
			list += " " + r.Status.String()
			if r.Status != again[i].Status {
				t.Errorf("command %d is answered %v, and %v when it is sent again", i, r.Status, again[i].Status)
			}
		}
		checkHeld(t, s)
		return list[1:]
	}
	expect := func(want string) {
		t.Helper()
		if got := statuses(); got != want || s.Weight() > 1000 {
			t.Errorf("%s, want %s; the records weigh %d", got, want, s.Weight())
		}
	}
	key := func(i int) []byte { return fmt.Append(nil, "key", i) }
	for i := range 14 { // 80 each
		at.add(wire.OpPut, key(i), small)
	}
	expect("ok ok ok ok ok ok ok ok ok ok ok ok full full")
	at.add(wire.OpPut, key(3), large)               // larger than there is room for
	at.add(wire.OpPut, key(3), []byte("other"))     // no larger
	at.add(wire.OpGet, key(3), nil)                 // reads and deletes go on
	at.add(wire.OpDelete, key(0), nil)              // makes room
	at.add(wire.OpPut, key(20), small)              // which is used
	at.add(wire.OpDelete, key(1), nil)              //
	at.add(wire.OpDelete, key(2), nil)              //
	at.add(wire.OpPut, key(3), large[:100])         // 176 in the place of 80, and 160 were freed
	at.add(wire.OpPut, key(3), large[:99])          // where it is
	at.add(wire.OpPut, key(3), large[:170])         // 240
	at.add(wire.OpPut, key(3), large[:210])         // 288
	at.add(wire.OpPut, []byte("another"), large[:]) //
	expect("full ok ok ok ok ok ok ok ok ok full full")
	set := wire.AppendCompareAndSet(nil, wire.FlagExpectAbsent, []byte("absent"), nil, small)
	at.commands, at.count = append(at.commands, set...), at.count+1
	at.add(wire.OpPut, key(30), small)
	expect("full full")
	if got := s.Stats().Full; got != 7 {
		t.Errorf("%d counted", got)
	}
	snapshot := takeAll(s.BeginSnapshot(), nil, 1<<16)
	restored, err := restoreAll(snapshot, 1<<16, KindKV, s.config)
	if err != nil || restored.Weight() != s.Weight() {
		t.Fatalf("restored: %v", err)
	}
	if _, err := restoreAll(snapshot, 1<<16, KindKV, Config{MaxSessions: 3, StoreLimit: s.Weight() - 1}); !errors.Is(err, ErrSnapshot) {
		t.Errorf("a snapshot of more than the limit: %v", err)
	}
}

// TestWeightIsOfTheContents: what a store weighs does not depend on how it came to its contents, or on the key of its hash.
func TestWeightIsOfTheContents(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	k := NewKV(ownKey)
	for range 20000 {
		key, value := make([]byte, rng.IntN(12)), make([]byte, rng.IntN(400)>>rng.IntN(8))
		for i := range key {
			key[i] = byte(rng.IntN(3))
		}
		if rng.IntN(3) == 0 {
			k.Apply(wire.OpDelete, 0, key, nil)
		} else {
			k.Apply(wire.OpPut, 0, key, value)
		}
	}
	anew, sum := NewKV(otherKey), uint64(0)
	k.eachRecord(func(key, value []byte) {
		anew.Apply(wire.OpPut, 0, key, value)
		sum += recordWeight(len(key), len(value))
	})
	if k.Weight() != anew.Weight() || k.Weight() != sum || k.Len() == 0 {
		t.Errorf("%d records weigh %d, %d when they are stored anew, %d in sum", k.Len(), k.Weight(), anew.Weight(), sum)
	}
}
