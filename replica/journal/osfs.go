//go:build linux

package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// OSFS is the file system of the operating system.
type OSFS struct{}

var _ FS = OSFS{}

// MkdirAll implements FS. The names of directories that it makes are durable.
func (fs OSFS) MkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := fs.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return fs.SyncDir(parent)
}

// List implements FS.
func (OSFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names, nil
}

// Open implements FS.
func (OSFS) Open(name string, flags OpenFlags) (File, error) {
	mode := os.O_RDONLY
	switch {
	case flags&OpenCreate != 0:
		mode = os.O_RDWR | os.O_CREATE | os.O_TRUNC
	case flags&OpenWrite != 0:
		mode = os.O_RDWR
	}
	direct := 0
	if flags&OpenDirect != 0 {
		direct = unix.O_DIRECT
	}
	f, err := os.OpenFile(name, mode|direct, 0o644)
	if direct != 0 && errors.Is(err, unix.EINVAL) {
		f, err = os.OpenFile(name, mode, 0o644)
	}
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Rename implements FS.
func (OSFS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FS.
func (OSFS) Remove(name string) error { return os.Remove(name) }

// SyncDir implements FS.
func (OSFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Lock implements FS with flock, which the kernel drops with the process. The file holds the owner's process id.
func (OSFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		owner := lockOwner(f)
		_ = f.Close() // nothing was written
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: locked by %s", name, owner)
		}
		return nil, fmt.Errorf("%s: flock: %w", name, err)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lockOwner describes who holds the lock, as far as the lock file tells.
func lockOwner(f *os.File) string {
	var text [20]byte
	n, _ := f.ReadAt(text[:], 0) // best effort: the text only improves a message
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n]))); err == nil {
		return fmt.Sprintf("process %d", pid)
	}
	return "another process"
}

// osFile adds fdatasync, and the way back from direct transfers, to os.File.
type osFile struct{ *os.File }

// WriteAt implements File. Some file systems take O_DIRECT at open and refuse it at the first write.
func (f osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	if errors.Is(err, unix.EINVAL) && f.dropDirect() {
		return f.File.WriteAt(p, off)
	}
	return n, err
}

// dropDirect turns direct transfers off and reports whether they were on.
func (f osFile) dropDirect() bool {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_DIRECT == 0 {
		return false
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags&^unix.O_DIRECT)
	return err == nil
}

// Allocate implements File.
func (f osFile) Allocate(size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
		}
	}
}

// Sync implements File.
func (f osFile) Sync() error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}

// Size implements File.
func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
