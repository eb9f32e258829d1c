package wire

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// buffersTwin is the dumb twin of Buffers: it makes every slice anew and keeps the books on who holds what.
type buffersTwin struct {
	buffers Buffers
	held    [][]byte       // what callers hold; each is filled with its own mark
	free    map[*byte]int  // what has been given back, with its capacity
	marks   map[*byte]byte // the mark of what is held
	next    byte
}

func (w *buffersTwin) take(t *rapid.T, b []byte, size int) {
	if len(b) != 0 || cap(b) < size {
		t.Fatalf("asked for %d bytes, got length %d, capacity %d", size, len(b), cap(b))
	}
	whole := b[:cap(b)]
	if _, taken := w.marks[&whole[0]]; taken {
		t.Fatal("a slice was handed out twice")
	}
	smallest := 1 << minBufferClass
	for smallest < size {
		smallest *= 2
	}
	if cap(b) != smallest {
		t.Fatalf("asked for %d bytes, got capacity %d, want %d", size, cap(b), smallest)
	}
	if _, reused := w.free[&whole[0]]; !reused {
		for _, c := range w.free {
			if c == smallest {
				t.Fatalf("allocated %d bytes with as many on the free list", smallest)
			}
		}
	}
	delete(w.free, &whole[0])
	w.mark(whole)
}

// mark fills a slice, so that anybody who wrongly shares it is found out.
func (w *buffersTwin) mark(whole []byte) {
	w.next++
	for i := range whole {
		whole[i] = w.next
	}
	w.marks[&whole[0]] = w.next
	w.held = append(w.held, whole)
}

// drop takes a held slice out of the books after checking its mark.
func (w *buffersTwin) drop(t *rapid.T, i int) []byte {
	b := w.held[i]
	for _, got := range b {
		if got != w.marks[&b[0]] {
			t.Fatal("somebody else wrote into a held slice")
		}
	}
	delete(w.marks, &b[0])
	w.held = append(w.held[:i], w.held[i+1:]...)
	return b
}

func TestBuffersMatchTwin(t *testing.T) {
	sizes := rapid.OneOf(rapid.IntRange(0, 600), rapid.IntRange(1000, 5000))
	rapid.Check(t, func(t *rapid.T) {
		w := &buffersTwin{free: map[*byte]int{}, marks: map[*byte]byte{}}
		pick := func(t *rapid.T) int {
			if len(w.held) == 0 {
				t.Skip("nothing held")
			}
			return rapid.IntRange(0, len(w.held)-1).Draw(t, "which")
		}
		t.Repeat(map[string]func(*rapid.T){
			"get": func(t *rapid.T) {
				size := sizes.Draw(t, "size")
				w.take(t, w.buffers.Get(size), size)
			},
			"put": func(t *rapid.T) {
				b := w.drop(t, pick(t))
				w.free[&b[0]] = cap(b)
				w.buffers.Put(b[:len(b)/2]) // a prefix will do
			},
			"grow": func(t *rapid.T) {
				b := w.drop(t, pick(t))
				size := sizes.Draw(t, "size")
				used := min(len(b), size)
				grown := w.buffers.Grow(b[:used], size)
				if string(grown) != string(b[:used]) {
					t.Fatal("contents lost")
				}
				if cap(b) >= size {
					w.mark(b)
					return
				}
				w.take(t, grown[:0], size)
				w.free[&b[0]] = cap(b)
			},
			"": func(t *rapid.T) {
				kept := 0
				for _, c := range w.free {
					kept += c
				}
				if w.buffers.kept != kept {
					t.Fatalf("%d bytes kept, want %d", w.buffers.kept, kept)
				}
			},
		})
	})
}

func TestBuffersRefuse(t *testing.T) {
	var p Buffers
	for _, b := range [][]byte{nil, make([]byte, 0, 511), make([]byte, 256), make([]byte, 0, 1000), make([]byte, 0, 1<<(maxBufferClass+1))} {
		p.Put(b)
	}
	if p.kept != 0 {
		t.Errorf("%d bytes kept of slices that Get never returned", p.kept)
	}
	p.kept = defaultBuffersKept - 512
	p.Put(make([]byte, 0, 1024))
	if len(p.free[10]) != 0 {
		t.Error("kept beyond the bound")
	}
	p.Put(make([]byte, 0, 512))
	if len(p.free[9]) != 1 || p.kept != defaultBuffersKept {
		t.Error("not kept up to the bound")
	}
	defer func() {
		if text, _ := recover().(string); !strings.HasPrefix(text, "BUG: ") {
			t.Errorf("panicked with %q", text)
		}
	}()
	p.Get(1<<maxBufferClass + 1)
}

func TestBuffersAllocateNothing(t *testing.T) {
	var p Buffers
	p.Put(p.Get(MaxBody))
	p.Put(p.Get(1000))
	if allocs := testing.AllocsPerRun(100, func() {
		small, large := p.Get(1000), p.Get(MaxBody)
		p.Put(large)
		p.Put(small)
	}); allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

// What is not used between two trims is let go of, what is used stays.
func TestBuffersTrim(t *testing.T) {
	var p Buffers
	use := func(n int) {
		var held [][]byte
		for range n {
			held = append(held, p.Get(4096))
		}
		for _, b := range held {
			p.Put(b)
		}
	}
	use(10)
	p.Trim()
	if p.Kept() != 10*4096 {
		t.Fatalf("%d bytes kept of ten buffers that were in use", p.Kept())
	}
	use(4)
	p.Trim()
	if p.Kept() != 4*4096 || len(p.free[12]) != 4 {
		t.Errorf("%d bytes kept, %d buffers, of which four were in use", p.Kept(), len(p.free[12]))
	}
	p.Trim()
	if p.Kept() != 0 {
		t.Errorf("%d bytes kept that nobody uses", p.Kept())
	}
}
