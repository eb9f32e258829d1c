package machine

import "paxosbench/wire"

// A store larger than the caches spends its time waiting for memory, one bucket and one record a command. The waiting
// is shared by a group of commands: before the first of them is executed, Prepare reads all their buckets, then all
// their records. These reads do not depend on each other, and they stand in loops of their own that do nothing else, so
// the processor has all of them under way together: between two reads there is too little work to fill its window.
//
// What Prepare finds it leaves as hints. A hint is only the likely place of a command's entry: it is used if the record
// there has the right key, and is worthless otherwise, so it need not be kept up to date.
type hints struct {
	places  [prepareGroup]*entry
	next    int    // hint of the command that Apply is called with next
	count   int    // hints given
	touched uint64 // keeps the reads from being optimised away
}

// Prepare implements StateMachine.
func (k *KV) Prepare(commands []byte, count int, gets bool) {
	h := &k.hints
	h.next, h.count = 0, 0
	if k.index.len == 0 {
		return // nor are there pages of records to read in
	}
	var homes [prepareGroup]*bucket
	var wants [prepareGroup]entry
	var records [prepareGroup]*byte
	n, at := 0, 0
	for range min(count, prepareGroup) {
		op, _, key, _, end := commandAt(commands, at)
		at = end
		if op == wire.OpGet && !gets {
			continue
		}
		hash := hashKey(key)
		homes[n], wants[n] = k.index.home(hash), hashPart(hash)
		n++
	}
	touched := h.touched
	for _, b := range homes[:n] {
		touched += b.link
	}
	for i := range n {
		h.places[i] = homes[i].candidate(wants[i])
		records[i] = &k.records.bytes(h.places[i].ref())[0]
	}
	for _, r := range records[:n] {
		touched += uint64(*r)
	}
	h.count, h.touched = n, touched
}

// candidate returns the place in b whose hash bits are the wanted ones, or any if there is none. It looks at all of
// them: a branch for each would be mispredicted once in every search, which costs more.
func (b *bucket) candidate(want entry) *entry {
	found := 0
	for i := 1; i < bucketEntries; i++ {
		if b.entries[i]^want < 1<<entryShift {
			found = i
		}
	}
	return &b.entries[found]
}

// take returns the next hint, or nil if none is left.
func (h *hints) take() *entry {
	if h.next >= h.count {
		return nil
	}
	place := h.places[h.next%prepareGroup]
	h.next++
	return place
}
