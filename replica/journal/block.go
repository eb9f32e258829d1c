package journal

import (
	"io"
	"unsafe"
)

// alignedBytes returns n zero bytes that begin at a multiple of BlockSize in memory, as direct transfers require.
// The collector does not move them.
func alignedBytes(n int) []byte {
	b := make([]byte, n+BlockSize)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) % BlockSize)
	return b[skip : skip+n : skip+n]
}

// alignUp rounds an offset up to a multiple of unit, a power of two.
func alignUp(offset, unit int64) int64 { return (offset + unit - 1) &^ (unit - 1) }

// writeAll writes p at off. A write that falls short is an error even if the file reports none.
func writeAll(f File, p []byte, off int64) error {
	n, err := f.WriteAt(p, off)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// writeZeros fills the first size bytes of f with zeros, a multiple of BlockSize.
func writeZeros(f File, size int64) error {
	zeros := alignedBytes(int(min(size, zeroChunkBytes)))
	for off := int64(0); off < size; off += int64(len(zeros)) {
		if err := writeAll(f, zeros[:min(size-off, int64(len(zeros)))], off); err != nil {
			return err
		}
	}
	return nil
}

// zeroChunkBytes is small enough that a flush does not wait long behind one write of zeros.
const zeroChunkBytes = 1 << 20
