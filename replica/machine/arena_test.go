package machine

import (
	"bytes"
	"math/rand/v2"
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
		if granules*granule < size || size > 8*granule && granules*granule > size*5/4+granule {
			t.Errorf("%d bytes take %d", size, granules*granule)
		}
	}
}

// TestArenaAgainstMap fills records with a pattern of their own and checks that no other record runs over it.
func TestArenaAgainstMap(t *testing.T) {
	type record struct {
		r     ref
		class int
		fill  byte
	}
	rng := rand.New(rand.NewPCG(3, 0))
	var a arena
	var live []record
	for step := range 20000 {
		if len(live) > 0 && rng.IntN(5) < 2 {
			i := rng.IntN(len(live))
			it := live[i]
			size := int(classGranules(it.class)) * granule
			if b := a.bytes(it.r)[:size]; !bytes.Equal(b, bytes.Repeat([]byte{it.fill}, size)) {
				t.Fatalf("step %d: record %d of class %d was overwritten", step, it.r, it.class)
			}
			a.release(it.r, it.class)
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
			continue
		}
		class := rng.IntN(20)
		if step%100 == 0 {
			class = rng.IntN(classCount)
		}
		it := record{a.alloc(class), class, byte(step)}
		if it.r == 0 {
			t.Fatal("granule 0 was handed out")
		}
		b := a.bytes(it.r)[:int(classGranules(class))*granule]
		for i := range b {
			b[i] = it.fill
		}
		live = append(live, it)
	}
	if len(a.pages) < 2 {
		t.Fatal("one page was enough: the test tests nothing")
	}
}

func TestArenaReusesEverything(t *testing.T) {
	var a arena
	fill := func() (refs []ref) {
		for range 3 * pageGranules / int(classGranules(largestRecordClass)) {
			refs = append(refs, a.alloc(largestRecordClass))
		}
		return refs
	}
	first := fill()
	pages := len(a.pages)
	for range 10 {
		for _, r := range first {
			a.release(r, largestRecordClass)
		}
		first = fill()
	}
	if len(a.pages) != pages {
		t.Fatalf("%d pages, then %d for the same records", pages, len(a.pages))
	}
	// What was left at the end of each page serves smaller records.
	for range pages - 1 {
		a.alloc(classOf(4096))
	}
	if len(a.pages) != pages {
		t.Fatalf("%d pages, want %d: the ends of pages were not used", len(a.pages), pages)
	}
}

const largestRecordClass = classCount - 1
