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
