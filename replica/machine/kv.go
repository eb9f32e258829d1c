package machine

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"paxosbench/wire"
)

// KV is a key-value store in memory: an index of hashes, with the small records in it, over an arena of the others. No
// operation takes longer than its key and value, so neither growth nor a running snapshot stops the replica.
//
// Memory is about 60 bytes for a small record, and for any other about 30 and the record itself, with a header of 16 bytes,
// rounded up to a size class. It follows what is held, down as well as up: storeFactor and minLoad are the bounds.
type KV struct {
	hash    hasher
	index   index
	records arena
	held    uint64    // sum of the digests of all records
	weight  uint64    // of all records
	limit   uint64    // of weight
	frozen  uint64    // what it was at the freeze
	scanned uint64    // the same sum over what has been scanned or set aside since
	saved   itemQueue // frozen records that were about to change, not yet scanned
	ahead   lookahead
	cursor  uint64          // bucket that Scan looks at next
	result  [smallSize]byte // value of the last get, if it was a small one
}

// NewKV returns an empty store with a hash of its own.
func NewKV(key HashKey) *KV {
	return &KV{hash: newHasher(key), index: newIndex(), limit: math.MaxUint64}
}

// Kind implements StateMachine.
func (k *KV) Kind() Kind { return KindKV }

// Len implements StateMachine.
func (k *KV) Len() int { return k.index.len }

// Bytes implements StateMachine.
func (k *KV) Bytes() int {
	return k.records.held + (len(k.index.table.pages)+len(k.index.overflow.pages))*bucketPageSize*bucketBytes
}

// Apply implements StateMachine: put, get, delete and compare-and-set.
func (k *KV) Apply(op wire.Op, flags uint8, key, value []byte) (wire.Status, []byte) {
	g := k.glance(key)
	p := place{g.home, g.word}
	if !k.holds(p, g.hash, key) {
		p = k.find(g.home, g.hash, key)
	}
	switch op {
	case wire.OpPut:
		return k.put(g.home, p, g.hash, key, value), nil
	case wire.OpGet:
		if !p.found() {
			return wire.StatusNotFound, nil
		}
		return wire.StatusOK, k.value(p)
	case wire.OpDelete:
		return k.delete(g.home, p, g.hash, key), nil
	case wire.OpCompareAndSet:
		return k.compareAndSet(g.home, p, g.hash, flags, key, value), nil
	}
	panic(fmt.Sprintf("BUG: %v reached the store", op))
}

// find returns the place of key's entry in the chain that begins at home. It is valid until the next change of the
// index.
func (k *KV) find(home *bucket, hash uint64, key []byte) place {
	for b := home; b != nil; b = k.index.following(b) {
		for c := b.candidates(hashPart(hash)); c != 0; c &= c - 1 {
			if p := (place{b, bits.TrailingZeros64(c)}); k.holds(p, hash, key) {
				return p
			}
		}
	}
	return place{}
}

// holds tells whether the word at p, which is in the chain of the hash, is the entry of key.
func (k *KV) holds(p place, hash uint64, key []byte) bool {
	e := *p.entry()
	if p.bucket.isValue(p.word) {
		return false
	}
	if e.small() {
		return len(key) <= smallSize && (e^smallEntry(hash, len(key), 0))&smallRecord == 0
	}
	return e != 0 && (e^hashPart(hash))&entryHash == 0 && hasKey(k.records.bytes(e.ref()), key)
}

// hasKey compares the key of an arena's record.
func hasKey(record, key []byte) bool {
	if headerOf(record).keyLen() != len(key) {
		return false
	}
	return string(record[recordHeaderSize:recordHeaderSize+len(key)]) == string(key)
}

// value returns a view of the value of the record at p, valid until the next call.
func (k *KV) value(p place) []byte {
	e := *p.entry()
	if e.small() {
		binary.LittleEndian.PutUint64(k.result[:], uint64(*p.value()))
		return k.result[:e.valueLen()]
	}
	record, h := k.records.record(e.ref())
	return record[h.keyLen():]
}

// put stores value under key, whose entry is at p, or nowhere yet, if there is room.
func (k *KV) put(home *bucket, p place, hash uint64, key, value []byte) wire.Status {
	weight := recordWeight(len(key), len(value))
	if k.weight+weight > k.limit && !k.mayReplace(p, weight) {
		return wire.StatusFull
	}
	k.set(home, p, hash, key, value)
	return wire.StatusOK
}

// mayReplace reports whether a record of some weight may take the place of that at p, although the store is nearly full.
func (k *KV) mayReplace(p place, weight uint64) bool {
	if !p.found() {
		return false
	}
	old := k.weightAt(p)
	return weight <= old || k.weight-old+weight <= k.limit
}

