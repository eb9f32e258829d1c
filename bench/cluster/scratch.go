package cluster

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Scratch is a directory for what is of no use once a measurement is over: data, logs, clusters. It has a name of its own, so
// that nothing that is there already is in its way, and a mark, so that what a program that was killed has left of it can
// be told from what belongs to someone.
type Scratch struct {
	dir  string
	mark *os.File // locked as long as the directory is in use
}

// scratchMark is the name of the mark.
const scratchMark = ".paxosbench-scratch"

// NewScratch makes a scratch directory whose name begins with a prefix. The directory that it is in is made as well.
func NewScratch(parent, prefix string) (*Scratch, error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, prefix+"-*")
	if err != nil {
		return nil, err
	}
	mark, err := os.OpenFile(filepath.Join(dir, scratchMark), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		err = unix.Flock(int(mark.Fd()), unix.LOCK_EX)
	}
	return &Scratch{dir, mark}, err
}

// Dir returns the directory.
func (s *Scratch) Dir() string { return s.dir }

// Remove removes the directory.
func (s *Scratch) Remove() error { return errors.Join(os.RemoveAll(s.dir), s.mark.Close()) }

// Keep leaves the directory for someone to look at. Clean removes it.
func (s *Scratch) Keep() error { return s.mark.Close() }

// Sweep removes the scratch directories that programs which were killed have left in a directory, and ends the clusters in
// them.
func Sweep(ctx context.Context, parent string) error {
	marks, err := filepath.Glob(filepath.Join(escaped(parent), "*", scratchMark))
	if err != nil {
		return err
	}
	for _, mark := range marks {
		if err := sweep(ctx, mark, true); err != nil && !errors.Is(err, errInUse) {
			return err
		}
	}
	return nil
}

// escaped makes a pattern of a path that matches the path.
func escaped(path string) string {
	var pattern []rune
	for _, r := range path {
		if r == '*' || r == '?' || r == '[' || r == '\\' {
			pattern = append(pattern, '\\')
		}
		pattern = append(pattern, r)
	}
	return string(pattern)
}

var errInUse = errors.New("in use")

// sweep removes the scratch directory with a mark, unless it is in use; end tells whether to end clusters in it.
func sweep(ctx context.Context, mark string, end bool) error {
	file, err := os.OpenFile(mark, os.O_RDWR, 0)
	if err != nil {
		return ignoreMissing(err)
	}
	s := &Scratch{filepath.Dir(mark), file}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.Join(errInUse, file.Close())
	}
	left, err := find(s.dir)
	for _, c := range left {
		if end {
			err = errors.Join(err, c.Down(ctx))
		}
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	return s.Remove()
}

// cleanScratch removes scratch directories in a directory and below. One that is in use is refused.
func cleanScratch(ctx context.Context, dir string) (removed []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != scratchMark {
			return ignoreMissing(err)
		}
		where := filepath.Dir(path)
		if err := sweep(ctx, path, false); err != nil {
			if errors.Is(err, errInUse) {
				err = refused("a measurement is at work in %s; wait for it, or end it", where)
			}
			return err
		}
		removed = append(removed, where)
		return fs.SkipDir
	})
	if err == nil && len(removed) > 0 {
		err = removeEmpty(dir)
	}
	return removed, err
}

// removeEmpty removes a directory if nothing is in it.
func removeEmpty(dir string) error {
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return ignoreMissing(err)
	}
	return os.Remove(dir)
}
