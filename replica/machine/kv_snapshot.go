package machine

import (
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
}

// Thaw implements StateMachine.
func (k *KV) Thaw() {
	k.index.thaw()
	k.saved = itemQueue{}
}

// preserve sets the record at place aside if a scan still needs it as it is now. It comes before any change of a
// record while frozen.
func (k *KV) preserve(home *bucket, place *entry) {
	k.index.touch(home)
	if place.saved() {
		return
	}
	*place |= entrySaved
	record, h := k.records.record(place.ref())
	k.saved.push(record, h)
}

// Scan implements StateMachine. Records set aside come first, to be rid of them.
func (k *KV) Scan(dst []byte, budget int) ([]byte, bool) {
	limit := len(dst) + budget
	dst = k.saved.pop(dst, limit)
	for k.cursor < k.index.table.count && len(dst) < limit {
		var all bool
		if dst, all = k.scanChain(k.index.table.at(k.cursor), dst, limit); all {
			k.cursor++
		}
		limit -= bucketBytes
	}
	return dst, k.saved.empty() && k.cursor == k.index.table.count
}

// scanChain appends the records of the chain that begins at home and are still to be scanned, until dst has reached
// limit bytes, and reports whether none is left.
func (k *KV) scanChain(home *bucket, dst []byte, limit int) ([]byte, bool) {
	k.index.touch(home)
	for b := home; b != nil; b = k.index.following(b) {
		for i := range b.entries {
			e := b.entries[i]
			if e == 0 || e.saved() {
				continue
			}
			if len(dst) >= limit {
				return dst, false
			}
			b.entries[i] |= entrySaved
			record, h := k.records.record(e.ref())
			dst = appendRecord(dst, record, h)
		}
	}
	return dst, true
}

// Restore implements StateMachine: records are puts of keys that are not there yet.
func (k *KV) Restore(record wire.Command) error {
	if len(record.Value) > wire.MaxValue {
		return fmt.Errorf("%w: value of %d bytes, limit %d", ErrSnapshot, len(record.Value), wire.MaxValue)
	}
	hash := hashKey(record.Key)
	if place, _ := k.find(k.index.home(hash), hash, record.Key); place != nil {
		return fmt.Errorf("%w: key %q twice", ErrSnapshot, record.Key)
	}
	k.index.insert(hash, k.newRecord(record.Key, record.Value))
	return nil
}
