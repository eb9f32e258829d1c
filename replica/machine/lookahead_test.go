package machine

import (
	"encoding/binary"
	"testing"

	"paxosbench/wire"
)

// TestHashOfZeroBits: the hash bits that all entries hold may all be zero, as in a free word. No arena needs to exist.
func TestHashOfZeroBits(t *testing.T) {
	kv := NewKV(HashKey{})
	s := NewState(kv, DefaultConfig())
	at := &script{session: openSession(s)}
	for i := range uint64(100) {
		key := binary.LittleEndian.AppendUint64(nil, kv.hash.key(i%bucketPageSize, smallSize))
		at.add(wire.OpPut, key, key)
		at.add(wire.OpGet, key, nil)
	}
	at.apply(s)
	if s.Len() != 100 {
		t.Fatalf("%d records, want 100", s.Len())
	}
}
