package machine

// takeSpare returns an unused slab of the common size, with undefined contents.
func (a *arena) takeSpare() []byte {
	last := len(a.spare) - 1
	if last < 0 {
		return make([]byte, slabSize)
	}
	slab := a.spare[last]
	a.spare[last] = nil
	a.spare = a.spare[:last]
	return slab
}

// giveSpare takes a slab of the common size out of use, and keeps it if there are few of them.
func (a *arena) giveSpare(number uint32) {
	slab := a.slabs[number]
	a.dropSlab(number)
	if len(a.spare) < maxSpareSlabs {
		a.spare = append(a.spare, slab)
	}
}

// addSlab gives a slab a number.
func (a *arena) addSlab(slab []byte) uint32 {
	a.held += len(slab)
	if last := len(a.numbers) - 1; last >= 0 {
		n := a.numbers[last]
		a.numbers = a.numbers[:last]
		a.slabs[n] = slab
		return n
	}
	if len(a.slabs) == 0 {
		a.slabs = append(a.slabs, nil)
	}
	a.slabs = append(a.slabs, slab)
	return uint32(len(a.slabs) - 1)
}

// dropSlab lets a slab go.
func (a *arena) dropSlab(number uint32) {
	a.held -= len(a.slabs[number])
	a.slabs[number] = nil
	a.numbers = append(a.numbers, number)
}
