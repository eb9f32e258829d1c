package machine

import (
	"encoding/binary"
	"fmt"

	"paxosbench/wire"
)

// KV is a key-value store in memory: an index of hashes over an arena of records. No operation takes longer than its
// key and value, so neither growth nor a running snapshot stops the replica.
//
// Memory is about 16 bytes of index for a record, and the record itself rounded up to a size class. Deleted and
// outgrown records are reused for others of their class; memory is not returned to the system.
type KV struct {
	index   index
	records arena
	saved   itemQueue // frozen records that were about to change, not yet scanned
	hints   hints
	cursor  uint64 // bucket that Scan looks at next
}

// maxSlackClasses is how many size classes a record may be too large for its value before it is moved: eight classes
// are two doublings.
const maxSlackClasses = 8

// NewKV returns an empty store.
func NewKV() *KV { return &KV{index: newIndex()} }

// Kind implements StateMachine.
func (k *KV) Kind() Kind { return KindKV }

// Len implements StateMachine.
func (k *KV) Len() int { return k.index.len }

// Apply implements StateMachine: put, get, delete and compare-and-set.
func (k *KV) Apply(op wire.Op, flags uint8, key, value []byte) (wire.Status, []byte) {
	place := k.hints.take()
	if place == nil || *place == 0 {
		return k.apply(op, flags, key, value)
	}
	record := k.records.bytes(place.ref())
	switch {
	case !hasKey(record, key):
	case op == wire.OpGet:
		return wire.StatusOK, valueOf(record)
	case op == wire.OpPut && !k.index.frozen && headerOf(record).valueLen() == len(value):
		overwrite(record[recordHeaderSize+len(key):], value)
		return wire.StatusOK, nil
	}
	return k.apply(op, flags, key, value)
}

// apply executes any command, without a hint.
func (k *KV) apply(op wire.Op, flags uint8, key, value []byte) (wire.Status, []byte) {
	hash := hashKey(key)
	home := k.index.home(hash)
	place, record := k.find(home, hash, key)
	switch op {
	case wire.OpPut:
		k.set(home, place, record, hash, key, value)
		return wire.StatusOK, nil
	case wire.OpGet:
		if place == nil {
			return wire.StatusNotFound, nil
		}
		return wire.StatusOK, valueOf(record)
	case wire.OpDelete:
		return k.delete(home, place, record), nil
	case wire.OpCompareAndSet:
		return k.compareAndSet(home, place, record, hash, flags, key, value), nil
	}
	panic(fmt.Sprintf("BUG: %v reached the store", op))
}

// find returns the place of key's entry in the chain that begins at home, and its record; or nil. The place is valid
// until the next change of the index.
func (k *KV) find(home *bucket, hash uint64, key []byte) (place *entry, record []byte) {
	want := hashPart(hash)
	for b := home; b != nil; b = k.index.following(b) {
		for i := range b.entries {
			e := b.entries[i]
			if (e^want)&entryHash != 0 || e == 0 {
				continue
			}
			if record := k.records.bytes(e.ref()); hasKey(record, key) {
				return &b.entries[i], record
			}
		}
	}
	return nil, nil
}

// hasKey compares the record's key. Keys of eight bytes are common enough to be spared the call.
func hasKey(record, key []byte) bool {
	h := headerOf(record)
	if h.keyLen() != len(key) {
		return false
	}
	if len(key) == 8 {
		return binary.LittleEndian.Uint64(record[recordHeaderSize:]) == binary.LittleEndian.Uint64(key)
	}
	return string(record[recordHeaderSize:recordHeaderSize+len(key)]) == string(key)
}

// valueOf returns a view of the record's value.
func valueOf(record []byte) []byte {
	h := headerOf(record)
	start := recordHeaderSize + h.keyLen()
	return record[start : start+h.valueLen()]
}

// set stores value under key, whose entry is at place, or nowhere yet if place is nil.
func (k *KV) set(home *bucket, place *entry, record []byte, hash uint64, key, value []byte) {
	if place == nil {
		k.index.insert(hash, k.newRecord(key, value))
		return
	}
	if k.index.frozen {
		k.preserve(home, place)
	}
	if h := headerOf(record); h.valueLen() != len(value) {
		k.resize(place, h, key, value)
		return
	}
	overwrite(record[recordHeaderSize+len(key):], value)
}

// overwrite copies value to dst. Values of eight bytes are common enough to be spared the call.
func overwrite(dst, value []byte) {
	if len(value) == 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(value))
		return
	}
	copy(dst, value)
}

// resize stores a value of another length: where the record is, if it fits there and leaves not too much of it empty.
func (k *KV) resize(place *entry, h recordHeader, key, value []byte) {
	class := classOf(recordHeaderSize + len(key) + len(value))
	if class <= h.class() && h.class()-class <= maxSlackClasses {
		k.write(place.ref(), h.class(), key, value)
		return
	}
	k.records.release(place.ref(), h.class())
	*place = *place&^entryRef | entry(k.newRecord(key, value))
}

// newRecord stores key and value in a record of their own.
func (k *KV) newRecord(key, value []byte) ref {
	class := classOf(recordHeaderSize + len(key) + len(value))
	r := k.records.alloc(class)
	k.write(r, class, key, value)
	return r
}

// write fills in the record at r.
func (k *KV) write(r ref, class int, key, value []byte) {
	b := k.records.bytes(r)
	putRecordHeader(b, makeRecordHeader(class, len(key), len(value)))
	copy(b[recordHeaderSize:], key)
	copy(b[recordHeaderSize+len(key):], value)
}

func (k *KV) delete(home *bucket, place *entry, record []byte) wire.Status {
	if place == nil {
		return wire.StatusNotFound
	}
	if k.index.frozen {
		k.preserve(home, place)
	}
	r := place.ref()
	k.index.remove(home, place)
	k.records.release(r, headerOf(record).class())
	return wire.StatusOK
}

func (k *KV) compareAndSet(home *bucket, place *entry, record []byte, hash uint64, flags uint8, key, value []byte) wire.Status {
	expected, update := wire.SplitCompareAndSet(value)
	expectAbsent := flags&wire.FlagExpectAbsent != 0
	if expectAbsent != (place == nil) || place != nil && string(valueOf(record)) != string(expected) {
		return wire.StatusMismatch
	}
	k.set(home, place, record, hash, key, update)
	return wire.StatusOK
}

// Digest implements StateMachine: about one cache miss a record.
func (k *KV) Digest() uint64 {
	var sum uint64
	for i := range k.index.table.count {
		for b := k.index.table.at(i); b != nil; b = k.index.following(b) {
			for _, e := range b.entries {
				if e != 0 {
					record, h := k.records.record(e.ref())
					body := record[recordHeaderSize:]
					sum += recordDigest(body[:h.keyLen()], body[h.keyLen():])
				}
			}
		}
	}
	return mix(sum, digestKey)
}
