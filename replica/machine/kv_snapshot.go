package machine

import (
	"encoding/binary"
	"fmt"

	"paxosbench/wire"
)

// A frozen store yields every record as it was at the freeze. Scan walks the buckets in order; a record that is about
// to be changed or deleted before Scan has come to it is first set aside in the queue of saved records. The saved bit
// of an entry (see index.freeze) makes that happen once for each record, and wherever buckets are split the bit goes
// with its entry.

// Freeze implements StateMachine.
func (k *KV) Freeze() {
	k.index.freeze()
	k.cursor = 0
	k.frozen, k.scanned = k.held, 0
}

// Thaw implements StateMachine.
func (k *KV) Thaw() {
	k.index.thaw()
	k.saved = itemQueue{}
}

// preserve sets the record at p, which has the given key, aside if a scan still needs it as it is now. It comes before
// any change of a record while frozen.
func (k *KV) preserve(home *bucket, p place, key []byte) {
	k.index.touch(home)
	if p.entry().saved() {
		return
	}
	*p.entry() |= entrySaved
	k.scanned += recordDigest(k.saved.push(key, k.value(p)), len(key))
}

// Scan implements StateMachine. Records set aside come first, to be rid of them.
func (k *KV) Scan(dst []byte, budget int) (out []byte, done bool, err error) {
	limit := len(dst) + budget
	dst = k.saved.pop(dst, limit)
	for k.cursor < k.index.table.count && len(dst) < limit {
		var all bool
		if dst, all = k.scanChain(k.cursor, dst, limit); all {
			k.cursor++
		}
		limit -= bucketBytes
	}
	if done = k.saved.empty() && k.cursor == k.index.table.count; done {
		err = checkDigest("records", k.frozen, k.scanned)
	}
	return dst, done, err
}

// scanChain appends the records of the chain of the given bucket that are still to be scanned, until dst has reached
// limit bytes, and reports whether none is left.
func (k *KV) scanChain(bucket uint64, dst []byte, limit int) ([]byte, bool) {
	home := k.index.table.at(bucket)
	k.index.touch(home)
	for b := home; b != nil; b = k.index.following(b) {
		for p, e := range b.entries() {
			if e.saved() {
				continue
			}
			if len(dst) >= limit {
				return dst, false
			}
			*p.entry() |= entrySaved
			dst = k.appendRecord(dst, p, bucket)
		}
	}
	return dst, true
}

// appendRecord appends the record at p, which is in the chain of the given bucket, as an item, and takes it down as
// scanned.
func (k *KV) appendRecord(dst []byte, p place, bucket uint64) []byte {
	e := *p.entry()
	if e.small() {
		key, value := k.hash.key(e.hash(bucket), e.keyLen()), *p.value()
		k.scanned += smallDigest(keyDigest(key), e, value)
		dst = wire.AppendCommandHeader(dst, itemRecord, 0, e.keyLen(), e.valueLen())
		dst = appendWord(dst, key, e.keyLen())
		return appendWord(dst, uint64(value), e.valueLen())
	}
	record, h := k.records.record(e.ref())
	k.scanned += recordDigest(record, h.keyLen())
	dst = wire.AppendCommandHeader(dst, itemRecord, 0, h.keyLen(), h.valueLen())
	return append(dst, record...)
}

// appendWord appends the first n bytes of a word, at most eight. Whole words are moved faster than parts of them.
func appendWord(dst []byte, w uint64, n int) []byte {
	return binary.LittleEndian.AppendUint64(dst, w)[:len(dst)+n]
}

// Restore implements StateMachine: records are puts of keys that are not there yet.
func (k *KV) Restore(record wire.Command) error {
	if len(record.Value) > wire.MaxValue {
		return fmt.Errorf("%w: value of %d bytes, limit %d", ErrSnapshot, len(record.Value), wire.MaxValue)
	}
	hash := k.hash.of(record.Key)
	if k.find(k.index.home(hash), hash, record.Key).found() {
		return fmt.Errorf("%w: key %q twice", ErrSnapshot, record.Key)
	}
	if k.weight+recordWeight(len(record.Key), len(record.Value)) > k.limit {
		return fmt.Errorf("%w: its records weigh more than %d, the limit of the store", ErrSnapshot, k.limit)
	}
	k.insert(hash, record.Key, record.Value)
	return nil
}
