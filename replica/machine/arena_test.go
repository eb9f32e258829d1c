package machine

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"paxosbench/wire"
)

func TestSizeClasses(t *testing.T) {
	for class := range classCount {
		size := int(classGranules(class)) * granule
		if got := classOf(size); got != class {
			t.Fatalf("class of %d bytes is %d, want %d", size, got, class)
		}
		if class+1 < classCount {
			if got := classOf(size + 1); got != class+1 {
				t.Fatalf("class of %d bytes is %d, want %d", size+1, got, class+1)
			}
		}
	}
	for _, size := range []int{recordHeaderSize, 9, 15, 16, 17, 100, 1000, wire.MaxCommand} {
		granules := int(classGranules(classOf(size)))
		if granules*granule < size || size > linearClasses*granule && granules*granule > size*9/8+granule {
			t.Errorf("%d bytes take %d", size, granules*granule)
		}
	}
}

// size returns the bytes of all slabs, used or not.
func (a *arena) size() (n int) {
	for _, slab := range a.slabs {
		n += len(slab)
	}
	return n + len(a.spare)*slabSize
}

// TestArenaAgainstMap fills records with a pattern of their own and checks that no other record runs over it, wherever they
// move, and that memory stays within its bound.
func TestArenaAgainstMap(t *testing.T) {
	type record struct {
		class int
		fill  byte
	}
	rng := rand.New(rand.NewPCG(3, 0))
	var a arena
	live := map[ref]record{}
	var order []ref // of live, for the draw
	check := func(step int, r ref) {
		it := live[r]
		size := int(classGranules(it.class)) * granule
		b := a.bytes(r)[:size]
		if headerOf(b).class() != it.class || !bytes.Equal(b[8:], bytes.Repeat([]byte{it.fill}, size-8)) {
			t.Fatalf("step %d: record %d of class %d was overwritten", step, r, it.class)
		}
	}
	moves := 0
	for step := range 40000 {
		shrinking := step/5000%2 == 1
		if n := len(order); n > 0 && (rng.IntN(5) < 2 || shrinking && rng.IntN(5) > 0) {
			i := rng.IntN(n)
			r := order[i]
			check(step, r)
			class := live[r].class
			delete(live, r)
			order[i] = order[n-1]
			order = order[:n-1]
			a.release(r, class)
			for steps := 0; a.sparse(class); steps++ {
				if steps == 2 {
					t.Fatalf("step %d: more than two moves", step)
				}
				from, to := a.retire(class)
				if to == 0 {
					continue
				}
				moves++
				live[to] = live[from]
				delete(live, from)
				order[slices.Index(order, from)] = to
				check(step, to)
			}
			continue
		}
		class := 1 + rng.IntN(20)
		if step%100 == 0 {
			class = 1 + rng.IntN(classCount-1)
		}
		r := a.alloc(class)
		if _, taken := live[r]; taken || r == 0 {
			t.Fatalf("step %d: record %d was handed out twice, or never should have been", step, r)
		}
		b := a.bytes(r)[:int(classGranules(class))*granule]
		putRecordHeader(b, makeRecordHeader(class, 0, 0))
		for i := range b[8:] {
			b[8+i] = byte(step)
		}
		live[r] = record{class, byte(step)}
		order = append(order, r)
	}
	for _, r := range order {
		check(0, r)
	}
	if moves < 1000 {
		t.Fatalf("%d moves: the test tests too little", moves)
	}
	for _, r := range order { // a record of a class that is left alone must not move
		a.release(r, live[r].class)
	}
	for class := range classCount {
		for a.sparse(class) {
			if _, to := a.retire(class); to != 0 {
				t.Fatalf("a record of class %d moved although none is left", class)
			}
		}
	}
	if n := a.size(); n > maxSpareSlabs*slabSize+maxSpareLarge {
		t.Fatalf("%d bytes although everything was released", n)
	}
}
