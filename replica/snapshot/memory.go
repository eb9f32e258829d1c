package snapshot

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"sync"

	"paxosbench/replica/journal"
)

// Memory is a file system in memory, for the snapshots of a replica without durability. Directories are nothing but
// parts of names, syncs do nothing, and there are no locks.
type Memory struct {
	mu    sync.Mutex
	files map[string]*memoryFile
}

var _ journal.FS = (*Memory)(nil)

// NewMemory returns an empty file system.
func NewMemory() *Memory { return &Memory{files: map[string]*memoryFile{}} }

// MkdirAll implements journal.FS.
func (m *Memory) MkdirAll(string) error { return nil }

// List implements journal.FS.
func (m *Memory) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.files {
		if filepath.Dir(name) == filepath.Clean(dir) {
			names = append(names, filepath.Base(name))
		}
	}
	return names, nil
}

// Open implements journal.FS.
func (m *Memory) Open(name string, flags journal.OpenFlags) (journal.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if flags&journal.OpenCreate != 0 {
		m.files[name] = new(memoryFile)
	}
	if f := m.files[name]; f != nil {
		return f, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// Rename implements journal.FS.
func (m *Memory) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[from]
	if f == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	delete(m.files, from)
	m.files[to] = f
	return nil
}

// Remove implements journal.FS.
func (m *Memory) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(m.files, name)
	return nil
}

// SyncDir implements journal.FS.
func (m *Memory) SyncDir(string) error { return nil }

// Lock implements journal.FS.
func (m *Memory) Lock(string) (io.Closer, error) { return new(memoryFile), nil }

// memoryFile is a file, open or not. It is made of blocks, because a single slice would be copied whenever it grew.
type memoryFile struct {
	mu     sync.RWMutex
	blocks [][]byte // of memoryBlock bytes each
	size   int64
}

const memoryBlock = 1 << 20

// WriteAt implements journal.File.
func (f *memoryFile) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.size = max(f.size, off+int64(len(p)))
	for int64(len(f.blocks))*memoryBlock < f.size {
		f.blocks = append(f.blocks, make([]byte, memoryBlock))
	}
	return f.each(off, len(p), func(block []byte, at int) { copy(block, p[at:]) }), nil
}

// Allocate implements journal.File: there is nothing to take room of.
func (f *memoryFile) Allocate(int64) error { return errors.ErrUnsupported }

// ReadAt implements journal.File.
func (f *memoryFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	n := int(max(0, min(int64(len(p)), f.size-off)))
	f.each(off, n, func(block []byte, at int) { copy(p[at:n], block) })
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// each calls do for the parts of blocks that make up n bytes at off, with how many of them came before.
func (f *memoryFile) each(off int64, n int, do func(part []byte, at int)) int {
	for at := 0; at < n; {
		part := f.blocks[(off+int64(at))/memoryBlock][(off+int64(at))%memoryBlock:]
		do(part, at)
		at += len(part)
	}
	return n
}

// Sync implements journal.File.
func (f *memoryFile) Sync() error { return nil }

// Size implements journal.File.
func (f *memoryFile) Size() (int64, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.size, nil
}

// Close implements journal.File.
func (f *memoryFile) Close() error { return nil }