// set stores value under key, whose entry is at p, or nowhere yet.
func (k *KV) set(home *bucket, p place, hash uint64, key, value []byte) {
	if !p.found() {
		k.insert(hash, key, value)
		return
	}
	if k.index.frozen {
		k.preserve(home, p, key)
	}
	switch e := p.entry(); {
	case e.small() != isSmall(key, value): // from the bucket to the arena, or back
		k.remove(home, p, hash)
		k.insert(hash, key, value)
	case e.small():
		v, d := p.value(), keyDigest(word(key)) // the entry is the key's
		k.held -= smallDigest(d, *e, *v)
		*e, *v = e.withValueLen(len(value)), entry(word(value))
		k.held += smallDigest(d, *e, *v)
	default:
		k.held -= k.records.digest(e.ref())
		k.weight -= k.weightAt(p)
		k.rewrite(e, key, value)
		k.held += k.records.digest(e.ref())
		k.weight += k.weightAt(p)
	}
}

// insert stores a record that is not there yet.
func (k *KV) insert(hash uint64, key, value []byte) {
	var p place
	if isSmall(key, value) {
		p = k.index.insert(hash, smallEntry(hash, len(key), len(value)), word(value))
	} else {
		p = k.index.insert(hash, refEntry(hash, k.newRecord(key, value)), 0)
	}
	k.held += k.digest(p, hash)
	k.weight += k.weightAt(p)
	k.index.grow()
	k.index.shrink()
}

// remove deletes the record at p in the chain of the hash, which begins at home.
func (k *KV) remove(home *bucket, p place, hash uint64) {
	k.held -= k.digest(p, hash)
	k.weight -= k.weightAt(p)
	e := *p.entry()
	k.index.remove(home, p)
	if !e.small() {
		k.release(e.ref())
	}
	k.index.shrink()
}

// rewrite stores another value in the arena's record: where it is, if the value fits there and leaves not too much of
// it empty.
func (k *KV) rewrite(e *entry, key, value []byte) {
	record := k.records.bytes(e.ref())
	h := headerOf(record)
	class := classOf(recordHeaderSize + len(key) + len(value))
	switch {
	case h.valueLen() == len(value):
		copy(record[recordHeaderSize+len(key):], value)
		k.records.seal(e.ref())
	case fits(class, h.class()):
		k.write(e.ref(), h.class(), key, value)
	default:
		old := e.ref()
		*e = e.withRef(k.newRecord(key, value))
		k.release(old)
	}
}

// fits tells whether a record that needs one class may stay in a place of another: the place is large enough, and at most a
// quarter larger.
func fits(need, has int) bool {
	return need <= has && 4*classGranules(has) <= 5*classGranules(need)
}

// release gives back the record at r, which no entry leads to any more, and the memory of its class if it has become too
// much.
func (k *KV) release(r ref) {
	class := headerOf(k.records.bytes(r)).class()
	k.records.release(r, class)
	for k.records.sparse(class) {
		if from, to := k.records.retire(class); to != 0 {
			k.moved(from, to)
		}
	}
}

// moved corrects the entry of a record that has been copied.
func (k *KV) moved(from, to ref) {
	record, h := k.records.record(to)
	hash := k.hash.of(record[:h.keyLen()])
	for b := k.index.home(hash); b != nil; b = k.index.following(b) {
		for c := b.candidates(hashPart(hash)); c != 0; c &= c - 1 {
			p := place{b, bits.TrailingZeros64(c)}
			if e := p.entry(); !b.isValue(p.word) && !e.small() && e.ref() == from {
				*e = e.withRef(to)
				return
			}
		}
	}
	panic(fmt.Sprintf("BUG: no entry leads to record %d", from))
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
	k.records.seal(r)
}

func (k *KV) delete(home *bucket, p place, hash uint64, key []byte) wire.Status {
	if !p.found() {
		return wire.StatusNotFound
	}
	if k.index.frozen {
		k.preserve(home, p, key)
	}
	k.remove(home, p, hash)
	return wire.StatusOK
}

func (k *KV) compareAndSet(home *bucket, p place, hash uint64, flags uint8, key, value []byte) wire.Status {
	expected, update := wire.SplitCompareAndSet(value)
	expectAbsent := flags&wire.FlagExpectAbsent != 0
	if expectAbsent == p.found() || p.found() && string(k.value(p)) != string(expected) {
		return wire.StatusMismatch
	}
	return k.put(home, p, hash, key, update)
}

// Digest implements StateMachine.
func (k *KV) Digest() uint64 { return k.held }

// digest returns the digest of the record at p, which is in the chain of the bucket with the given number or hash.
func (k *KV) digest(p place, bucket uint64) uint64 {
	e := *p.entry()
	if e.small() {
		return smallDigest(keyDigest(k.hash.key(e.hash(bucket), e.keyLen())), e, *p.value())
	}
	return k.records.digest(e.ref())
}
