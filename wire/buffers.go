package wire

import (
	"fmt"
	"math/bits"
)

// Buffers is a free list of byte slices in power-of-two capacities. It belongs to one goroutine and is not
// synchronised; a batch body is taken from it when it is built or received and given back when the log has let go of
// it. The zero value is ready to use.
type Buffers struct {
	// Most bounds the bytes of capacity on the free lists; what is given back beyond is left to the collector. 0 stands for
	// 256 MiB.
	Most int

	free  [maxBufferClass + 1][][]byte
	spare [maxBufferClass + 1]int // the shortest that each list has been since Trim
	kept  int                     // bytes of capacity on the free lists
}

// MinBuffer is the capacity of the smallest buffers. One for more bytes has less than twice as many.
const MinBuffer = 1 << minBufferClass

const (
	minBufferClass = 9  // 512 bytes
	maxBufferClass = 23 // 8 MiB, room for MaxBody

	// defaultBuffersKept is the default of Buffers.Most.
	defaultBuffersKept = 256 << 20
)

const _ uint = 1<<maxBufferClass - MaxBody

// Get returns an empty slice with room for at least size bytes; its contents are undefined. The caller owns it.
func (p *Buffers) Get(size int) []byte {
	class := bufferClass(size)
	if list := p.free[class]; len(list) > 0 {
		b := list[len(list)-1]
		list[len(list)-1] = nil
		p.free[class] = list[:len(list)-1]
		p.kept -= cap(b)
		p.spare[class] = min(p.spare[class], len(list)-1)
		return b[:0]
	}
	return make([]byte, 0, 1<<class)
}

// Put gives a slice back that Get returned, or a prefix of it. The caller must hold no other view of it.
func (p *Buffers) Put(b []byte) {
	c := cap(b)
	if c < MinBuffer || c&(c-1) != 0 || c > 1<<maxBufferClass || p.kept+c > p.most() {
		return
	}
	class := bits.TrailingZeros(uint(c))
	p.free[class] = append(p.free[class], b[:0])
	p.kept += c
}

// Grow returns a slice with b's contents and room for at least size bytes in all; b itself goes back to the list.
func (p *Buffers) Grow(b []byte, size int) []byte {
	if cap(b) >= size {
		return b
	}
	grown := append(p.Get(size), b...)
	p.Put(b)
	return grown
}

// Trim leaves to the collector what has been on the free lists, unused, since the last Trim.
func (p *Buffers) Trim() {
	for class, list := range p.free {
		kept := len(list) - p.spare[class]
		p.kept -= p.spare[class] << class
		clear(list[kept:])
		p.free[class], p.spare[class] = list[:kept], kept
	}
}

// Kept returns the bytes that wait on the free lists.
func (p *Buffers) Kept() int { return p.kept }

func (p *Buffers) most() int {
	if p.Most == 0 {
		return defaultBuffersKept
	}
	return p.Most
}

func bufferClass(size int) int {
	if size > 1<<maxBufferClass {
		panic(fmt.Sprintf("BUG: buffer of %d bytes, limit %d", size, 1<<maxBufferClass))
	}
	return max(minBufferClass, bits.Len(uint(max(size, 1)-1)))
}
