//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// What is allocated after the advice was given and its memory freed must lie where the advice holds.
func TestHeapGrowsIntoAdvisedMemory(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("this kernel has no huge pages to give:", err)
	}
	useHugePages()
	memory := make([]byte, 64<<20)
	middle := &memory[len(memory)/2] // its beginning may lie before the first whole huge page
	if flags := mappingFlags(t, uintptr(unsafe.Pointer(middle))); !strings.Contains(flags+" ", " hg ") {
		t.Fatalf("flags of the mapping of a new slice: %q, want hg among them", flags)
	}
	runtime.KeepAlive(memory)
}

// mappingFlags returns the line of /proc/self/smaps that describes the mapping of an address.
func mappingFlags(t *testing.T, address uintptr) string {
	t.Helper()
	file, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Skip("mappings cannot be looked at:", err)
	}
	defer file.Close()
	within := false
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var start, end uintptr
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x ", &start, &end); err == nil {
			within = start <= address && address < end
		}
		if flags, ok := strings.CutPrefix(lines.Text(), "VmFlags:"); ok && within {
			return flags
		}
	}
	t.Fatalf("no mapping of %#x", address)
	return ""
}
