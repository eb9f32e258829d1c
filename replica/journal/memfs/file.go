package memfs

import (
	"errors"
	"fmt"
	"io"
	"unsafe"

	"paxosbench/replica/journal"
)

// inode is a file's contents: what is on the disk, and what has been written since the last sync, in order.
type inode struct {
	data   []byte // as the running system sees it
	synced []byte
	dirty  []write
}

// write is one unsynced write.
type write struct {
	off  int64
	data []byte
}

// apply writes w into data and returns data, grown if need be.
func (w write) apply(data []byte) []byte {
	end := int(w.off) + len(w.data)
	if end > len(data) {
		data = append(data, make([]byte, end-len(data))...)
	}
	copy(data[w.off:], w.data)
	return data
}

// handle is an open file. It stays on its file when that is renamed or removed.
type handle struct {
	fs       *FS
	name     string // when it was opened
	file     *inode
	writable bool
	direct   bool
}

var errDirect = errors.New("memfs: direct transfer is not aligned to blocks")

// ReadAt implements journal.File.
func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	if err := h.check(p, off); err != nil {
		return 0, err
	}
	if err := h.fs.enter(Call{Op: OpRead, Name: h.name}); err != nil {
		return 0, err
	}
	defer h.fs.mu.Unlock()
	if off >= int64(len(h.file.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.file.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements journal.File. If the hook returns ErrShortWrite, half of p is written.
func (h *handle) WriteAt(p []byte, off int64) (int, error) {
	if !h.writable {
		return 0, fmt.Errorf("memfs: %s is open for reading only", h.name)
	}
	if err := h.check(p, off); err != nil {
		return 0, err
	}
	failure := h.fs.enter(Call{Op: OpWrite, Name: h.name})
	if failure != nil {
		if !errors.Is(failure, ErrShortWrite) {
			return 0, failure
		}
		h.fs.mu.Lock()
		p = p[:len(p)/2]
	}
	defer h.fs.mu.Unlock()
	w := write{off: off, data: append([]byte(nil), p...)}
	h.file.data = w.apply(h.file.data)
	h.file.dirty = append(h.file.dirty, w)
	return len(p), failure
}

// check enforces the alignment that direct transfers need on a real disk.
func (h *handle) check(p []byte, off int64) error {
	if !h.direct || len(p) == 0 {
		return nil
	}
	address := uintptr(unsafe.Pointer(unsafe.SliceData(p)))
	if (address|uintptr(len(p))|uintptr(off))%journal.BlockSize != 0 {
		return errDirect
	}
	return nil
}

// Allocate implements journal.File. Until it is synced, any sectors of it may be missing after a crash.
func (h *handle) Allocate(size int64) error {
	if err := h.fs.enter(Call{Op: OpAllocate, Name: h.name}); err != nil {
		return err
	}
	defer h.fs.mu.Unlock()
	w := write{data: make([]byte, size)}
	h.file.data = w.apply(h.file.data)
	h.file.dirty = append(h.file.dirty, w)
	return nil
}

// Sync implements journal.File.
func (h *handle) Sync() error {
	if err := h.fs.enter(Call{Op: OpSync, Name: h.name}); err != nil {
		return err
	}
	defer h.fs.mu.Unlock()
	for _, w := range h.file.dirty {
		h.file.synced = w.apply(h.file.synced)
	}
	h.file.dirty = nil
	return nil
}

// Size implements journal.File.
func (h *handle) Size() (int64, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	return int64(len(h.file.data)), nil
}

// Close implements journal.File. It does not sync.
func (h *handle) Close() error { return nil }
