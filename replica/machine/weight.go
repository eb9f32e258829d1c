package machine

// What a record weighs is what the limit of a store counts: its key and its value, each rounded up to a multiple of eight bytes
// and eight at least, and recordOverhead. It is near to what a record takes of memory (see storeFactor for the bounds of that)
// and depends on nothing but the record: the same on every replica, whatever its layout, and the same for all values of up to
// eight bytes, so that those who replace each other need not be weighed.
const recordOverhead = 64

// recordWeight returns what a record with a key and a value of these lengths weighs.
func recordWeight(keyLen, valueLen int) uint64 {
	return recordOverhead + uint64(max(keyLen, 1)+7)&^7 + uint64(max(valueLen, 1)+7)&^7
}

// weightAt returns what the record at p weighs.
func (k *KV) weightAt(p place) uint64 {
	e := *p.entry()
	if e.small() {
		return recordWeight(e.keyLen(), e.valueLen())
	}
	h := headerOf(k.records.bytes(e.ref()))
	return recordWeight(h.keyLen(), h.valueLen())
}

// Limit implements StateMachine.
func (k *KV) Limit(weight uint64) {
	if k.limit = weight; weight == 0 {
		k.limit = 1<<64 - 1
	}
}

// Weight implements StateMachine.
func (k *KV) Weight() uint64 { return k.weight }
