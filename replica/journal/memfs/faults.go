package memfs

import (
	"errors"
	"fmt"
	"path"
	"slices"
)

// Op names an operation of the file system.
type Op string

// Operations.
const (
	OpMkdir    Op = "mkdir"
	OpList     Op = "list"
	OpOpen     Op = "open"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpAllocate Op = "allocate"
	OpSync     Op = "sync"
	OpRename   Op = "rename"
	OpRemove   Op = "remove"
	OpSyncDir  Op = "syncdir"
	OpLock     Op = "lock"
)

// Call is one operation about to be done.
type Call struct {
	N    int // how many came before
	Op   Op
	Name string // path of the file, as it was when it was opened
}

// ErrShortWrite, returned by a hook for a write, has half of it done before it fails.
var ErrShortWrite = errors.New("memfs: short write")

// SetHook has hook called before every operation. If it returns an error the operation fails with it. The hook may use
// the file system, for instance Crash it. nil removes the hook.
func (f *FS) SetHook(hook func(Call) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Calls returns how many operations there have been.
func (f *FS) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// enter counts an operation, asks the hook, and locks f.mu unless the operation is to fail.
func (f *FS) enter(c Call) error {
	f.mu.Lock()
	c.N = f.calls
	f.calls++
	hook := f.hook
	if hook == nil {
		return nil
	}
	f.mu.Unlock()
	if err := hook(c); err != nil {
		return fmt.Errorf("%s %s: %w", c.Op, c.Name, err)
	}
	f.mu.Lock()
	return nil
}

// Read returns a copy of a file's contents. It panics if there is no such file, as Damage does: a test is wrong.
func (f *FS) Read(name string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.mustFind(name).data)
}

// Damage changes the contents of a file behind everybody's back, on the disk too: rot, misplaced writes, swapped files.
// change may return another slice.
func (f *FS) Damage(name string, change func(data []byte) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file := f.mustFind(name)
	file.data = change(slices.Clone(file.data))
	file.synced = slices.Clone(file.data)
	file.dirty = nil
}

// FlipBit inverts one bit of a file.
func (f *FS) FlipBit(name string, off int64, bit uint) {
	f.Damage(name, func(data []byte) []byte {
		data[off] ^= 1 << (bit % 8)
		return data
	})
}

func (f *FS) mustFind(name string) *inode {
	_, file, err := f.find("find", path.Clean(name))
	if err != nil || file == nil {
		panic(fmt.Sprintf("BUG: memfs: no file %s", name))
	}
	return file
}
