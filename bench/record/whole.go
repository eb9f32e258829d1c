package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrOutput means that results could not be written: no permission, or no room.
var ErrOutput = errors.New("the results cannot be written")

func outputError(err error) error {
	if err == nil || errors.Is(err, ErrOutput) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrOutput, err)
}

// Lock is a directory that one process at a time writes results into.
type Lock struct{ dir *os.File }

// MakeDir makes the directory and locks it for this process, which is said if another one has it.
func MakeDir(path string) (*Lock, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, outputError(err)
	}
	return LockDir(path)
}

// LockDir locks a directory that is there.
func LockDir(path string) (*Lock, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, outputError(err)
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		dir.Close()
		return nil, fmt.Errorf("%w: another run or report writes to %s (%w): wait for its end, or name another directory", ErrOutput, path, err)
	}
	return &Lock{dir}, nil
}

// Unlock lets others write to the directory.
func (l *Lock) Unlock() error { return l.dir.Close() }

// unfinished begins the names of files and directories that are to take the place of others when they are whole.
const unfinished = ".unfinished-"

// WriteFile writes a file that takes the place of what is there when it is whole, and not before: what is written may be made
// of the very file that it replaces. A device or a pipe is written to as it is. That it cannot be written is an ErrOutput; what
// write itself has to say is not.
func WriteFile(path string, write func(io.Writer) error) error {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	old, err := os.Stat(path)
	if err == nil && !old.Mode().IsRegular() {
		return ifOutputError(writeInto(path, os.O_WRONLY, write))
	}
	part := filepath.Join(filepath.Dir(path), unfinished+strconv.FormatUint(rand.Uint64(), 36)) // however long the name is
	if err = writeInto(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, write); err == nil && old != nil {
		err = os.Chmod(part, old.Mode().Perm())
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return ifOutputError(errors.Join(fmt.Errorf("%s: %w", path, err), removeIfThere(part)))
	}
	return nil
}

// ifOutputError makes an output error of one that the system has given.
func ifOutputError(err error) error {
	var onPath *fs.PathError
	var onTwo *os.LinkError
	if errors.As(err, &onPath) || errors.As(err, &onTwo) {
		return outputError(err)
	}
	return err
}

// SaveFile writes a file as WriteFile does.
func SaveFile(path string, data []byte) error {
	return WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// SavePage writes what shows a result beside it, or removes that of an earlier one if there is none: it is not this one's.
func SavePage(path string, page []byte) error {
	if page == nil {
		return outputError(removeIfThere(path))
	}
	return SaveFile(path, page)
}

// SameFile tells whether two paths lead to one file, or directory.
func SameFile(a, b string) bool {
	one, err := os.Stat(a)
	other, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(one, other)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func writeInto(path string, how int, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, how, 0o666)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		return errors.Join(err, file.Close())
	}
	return file.Close()
}
