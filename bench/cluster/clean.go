package cluster

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// cleanDepth is how far below a directory clusters are looked for.
const cleanDepth = 3

// Clean removes everything that clusters and measurements have left in a directory and below, and the directories if nothing
// else is in them. If one of them is up, nothing is removed. It returns where it has removed something.
func Clean(ctx context.Context, dir string) (removed []string, err error) {
	found, err := find(dir)
	if err != nil {
		return nil, err
	}
	for _, c := range found {
		if err := c.refuseUp(); err != nil {
			return nil, err
		}
	}
	for _, c := range found {
		if err := c.remove(ctx); err != nil {
			return removed, err
		}
		removed = append(removed, c.dir)
	}
	scratch, err := cleanScratch(ctx, dir)
	return append(removed, scratch...), err
}

// find returns the clusters in a directory and below, the deepest first.
func find(dir string) (found []*Cluster, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return ignoreMissing(err)
		}
		if strings.Count(strings.TrimPrefix(path, dir), string(filepath.Separator)) > cleanDepth {
			return fs.SkipDir
		}
		isOne, err := hasCluster(path)
		if err != nil || !isOne {
			return err
		}
		c, err := newCluster(path)
		found = append([]*Cluster{c}, found...)
		return err
	})
	return found, err
}

// hasCluster tells whether a directory holds a cluster, or what is left of a start that was interrupted or has failed.
// Only its own state says so: a directory with such names may be anyone's.
func hasCluster(dir string) (bool, error) {
	if name := filepath.Base(dir); name == asideDir || name == failedDir {
		return false, nil
	}
	for _, in := range []string{"", asideDir, failedDir} {
		_, err := readState(filepath.Join(dir, in))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errForeign) {
			return false, err
		}
	}
	return false, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// refuseUp refuses a cluster that is up.
func (c *Cluster) refuseUp() error {
	s, err := readState(c.dir)
	if err == nil && s.up() {
		return refused("a cluster is up in %s; take it down first: %s", c.dir, CommandLine(c.dir, "down"))
	}
	return ignoreMissing(err)
}

// remove removes what a cluster has left.
func (c *Cluster) remove(ctx context.Context) error {
	unlock, err := lock(ctx, c.dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.refuseUp(); err != nil {
		return err
	}
	for _, name := range []string{asideDir, failedDir, dataDir, logsDir, tlsDir, stateFile} {
		if err := os.RemoveAll(c.path(name)); err != nil {
			return err
		}
	}
	return removeEmpty(c.dir)
}
