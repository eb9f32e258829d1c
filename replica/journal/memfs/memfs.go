// Package memfs is a file system in memory that behaves as badly as a real one may: what was not synced can be lost,
// torn and reordered by a crash, operations can be made to fail, and synced data can be damaged on purpose. All of it
// is decided by seeds and by the caller's hook, so that every run can be repeated.
//
// It implements journal.FS and serves anything else that keeps its files through that seam.
package memfs

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"syscall"

	"paxosbench/replica/journal"
)

// FS is a file system. It may be used from several goroutines.
type FS struct {
	mu    sync.Mutex
	dirs  map[string]*directory
	locks map[string]bool
	hook  func(Call) error
	calls int
}

var _ journal.FS = (*FS)(nil)

// directory holds names, as the running system sees them and as they are on the disk.
type directory struct {
	names  map[string]*inode
	synced map[string]*inode
	todo   []change // between synced and names, in order
}

// change is one change to a directory: name now means file (nil: it is gone), and from, if given, is gone.
type change struct {
	name string
	file *inode
	from string
}

func (c change) apply(names map[string]*inode) {
	if c.from != "" {
		delete(names, c.from)
	}
	if c.file == nil {
		delete(names, c.name)
		return
	}
	names[c.name] = c.file
}

// New returns an empty file system.
func New() *FS {
	return &FS{dirs: map[string]*directory{}, locks: map[string]bool{}}
}

// change makes a change that the next SyncDir makes durable. The caller holds fs.mu.
func (d *directory) change(c change) {
	c.apply(d.names)
	d.todo = append(d.todo, c)
}

// find returns the directory of a file and the file, nil if it does not exist. The caller holds fs.mu.
func (f *FS) find(op, name string) (*directory, *inode, error) {
	d := f.dirs[path.Dir(name)]
	if d == nil {
		return nil, nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return d, d.names[path.Base(name)], nil
}

// MkdirAll implements journal.FS. Directories themselves are durable at once.
func (f *FS) MkdirAll(dir string) error {
	if err := f.enter(Call{Op: OpMkdir, Name: dir}); err != nil {
		return err
	}
	defer f.mu.Unlock()
	if _, file, err := f.find("mkdir", dir); err == nil && file != nil {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	}
	if f.dirs[path.Clean(dir)] == nil {
		f.dirs[path.Clean(dir)] = &directory{names: map[string]*inode{}, synced: map[string]*inode{}}
	}
	return nil
}

// List implements journal.FS.
func (f *FS) List(dir string) ([]string, error) {
	if err := f.enter(Call{Op: OpList, Name: dir}); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	d := f.dirs[path.Clean(dir)]
	if d == nil {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: fs.ErrNotExist}
	}
	names := sortedNames(d.names)
	for other := range f.dirs {
		if path.Dir(other) == path.Clean(dir) && other != path.Clean(dir) {
			names = append(names, path.Base(other))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Open implements journal.FS.
func (f *FS) Open(name string, flags journal.OpenFlags) (journal.File, error) {
	if err := f.enter(Call{Op: OpOpen, Name: name}); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	d, file, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	switch {
	case flags&journal.OpenCreate != 0:
		file = &inode{}
		d.change(change{name: path.Base(name), file: file})
	case file == nil:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &handle{fs: f, name: name, file: file, direct: flags&journal.OpenDirect != 0,
		writable: flags&(journal.OpenWrite|journal.OpenCreate) != 0}, nil
}

// Rename implements journal.FS. Within a directory a crash leaves the file under the old name or the new one, never under
// both or none; from one to another it may leave any of that, until both are synced.
func (f *FS) Rename(from, to string) error {
	if err := f.enter(Call{Op: OpRename, Name: from}); err != nil {
		return err
	}
	defer f.mu.Unlock()
	d, file, err := f.find("rename", from)
	if err == nil && (file == nil || f.dirs[path.Dir(to)] == nil) {
		err = &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	if err != nil {
		return err
	}
	if target := f.dirs[path.Dir(to)]; target != d {
		target.change(change{name: path.Base(to), file: file})
		d.change(change{name: path.Base(from)})
		return nil
	}
	d.change(change{name: path.Base(to), file: file, from: path.Base(from)})
	return nil
}

// Remove implements journal.FS.
func (f *FS) Remove(name string) error {
	if err := f.enter(Call{Op: OpRemove, Name: name}); err != nil {
		return err
	}
	defer f.mu.Unlock()
	d, file, err := f.find("remove", name)
	if err == nil && file == nil {
		err = &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		return err
	}
	d.change(change{name: path.Base(name)})
	return nil
}

// SyncDir implements journal.FS.
func (f *FS) SyncDir(dir string) error {
	if err := f.enter(Call{Op: OpSyncDir, Name: dir}); err != nil {
		return err
	}
	defer f.mu.Unlock()
	d := f.dirs[path.Clean(dir)]
	if d == nil {
		return &fs.PathError{Op: "syncdir", Path: dir, Err: fs.ErrNotExist}
	}
	for _, c := range d.todo {
		c.apply(d.synced)
	}
	d.todo = nil
	return nil
}

// Lock implements journal.FS.
func (f *FS) Lock(name string) (io.Closer, error) {
	if err := f.enter(Call{Op: OpLock, Name: name}); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	if f.locks[name] {
		return nil, fmt.Errorf("%s: locked by another holder", name)
	}
	f.locks[name] = true
	return &lock{fs: f, name: name}, nil
}

type lock struct {
	fs   *FS
	name string
}

// Close releases the lock.
func (l *lock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locks, l.name)
	return nil
}
