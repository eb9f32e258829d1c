//go:build linux

package main

import (
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// heapOnHugePages is how much of the heap is put on huge pages: the store, the log and all buffers of most replicas.
// What goes beyond is on ordinary pages.
const heapOnHugePages = 2 << 30

// useHugePages has the kernel back the heap with huge pages where it does so on request only, which is the usual
// setting. The first touch of a page is a fault, and under a hypervisor one costs microseconds: replicas that take in
// large values spent more time on these than on anything else. There is one fault for 2 MiB then instead of 512.
//
// The runtime cannot be asked for that. But advice belongs to addresses, and the runtime uses the lowest free ones
// first: memory that is allocated, advised and freed, all of it untouched, is what the heap grows into. That the kernel
// may refuse is no matter; memory that it would not give has to be asked for in a way that may fail.
func useHugePages() {
	probe, err := unix.Mmap(-1, 0, heapOnHugePages, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil || unix.Munmap(probe) != nil {
		return
	}
	memory := make([]byte, heapOnHugePages)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(memory))) % hugePage
	_ = unix.Madvise(memory[skip:], unix.MADV_HUGEPAGE)
	debug.FreeOSMemory()
}

const hugePage = 2 << 20
