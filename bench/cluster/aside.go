package cluster

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// What a cluster replaces is set aside until the new one has started: a start that fails, for instance because a flag
// is mistyped, loses nothing of the last one.

// replaceable lists what is replaced, the state last: as long as it is there, what is not yet moved is a cluster's.
var replaceable = []string{dataDir, logsDir, tlsDir, stateFile}

// setAside moves away what the cluster replaces: logs and state, and the data unless that is kept.
func (c *Cluster) setAside() error {
	if err := os.Mkdir(c.path(asideDir), 0o755); err != nil {
		return err
	}
	for _, name := range replaceable {
		if name == dataDir && c.config.Keep {
			continue
		}
		if err := move(c.path(name), c.aside(name)); err != nil {
			return errors.Join(err, c.putBack())
		}
	}
	return nil
}

func (c *Cluster) aside(name string) string { return filepath.Join(c.path(asideDir), name) }

// isAside tells whether something was set aside.
func (c *Cluster) isAside(name string) bool {
	_, err := os.Lstat(c.aside(name))
	return err == nil
}

// move moves what is there.
func move(from, to string) error {
	if err := os.Rename(from, to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// putBack puts back what was set aside.
func (c *Cluster) putBack() error {
	for _, name := range replaceable {
		if !c.isAside(name) {
			continue
		}
		if err := errors.Join(os.RemoveAll(c.path(name)), move(c.aside(name), c.path(name))); err != nil {
			return err
		}
	}
	return os.RemoveAll(c.path(asideDir))
}

// giveUp ends what a start has started, and puts back what it has set aside. Its logs are kept.
func (c *Cluster) giveUp(ctx context.Context, s *State) error {
	failed := c.path(failedDir)
	err := errors.Join(c.endAll(ctx, s, (*Process).end), os.RemoveAll(failed), move(c.path(logsDir), failed), s.write(failed))
	return errors.Join(err, c.undo())
}

// undo removes what a start has made, and puts back what it has set aside.
func (c *Cluster) undo() error {
	kept := c.isAside(stateFile) && !c.isAside(dataDir)
	for _, name := range replaceable {
		if name == dataDir && kept {
			continue
		}
		if err := os.RemoveAll(c.path(name)); err != nil {
			return err
		}
	}
	return c.putBack()
}

// recoverAside finishes what a start was doing that was itself interrupted.
func (c *Cluster) recoverAside() error {
	if _, err := os.Lstat(c.path(asideDir)); err != nil {
		return nil
	}
	s, err := readState(c.dir)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && s.up():
		return nil // which is refused
	case err == nil && s.Started && c.isAside(stateFile):
		return os.RemoveAll(c.path(asideDir))
	case err == nil && s.Started:
		return c.putBack() // it was still setting aside
	}
	return c.undo()
}
